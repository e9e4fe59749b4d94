"""Is this crop fit to be classified? Six measures, the bundle's limits, and the reasons in plain words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from face_expression.boxes import box_size
from face_expression.detection.search import Detection
from face_expression.model.config import Preprocessing, QualityLimits
from face_expression.model.graphs import Graphs
from face_expression.model.preprocess import measure_crops

MAYBE_NO_FACE = "may be no face"
TOO_SMALL = "too small"
TURNED_AWAY = "turned away"
TOO_DARK = "too dark"
TOO_BRIGHT = "too bright"
BLURRED = "blurred"
NO_CLEAR_EXPRESSION = "no clear expression"


@dataclass(frozen=True)
class Quality:
    """What was measured on one face.

    `score`: the detector's, 0..1.
    `face_px`: sqrt(width x height) of the detector's box, in pixels of the frame.
    `highlight`, `shadow`: 95th and 5th percentile of the grey crop, 0..255. Darkness is judged by the brightest parts
    and glare by the darkest, not by the mean, which the colour of the skin would move.
    `sharpness`: standard deviation of the grey crop's Laplacian over that of the crop. It falls with blur and does not
    change with contrast. It is taken after the crop was brought to the size of the training images, which is all the
    detail the model is given.
    `turn`: see `measure_turn`; None without landmarks.
    """

    score: float
    face_px: float
    highlight: float
    shadow: float
    sharpness: float
    turn: float | None


def measure_quality(
    detections: Sequence[Detection], crops: Sequence[np.ndarray], settings: Preprocessing, graphs: Graphs | None = None
) -> list[Quality]:
    """Measure faces.

    Args:
        detections: where N faces are in the frame.
        crops: the N uint8 crops that `cut_crop` made of them.
        settings: the bundle's preprocessing.
        graphs: those of the bundle; by default the embedded ones.
    """
    measured = measure_crops(crops, settings.input, settings.quality.light_percent, graphs)
    return [
        Quality(
            score=detection.score,
            face_px=box_size(detection.box),
            highlight=highlight,
            shadow=shadow,
            sharpness=sharpness,
            turn=None if detection.landmarks is None else measure_turn(detection.landmarks),
        )
        for detection, (shadow, highlight, sharpness) in zip(detections, measured.tolist(), strict=True)
    ]


def quality_reasons(quality: Quality, limits: QualityLimits) -> tuple[str, ...]:
    """Why a face should not be classified; empty if nothing speaks against it."""
    checks = (
        (MAYBE_NO_FACE, quality.score < limits.min_score),
        (TOO_SMALL, quality.face_px < limits.min_face_px),
        (TURNED_AWAY, quality.turn is not None and quality.turn > limits.max_turn),
        (TOO_DARK, quality.highlight < limits.min_highlight),
        (TOO_BRIGHT, quality.shadow > limits.max_shadow),
        (BLURRED, quality.sharpness < limits.min_sharpness),
    )
    return tuple(reason for reason, holds in checks if holds)


def measure_turn(landmarks: tuple[tuple[float, float], ...]) -> float:
    """How far the nose lies from the middle between the eyes, along their line, in eye distances."""
    first_eye, second_eye, nose = (np.asarray(point) for point in landmarks[:3])
    eye_line = second_eye - first_eye
    squared_distance = max(float(eye_line @ eye_line), 1e-6)
    return abs(float((nose - (first_eye + second_eye) / 2) @ eye_line)) / squared_distance
