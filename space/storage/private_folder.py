"""A folder for temporary files that nobody else may read, and that is gone when the app ends."""

import contextlib
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Generator
from pathlib import Path

from face_expression.errors import DataError

NAME = "live-emotion-detector"
_LOCK = "in-use"


@contextlib.contextmanager
def private_folder(parent: Path) -> Generator[Path]:
    """A new folder of this process below one of this user, mode 0700; what killed processes left there is deleted.

    Args:
        parent: where all users may have such folders; it is created if missing.

    Raises:
        DataError: if there is something of that name that is a link or belongs to another user.
    """
    mine = parent / f"{NAME}-{os.geteuid()}"
    with _words(mine):
        parent.mkdir(parents=True, exist_ok=True)
        _make_private(mine)
        # Two that start at once must not take each other's folder for a left one.
        with _locked(mine):
            for left in mine.iterdir():
                _delete_if_unused(left)
            folder = mine / secrets.token_hex(8)
            folder.mkdir(mode=0o700)
            lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def is_own_folder(path: Path) -> bool:
    """Whether something is a folder of this user, and no link to one."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _make_private(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    if not is_own_folder(folder):
        raise DataError(
            f"{folder} is a link or belongs to another user, and is not used; delete it, or set GRADIO_TEMP_DIR to "
            "another folder"
        )
    folder.chmod(0o700)


def _delete_if_unused(folder: Path) -> None:
    """Delete a folder whose process has ended: the system drops its lock then, however it ended."""
    if not is_own_folder(folder):
        return
    try:
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_NOFOLLOW)
    except FileNotFoundError:
        # Folders get their lock before anybody else can look; this one lost it when its process was killed.
        shutil.rmtree(folder, ignore_errors=True)
        return
    except OSError:
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    except BlockingIOError:
        pass
    finally:
        os.close(lock)


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _words(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(f"no folder for temporary files can be made at {folder}: {error.strerror}") from error
