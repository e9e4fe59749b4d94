"""Errors of the libraries -> the message and exit status of a command."""

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from face_expression.errors import ExpectedError, StoppedError
from face_expression.io.image_limits import PictureError

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def exits_with_message(command: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Decorate a command: an expected error ends it with its message, without a traceback.

    Raises:
        SystemExit: instead of `ExpectedError`, of a `PictureError` that no step has handled, and of an `OSError` that
            names a file: a folder that cannot be written, a full disk.
    """

    @functools.wraps(command)
    def run(*args: Arguments.args, **options: Arguments.kwargs) -> Result:
        try:
            return command(*args, **options)
        except StoppedError as error:
            print(error)
            raise SystemExit(error.exit_status) from error
        except ExpectedError as error:
            raise SystemExit(str(error)) from error
        except PictureError as error:
            raise SystemExit(f"a picture of the data set cannot be read: {error}") from error
        except OSError as error:
            if error.filename is None:
                raise
            raise SystemExit(f"{os.fsdecode(error.filename)} cannot be used: {error.strerror}") from error

    return run
