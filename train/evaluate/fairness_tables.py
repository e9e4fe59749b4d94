"""Shares of answers group by group, with intervals, and the largest gap of a table.

A table is {"by", "is_description", "n", "groups": name -> {"n", "ranked", "shares": measure -> share or None,
"shares_interval_95"}, "largest_gap": see `largest_gap_of`, or None with fewer than two ranked groups}.
"""

import re
from collections.abc import Sequence

import numpy as np

from train.metrics.bootstrap import RESAMPLES, interval_95

MIN_RANKED = 5
PERMUTATIONS = 2000
SIGNIFICANCE = 0.05
NOT_STATED = "(not stated)"


def group_table(by: str, groups: Sequence[str | None], values: dict[str, np.ndarray], *, is_description: bool) -> dict:
    """One table.

    Args:
        by: what the groups are groups of.
        groups: of N rows, each row another person or picture.
        values: measure -> (N,) numbers, whose means are compared.
        is_description: whether no answer is right or wrong, so that a gap is a difference and not a fault.
    """
    names = np.array([NOT_STATED if group in (None, "") else str(group) for group in groups])
    columns = np.stack([np.asarray(column, float) for column in values.values()], axis=1)
    measures = list(values)
    table = {}
    for name in sorted(set(names.tolist()), key=_by_age_then_name):
        chosen = columns[names == name]
        resampled = _resampled_means(chosen)
        table[name] = {
            "n": len(chosen),
            "ranked": len(chosen) >= MIN_RANKED and name != NOT_STATED,
            "shares": dict(zip(measures, chosen.mean(0).tolist(), strict=True)),
            "shares_interval_95": {
                measure: interval_95(resampled[:, number]) for number, measure in enumerate(measures)
            },
        }
    ranked = np.isin(names, [name for name, row in table.items() if row["ranked"]])
    gap = largest_gap_of(names[ranked], columns[ranked], measures) if len(np.unique(names[ranked])) > 1 else None
    return {"by": by, "is_description": is_description, "n": len(names), "groups": table, "largest_gap": gap}


def largest_gap_of(groups: np.ndarray, columns: np.ndarray, measures: list[str]) -> dict:
    """The largest difference between two groups in any measure, and whether it is more than chance.

    A permutation test: how often is the largest gap of the table as large when the groups' names are dealt out to the
    rows by chance? That allows for the number of groups and of measures among which it was found.

    Args:
        groups: (N,) str, at least two different ones.
        columns: (N, Q) numbers.
        measures: names of the Q columns.
    """
    names, members = np.unique(groups, return_inverse=True)
    belongs = (members[None, :] == np.arange(len(names))[:, None]).astype(float)
    belongs /= belongs.sum(1, keepdims=True)
    means = belongs @ columns
    measure = int(np.ptp(means, axis=0).argmax())
    best, worst = int(means[:, measure].argmax()), int(means[:, measure].argmin())
    rng = np.random.default_rng(0)
    by_chance = np.array(
        [np.ptp(belongs @ columns[rng.permutation(len(columns))], axis=0).max() for _ in range(PERMUTATIONS)]
    )
    found = float(means[best, measure] - means[worst, measure])
    p_value = (1 + np.sum(by_chance >= found - 1e-12)) / (PERMUTATIONS + 1)
    high, low = (
        _resampled_means(columns[members == group][:, [measure]], seed)[:, 0]
        for seed, group in enumerate((best, worst))
    )
    return {
        "measure": measures[measure],
        "best": str(names[best]),
        "worst": str(names[worst]),
        "difference": found,
        "difference_interval_95": interval_95(high - low),
        "p_value": float(p_value),
        "significant": bool(p_value < SIGNIFICANCE),
        "test": f"permutation of the groups, {PERMUTATIONS} times, over all groups of {MIN_RANKED} or more and all "
        f"measures of the table; significant below {SIGNIFICANCE:g}",
    }


def _by_age_then_name(name: str) -> tuple[int, str]:
    first_years = re.match(r"\d+", name)
    return int(first_years.group()) if first_years else -1, name


def _resampled_means(rows: np.ndarray, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), RESAMPLES)
    return counts @ rows / len(rows)
