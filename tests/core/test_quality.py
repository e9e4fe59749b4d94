import cv2
import numpy as np
import pytest
import skimage.data

from face_expression.model.config import EMBEDDED_CONFIG, QualityLimits, read_bundle_config
from face_expression.model.preprocess import measure_crops
from face_expression.quality import (
    BLURRED,
    MAYBE_NO_FACE,
    TOO_BRIGHT,
    TOO_DARK,
    TOO_SMALL,
    TURNED_AWAY,
    Quality,
    measure_turn,
    quality_reasons,
)

LIMITS = QualityLimits(
    min_face_px=30,
    min_sharpness=0.4,
    min_highlight=50,
    max_shadow=190,
    max_turn=0.6,
    min_score=0.7,
    light_percent=5,
)
INPUT = read_bundle_config(EMBEDDED_CONFIG).preprocessing.input
FINE = {"score": 0.9, "face_px": 100.0, "highlight": 200.0, "shadow": 40.0, "sharpness": 1.0, "turn": 0.1}


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({}, ()),
        ({"turn": None}, ()),
        ({"score": 0.69}, (MAYBE_NO_FACE,)),
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
    noise = np.random.default_rng(0).normal(120, 20, (48, 48))
    crops = [noise.astype(np.uint8), (noise * 0.5).astype(np.uint8), np.full((48, 48), 9, np.uint8)]
    blurred = cv2.GaussianBlur(crops[0], (0, 0), 2)
    sharp, flat, even, soft = measure_crops([*crops, blurred], INPUT, 5)[:, 2]
    assert flat == pytest.approx(sharp, rel=0.02) and even == 0 and soft < 0.5 * sharp


def test_light_is_measured_as_numpy_does_in_grey_and_in_colour():
    rng = np.random.default_rng(0)
    crops = [rng.integers(0, 256, (48, 48, 3), np.uint8), rng.integers(0, 90, (48, 48), np.uint8)]
    measured = measure_crops(crops, INPUT, 5)
    greys = [crops[0] @ np.array(INPUT.grey_weights), crops[1]]
    np.testing.assert_allclose(measured[:, :2], [np.percentile(grey, (5, 95)) for grey in greys], atol=0.01)
    assert measure_crops([], INPUT, 5).shape == (0, 3)


def test_the_photographer_looks_into_his_camera(yunet_pipeline):
    """A real face seen nearly from the side: scikit-image's cameraman."""
    frame = np.repeat(skimage.data.camera()[..., None], 3, axis=2)
    (face,) = yunet_pipeline.analyze(frame)
    assert TURNED_AWAY in face.reasons and not face.reliable
