"""Accuracy group by group, and whether the largest gap is more than chance."""

import datasets
import numpy as np

from face_expression.errors import DataError
from train.evaluate.protocols import Metrics
from train.metrics.bootstrap import RESAMPLES, interval_95

PROXY_COLUMN = "query_group"
MIN_RANKED = 30
PERMUTATIONS = 2000
SIGNIFICANCE = 0.05
NOT_STATED = "(not stated)"


def read_groups(rows: datasets.Dataset, column: str) -> np.ndarray:
    """(N,) str: each row's group.

    Raises:
        DataError: if the column is missing or holds neither text, whole numbers nor class labels.
    """
    if column not in rows.column_names:
        raise DataError(f"the data set has no column {column!r} to group by; it has {rows.column_names}")
    feature = rows.features[column]
    names = getattr(feature, "names", None)
    if names is None and not str(getattr(feature, "dtype", "")).startswith(
        ("string", "large_string", "int", "uint", "bool")
    ):
        raise DataError(f"cannot group by the column {column!r} of {feature}; it must be text, whole numbers or labels")
    values = [None if value == -1 and names else value for value in rows[column]]
    return np.array([NOT_STATED if value is None else names[value] if names else str(value) for value in values])


def compare_groups(column: str, groups: np.ndarray, predicted: np.ndarray, truth: np.ndarray, metrics: Metrics) -> dict:
    """The fairness table.

    Args:
        column: where the groups came from.
        groups: (N,) str.
        predicted: (N,) label indices.
        truth: (N,) right label indices.
        metrics: the metrics.

    Returns:
        {"column", "is_proxy", "groups": name -> {"n", "ranked", "accuracy", "recall", "support", intervals},
        "largest_gap": see `largest_gap`, or None with fewer than two ranked groups}. Groups of fewer than MIN_RANKED
        rows are not ranked.
    """
    table = {}
    for name in np.unique(groups).tolist():
        figures = metrics.of_labels(predicted[groups == name], truth[groups == name])
        kept = ("n", "accuracy", "accuracy_interval_95", "recall", "recall_interval_95", "support")
        table[name] = {"ranked": figures["n"] >= MIN_RANKED, **{key: figures[key] for key in kept}}
    ranked = [name for name, figures in table.items() if figures["ranked"]]
    chosen = np.isin(groups, ranked)
    gap = largest_gap(groups[chosen], (predicted == truth)[chosen]) if len(ranked) > 1 else None
    return {"column": column, "is_proxy": column == PROXY_COLUMN, "groups": table, "largest_gap": gap}


def largest_gap(groups: np.ndarray, right: np.ndarray) -> dict:
    """The gap in accuracy between the best and the worst group, and its p-value.

    A permutation test: how often is the largest gap as large when the groups' names are dealt out to the rows by
    chance? It allows for the choice of the two groups.

    Args:
        groups: (N,) str, at least two.
        right: (N,) bool.
    """
    names, members = np.unique(groups, return_inverse=True)
    size = np.bincount(members)

    def accuracies(outcome: np.ndarray) -> np.ndarray:
        return np.bincount(members, outcome) / size

    found = accuracies(right)
    best, worst = int(found.argmax()), int(found.argmin())
    rng = np.random.default_rng(0)
    by_chance = [np.ptp(accuracies(rng.permutation(right))) for _ in range(PERMUTATIONS)]
    p_value = (1 + np.sum(by_chance >= np.ptp(found) - 1e-12)) / (PERMUTATIONS + 1)
    resampled = [rng.binomial(size[group], found[group], RESAMPLES) / size[group] for group in (best, worst)]
    return {
        "n": len(right),
        "best": str(names[best]),
        "worst": str(names[worst]),
        "difference": float(np.ptp(found)),
        "difference_interval_95": interval_95(resampled[0] - resampled[1]),
        "p_value": float(p_value),
        "significant": bool(p_value < SIGNIFICANCE),
        "test": f"permutation of the groups, {PERMUTATIONS} times, significant below {SIGNIFICANCE:g}",
    }
