"""What a run of `predict` has done, kept beside its results, so that a second run resumes where the first was stopped.

`FACES.csv.progress` holds a line with the settings and then one for each picture: its number, a tab, and its record as
JSON, in the order in which they were done. Each line is written at once; a kill loses what was on its way, no more.
"""

import json
import os
import time
from array import array
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from face_expression.cli.pictures import Picture
from face_expression.errors import DataError
from face_expression.output.picture_records import PictureRecord

_SYNC_S = 10.0
_NOT_DONE = -1


def progress_file(results: Path) -> Path:
    """Where the progress of a run is kept that writes these results."""
    return results.with_name(f"{results.name}.progress")


class Progress:
    """The records that are there already, by the numbers of their pictures. Made by `open_progress`."""

    def __init__(self, file: BinaryIO, count: int):
        self._file = file
        # Where the line of each picture begins: memory does not grow with the records.
        self._lines = array("q", [_NOT_DONE]) * count
        self._synced_s = time.monotonic()

    def missing(self) -> list[int]:
        """The numbers of the pictures that have no record."""
        return [number for number, line in enumerate(self._lines) if line == _NOT_DONE]

    def add(self, number: int, record: PictureRecord) -> None:
        """Keep a record: with the operating system at once, on the disk within seconds."""
        self._lines[number] = self._file.seek(0, os.SEEK_END)
        self._file.write(f"{number}\t{json.dumps(record)}\n".encode())
        self._file.flush()
        if time.monotonic() - self._synced_s > _SYNC_S:
            os.fsync(self._file.fileno())
            self._synced_s = time.monotonic()

    def records(self) -> Iterator[PictureRecord]:
        """All records in the order of their pictures; pictures without one are passed over."""
        for line in self._lines:
            if line != _NOT_DONE:
                self._file.seek(line)
                yield _read(self._file.readline())[1]

    def read(self, settings: dict, pictures: Sequence[Picture]) -> None:
        """Take over what an earlier run has done; what a kill cut off is removed.

        Raises:
            DataError: if it had other settings.
        """
        header = f"{json.dumps(settings, sort_keys=True)}\n".encode()
        self._file.seek(0)
        found = self._file.readline()
        if found != header:
            if found.endswith(b"\n"):
                raise DataError(
                    f"{self._file.name} is of a run with another model, detector or other options; repeat those to "
                    "resume it, or delete the file to begin anew"
                )
            self._file.seek(0)
            self._file.truncate()
            self._file.write(header)
            self._file.flush()
            return
        numbers: dict[str, int] | None = None
        while (end := self._file.tell()) >= 0 and (line := self._file.readline()):
            try:
                number, record = _read(line)
                name = record["path"]
            except (ValueError, KeyError, TypeError):
                self._file.truncate(end)
                break
            if number >= len(pictures) or str(pictures[number].path) != name:
                # Pictures came or went, and the others have new numbers.
                if numbers is None:
                    numbers = {str(picture.path): number for number, picture in enumerate(pictures)}
                number = numbers.get(name, _NOT_DONE)
            if number != _NOT_DONE and ("error" in record or _has_copy(pictures[number])):
                self._lines[number] = end


def _has_copy(picture: Picture) -> bool:
    return picture.copy is None or picture.copy.is_file()


def _read(line: bytes) -> tuple[int, PictureRecord]:
    if not line.endswith(b"\n"):
        raise ValueError("the line was cut off")
    number, _, record = line.partition(b"\t")
    return int(number), json.loads(record)


@contextmanager
def open_progress(results: Path, settings: dict, pictures: Sequence[Picture]) -> Generator[Progress]:
    """The progress of a run. The file stays; `remove_progress` when the results are there.

    Args:
        results: the file that will be written at the end.
        settings: JSON; on which the records depend.
        pictures: all.

    Raises:
        DataError: if another run writes to the same file now, or the one before had other settings.
        OSError: if it cannot be written.
    """
    file = progress_file(results)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a+b") as opened:
        _lock(opened)
        progress = Progress(opened, len(pictures))
        progress.read(settings, pictures)
        yield progress


def _lock(opened: BinaryIO) -> None:
    with suppress(ImportError):
        # Only POSIX systems have it.
        import fcntl

        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DataError(f"{opened.name}: another run is writing it; wait, or choose another file") from error


def remove_progress(results: Path) -> None:
    """Once the results are complete."""
    progress_file(results).unlink(missing_ok=True)
