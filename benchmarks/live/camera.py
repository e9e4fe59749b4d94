"""Videos that Chromium plays as a webcam: a portrait, or two in turn, with each frame's number drawn into it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from face_expression import read_picture

EXAMPLES = Path(__file__).parents[2] / "examples"
WIDTH, HEIGHT = 640, 480
FRAMES_PER_S = 30
# How long a face is shown before the other one comes, and how many frames differ in their noise.
FRAMES_A_FACE = 60
NOISY_FRAMES = 180
NOISE_LEVELS = 6.0
FLICKER = 0.015
# The number's bits, and then the same inverted, as squares along the lower edge; `page.js` reads them.
NUMBER_BITS = 10
BLOCK_PX = WIDTH // (2 * NUMBER_BITS)


@dataclass(frozen=True)
class Portrait:
    """A head: where it lies in a file of examples/, as left, top and side, and what its expression looks like."""

    label: str
    file: str
    place: tuple[int, int, int]

    def picture(self) -> np.ndarray:
        """RGB uint8 (side, side, 3)."""
        left, top, side = self.place
        return read_picture(EXAMPLES / self.file)[top : top + side, left : left + side]


HAPPY = Portrait("happy", "astronaut.jpg", (125, 20, 200))
CALM = Portrait("neutral", "grace_hopper.jpg", (60, 20, 420))


def view_of(portrait: Portrait, moment: int = 0) -> np.ndarray:
    """What a camera sees of somebody who moves a little: RGB uint8 (480, 640, 3), the same for the same moment."""
    left, top, side = 140 + round(12 * np.sin(moment / 5)), 60 + round(6 * np.cos(moment / 7)), 360
    frame = np.full((HEIGHT, WIDTH, 3), 110, np.uint8)
    frame[top : top + side, left : left + side] = cv2.resize(portrait.picture(), (side, side))
    return frame


def draw_number(frame: np.ndarray, number: int) -> None:
    """Draw a number below 1024 into a frame, along its lower edge."""
    bits = [number >> bit & 1 for bit in range(NUMBER_BITS)]
    for place, bit in enumerate([*bits, *(1 - bit for bit in bits)]):
        frame[-BLOCK_PX:, place * BLOCK_PX : (place + 1) * BLOCK_PX] = 255 * bit


def changing_faces() -> Iterator[np.ndarray]:
    """One portrait, then the other, both moving: `2 * FRAMES_A_FACE` frames."""
    for portrait in (HAPPY, CALM):
        for moment in range(FRAMES_A_FACE):
            yield view_of(portrait, moment)


def label_of_frame(number: int) -> str:
    """What the face looks like in a frame of `changing_faces`."""
    return (HAPPY, CALM)[number // FRAMES_A_FACE].label


def still_face(portrait: Portrait, frames: int = NOISY_FRAMES) -> Iterator[np.ndarray]:
    """A face that does not move, as a camera sees it that has noise and whose light flickers; the same every time."""
    random = np.random.default_rng(0)
    still = view_of(portrait).astype(np.float32)
    for _ in range(frames):
        noise = random.standard_normal(still.shape, np.float32) * NOISE_LEVELS
        yield np.clip(still * random.normal(1, FLICKER) + noise, 0, 255).astype(np.uint8)


def write_camera(path: Path, frames: Iterable[np.ndarray], *, numbered: bool = True) -> Path:
    """Write an uncompressed video, which Chromium repeats for ever; `numbered`: frames show their numbers, from 0."""
    with path.open("wb") as file:
        file.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAMES_PER_S}:1 Ip A1:1 C420jpeg\n".encode())
        for number, frame in enumerate(frames):
            if numbered:
                draw_number(frame, number)
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path
