"""How accuracy falls as crops get worse: eleven corruptions, five severities each, mildest first.

After Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to Common Corruptions and Perturbations", ICLR
2019, with those that a webcam meets. Each crop is corrupted as `cut_crop` made it, so a turned face is not levelled
here, as the app does where it has landmarks.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from tqdm import tqdm

from face_expression.detection.search import Detection
from face_expression.model.classifier import Classifier
from face_expression.model.config import BundleConfig, Preprocessing
from face_expression.model.preprocess import cut_crop, to_model_inputs, whole_image_region
from face_expression.quality import measure_quality, quality_reasons
from train.data.augment import add_noise, change_gamma, compress, downscale, light_from_side
from train.metrics.bootstrap import share_with_interval

SUNGLASSES, MASK = 32, 208
# Where eyes and mouth lie in the mean of FER2013's images, as a share of the height.
EYES_AT, MOUTH_AT = 0.36, 0.79
_CROPS_AT_ONCE = 512

Corrupt = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Corruption:
    """One way in which crops get worse: `corrupt(crop, amount, rng)` for each of five `amounts`, in `unit`."""

    name: str
    unit: str
    amounts: tuple[float, float, float, float, float]
    corrupt: Corrupt


def corruptions(preprocessing: Preprocessing) -> list[Corruption]:
    """All corruptions, for crops that this preprocessing cuts; uint8 in, uint8 of the same shape out."""

    def turn(crop: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
        region = whole_image_region(crop.shape[1], crop.shape[0])
        return cut_crop(crop, replace(region, angle_deg=degrees * rng.choice((-1, 1))), preprocessing.crop)

    return [
        Corruption("darker", "gamma", (1.4, 2.0, 2.8, 4.0, 5.6), _gamma),
        Corruption("brighter", "gamma", (0.7, 0.5, 0.35, 0.25, 0.18), _gamma),
        Corruption("less contrast", "factor about the mean", (0.7, 0.5, 0.3, 0.2, 0.1), _contrast),
        Corruption("light from one side", "stops darker on the other side", (1, 2, 3, 4, 5), _side_light),
        Corruption("blur", "standard deviation, px of the crop", (0.5, 1, 1.5, 2, 3), _blur),
        Corruption("noise", "standard deviation, grey levels", (4, 8, 16, 24, 32), add_noise),
        Corruption("JPEG", "quality", (60, 40, 20, 10, 5), lambda crop, amount, _: compress(crop, int(amount))),
        Corruption(
            "downscale",
            "share of the pixels a side",
            (0.75, 0.5, 0.375, 0.25, 0.17),
            lambda crop, a, _: downscale(crop, a),
        ),
        Corruption("eyes covered", "height of a dark bar, share", (0.06, 0.12, 0.18, 0.24, 0.3), _cover_eyes),
        Corruption("mouth covered", "height of a bright bar, share", (0.08, 0.16, 0.24, 0.32, 0.4), _cover_mouth),
        Corruption("turned", "degrees either way", (5, 10, 20, 30, 45), turn),
    ]


def measure_robustness(
    classifier: Classifier, config: BundleConfig, crops: list[np.ndarray], truth: np.ndarray
) -> dict[str, dict]:
    """Accuracy at every severity of every corruption.

    Args:
        classifier: the bundle's network.
        config: the bundle's configuration.
        crops: N crops as `cut_crop` makes them.
        truth: (N,) their right labels.

    Returns:
        Name -> {"unit", "levels": for each severity {"amount", "n", "accuracy", "not_sure": share that the app would
        call "not sure", "answered": {"n", "accuracy"} of the others}}, shares with intervals. Under "untouched" stands
        one such level of the crops as they are.
    """
    kinds = corruptions(config.preprocessing)
    total = len(crops) * (1 + sum(len(kind.amounts) for kind in kinds))
    with tqdm(total=total, unit="face", desc="robustness", leave=False) as progress:

        def level(corrupt: Corrupt, amount: float, seed: int) -> dict:
            right, sure = _judge(classifier, config, crops, truth, corrupt, amount, seed, progress)
            return {
                "amount": amount,
                **share_with_interval(right, "accuracy"),
                **share_with_interval(~sure, "not_sure"),
                "answered": share_with_interval(right[sure], "accuracy"),
            }

        untouched = level(lambda crop, *_: crop, 0, 0)
        curves = {
            kind.name: {"unit": kind.unit, "levels": [level(kind.corrupt, amount, seed) for amount in kind.amounts]}
            for seed, kind in enumerate(kinds)
        }
    return {"untouched": untouched, "corruptions": curves}


def _judge(
    classifier: Classifier,
    config: BundleConfig,
    crops: list[np.ndarray],
    truth: np.ndarray,
    corrupt: Corrupt,
    amount: float,
    seed: int,
    progress: tqdm,
) -> tuple[np.ndarray, np.ndarray]:
    """(N,) bool: whose label is right, and of whom the app is sure. A crop meets the same chance at every severity."""
    right, sure = [], []
    for start in range(0, len(crops), _CROPS_AT_ONCE):
        part = [
            corrupt(crop, amount, np.random.default_rng((seed, number)))
            for number, crop in enumerate(crops[start : start + _CROPS_AT_ONCE], start)
        ]
        probabilities = classifier.probabilities(to_model_inputs(part, config.preprocessing.input))
        fit = [not reasons for reasons in _crop_reasons(part, config.preprocessing)]
        right.append(probabilities.argmax(1) == truth[start : start + len(part)])
        sure.append((probabilities.max(1) >= config.abstain_below) & np.array(fit))
        progress.update(len(part))
    return np.concatenate(right), np.concatenate(sure)


def _crop_reasons(crops: list[np.ndarray], preprocessing: Preprocessing) -> list[tuple[str, ...]]:
    """What the app's quality check says of crops whose face filled them, with no landmarks to tell how it is turned."""
    side_px = preprocessing.crop.size_px / preprocessing.yunet.crop.scale
    detection = Detection(box=(0.0, 0.0, side_px, side_px), score=1.0, landmarks=None)
    measured = measure_quality([detection] * len(crops), crops, preprocessing)
    return [quality_reasons(quality, preprocessing.quality) for quality in measured]


def _gamma(crop: np.ndarray, gamma: float, _: np.random.Generator) -> np.ndarray:
    return change_gamma(crop, gamma).astype(np.uint8)


def _contrast(crop: np.ndarray, factor: float, _: np.random.Generator) -> np.ndarray:
    mean = crop.mean()
    return np.clip((crop - mean) * factor + mean, 0, 255).astype(np.uint8)


def _side_light(crop: np.ndarray, stops: float, rng: np.random.Generator) -> np.ndarray:
    return light_from_side(crop, stops, rng.uniform(0, 360)).astype(np.uint8)


def _blur(crop: np.ndarray, deviation_px: float, _: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(crop, (0, 0), deviation_px)


def _cover_eyes(crop: np.ndarray, height: float, _: np.random.Generator) -> np.ndarray:
    return _cover(crop, EYES_AT, height, SUNGLASSES)


def _cover_mouth(crop: np.ndarray, height: float, _: np.random.Generator) -> np.ndarray:
    return _cover(crop, MOUTH_AT, height, MASK)


def _cover(crop: np.ndarray, middle: float, height: float, grey: int) -> np.ndarray:
    """A bar over the whole width; `middle` and `height` are shares of the crop's height."""
    covered = crop.copy()
    side = crop.shape[0]
    covered[round((middle - height / 2) * side) : round((middle + height / 2) * side)] = grey
    return covered
