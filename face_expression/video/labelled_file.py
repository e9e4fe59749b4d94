"""A video file -> an annotated copy and a table of its faces; if it ends early, what there is so far is kept."""

import csv
import math
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from face_expression.output.annotate import Translation
from face_expression.output.records import face_columns, face_rows
from face_expression.pipeline import Pipeline
from face_expression.video.labelled_frames import VideoFrame, label_video
from face_expression.video.reader import MAX_PIXELS, VideoError
from face_expression.video.writer import annotated_video


@dataclass(frozen=True)
class LabelledFile:
    """What was made of a video: how many frames, and up to which second.

    `problem` is a sentence where something is missing; `was_stopped` if that is because `go_on` returned False.
    """

    frames: int
    end_s: float
    problem: str | None = None
    was_stopped: bool = False


def label_file(
    pipeline: Pipeline,
    source: Path,
    *,
    output: Path | None = None,
    table: TextIO | None = None,
    every: int = 1,
    go_on: Callable[[VideoFrame], bool] = lambda _: True,
    max_s: float = math.inf,
    max_pixels: int = MAX_PIXELS,
    translated: Translation = str,
) -> LabelledFile:
    """Label a video from its beginning to its end.

    Args:
        pipeline: what judges the faces.
        source: the video.
        output: the annotated copy, MP4; what is there is replaced once the new one is complete.
        table: the rows of `face_rows` are written here as CSV, as they come; open it with newline="".
        every: as in `label_video`.
        go_on: called with each frame when it is written; the video ends after it if the answer is False.
        max_s: as in `label_video`.
        max_pixels: as in `label_video`.
        translated: as in `annotate`, for the copy; the table stays as it is.

    Raises:
        VideoError: if no frame can be decoded.
        OSError: if `output` or `table` cannot be written.
    """
    rows = csv.writer(table) if table else None
    frames, end_s, problem = 0, 0.0, None
    with ExitStack() as stack:
        copy = None
        if output:
            video = annotated_video(output, pipeline.label_names, sound_of=source, translated=translated)
            copy = stack.enter_context(video)
        if rows:
            rows.writerow(face_columns(pipeline.label_names, pipeline.own_names))
        try:
            for frame in label_video(pipeline, source, every=every, max_s=max_s, max_pixels=max_pixels):
                if copy:
                    copy.write(frame)
                if rows:
                    rows.writerows(face_rows(frame))
                frames, end_s = frame.index + 1, frame.time_s + frame.duration_s
                if not go_on(frame):
                    return LabelledFile(frames, end_s, f"stopped at {end_s:.1f} s", was_stopped=True)
            if copy:
                copy.write_rest_of_sound()
        except VideoError as error:
            if not frames:
                raise
            problem = str(error)
    return LabelledFile(frames, end_s, problem)
