"""Where the app serves: HOST and PORT of the environment, and a sentence where that cannot be."""

import errno
import os
import re
import socket

from face_expression.errors import DataError
from space.gradio_internals import DEFAULT_HOST

_NUMBER = re.compile(r"\s*[0-9]{1,5}\s*")


def listen_address() -> tuple[str | None, int | None]:
    """HOST and PORT as the environment has them, each None if it is not set.

    Raises:
        DataError: if nothing can be served there, with a sentence that says why and what to change.
    """
    host, port = os.environ.get("HOST") or None, os.environ.get("PORT")
    if port and not (_NUMBER.fullmatch(port) and 1 <= int(port) <= 65535):
        raise DataError(f"PORT must be a number from 1 to 65535, not {port!r}.")
    number = int(port) if port else None
    # Gradio looks whether the port is free on this computer's own address, whatever HOST is.
    for name in dict.fromkeys([host or DEFAULT_HOST, DEFAULT_HOST]):
        try:
            _require_free(name.strip("[]"), number or 0)
        except OSError as error:
            where = f"port {number} of {name}" if number else name
            is_name = isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
            other = f"Choose another one with {'HOST' if is_name else 'PORT'}."
            raise DataError(f"The app cannot serve on {where}: {error.strerror}. {other}") from None
    return host, number


def _require_free(host: str, port: int) -> None:
    """Raise an OSError that says why nothing can be served at an address; port 0 stands for any that is free."""
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as tried:
        # As the server does it; a port that was left a moment ago is free.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        tried.bind(address)
