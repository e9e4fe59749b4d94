"""Opening a bundle for a command, which ends with a sentence if it cannot be used."""

from pathlib import Path

from face_expression.config import BundleError
from face_expression.hub.download import Bundle, open_bundle


def open_or_exit(folder: Path, purpose: str) -> Bundle:
    """Open the bundle in a folder; `purpose` says in messages what it was wanted for, such as "being evaluated".

    Raises:
        SystemExit: with what is wrong.
    """
    try:
        return open_bundle(folder, purpose)
    except BundleError as error:
        raise SystemExit(str(error)) from error
