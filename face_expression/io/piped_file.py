"""A pipe as a file: what comes from another program can be read once and forwards only, which no decoder likes."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MAX_BYTES = 4_000_000_000
_CHUNK_BYTES = 1 << 20


@contextmanager
def as_file(source: Path) -> Iterator[Path]:
    """The file itself; of a pipe such as /dev/stdin, a copy in the folder for temporary files, deleted at the end.

    Raises:
        OSError: if the pipe cannot be read, or the copy not written.
        ValueError: if more than 4 GB come out of it.
    """
    if not is_pipe(source):
        yield source
        return
    with tempfile.NamedTemporaryFile(prefix="piped-", suffix=source.suffix) as copy, source.open("rb") as pipe:
        size = 0
        while chunk := pipe.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES / 1e9:g} GB come out of the pipe, which is the limit")
            copy.write(chunk)
        copy.flush()
        yield Path(copy.name)


def is_pipe(source: Path) -> bool:
    """Whether a path is there, and neither a file nor a folder."""
    return source.exists() and not source.is_file() and not source.is_dir()
