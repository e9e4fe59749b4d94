"""Files: hashes, files and folders that are replaced as a whole, and append-only JSON lines."""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path


def sha256_of(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_of_disk(error: OSError) -> bool:
    """Whether an error is the disk's, so that every further row would meet it too."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def store(content: bytes, path: Path) -> None:
    """Write a file that is named by its content; a kill leaves it whole or not there."""
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(path) as draft:
        draft.write_bytes(content)


@contextmanager
def replacing_file(path: Path) -> Generator[Path]:
    """A name beside `path` to write to; the file gets its place when the block ends well, and is removed if not."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with naming(path, instead_of=draft):
            yield draft
            draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def naming(path: Path, *, instead_of: Path) -> Generator[None]:
    """Let errors name the file or folder that was asked for, instead of its draft."""
    try:
        yield
    except OSError as error:
        named = None if error.filename is None else Path(os.fsdecode(error.filename))
        if error.errno is None or named is None or not named.is_relative_to(instead_of):
            raise
        raise OSError(error.errno, error.strerror, str(path / named.relative_to(instead_of))) from error


@contextmanager
def fresh_draft(draft: Path) -> Generator[Path]:
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
def _alone_in(folder: Path) -> Generator[None]:
    """A lock that is held until the block ends, or the process does; it leaves no file behind."""
    # Only POSIX systems have it; nothing else in this file needs one.
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    opened = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
    finally:
        os.close(opened)


@contextmanager
def replacing_folder(folder: Path) -> Generator[Path]:
    """A draft that takes a folder's place when the block ends well; otherwise the folder stays as it was.

    A kill in the moment between the two renames leaves the old folder as `.NAME.old`; the next time brings it back.
    """
    draft = folder.with_name(f".{folder.name}.draft")
    with naming(folder, instead_of=draft), fresh_draft(draft):
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


def read_json_lines(path: Path) -> list[tuple[int, bytes]]:
    """The whole lines of an append-only file with their numbers from 1; a last line that a kill cut off is left out."""
    content = path.read_bytes() if path.is_file() else b""
    return list(enumerate(content[: _end_of_whole_lines(content)].splitlines(), 1))


def append_json_lines(path: Path, entries: Iterable[Mapping[str, object]]) -> None:
    """Append one JSON object a line; on the disk when this returns. What a kill cut off is removed first."""
    path.touch()
    with path.open("r+b") as file:
        end = _end_of_whole_lines(file.read())
        file.truncate(end)
        file.seek(end)
        file.write("".join(json.dumps(entry) + "\n" for entry in entries).encode())
        file.flush()
        os.fsync(file.fileno())


def write_json(path: Path, value: object, *, allow_nan: bool = True) -> None:
    """Write a small file that people can read too."""
    path.write_text(json.dumps(value, indent=2, allow_nan=allow_nan) + "\n", encoding="utf-8")


def _end_of_whole_lines(content: bytes) -> int:
    return content.rfind(b"\n") + 1
