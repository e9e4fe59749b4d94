import numpy as np
import pytest
import skimage.data

from face_expression.config import QualityLimits
from face_expression.quality import (
    BLURRED,
    TOO_BRIGHT,
    TOO_DARK,
    TOO_SMALL,
    TURNED_AWAY,
    Quality,
    measure_sharpness,
    measure_turn,
    quality_reasons,
)

LIMITS = QualityLimits(min_face_px=30, min_sharpness=0.4, min_highlight=50, max_shadow=190, max_turn=0.6)
FINE = {"face_px": 100.0, "highlight": 200.0, "shadow": 40.0, "sharpness": 1.0, "turn": 0.1}


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, ()),
        ({"turn": None}, ()),
        ({"face_px": 29.9}, (TOO_SMALL,)),
        ({"turn": 0.61}, (TURNED_AWAY,)),
        ({"highlight": 49.0}, (TOO_DARK,)),
        ({"shadow": 191.0}, (TOO_BRIGHT,)),
        ({"sharpness": 0.39, "face_px": 1.0}, (TOO_SMALL, BLURRED)),
    ],
)
def test_reasons(changes, reasons):
    assert quality_reasons(Quality(**{**FINE, **changes}), LIMITS) == reasons


@pytest.mark.parametrize(
    ("nose_x", "turn"), [(50.0, 0.0), (60.0, 0.25), (40.0, 0.25), (80.0, 0.75)], ids=["front", "left", "right", "far"]
)
def test_turn_is_measured_in_eye_distances(nose_x, turn):
    assert measure_turn(((30.0, 40.0), (70.0, 40.0), (nose_x, 60.0), (35.0, 80.0), (65.0, 80.0))) == pytest.approx(turn)


def test_sharpness_does_not_change_with_contrast():
    noise = np.random.default_rng(0).normal(128, 20, (48, 48)).astype(np.float32)
    assert measure_sharpness(noise * 0.5) == pytest.approx(measure_sharpness(noise), rel=1e-3)
    assert measure_sharpness(np.full((48, 48), 9, np.float32)) == 0


def test_the_photographer_looks_into_his_camera(yunet_pipeline):
    """A real face seen nearly from the side: scikit-image's cameraman."""
    frame = np.repeat(skimage.data.camera()[..., None], 3, axis=2)
    (face,) = yunet_pipeline.analyze(frame)
    assert TURNED_AWAY in face.reasons and not face.reliable
