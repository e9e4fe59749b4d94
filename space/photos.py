"""What the page and the API do with a photo: read it and find its faces, in threads that give way to the live view."""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from face_expression import Face, Pipeline, read_picture
from face_expression.io.images import FORMATS
from space.limits import AT_ONCE, MOST_PIXELS, Kind
from space.traffic.workers import PixelBudget, Workers

# More is not seen on a page, and would be sent to it.
SHOWN_SIDE_PX = 2560


@dataclass(frozen=True)
class Analyzed:
    """A photo's size in pixels and its faces, the largest first.

    `shown` is RGB uint8 (h, w, 3), small enough for a page; `shown_faces` are the same faces in its pixels.
    """

    width: int
    height: int
    faces: Sequence[Face]
    shown: np.ndarray
    shown_faces: Sequence[Face]


class Photos:
    """Analyses the photos of all visitors, few at once."""

    def __init__(self, pipeline: Pipeline):
        self._pipeline = pipeline
        self._workers = Workers(AT_ONCE[Kind.PICTURE], "photo")
        self._pixels = PixelBudget(MOST_PIXELS)

    def analyze(self, source: Path | bytes) -> Analyzed:
        """Read a photo, and find its faces.

        Raises:
            PictureError: if it cannot be read.
            BusyError: if too many large ones are being read.
        """
        return self._workers.run(self._analyze, source)

    def _analyze(self, source: Path | bytes) -> Analyzed:
        with self._pixels.taken(_pixels_of(source)):
            frame = read_picture(source if isinstance(source, Path) else io.BytesIO(source))
            faces = self._pipeline.analyze(frame)
            return Analyzed(frame.shape[1], frame.shape[0], faces, *for_page(frame, faces))


def for_page(frame: np.ndarray, faces: Sequence[Face]) -> tuple[np.ndarray, list[Face]]:
    """A frame that is not larger than a page can show, and its faces in the pixels of that."""
    height, width = frame.shape[:2]
    scale = SHOWN_SIDE_PX / max(height, width)
    if scale >= 1:
        return frame, list(faces)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    shown = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    scales = (size[0] / width, size[1] / height) * 2
    boxes = (tuple(side * by for side, by in zip(face.box, scales, strict=True)) for face in faces)
    return shown, [replace(face, box=box) for face, box in zip(faces, boxes, strict=True)]


def _pixels_of(source: Path | bytes) -> int:
    """How many pixels a photo says it has; 0 if it cannot be read, which `read_picture` says in words."""
    with (
        contextlib.suppress(Exception),
        Image.open(source if isinstance(source, Path) else io.BytesIO(source), formats=FORMATS) as picture,
    ):
        return picture.width * picture.height
    return 0
