"""Raw files on their way to the disk: bounded, hashed while they are written, and named by their content when whole."""

import contextlib
import hashlib
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from data_tools.collect.errors import Stopped
from data_tools.work.manifest import Reason, Row, Status

_DRAFTS = "drafts"


@dataclass
class RawFile:
    """A file on its way; made by `drafted`."""

    file: BinaryIO
    path: Path
    raw: Path
    max_bytes: int
    sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    size: int = 0

    def write(self, chunk: bytes) -> None:
        """Append bytes.

        Raises:
            Stopped: if they become too many.
        """
        self.size += len(chunk)
        if self.size > self.max_bytes:
            raise Stopped(Status.FAILED, Reason.TOO_LARGE, f"more than {self.max_bytes} bytes")
        self.sha256.update(chunk)
        self.file.write(chunk)

    def keep(self) -> Row:
        """Move the file to its place; gives its hash and length.

        Raises:
            Stopped: if it is empty.
        """
        if self.size == 0:
            raise Stopped(Status.FAILED, Reason.EMPTY, "no bytes")
        self.file.flush()
        name = self.sha256.hexdigest()
        place = self.raw / name[:2] / name
        place.parent.mkdir(exist_ok=True)
        self.path.replace(place)
        return {"content_sha256": name, "content_bytes": self.size}


@contextlib.contextmanager
def drafted(folder: Path, max_bytes: int) -> Iterator[RawFile]:
    """A new raw file of a work folder, gone again at the end unless it was kept."""
    raw = folder / "raw"
    path = raw / _DRAFTS / f"{os.getpid()}-{random.getrandbits(64):016x}"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("wb") as file:
            yield RawFile(file, path, raw, max_bytes)
    finally:
        path.unlink(missing_ok=True)


def remove_drafts(folder: Path) -> None:
    """Remove what a kill left behind; for the one command at work in a folder."""
    for path in (folder / "raw" / _DRAFTS).glob("*"):
        path.unlink(missing_ok=True)
