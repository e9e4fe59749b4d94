"""train, validation and test: faces that belong together go into one of them, and none is ever moved.

A group's place comes from a hash of its files, so that it does not depend on the order in which faces were found. What
has been placed stays; what comes later joins its group. Where the hash would leave a split of few data empty, or let
one group fill it, other rules step in (`_place`, `_fill`).
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np

from data_tools.dataset.groups import Traits, group, pairs_together
from data_tools.settings import SplitSettings
from data_tools.work.decisions import apply_decisions, label_names
from data_tools.work.manifest import Manifest
from data_tools.work.schema import IN_A_SPLIT, LABELLED, PUBLISHABLE, SPLITS, Reason, Row, Status
from face_expression.errors import DataError

_NOT_YET = -1
_TRAIN, _VALIDATION, _TEST = range(3)
# A row that was placed and is now out by a reviewer may come back; one that was taken down may not.
_MAX_LISTED_PROBLEMS = 3


@dataclass(frozen=True)
class SplitSummary:
    """How rows are shared out.

    `rows`: how many there are of each (label, split), in the order of the labels; `advice`: sentences about what is
    wrong with that.
    """

    rows: dict[tuple[str, str], int]
    placed_now: int
    without_label: int
    between_splits: int
    largest_group: int
    advice: tuple[str, ...]

    def __str__(self) -> str:
        """The table that the command prints."""
        labels = list(dict.fromkeys(label for label, _ in self.rows))
        width = max(len("largest : smallest"), *map(len, labels))
        by_split = {split: [self.rows[label, split] for label in labels] for split in SPLITS}
        total = [sum(counts) for counts in zip(*by_split.values(), strict=True)]
        columns = [*by_split.values(), total]
        lines = ["".join(f"{title:>12}" for title in (*SPLITS, "all"))]
        lines += ["".join(f"{column[number]:>12,}" for column in columns) for number in range(len(labels))]
        lines += ["".join(f"{sum(column):>12,}" for column in columns)]
        lines += ["".join(f"{sum(column) / sum(total):>12.1%}" for column in columns)]
        lines += ["".join(f"{_imbalance(column):>12}" for column in columns)]
        titles = ["", *labels, "all", "share", "largest : smallest"]
        table = [f"{title:<{width}}{line}" for title, line in zip(titles, lines, strict=True)]
        return "\n".join(
            [
                *table,
                "",
                f"{self.placed_now:,} row(s) placed now; the largest group that stays together has "
                f"{self.largest_group:,}.",
                f"{self.without_label:,} kept row(s) have no label and are in no split.",
                f"{self.between_splits:,} row(s) are rejected because they would tie two splits together.",
                *self.advice,
            ]
        )


def split(manifest: Manifest, settings: SplitSettings) -> SplitSummary:
    """Apply what reviewers decided, and give every kept row with a label a split.

    A new row joins the split of the group it belongs to; if its group lies in two splits already, it is rejected.

    Raises:
        DataError: if there is nothing to split, the shares leave nothing for training, or two rows that were placed
            earlier now belong together; no row is placed then.
    """
    if settings.validation + settings.test >= 1:
        raise DataError("validation and test together must be less than 1, so that something is left for training")
    apply_decisions(manifest)
    rows = _rows(manifest)
    if not rows:
        raise DataError(
            f"{manifest.folder}: no kept row has a label, so there is nothing to split; begin with `collect` and "
            "`filter`, or give labels with `review`"
        )
    traits = _traits(rows)
    groups = group(traits, settings.cluster_bits)
    before = np.array([_NOT_YET if row["split"] is None else SPLITS.index(row["split"]) for row in rows])
    after = _place(rows, groups, before, settings)
    require_no_overlap(rows, after, settings.cluster_bits)
    manifest.update(_changes(rows, before, after))
    return _summary(manifest, settings, int((after != before).sum()), int(np.bincount(groups).max()))


def require_no_overlap(rows: list[Row], places: np.ndarray, bits: int) -> None:
    """Check that no two rows in different splits share a file or a page, or look alike.

    Args:
        rows: N rows of a manifest.
        places: (N,) int64 numbers of their splits; -1 for none.
        bits: as `SplitSettings.cluster_bits`.

    Raises:
        DataError: naming the first of them.
    """
    placed = np.flatnonzero(places != _NOT_YET)
    rows, places = [rows[number] for number in placed], places[placed]
    overlaps = []
    for why, first, second in pairs_together(_traits(rows), bits):
        for number in np.flatnonzero(places[first] != places[second])[: _MAX_LISTED_PROBLEMS - len(overlaps)]:
            one, other = first[number], second[number]
            overlaps.append(
                f"{rows[one]['url']} ({SPLITS[places[one]]}) and {rows[other]['url']} ({SPLITS[places[other]]}): {why}"
            )
    if overlaps:
        raise DataError(
            "rows in different splits belong together, so nothing was placed; take one of each down with `remove`, or "
            "go back to the cluster_bits with which they were split:\n" + "\n".join(overlaps)
        )


def _rows(manifest: Manifest) -> list[Row]:
    columns = ("url", "status", "split", "content_sha256", "page_url", "phash", "phash_mirrored")
    found = manifest.rows(f"({IN_A_SPLIT}) OR ({LABELLED})")
    return [cast(Row, {name: value for name, value in row.items() if name in columns}) for row in found]


def _traits(rows: list[Row]) -> Traits:
    return Traits(*([row[name] for row in rows] for name in ("content_sha256", "page_url", "phash", "phash_mirrored")))


def _place(rows: list[Row], groups: np.ndarray, before: np.ndarray, settings: SplitSettings) -> np.ndarray:
    """(N,) numbers of splits after this run; -1 for new rows that would tie two splits together.

    A new group that has more rows than validation or test is to have in all goes into train: looks chain (of 28,709
    faces of FER2013, one in twenty within 8 bits, one in four within 10), and such a group would be nearly all that is
    measured on.
    """
    after = before.copy()
    shares = (1.0, settings.validation, settings.test)
    fresh: list[tuple[float, np.ndarray]] = []
    order = np.argsort(groups, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
        known = np.unique(before[members])
        known = known[known != _NOT_YET]
        new = members[before[members] == _NOT_YET]
        if len(known) == 1:
            after[new] = known[0]
        elif len(known) == 0:
            number = _stable_number(min(rows[member]["content_sha256"] for member in members))
            fresh.append((number, members))
            place = _split_of_number(number, settings)
            after[members] = place if len(members) <= shares[place] * len(rows) else _TRAIN
    usable = np.array([row["status"] == Status.KEPT for row in rows])
    for wanted, share in ((_VALIDATION, settings.validation), (_TEST, settings.test)):
        if share and not (after[usable] == wanted).any():
            _fill(wanted, after, sorted(fresh, key=lambda one: one[0]))
    return after


def _stable_number(content_sha256: str) -> float:
    """The same number in [0, 1) wherever and whenever; of its own, so that it says nothing else about the file."""
    return int.from_bytes(hashlib.sha256(f"split:{content_sha256}".encode()).digest()[:6]) / 2**48


def _split_of_number(number: float, settings: SplitSettings) -> int:
    if number < settings.test:
        return _TEST
    return _VALIDATION if number < settings.test + settings.validation else _TRAIN


def _fill(wanted: int, after: np.ndarray, fresh: list[tuple[float, np.ndarray]]) -> None:
    """Give an empty split of few data the new group of train that was nearest to it, if train keeps at least half."""
    in_train = (after == _TRAIN).sum()
    for _, members in fresh:
        if after[members[0]] == _TRAIN and 2 * len(members) <= in_train:
            after[members] = wanted
            return


def _changes(rows: list[Row], before: np.ndarray, after: np.ndarray) -> Iterator[Row]:
    for row, old, new in zip(rows, before, after, strict=True):
        if new == _NOT_YET:
            yield {"url": row["url"], "status": Status.REJECTED, "rejection_reason": Reason.BETWEEN_SPLITS}
        elif old == _NOT_YET:
            yield {"url": row["url"], "split": SPLITS[new]}


def _summary(manifest: Manifest, settings: SplitSettings, placed_now: int, largest_group: int) -> SplitSummary:
    counted = manifest.counts("COALESCE(label, query_label)", "split", where=PUBLISHABLE)
    rows = {(label, split): counted.get((label, split), 0) for label in label_names(manifest) for split in SPLITS}
    return SplitSummary(
        rows=rows,
        placed_now=placed_now,
        without_label=manifest.count("status = ? AND COALESCE(label, query_label) IS NULL", (Status.KEPT,)),
        between_splits=manifest.count("rejection_reason = ?", (Reason.BETWEEN_SPLITS,)),
        largest_group=largest_group,
        advice=tuple(_advice(rows, settings, largest_group)),
    )


def _advice(rows: dict[tuple[str, str], int], settings: SplitSettings, largest_group: int) -> Iterator[str]:
    of_split = Counter()
    for (_, name), count in rows.items():
        of_split[name] += count
    if 2 * largest_group > of_split.total() > 1:
        yield "More than half of the rows hang together by page or by look; collect from other places too."
    for name, share in (("validation", settings.validation), ("test", settings.test)):
        if not of_split[name]:
            why = "its share is 0" if not share else "there are too few groups that do not hang together"
            yield f"{name} is empty: {why}."
    if not of_split["validation"]:
        yield "Training needs a validation split: give it a share, collect more from other pages, then split again."
    for name in SPLITS:
        missing = [label for label, split in rows if split == name and not rows[label, name]]
        if of_split[name] and missing:
            yield f"{name} has no rows of {', '.join(missing)}; collect more of them, then split again."


def _imbalance(counts: list[int]) -> str:
    return f"{max(counts) / min(counts):.1f} : 1" if min(counts) else "-"
