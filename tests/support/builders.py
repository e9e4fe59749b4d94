"""Makes the frames, faces, videos and pictures that the tests show to the program."""

from pathlib import Path

import cv2
import numpy as np
import skimage.data
from PIL import Image

from face_expression import read_picture

REPOSITORY = Path(__file__).parents[2]
SUPPORT = Path(__file__).parent
SHARED = REPOSITORY.parent / "shared"
EXAMPLES = REPOSITORY / "examples"


def happy_photo() -> np.ndarray:
    """A portrait that smiles: RGB uint8 (512, 512, 3), NASA, public domain, from scikit-image."""
    return skimage.data.astronaut()


def calm_photo() -> np.ndarray:
    """A portrait that looks calm: RGB uint8 (600, 512, 3), US Navy, public domain."""
    return read_picture(EXAMPLES / "grace_hopper.jpg")


def happy_face() -> np.ndarray:
    """The head of `happy_photo` with some space around it: RGB uint8 (200, 200, 3)."""
    return happy_photo()[20:220, 125:325]


def calm_face() -> np.ndarray:
    """The head of `calm_photo` with some space around it: RGB uint8 (420, 420, 3)."""
    return calm_photo()[20:440, 60:480]


def scene(faces: list[tuple[np.ndarray, int, int, int]], *, width: int = 640, height: int = 480) -> np.ndarray:
    """A grey frame with square pictures of faces on it.

    Args:
        faces: (picture, left, top, side) in pixels of the frame; parts beyond the frame are cut off.
    """
    frame = np.full((height, width, 3), 110, np.uint8)
    for picture, left, top, side in faces:
        scaled = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + side, width), min(top + side, height)
        frame[y0:y1, x0:x1] = scaled[y0 - top : y1 - top, x0 - left : x1 - left]
    return frame


def moving(picture: np.ndarray, count: int, *, side: int = 360) -> list[np.ndarray]:
    """A camera's view of somebody who moves a little: `count` frames of 640x480."""
    return [
        scene([(picture, 140 + round(12 * np.sin(index / 5)), 60 + round(6 * np.cos(index / 7)), side)])
        for index in range(count)
    ]


def write_y4m(path: Path, frames: list[np.ndarray], *, frames_per_s: int = 20) -> Path:
    """Write RGB frames as an uncompressed video that Chromium plays as a camera."""
    height, width = frames[0].shape[:2]
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{width} H{height} F{frames_per_s}:1 Ip A1:1 C420jpeg\n".encode())
        for frame in frames:
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def save(picture: np.ndarray, path: Path, **options) -> Path:
    """Save RGB or grey pixels in the format that the suffix says."""
    Image.fromarray(picture).save(path, **options)
    return path
