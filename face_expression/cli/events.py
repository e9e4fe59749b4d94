"""What a camera or a video shows, as one line of JSON for each change, for other programs."""

import json
from collections.abc import Iterable, Sequence
from typing import TextIO

import numpy as np

from face_expression.output.records import face_as_json
from face_expression.pipeline import Face, Pipeline


def event_of(faces: Sequence[Face], time_s: float, label_names: Sequence[str]) -> dict:
    """The faces of one frame as the embedded live view sends them, too (`web/live/face_event.js`)."""
    shown = [{"track_id": face.track_id, **face_as_json(face, label_names)} for face in faces]
    return {"type": "face-expression", "version": 1, "time_s": round(time_s, 3), "faces": shown}


def write_events(pipeline: Pipeline, frames: Iterable[tuple[float, np.ndarray]], file: TextIO) -> None:
    """Write a line whenever somebody comes, leaves, or looks different.

    "Not sure" is a look, too, and so is the likeliest own expression, where a `personal.json` has any.

    Args:
        pipeline: processes the frames.
        frames: of one video or camera: when each was taken, in seconds on any clock, and its RGB uint8 (H, W, 3).
        file: gets the lines, each at once.
    """
    state, before = None, None
    for time_s, frame in frames:
        faces, state = pipeline.track(frame, state, time_s)
        now = {face.track_id: _look(face) for face in faces}
        if now == before:
            continue
        before = now
        file.write(json.dumps(event_of(faces, time_s, pipeline.label_names), ensure_ascii=False) + "\n")
        file.flush()


def _look(face: Face) -> tuple[str | None, str | None]:
    own = max(face.own, key=face.own.__getitem__) if face.own else None
    return face.label if face.reliable else None, own
