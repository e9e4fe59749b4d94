"""Which expression a video shows at which time: the CSV file of `evaluate --stream --truth`."""

import csv
import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from face_expression.errors import DataError

TRUTH_COLUMNS = ("start_s", "end_s", "label")


@dataclass(frozen=True)
class Stretch:
    """A time [start_s, end_s) of a video in which `label` holds; `line` is where the truth file says so."""

    start_s: float
    end_s: float
    label: str
    line: int

    def holds(self, times_s: np.ndarray) -> np.ndarray:
        """(N,) bool: which of (N,) times lie in it."""
        return (self.start_s <= times_s) & (times_s < self.end_s)


def read_truth(path: Path, label_names: tuple[str, ...]) -> list[Stretch]:
    """Read a truth file, described at the top of this module.

    Raises:
        DataError: naming the line, if a row is not understood, a label is unknown, or stretches overlap.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in TRUTH_COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: line 1 must name the columns {','.join(TRUTH_COLUMNS)}; missing: {missing}")
            stretches = [_read_stretch(path, reader.line_num, row, label_names) for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as a CSV file in UTF-8: {error}") from error
    if not stretches:
        raise DataError(f"{path}: there is no row below the column names; the truth needs at least one stretch")
    for before, after in pairwise(stretches):
        if after.start_s < before.end_s:
            raise DataError(
                f"{path}, line {after.line}: starts at {after.start_s:g} s, before line {before.line} ends at "
                f"{before.end_s:g} s; stretches must be in order of time and must not overlap"
            )
    return stretches


def _read_stretch(path: Path, line: int, row: dict, label_names: tuple[str, ...]) -> Stretch:
    where = f"{path}, line {line}"
    if None in row or None in row.values():
        raise DataError(f"{where}: must have as many fields as line 1 has columns")
    try:
        start_s, end_s = float(row["start_s"]), float(row["end_s"])
    except ValueError as error:
        raise DataError(f"{where}: start_s and end_s must be seconds, such as 2.5: {error}") from error
    if not 0 <= start_s < end_s < math.inf:
        raise DataError(f"{where}: needs 0 <= start_s < end_s; it has {row['start_s']} and {row['end_s']}")
    label = row["label"].strip()
    if label not in label_names:
        raise DataError(f"{where}: unknown label {label!r}; the bundle knows {', '.join(label_names)}")
    return Stretch(start_s, end_s, label, line)
