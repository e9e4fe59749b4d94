"""The 95 % intervals of all figures: the percentile bootstrap over rows, with a fixed seed.

Efron, "Bootstrap Methods: Another Look at the Jackknife", Annals of Statistics, 1979.
"""

import numpy as np

RESAMPLES = 1000
_SEED = 0
_COUNTS_AT_ONCE = 4_000_000


def bootstrap_means(columns: np.ndarray) -> np.ndarray:
    """Column means of RESAMPLES resamples of the rows.

    Every figure that is a function of column means gets its resamples from these at once.

    Args:
        columns: (N, K) numbers, N at least 1.

    Returns:
        (RESAMPLES, K) float64.
    """
    rng = np.random.default_rng(_SEED)
    rows = len(columns)
    step = max(1, _COUNTS_AT_ONCE // rows)
    means = []
    for start in range(0, RESAMPLES, step):
        counts = [np.bincount(rng.integers(0, rows, rows), minlength=rows) for _ in range(min(step, RESAMPLES - start))]
        means.append(np.asarray(counts, np.float64) @ columns / rows)
    return np.concatenate(means)


def bootstrap_counts(counts: np.ndarray) -> np.ndarray:
    """Resampled tables of counts, as if the rows that were counted had been resampled: (RESAMPLES, *counts.shape).

    Args:
        counts: whole numbers, at least one above 0.
    """
    total = int(counts.sum())
    drawn = np.random.default_rng(_SEED).multinomial(total, counts.reshape(-1) / total, RESAMPLES)
    return drawn.reshape(RESAMPLES, *counts.shape)


def interval_95(resampled: np.ndarray) -> list[float] | None:
    """[low, high] of one figure's resamples (R,), those in which it is undefined (NaN) left out; None if all are."""
    defined = resampled[np.isfinite(resampled)]
    return [float(bound) for bound in np.percentile(defined, (2.5, 97.5))] if len(defined) else None


def centred_interval_95(resampled: np.ndarray, estimate: float) -> list[float]:
    """[low, high] of a figure that grows under resampling, moved back by its mean growth, never below 0.

    A sum of absolute gaps (an ECE) is larger on every resample than on the rows themselves, since the resample's noise
    comes on top; the plain percentiles would lie above the estimate.
    """
    low, high = np.percentile(np.maximum(resampled - (resampled.mean() - estimate), 0), (2.5, 97.5))
    return [float(low), float(high)]


def share_with_interval(hits: np.ndarray, name: str) -> dict:
    """`{"n", name, name_interval_95}` of the share of True in (N,) bool; the share is None if N is 0."""
    if not len(hits):
        return {"n": 0, name: None, f"{name}_interval_95": None}
    counts = np.array([hits.sum(), len(hits) - hits.sum()])
    return {
        "n": len(hits),
        name: float(hits.mean()),
        f"{name}_interval_95": interval_95(bootstrap_counts(counts)[:, 0] / len(hits)),
    }
