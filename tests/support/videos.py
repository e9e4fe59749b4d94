"""Writes the videos that tests show to the program, and reads what it wrote with another one."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TICKS_PER_S = 1000


def write_video(
    path: Path, pictures, times_s=None, *, codec="libx264", sound: str | None = None, matrix=None, options=None
) -> Path:
    """Write RGB pictures, 25 a second or at `times_s`; "png" loses nothing; `sound` is the codec of a 440 Hz tone."""
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.pix_fmt = "rgb24" if codec == "png" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICKS_PER_S)
        tone = container.add_stream(sound, rate=48_000, layout="mono") if sound else None
        for index, picture in enumerate(pictures):
            if index == 0:
                stream.height, stream.width = picture.shape[:2]
                if matrix:
                    stream.set_display_matrix([value * 65536 for value in matrix] + [0, 0, 1 << 30])
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            time_s = times_s[index] if times_s else index / 25
            frame.pts, frame.time_base = round(time_s * TICKS_PER_S), Fraction(1, TICKS_PER_S)
            container.mux(stream.encode(frame))
            if tone:
                container.mux(tone.encode(tone_from(index * 1920, 1920)))
        container.mux(stream.encode(None))
        if tone:
            container.mux(tone.encode(None))
    return path


def tone_from(first: int, count: int) -> av.AudioFrame:
    wave = 8000 * np.sin(2 * np.pi * 440 / 48_000 * np.arange(first, first + count))
    frame = av.AudioFrame.from_ndarray(wave.astype(np.int16)[None], "s16", "mono")
    frame.sample_rate, frame.pts, frame.time_base = 48_000, first, Fraction(1, 48_000)
    return frame


def decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    """The pictures of a video and their times, read by a program other than the one that is tested."""
    with av.open(str(path)) as container:
        return [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]


def plain(width=64, height=48, color=(90, 120, 150)) -> np.ndarray:
    return np.full((height, width, 3), color, np.uint8)
