"""Picture files and bytes: reading whatever people send safely, and writing JPEG."""

import io
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from face_expression.io.image_limits import DEADLINE_S, MAX_SCANS, PictureError, TimedFile, require_few_scans
from face_expression.io.image_metadata import colours_of, lacks_its_end, orientation_of, split_metadata, with_end
from face_expression.io.image_pixels import pixels_as_seen

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".pjpeg", ".pjp", ".png", ".webp", ".avif", ".bmp", ".gif")
# Cameras of "50 megapixels" have up to 51.2 million.
MAX_PIXELS = 52_000_000
MAX_BYTES = 500_000_000
MAX_SIDE_PX = 32_000
# What Pillow calls JPEGs; MPO has several, of which it reads the first.
_MANY_SCANS = ("JPEG", "MPO")
_TOO_LARGE = f"the picture is too large; the limit is {MAX_PIXELS // 1_000_000} megapixels, {MAX_SIDE_PX} px a side"

_FILLINGS = (0x00, 0xAA, 0x55)
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(
    source: Path | str | BinaryIO,
    *,
    keep_grey: bool = False,
    max_side_px: int | None = None,
    max_scans: int = MAX_SCANS,
    deadline_s: float = DEADLINE_S,
) -> np.ndarray:
    """Read a picture as people see it: EXIF orientation applied, transparency on white, 16 bits and HDR brought to 8.

    Of all metadata only the orientation and the kind of HDR are read, and nothing else in it can spoil a picture. A
    JPEG that lacks nothing but its end marker is whole.

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
    sent = _content_of(source)
    content, exif = split_metadata(sent)
    limits = _Limits(max_side_px, max_scans, time.monotonic() + deadline_s)
    try:
        picture = _decoded(content, limits)
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(f"this is not a picture that can be read; send one of {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise PictureError(_TOO_LARGE) from None
    except Exception as error:  # decoders raise many kinds
        picture = _whole_but_for_its_end(content, limits)
        if picture is None:
            raise PictureError(f"the picture is damaged or incomplete: {error}") from error
    turn = _TURNS.get(orientation_of(exif or picture.info.get("exif", b"")))
    upright = picture if turn is None else picture.transpose(turn)
    return pixels_as_seen(upright, keep_grey=keep_grey, colours=colours_of(sent))


@dataclass(frozen=True)
class _Limits:
    max_side_px: int | None
    max_scans: int
    until_s: float


def _content_of(source: Path | str | BinaryIO) -> bytes:
    try:
        if isinstance(source, Path | str):
            with Path(source).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        else:
            content = source.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise PictureError(f"the file cannot be opened: {getattr(error, 'strerror', None) or error}") from error
    if not content:
        raise PictureError("the file is empty")
    if len(content) > MAX_BYTES:
        raise PictureError(f"the file is too large; the limit is {MAX_BYTES // 1_000_000} MB")
    return content


def _decoded(content: bytes, limits: _Limits) -> Image.Image:
    file = TimedFile(io.BytesIO(content), limits.until_s - time.monotonic())
    # Pillow reads, seeks and tells, and needs nothing else of a file.
    with Image.open(cast("BinaryIO", file), formats=FORMATS) as picture:
        if limits.max_side_px is not None and max(picture.size) > limits.max_side_px:
            size = f"{picture.width} x {picture.height} pixels"
            raise PictureError(f"the picture has {size}; at most {limits.max_side_px} pixels a side are taken")
        if picture.width * picture.height > MAX_PIXELS or max(picture.size) > MAX_SIDE_PX:
            raise PictureError(_TOO_LARGE)
        if picture.format in _MANY_SCANS:
            require_few_scans(content, picture.width * picture.height, limits.max_scans)
        picture.load()
        return picture


def _whole_but_for_its_end(content: bytes, limits: _Limits) -> Image.Image | None:
    """A JPEG without its end marker, if no more than some bits of its last block are missing, too.

    The decoder does not say whether it came to the end of the last scan. So it is given several fillings in turn: where
    pixels are missing, they are made of the filling.
    """
    if not lacks_its_end(content):
        return None
    try:
        picture = _decoded(with_end(content, _FILLINGS[0]), limits)
        pixels = picture.tobytes()
        is_whole = all(_decoded(with_end(content, filling), limits).tobytes() == pixels for filling in _FILLINGS[1:])
    except Exception:  # as above; the first error says what is wrong
        return None
    return picture if is_whole else None


def encode_jpeg(frame: np.ndarray, *, quality: int = 85) -> bytes:
    """Encode RGB uint8 (H, W, 3) as JPEG.

    Raises:
        ValueError: if a side is over 65,500 px, more than a JPEG can have.
    """
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of {frame.shape[1]} x {frame.shape[0]} pixels cannot be written as JPEG")
    return encoded.tobytes()
