"""Is this crop fit to be judged? Five measures, the bundle's limits, and the reasons in plain words."""

from dataclasses import dataclass

import cv2
import numpy as np

from face_expression.boxes import box_size
from face_expression.config import InputSettings, QualityLimits
from face_expression.detector import Detection
from face_expression.preprocess import to_grey

TOO_SMALL = "too small"
TURNED_AWAY = "turned away"
TOO_DARK = "too dark"
TOO_BRIGHT = "too bright"
BLURRED = "blurred"
NO_CLEAR_EXPRESSION = "no clear expression"


@dataclass(frozen=True)
class Quality:
    """What was measured on one face.

    `face_px`: sqrt(width x height) of the detector's box, in pixels of the frame.
    `highlight`, `shadow`: 95th and 5th percentile of the grey crop, 0..255. Darkness is judged by the brightest parts
    and glare by the darkest, not by the mean, which the colour of the skin would move.
    `sharpness`: see `measure_sharpness`.
    `turn`: see `measure_turn`; None without landmarks.
    """

    face_px: float
    highlight: float
    shadow: float
    sharpness: float
    turn: float | None


def measure_quality(detection: Detection, crop: np.ndarray, settings: InputSettings) -> Quality:
    """Measure one face.

    Args:
        detection: where the face is in the frame.
        crop: the uint8 crop that `cut_crop` made of it.
        settings: the grey weights.
    """
    grey = to_grey(crop, settings)
    shadow, highlight = measure_light(grey)
    return Quality(
        face_px=box_size(detection.box),
        highlight=highlight,
        shadow=shadow,
        sharpness=measure_sharpness(grey),
        turn=None if detection.landmarks is None else measure_turn(detection.landmarks),
    )


def measure_light(grey: np.ndarray) -> tuple[float, float]:
    """(shadow, highlight): the 5th and 95th percentile of a grey crop, 0..255."""
    shadow, highlight = np.percentile(grey, (5, 95))
    return float(shadow), float(highlight)


def measure_sharpness(grey: np.ndarray) -> float:
    """Standard deviation of a grey crop's Laplacian over that of the crop.

    It falls with blur and does not change with contrast. It is taken after the crop was brought to the size of the
    training images, which is all the detail the model is given.
    """
    return float(cv2.Laplacian(grey, cv2.CV_32F).std() / max(float(grey.std()), 1.0))


def quality_reasons(quality: Quality, limits: QualityLimits) -> tuple[str, ...]:
    """Why a face should not be judged; empty if nothing speaks against it."""
    checks = (
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
