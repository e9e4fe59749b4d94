"""Raw files on their way to the disk: bounded, hashed while they are written, and named by their content when whole."""

import contextlib
import hashlib
import os
import random
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from data_tools.collect.errors import Stopped
from data_tools.work.folder import WorkFolder
from data_tools.work.schema import Reason, Row, Status


@dataclass
class RawFile:
    """A file on its way; made by `drafted`."""

    file: BinaryIO
    path: Path
    files: WorkFolder
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
        place = self.files.raw_path(name)
        place.parent.mkdir(exist_ok=True)
        self.path.replace(place)
        return {"content_sha256": name, "content_bytes": self.size}


@contextlib.contextmanager
def drafted(folder: Path, max_bytes: int) -> Generator[RawFile]:
    """A new raw file of a work folder, gone again at the end unless it was kept."""
    files = WorkFolder(folder)
    path = files.drafts / f"{os.getpid()}-{random.getrandbits(64):016x}"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("wb") as file:
            yield RawFile(file, path, files, max_bytes)
    finally:
        path.unlink(missing_ok=True)


def remove_drafts(folder: Path) -> None:
    """Remove what a kill left behind; for the one command at work in a folder."""
    for path in WorkFolder(folder).drafts.glob("*"):
        path.unlink(missing_ok=True)
