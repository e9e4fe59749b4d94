"""Do the confidences mean what they say? Before and after the temperature, and what saying "not sure" buys."""

import numpy as np

from face_expression.model.classifier import softmax
from train.evaluate.protocols import Metrics, Truth
from train.metrics.bootstrap import share_with_interval
from train.metrics.calibration_bins import reliability

_POINTS = 50


def measure_calibration(logits: np.ndarray, temperature: float, truth: Truth, metrics: Metrics) -> dict:
    """Calibration of the bare network and of the bundle.

    Args:
        logits: (N, C).
        temperature: the bundle's.
        truth: of the same rows.
        metrics: the metrics.

    Returns:
        {"against": "votes" or "labels", "temperature", "before", "after": {"votes": figures of `vote_agreement`,
        "labels": {"n", figures of `label_likelihood`}, "reliability": see `reliability`}}.
    """
    has_votes, is_labelled = truth.shares.sum(1) > 0, truth.label >= 0

    def figures(probabilities: np.ndarray) -> dict:
        return {
            "votes": metrics.of_shares(probabilities[has_votes], truth.shares[has_votes]),
            "labels": {
                "n": int(is_labelled.sum()),
                **metrics.loss_of(probabilities[is_labelled], truth.label[is_labelled]),
            },
            "reliability": reliability(probabilities[has_votes], truth.shares[has_votes]),
        }

    return {
        "against": "labels" if truth.votes_protocol is None else "votes",
        "temperature": temperature,
        "before": figures(softmax(logits)),
        "after": figures(softmax(logits / np.float32(temperature))),
    }


def measure_risk_coverage(probabilities: np.ndarray, truth: np.ndarray, threshold: float) -> dict:
    """How often the answers are wrong if only the most confident ones are given.

    Geifman and El-Yaniv, "Selective Classification for Deep Neural Networks", NeurIPS 2017.

    Args:
        probabilities: (N, C).
        truth: (N,) right label indices.
        threshold: the bundle's; answers below this confidence are not given.

    Returns:
        {"n", "points": [{"coverage", "n", "risk", its interval}], "threshold", "at_threshold": {"coverage", its
        interval, "n", "accuracy", its interval}}.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    ordered = right[np.argsort(-confidence, kind="stable")]
    points = [
        {"coverage": answered / len(ordered), **share_with_interval(~ordered[:answered], "risk")}
        for answered in np.unique(np.ceil(np.linspace(0, 1, _POINTS + 1)[1:] * len(ordered)).astype(int)).tolist()
    ]
    given = confidence >= threshold
    coverage = share_with_interval(given, "coverage")
    return {
        "n": len(ordered),
        "points": points,
        "threshold": threshold,
        "at_threshold": {**coverage, **share_with_interval(right[given], "accuracy")},
    }
