"""Labels a video file before somebody's eyes in a terminal: with a progress bar, and so that Ctrl-C keeps its part."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from tqdm import tqdm

from face_expression.cli.interruption import interruption
from face_expression.io.files import replacing_file
from face_expression.pipeline import Pipeline
from face_expression.video.labelled_file import LabelledFile, label_file
from face_expression.video.labelled_frames import VideoFrame


def label_with_progress(
    pipeline: Pipeline, source: Path, output: Path | None, csv: Path | None, every: int, pictures: int | None
) -> LabelledFile:
    """Label a video; the rows go to standard output where neither file is asked for. Folders are made if need be.

    Args:
        pipeline: what judges the faces.
        source: the video.
        output: the annotated copy, if it is wanted.
        csv: the table, if it is wanted.
        every: as in `label_video`.
        pictures: how many there are, as far as is known.

    Raises:
        VideoError, OSError: as in `label_file`.
    """
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
    with (
        _table(output, csv) as table,
        tqdm(total=pictures, unit="frame", disable=None) as progress,
        interruption() as stop,
    ):

        def go_on(_: VideoFrame) -> bool:
            progress.update()
            return not stop.is_set()

        return label_file(pipeline, source, output=output, table=table, every=every, go_on=go_on)


@contextmanager
def _table(output: Path | None, csv: Path | None) -> Generator[TextIO | None]:
    """What the rows are written to: the file asked for, or standard output where nothing was."""
    if csv is None:
        yield None if output else sys.stdout
        return
    csv.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(csv) as draft, draft.open("w", newline="", encoding="utf-8") as file:
        yield file
