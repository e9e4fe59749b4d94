"""Picture files and bytes: reading whatever people send safely, and writing JPEG."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from face_expression.picture_limits import DEADLINE_S, MAX_SCANS, PictureError, TimedFile, require_few_scans
from face_expression.picture_pixels import pixels_as_seen

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".avif", ".bmp", ".gif")
MAX_PIXELS = 50_000_000
MAX_SIDE_PX = 32_000
# What Pillow calls JPEGs; MPO has several, of which it reads the first.
_MANY_SCANS = ("JPEG", "MPO")
_TOO_LARGE = f"the picture is too large; the limit is {MAX_PIXELS // 1_000_000} megapixels, {MAX_SIDE_PX} px a side"


def read_picture(
    source: Path | str | BinaryIO,
    *,
    keep_grey: bool = False,
    max_side_px: int | None = None,
    max_scans: int = MAX_SCANS,
    deadline_s: float = DEADLINE_S,
) -> np.ndarray:
    """Read a picture as people see it: EXIF rotation applied, transparency on white, 16 bits brought to 8.

    Args:
        source: a file's path, or an open binary file.
        keep_grey: give a picture that has no colours and no transparency as uint8 (H, W).
        max_side_px: a limit below that of all pictures, checked before any pixel is decoded.
        max_scans: of a JPEG; a progressive one has about ten.
        deadline_s: how long decoding may take.

    Returns:
        RGB uint8 (H, W, 3); of an animation, the first frame.

    Raises:
        PictureError: if the file is missing, empty, truncated, too large, too slow to decode, or no picture of a known
            format.
    """
    try:
        if isinstance(source, Path | str) and Path(source).stat().st_size == 0:
            raise PictureError("the file is empty")
        with _opened(source) as file, Image.open(TimedFile(file, deadline_s), formats=FORMATS) as picture:
            if max_side_px is not None and max(picture.size) > max_side_px:
                size = f"{picture.width} x {picture.height} pixels"
                raise PictureError(f"the picture has {size}; at most {max_side_px} pixels a side are taken")
            if picture.width * picture.height > MAX_PIXELS or max(picture.size) > MAX_SIDE_PX:
                raise PictureError(_TOO_LARGE)
            if picture.format in _MANY_SCANS:
                _require_few_scans(picture.fp, picture.width * picture.height, max_scans)
            ImageOps.exif_transpose(picture, in_place=True)
            return pixels_as_seen(picture, keep_grey=keep_grey)
    except UnidentifiedImageError:
        raise PictureError(f"this is not a picture that can be read; send one of {', '.join(FORMATS)}") from None
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        raise PictureError(f"the file cannot be opened: {error.strerror}") from error
    except Image.DecompressionBombError:
        raise PictureError(_TOO_LARGE) from None
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        if isinstance(error, PictureError):
            raise
        raise PictureError(f"the picture is damaged or incomplete: {error}") from error


@contextlib.contextmanager
def _opened(source: Path | str | BinaryIO) -> Iterator[BinaryIO]:
    if isinstance(source, Path | str):
        with Path(source).open("rb") as file:
            yield file
    else:
        yield source


def _require_few_scans(file: BinaryIO, pixels: int, max_scans: int) -> None:
    position = file.tell()
    file.seek(0)
    require_few_scans(file.read(), pixels, max_scans)
    file.seek(position)


def encode_jpeg(frame: np.ndarray, *, quality: int = 85) -> bytes:
    """Encode RGB uint8 (H, W, 3) as JPEG.

    Raises:
        ValueError: if a side is over 65,500 px, more than a JPEG can have.
    """
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of {frame.shape[1]} x {frame.shape[0]} pixels cannot be written as JPEG")
    return encoded.tobytes()
