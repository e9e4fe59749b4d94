"""Pictures in a column of Parquet files, read row by row. Needs pyarrow, which the core does without otherwise."""

import io
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from face_expression.errors import DataError
from face_expression.io.image_limits import PictureError

if TYPE_CHECKING:
    import pyarrow.parquet as pq

_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Cell:
    """Where a picture is: a column of a Parquet file, one of its row groups, and the row in that, from 0."""

    file: Path
    column: str
    row_group: int
    row: int


class ParquetRows:
    """The rows of Parquet files, one after the other, numbered from 0; only the files' footers are read.

    Args:
        files: in their order.
        column: holds the pictures, as bytes or as `datasets.Image` stores them.

    Raises:
        DataError: if pyarrow is missing, or a file cannot be read or lacks the column.
    """

    def __init__(self, files: Sequence[Path], column: str):
        self._column = column
        self._files: list[int] = []
        self._groups: list[tuple[int, int]] = []
        sizes: list[int] = []
        self.files = list(files)
        for number, file in enumerate(self.files):
            of_groups = _rows_of_groups(file, column)
            self._files.append(len(sizes))
            self._groups += [(number, group) for group in range(len(of_groups))]
            sizes += of_groups
        # How many rows come before each row group.
        self._before = [0, *accumulate(sizes)]

    def __len__(self) -> int:
        return self._before[-1]

    def find(self, number: int) -> tuple[Cell, int]:
        """Where a row is, and its number within its file.

        Raises:
            IndexError: if there is no such row.
        """
        if not 0 <= number < len(self):
            raise IndexError(number)
        place = bisect_right(self._before, number) - 1
        file, group = self._groups[place]
        cell = Cell(self.files[file], self._column, group, number - self._before[place])
        return cell, number - self._before[self._files[file]]


def _rows_of_groups(file: Path, column: str) -> list[int]:
    try:
        with _opened(file) as opened:
            if column not in opened.schema_arrow.names:
                raise DataError(f"{file} has the columns {opened.schema_arrow.names} and none named {column!r}")
            return [opened.metadata.row_group(group).num_rows for group in range(opened.num_row_groups)]
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}") from error


def _opened(file: Path) -> "pq.ParquetFile":
    try:
        import pyarrow.parquet as pq
    except ImportError as error:
        raise DataError("Parquet needs the package pyarrow: pip install pyarrow") from error
    return pq.ParquetFile(file, memory_map=True, pre_buffer=False)


class CellReader:
    """Reads cells; those of one row group in their order are read without reading anything twice."""

    def __init__(self) -> None:
        self._place: tuple[Path, str, int] | None = None
        self._batches: Iterator[tuple[int, Any]] = iter(())
        self._first, self._batch = 0, None

    def read(self, cell: Cell) -> io.BytesIO:
        """The encoded picture of a cell.

        Raises:
            PictureError: if the cell is empty or names a file, or its file cannot be read any more.
        """
        try:
            value = self._value(cell)
        except (OSError, ValueError, DataError) as error:
            self._place = None
            raise PictureError(f"the row cannot be read: {error}") from error
        content = value.get("bytes") if isinstance(value, dict) else value
        if content is None and isinstance(value, dict) and value.get("path"):
            raise PictureError("the row has the path of a picture and no picture")
        if not isinstance(content, bytes):
            raise PictureError("the row has no picture")
        return io.BytesIO(content)

    def _value(self, cell: Cell) -> object:
        place = (cell.file, cell.column, cell.row_group)
        if place != self._place or cell.row < self._first:
            self._place, self._first, self._batch = place, 0, None
            self._batches = _batches(cell)
        while self._batch is None or cell.row >= self._first + len(self._batch):
            self._first, self._batch = next(self._batches)
        return self._batch[cell.row - self._first].as_py()


def _batches(cell: Cell) -> Iterator[tuple[int, Any]]:
    first = 0
    with _opened(cell.file) as opened:
        for batch in opened.iter_batches(_ROWS_AT_ONCE, row_groups=[cell.row_group], columns=[cell.column]):
            yield first, batch.column(0)
            first += len(batch)
    raise ValueError(f"{cell.file} has fewer rows than it had")
