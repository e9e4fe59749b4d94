"""Errors of the Hub's client: which may pass at another attempt, and what they say in one line."""

from collections.abc import Iterator

from huggingface_hub.errors import HTTPError

_MAY_PASS = (408, 429)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what lay behind it, down to its root: the client wraps a refused connection many times."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def http_status(error: BaseException) -> int | None:
    """The HTTP status that an error, or what caused it, stands for."""
    responses = (getattr(cause, "response", None) for cause in causes(error))
    return next((response.status_code for response in responses if response is not None), None)


def may_pass(error: BaseException) -> bool:
    """Whether an error is the Hub being busy, or a connection that broke, so that another attempt may succeed."""
    status = http_status(error)
    if status is None:
        return any(isinstance(cause, HTTPError) for cause in causes(error))
    return status in _MAY_PASS or status >= 500


def in_one_line(error: BaseException) -> str:
    """An error's class and message; of a wrapped one that is no answer of the Hub, the message of its root."""
    root = list(causes(error))[-1]
    if root is error or getattr(error, "response", None) is not None:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    first_line = next(iter(str(root).splitlines()), "")
    return f"{type(error).__name__} ({type(root).__name__}: {first_line})"
