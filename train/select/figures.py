"""Figures of one network on one set of faces, and how two networks differ on the same faces.

The paired bootstrap resamples rows, or persons where people repeat, and measures both networks on the same resamples.
"""

from dataclasses import dataclass

import numpy as np

from train.metrics.bootstrap import RESAMPLES, interval_95

_SEED = 0


@dataclass(frozen=True)
class Figure:
    """One figure of K networks on the same N rows.

    `name` says what and where; `values` (K,) float64; `resampled` (RESAMPLES, K) on the same resamples;
    `higher_is_better`; `n` counts the rows.
    """

    name: str
    n: int
    values: np.ndarray
    resampled: np.ndarray
    higher_is_better: bool

    def gain(self, network: int) -> float:
        """How much better than the first network this one is; negative if it is worse."""
        difference = float(self.values[network] - self.values[0])
        return difference if self.higher_is_better else -difference

    def standard_error(self, network: int) -> float:
        """Of `gain`."""
        return float(np.nanstd(self.resampled[:, network] - self.resampled[:, 0]))

    def gain_interval_95(self, network: int) -> list[float] | None:
        """[low, high] of `gain`."""
        sign = 1 if self.higher_is_better else -1
        return interval_95(sign * (self.resampled[:, network] - self.resampled[:, 0]))

    def is_better(self, network: int) -> bool:
        """Whether all of the interval of `gain` is above 0."""
        interval = self.gain_interval_95(network)
        return interval is not None and interval[0] > 0

    def is_worse(self, network: int) -> bool:
        """Whether it is worse than the first by more than one standard error."""
        return self.gain(network) < -self.standard_error(network) - 1e-12


def weights_of_resamples(clusters: np.ndarray) -> np.ndarray:
    """How often each row is in each resample: (RESAMPLES, N) int64, rows of one cluster always together.

    Args:
        clusters: (N,) anything that says whose row it is; each its own for a bootstrap over rows.
    """
    members = np.unique(clusters, return_inverse=True)[1]
    count = members.max() + 1
    rng = np.random.default_rng(_SEED)
    drawn = np.stack([np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(RESAMPLES)])
    return drawn[:, members]


def mean_figure(
    name: str, values: np.ndarray, clusters: np.ndarray | None = None, *, higher_is_better: bool = True
) -> Figure:
    """The mean of (N, K) numbers, one column for each network."""
    weights = weights_of_resamples(np.arange(len(values)) if clusters is None else clusters)
    resampled = weights @ values / weights.sum(1, keepdims=True)
    return Figure(name, len(values), values.mean(0), resampled, higher_is_better)


def auc_figure(name: str, scores: np.ndarray, positive: np.ndarray) -> Figure:
    """Area under the ROC curve of (N, K) scores, one column for each network, against (N,) bool.

    It is the share of pairs of a positive and a negative row that the score puts in order, ties counted half.
    """
    weights = weights_of_resamples(np.arange(len(scores)))
    values, resampled = [], []
    for column in scores.T:
        above = column[positive][:, None] - column[~positive][None, :]
        ordered = (above > 0) + 0.5 * (above == 0)
        values.append(ordered.mean())
        chosen, others = weights[:, positive], weights[:, ~positive]
        pairs = chosen.sum(1) * others.sum(1)
        resampled.append(((chosen @ ordered) * others).sum(1) / np.maximum(pairs, 1))
    return Figure(name, len(scores), np.array(values), np.stack(resampled, axis=1), higher_is_better=True)


def log_loss(probability: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """-log of the probability given to what was true; (N, K) probabilities of the positive, (N,) bool."""
    true = np.where(positive[:, None], probability, 1 - probability)
    return -np.log(np.maximum(true, 1e-7))


def kl_divergence(shares: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """(N,) KL divergence of (N, C) probabilities from (N, C) shares of the votes."""
    ratio = np.log(np.maximum(shares, 1e-12)) - np.log(np.maximum(probabilities, 1e-12))
    return np.where(shares > 0, shares * ratio, 0).sum(1)
