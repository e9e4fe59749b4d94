"""A face as JSON and as a row of a table, the same on the command line and from the service."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from face_expression.output.csv_cells import csv_text
from face_expression.pipeline import Face
from face_expression.video.labelled_frames import VideoFrame

Cell = str | int | float | bool | list[str] | None


class FaceJson(TypedDict):
    """`box` is x0, y0, x1, y1 in pixels of the picture; `reasons` are there where `reliable` is false.

    `personal` is there, and true, where a `personal.json` adapts the probabilities to one person: they are no longer
    what people would say. `own` has the probabilities of own expressions, where such a file has any.
    """

    box: list[float]
    score: float
    label: str
    confidence: float
    probabilities: dict[str, float]
    reliable: bool
    reasons: list[str]
    personal: NotRequired[bool]
    own: NotRequired[dict[str, float]]


def face_as_json(face: Face, label_names: Sequence[str]) -> FaceJson:
    """A face as plain JSON types."""
    personal = {"personal": True} if face.personal else {}
    own = {"own": {name: round(value, 4) for name, value in face.own.items()}} if face.own else {}
    return {
        "box": [round(value, 1) for value in face.box],
        "score": round(face.score, 4),
        "label": face.label,
        "confidence": round(face.confidence, 4),
        "probabilities": {
            name: round(float(value), 4) for name, value in zip(label_names, face.probabilities, strict=True)
        },
        "reliable": face.reliable,
        "reasons": list(face.reasons),
        **personal,
        **own,
    }


def column_names(label_names: Sequence[str], own_names: Sequence[str] = ()) -> list[str]:
    """The names of the values that `face_values` gives; own expressions come last, as "own: NAME"."""
    box = ["x0", "y0", "x1", "y1"]
    own = [f"own: {name}" for name in own_names]
    return ["time_s", "frame", "track_id", *box, *label_names, "label", "confidence", "reliable", "reasons", *own]


def face_values(frame: VideoFrame) -> list[list[Cell]]:
    """A row for each face of a frame that was analysed; boxes in pixels of the upright frame, which is not scaled."""
    if not frame.analysed:
        return []
    return [
        [
            round(frame.time_s, 3),
            frame.index,
            face.track_id,
            *(round(value, 1) for value in face.box),
            *(round(float(value), 4) for value in face.probabilities),
            face.label,
            round(face.confidence, 4),
            face.reliable,
            list(face.reasons),
            *(round(value, 4) for value in (face.own or {}).values()),
        ]
        for face in frame.faces
    ]


def face_columns(label_names: Sequence[str], own_names: Sequence[str] = ()) -> list[str]:
    """The head of a CSV table of `face_rows`."""
    return [csv_text(name) for name in column_names(label_names, own_names)]


def face_rows(frame: VideoFrame) -> list[list[str | int | float | None]]:
    """`face_values` as cells of a CSV table: "true" or "false", reasons joined, no text that could be a formula."""
    return [[_csv_cell(value) for value in values] for values in face_values(frame)]


def _csv_cell(value: Cell) -> str | int | float | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "; ".join(value)
    return csv_text(value) if isinstance(value, str) else value
