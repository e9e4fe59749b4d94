"""Writes the examples that are made of the two photos: a group, a dark picture, and a clip. Run in this folder."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageEnhance

HERE = Path(__file__).parent
SIZE = (480, 360)
FRAMES_PER_S, LENGTH_S = 15, 8


def main() -> None:
    """Write group.jpg, dark.jpg and clip.mp4 beside the photos."""
    happy, calm = (Image.open(HERE / name).convert("RGB") for name in ("astronaut.jpg", "grace_hopper.jpg"))
    # Heads and shoulders, about equally large.
    happy, calm = happy.crop((60, 0, 400, 340)), calm.crop((30, 0, 510, 480))
    group = Image.new("RGB", (960, 480), "#7d8894")
    group.paste(happy.resize((440, 440)), (20, 20))
    group.paste(calm.resize((440, 440)), (500, 20))
    group.save(HERE / "group.jpg", quality=88)
    ImageEnhance.Brightness(happy.resize((480, 480))).enhance(0.12).save(HERE / "dark.jpg", quality=88)
    with av.open(str(HERE / "clip.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=FRAMES_PER_S, options={"crf": "27", "preset": "veryslow"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for index in range(FRAMES_PER_S * LENGTH_S):
            frame = av.VideoFrame.from_ndarray(_picture(happy, calm, index / FRAMES_PER_S), "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FRAMES_PER_S)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _picture(happy: Image.Image, calm: Image.Image, time_s: float) -> np.ndarray:
    """One face, then the other, then both."""
    picture = Image.new("RGB", SIZE, "#7d8894")
    sway = round(12 * np.sin(2 * time_s))
    if time_s < LENGTH_S * 2 / 3:
        face = happy if time_s < LENGTH_S / 3 else calm
        picture.paste(face.resize((340, 340)), (70 + sway, 10))
    else:
        picture.paste(happy.resize((225, 225)), (10 + sway, 60))
        picture.paste(calm.resize((225, 225)), (245 - sway, 60))
    return np.asarray(picture)


if __name__ == "__main__":
    main()
