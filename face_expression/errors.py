"""What goes wrong for a reason that the user can change; command lines print the message and exit."""

from typing import ClassVar, TypeVar

Value = TypeVar("Value")


class ExpectedError(Exception):
    """Base class: the message says what is wrong and what to do."""

    exit_status: ClassVar[int] = 1


class BundleError(ExpectedError):
    """A bundle, or detector weights, that cannot be used; the message says why and what to do."""


class DataError(ExpectedError):
    """A file, a data set, a folder or a setting that cannot be used."""


class HubError(ExpectedError):
    """The Hub refused a request, is out of reach, or holds something else than was expected."""


class StoppedError(ExpectedError):
    """The work was stopped from outside, and can be resumed."""

    exit_status: ClassVar[int] = 130


def required(value: Value | None) -> Value:
    """A value that is never None here, as the caller knows and its type does not say.

    Raises:
        ValueError: if it is None after all, which is a bug.
    """
    if value is None:
        raise ValueError("a value is missing that is always given here")
    return value
