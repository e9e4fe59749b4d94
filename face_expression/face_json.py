"""A face as plain JSON, the same on the command line and from the service."""

from collections.abc import Sequence
from typing import NotRequired, TypedDict

from face_expression.pipeline import Face


class FaceJson(TypedDict):
    """`box` is x0, y0, x1, y1 in pixels of the picture; `reasons` are there where `reliable` is false.

    `own` has the probabilities of own expressions, where a `personal.json` with such is in use.
    """

    box: list[float]
    score: float
    label: str
    confidence: float
    probabilities: dict[str, float]
    reliable: bool
    reasons: list[str]
    own: NotRequired[dict[str, float]]


def face_as_json(face: Face, label_names: Sequence[str]) -> FaceJson:
    """A face as plain JSON types."""
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
        **own,
    }
