"""A folder that is replaced as a whole: whoever looks finds the old one or the new one, never some of both."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def fresh_draft(draft: Path) -> Iterator[Path]:
    """An empty folder that is gone when the block ends; what a kill left there before goes first.

    Another command that wants a draft in the same folder waits until this one is done.
    """
    with _alone_in(draft.parent):
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        try:
            yield draft
        finally:
            shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """A lock that is held until the block ends, or the process does; it leaves no file behind."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A draft that takes a folder's place when the block ends well; otherwise the folder stays as it was.

    A kill in the moment between the two renames leaves the old folder as `.NAME.old`; the next time brings it back.
    """
    with fresh_draft(folder.with_name(f".{folder.name}.draft")) as draft:
        _bring_back(folder)
        old = _set_aside(folder)
        shutil.rmtree(old, ignore_errors=True)
        yield draft
        if folder.exists():
            folder.rename(old)
        try:
            draft.rename(folder)
        except OSError:
            _bring_back(folder)
            raise
        shutil.rmtree(old, ignore_errors=True)


def bring_back(folder: Path) -> None:
    """Undo half a replacement, if that is what a kill left; one that is under way is waited for."""
    if folder.parent.is_dir():
        with _alone_in(folder.parent):
            _bring_back(folder)


def _bring_back(folder: Path) -> None:
    if not folder.exists() and _set_aside(folder).exists():
        _set_aside(folder).rename(folder)


def _set_aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")
