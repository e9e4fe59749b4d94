"""Picture files and bytes: reading whatever people send safely, and writing JPEG."""

import warnings
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF")
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".png", ".webp", ".avif", ".bmp", ".gif")
MAX_PIXELS = 100_000_000
_TOO_LARGE = f"the picture is too large; the limit is {MAX_PIXELS // 1_000_000} megapixels"


class PictureError(ValueError):
    """A file that cannot be read as a picture; the message is fit to be shown to whoever sent it."""


def read_picture(path: Path | str) -> np.ndarray:
    """Read a picture as people see it: EXIF rotation applied, transparency on white, 16 bits brought to 8.

    Returns:
        RGB uint8 (H, W, 3); of an animation, the first frame.

    Raises:
        PictureError: if the file is missing, empty, truncated, too large, or no picture of a known format.
    """
    path = Path(path)
    try:
        if path.stat().st_size == 0:
            raise PictureError("the file is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large pictures and odd EXIF; the cap below is ours
            with Image.open(path, formats=FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise PictureError(_TOO_LARGE)
                return np.asarray(_as_seen(ImageOps.exif_transpose(picture)))
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
    if "A" in picture.mode or "transparency" in picture.info:
        rgba = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return picture.convert("RGB")


def encode_jpeg(frame: np.ndarray, *, quality: int = 85) -> bytes:
    """Encode RGB uint8 (H, W, 3) as JPEG."""
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
