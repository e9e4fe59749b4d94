"""Probabilities in 15 equal bins: what the calibration errors and the reliability diagram are made of.

Naeini, Cooper and Hauskrecht, "Obtaining Well Calibrated Probabilities Using Bayesian Binning", AAAI 2015; Guo et al.,
"On Calibration of Modern Neural Networks", ICML 2017.
"""

import numpy as np

from train.metrics.bootstrap import bootstrap_means, interval_95

BINS = 15


def bin_of(probabilities: np.ndarray) -> np.ndarray:
    """The bin, 0 to BINS - 1, of each probability; any shape."""
    return np.minimum((np.asarray(probabilities) * BINS).astype(int), BINS - 1)


def gaps_by_bin(probabilities: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Each row's probability minus its outcome, in the column of its bin: (N,), (N,) -> (N, BINS).

    The sum over columns of the absolute column means is the expected calibration error.
    """
    gaps = np.zeros((len(probabilities), BINS))
    gaps[np.arange(len(probabilities)), bin_of(probabilities)] = probabilities - outcomes
    return gaps


def reliability(probabilities: np.ndarray, shares: np.ndarray) -> dict[str, list]:
    """The reliability diagram, all classes in one.

    Args:
        probabilities: (N, C).
        shares: (N, C) shares of the votes, or one-hot labels.

    Returns:
        For each of the bins that hold any: mean `predicted` probability, mean `observed` share with its interval, and
        `count`, the number of pairs of a row and a class.
    """
    sums = np.zeros((3, len(probabilities), BINS))
    rows = np.arange(len(probabilities))[:, None]
    for part, values in zip(sums, (1, probabilities, shares), strict=True):
        np.add.at(part, (rows, bin_of(probabilities)), values)
    sums = sums[:, :, sums[0].any(axis=0)]
    count, predicted, observed = sums.sum(axis=1)
    means = bootstrap_means(np.hstack([sums[0], sums[2]]))
    with np.errstate(invalid="ignore"):
        resampled = means[:, len(count) :] / means[:, : len(count)]
    return {
        "predicted": (predicted / count).tolist(),
        "observed": (observed / count).tolist(),
        "observed_interval_95": [interval_95(column) for column in resampled.T],
        "count": count.astype(int).tolist(),
    }
