"""A video goes in, its frames come out with labelled faces, one at a time."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_expression.pipeline import Face, Pipeline
from face_expression.video.reader import MAX_PIXELS, read_video


@dataclass(frozen=True, eq=False)
class VideoFrame:
    """One frame of a video.

    `index` from 0; `time_s` from the start of the file, as a player shows it; `duration_s` until the next one;
    `picture` upright RGB uint8 (H, W, 3); `faces` the largest first, their boxes in pixels of `picture`; `analysed` is
    False when the faces are those of an earlier frame.
    """

    index: int
    time_s: float
    duration_s: float
    picture: np.ndarray
    faces: tuple[Face, ...]
    analysed: bool


def label_video(
    pipeline: Pipeline, path: Path, *, every: int = 1, max_s: float = math.inf, max_pixels: int = MAX_PIXELS
) -> Iterator[VideoFrame]:
    """Find, judge and follow the faces of a video. However long it is, one frame is held at a time.

    Args:
        pipeline: what judges the faces.
        path: the video.
        every: only each Nth frame is analysed; the others come with the last faces.
        max_s: longest video that is read.
        max_pixels: largest picture that is read, width times height.

    Raises:
        VideoError: as in `read_video`; what comes before it is good.
        ValueError: if `every` is below 1.
    """
    if every < 1:
        raise ValueError(f"every must be at least 1, got {every}")
    state, faces = None, []
    for index, shown in enumerate(read_video(path, max_s=max_s, max_pixels=max_pixels)):
        analysed = index % every == 0
        if analysed:
            faces, state = pipeline.track(shown.pixels, state, shown.time_s)
        yield VideoFrame(index, shown.time_s, shown.duration_s, shown.pixels, tuple(faces), analysed)
