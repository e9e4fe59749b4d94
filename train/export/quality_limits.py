"""Quality limits by measurement: how small, dark, bright or blurred may a face be before the model classifies it worse?

Validation crops are made worse step by step. The last step whose accuracy is within TOLERANCE of the untouched crops'
is still acceptable, and the limit is the median of what `face_expression.quality` measures at that step. Darkened crops
get noise of CAMERA_NOISE grey levels, as cameras have in the dark; how much is an assumption, not a measurement.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from face_expression.io.evenly import evenly
from face_expression.model.classifier import Classifier
from face_expression.model.config import Preprocessing
from face_expression.model.preprocess import cut_crop, measure_crops, to_model_inputs, whole_image_region
from train.data.augment import add_noise

TOLERANCE = 0.03
CAMERA_NOISE = 2.0
MAX_CROPS = 1500


@dataclass(frozen=True)
class Spoiling:
    """One way to make crops worse: `spoil(crop, step)` for each of `steps`, mildest first.

    `measure(crops, step)` gives the value that `limit` limits for each crop: the graph's shadow, highlight or
    sharpness, or the size of the face.
    """

    limit: str
    steps: Sequence[float]
    spoil: Callable[[np.ndarray, float], np.ndarray]
    measure: Callable[[list[np.ndarray], float], Sequence[float]]


def fit_limits(
    classifier: Classifier, crops: list[np.ndarray], majority: np.ndarray, preprocessing: Preprocessing
) -> dict[str, float]:
    """The limits that can be measured on crops: min_face_px, min_highlight, max_shadow and min_sharpness.

    Args:
        classifier: the network, to whose accuracy the limits belong.
        crops: N validation crops as `cut_crop` makes them; of more than MAX_CROPS an even choice is taken.
        majority: (N,) their right labels.
        preprocessing: how crops become model input.
    """
    chosen = evenly(len(crops), MAX_CROPS)
    crops, majority = [crops[index] for index in chosen], majority[chosen]

    def accuracy(spoiled: list[np.ndarray]) -> float:
        inputs = to_model_inputs(spoiled, preprocessing.input)
        return float((classifier.run(inputs)[0].argmax(1) == majority).mean())

    untouched = accuracy(crops)
    limits = {}
    for spoiling in spoilings(preprocessing):
        step, acceptable = spoiling.steps[0], crops
        for step_tried in spoiling.steps:
            spoiled = [spoiling.spoil(crop, step_tried) for crop in crops]
            if accuracy(spoiled) < untouched - TOLERANCE:
                break
            step, acceptable = step_tried, spoiled
        limits[spoiling.limit] = round(float(np.median(spoiling.measure(acceptable, step))), 3)
    return limits


def spoilings(preprocessing: Preprocessing) -> list[Spoiling]:
    """Shrinking, darkening, washing out and blurring."""
    settings = preprocessing.crop
    rng = np.random.default_rng(0)

    def shrink(crop: np.ndarray, side_px: float) -> np.ndarray:
        region = whole_image_region(settings.size_px, settings.size_px)
        small = cut_crop(crop, region, settings.model_copy(update={"size_px": int(side_px)}))
        return cut_crop(small, whole_image_region(int(side_px), int(side_px)), settings)

    def measured(column: int) -> Callable[[list[np.ndarray], float], Sequence[float]]:
        percent = preprocessing.quality.light_percent
        return lambda crops, _: measure_crops(crops, preprocessing.input, percent)[:, column].tolist()

    return [
        Spoiling(
            "min_face_px",
            list(range(settings.size_px, 7, -4)),
            shrink,
            lambda crops, side_px: [side_px / preprocessing.yunet.crop.scale] * len(crops),
        ),
        Spoiling(
            "min_highlight",
            [0.9**power for power in range(25)],
            lambda crop, factor: add_noise(crop * factor, CAMERA_NOISE, rng),
            measured(1),
        ),
        Spoiling(
            "max_shadow",
            [0.9**power for power in range(25)],
            lambda crop, factor: (255 - (255.0 - crop) * factor).astype(np.uint8),
            measured(0),
        ),
        Spoiling(
            "min_sharpness",
            [0.25 * step for step in range(1, 17)],
            lambda crop, sigma_px: cv2.GaussianBlur(crop, (0, 0), sigma_px),
            measured(2),
        ),
    ]
