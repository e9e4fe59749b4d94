"""A folder that is replaced as a whole: whoever looks finds the old one or the new one, never some of both."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def fresh_draft(draft: Path) -> Iterator[Path]:
    """An empty folder that is gone when the block ends; what a kill left there before goes first."""
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A draft that takes a folder's place when the block ends well; otherwise the folder stays as it was.

    A kill in the moment between the two renames leaves the old folder as `.NAME.old`; the next time brings it back.
    """
    bring_back(folder)
    old = _set_aside(folder)
    shutil.rmtree(old, ignore_errors=True)
    with fresh_draft(folder.with_name(f".{folder.name}.draft")) as draft:
        yield draft
        if folder.exists():
            folder.rename(old)
        try:
            draft.rename(folder)
        except OSError:
            bring_back(folder)
            raise
    shutil.rmtree(old, ignore_errors=True)


def bring_back(folder: Path) -> None:
    """Undo half a replacement, if that is what a kill left."""
    if not folder.exists() and _set_aside(folder).exists():
        _set_aside(folder).rename(folder)


def _set_aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")
