"""Pictures that cost far more time than their size: JPEGs of many scans, and files that are slow to decode."""

import mmap
import re
import time
from typing import BinaryIO

# A progressive JPEG has about ten scans; each is as much work as a whole picture.
MAX_SCANS = 100
MAX_SCANNED_PIXELS = 1_000_000_000
DEADLINE_S = 30.0
# Whatever is no byte of a scan: 0xFF is followed by 0x00 or a restart marker there. A pattern that begins with one
# plain byte is searched for many times as fast as one that begins with a repetition.
_MARKER = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])", re.DOTALL)
_START, _END, _SCAN, _TEMPORARY = 0xD8, 0xD9, 0xDA, 0x01


class PictureError(ValueError):
    """A file that cannot be read as a picture; the message is fit to be shown to the sender."""


class TimedFile:
    """An open picture file that can be read until a deadline: decoders ask for a part after the other."""

    def __init__(self, file: BinaryIO, deadline_s: float):
        self._file = file
        self._until_s = time.monotonic() + deadline_s
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        Raises:
            PictureError: if the deadline is over.
        """
        if time.monotonic() > self._until_s:
            raise PictureError("the picture takes too long to read")
        return self._file.read(size)


def _has_more_scans(content: bytes | mmap.mmap, most: int) -> bool:
    """Whether a decoder meets more scans in a JPEG; thumbnails and whatever follows the end do not count.

    It stops at the first one too many: Python's lock is held meanwhile, and a frame of thousands would hold up others.
    """
    scans, position = 0, 0
    while scans <= most and (match := _MARKER.search(content, position)):
        marker, position = match[1][0], match.end()
        if marker == _END:
            break
        if marker not in (_START, _TEMPORARY):
            scans += marker == _SCAN
            position += max(int.from_bytes(content[position : position + 2], "big"), 2)
    return scans > most


def require_few_scans(content: bytes | mmap.mmap, pixels: int, max_scans: int = MAX_SCANS) -> None:
    """Check that a JPEG can be decoded in a reasonable time.

    Raises:
        PictureError: if it has more than `max_scans`, or too many for so many pixels.
    """
    most = min(max_scans, max(MAX_SCANNED_PIXELS // max(pixels, 1), 1))
    if _has_more_scans(content, most):
        raise PictureError(f"this JPEG has more than {most} scans, the most that are read at this size")
