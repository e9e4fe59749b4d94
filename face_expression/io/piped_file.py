"""A pipe as a file: what comes from another program can be read once and forwards only, which no decoder likes."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

MAX_BYTES = 4_000_000_000
_CHUNK_BYTES = 1 << 20


class PipeError(Exception):
    """A pipe that cannot be read, or whose copy cannot be written; the message says why."""


@contextmanager
def as_file(source: Path) -> Generator[Path]:
    """The file itself; of a pipe such as /dev/stdin, a copy in the folder for temporary files, deleted at the end.

    Raises:
        PipeError: if it cannot be read, its copy cannot be written, or more than 4 GB come out of it.
    """
    if not is_pipe(source):
        yield source
        return
    with tempfile.NamedTemporaryFile(prefix="piped-", suffix=source.suffix) as copy:
        try:
            _copy(source, copy)
        except OSError as error:
            raise PipeError(f"the pipe cannot be copied to a file: {error.strerror or error}") from error
        yield Path(copy.name)


def _copy(source: Path, copy: IO[bytes]) -> None:
    size = 0
    with source.open("rb") as pipe:
        while chunk := pipe.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > MAX_BYTES:
                raise PipeError(f"more than {MAX_BYTES / 1e9:g} GB come out of the pipe, which is the limit")
            copy.write(chunk)
    copy.flush()


def is_pipe(source: Path) -> bool:
    """Whether a path is there, and neither a file nor a folder."""
    return source.exists() and not source.is_file() and not source.is_dir()
