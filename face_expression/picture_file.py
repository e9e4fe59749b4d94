"""Picture files and bytes: reading whatever people send safely, and writing JPEG."""

from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".jfi", ".pjpeg", ".pjp", ".png", ".webp", ".avif", ".bmp", ".gif")
MAX_PIXELS = 50_000_000
MAX_SIDE_PX = 32_000
_TOO_LARGE = f"the picture is too large; the limit is {MAX_PIXELS // 1_000_000} megapixels, {MAX_SIDE_PX} px a side"


class PictureError(ValueError):
    """A file that cannot be read as a picture; the message is fit to be shown to whoever sent it."""


def read_picture(
    source: Path | str | BinaryIO, *, keep_grey: bool = False, max_side_px: int | None = None
) -> np.ndarray:
    """Read a picture as people see it: EXIF rotation applied, transparency on white, 16 bits brought to 8.

    Args:
        source: a file's path, or an open binary file.
        keep_grey: give a picture that has no colours and no transparency as uint8 (H, W).
        max_side_px: a limit below that of all pictures, looked at before any pixel is decoded.

    Returns:
        RGB uint8 (H, W, 3); of an animation, the first frame.

    Raises:
        PictureError: if the file is missing, empty, truncated, too large, or no picture of a known format.
    """
    try:
        if isinstance(source, Path | str) and Path(source).stat().st_size == 0:
            raise PictureError("the file is empty")
        with Image.open(source, formats=FORMATS) as picture:
            if max_side_px is not None and max(picture.size) > max_side_px:
                size = f"{picture.width} x {picture.height} pixels"
                raise PictureError(f"the picture has {size}; at most {max_side_px} pixels a side are taken")
            if picture.width * picture.height > MAX_PIXELS or max(picture.size) > MAX_SIDE_PX:
                raise PictureError(_TOO_LARGE)
            upright = ImageOps.exif_transpose(picture)
            return np.asarray(upright if keep_grey and upright.mode == "L" else _as_seen(upright))
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


def _as_seen(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        on_white = Image.new("RGB", rgba.size, "white")
        on_white.paste(rgba, mask=rgba.getchannel("A"))
        return on_white
    return picture.convert("RGB")


def encode_jpeg(frame: np.ndarray, *, quality: int = 85) -> bytes:
    """Encode RGB uint8 (H, W, 3) as JPEG.

    Raises:
        ValueError: if a side is over 65,500 px, more than a JPEG can have.
    """
    done, encoded = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f"a picture of {frame.shape[1]} x {frame.shape[0]} pixels cannot be written as JPEG")
    return encoded.tobytes()
