"""Decoded pictures -> RGB arrays, in bands, so that a large one is in memory only once more."""

import numpy as np
from PIL import Image

from face_expression.io.tone_mapping import is_hdr, to_sdr

# Pillow holds Python's lock for as long as a band takes it.
_BAND_PIXELS = 200_000


def pixels_as_seen(
    picture: Image.Image, *, keep_grey: bool = False, colours: tuple[int, int] | None = None
) -> np.ndarray:
    """What people see: transparency on white, 16 bits and HDR brought to 8.

    Args:
        picture: decoded, of any mode.
        keep_grey: give a picture of mode L as uint8 (H, W).
        colours: transfer characteristic and primaries, as `image_metadata.colours_of` gives them.

    Returns:
        RGB uint8 (H, W, 3).
    """
    width, height = picture.size
    is_hdr_picture = colours is not None and is_hdr(colours[0])
    grey = keep_grey and picture.mode == "L" and not is_hdr_picture
    seen = np.empty((height, width) if grey else (height, width, 3), np.uint8)
    rows = max(_BAND_PIXELS // width, 1)
    for top in range(0, height, rows):
        band = picture.crop((0, top, width, min(top + rows, height)))
        pixels = np.asarray(band if grey else _as_seen(band))
        seen[top : top + rows] = to_sdr(pixels * np.uint16(257), *colours) if is_hdr_picture else pixels
    return seen


def _as_seen(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        on_white = Image.new("RGB", rgba.size, "white")
        on_white.paste(rgba, mask=rgba.getchannel("A"))
        return on_white
    return picture.convert("RGB")
