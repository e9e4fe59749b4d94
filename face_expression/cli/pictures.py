"""Which pictures a command is given: files, what folders hold, and the rows of a data set."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from face_expression.errors import DataError
from face_expression.hub.data_set_files import DataSetFile, download_data_set
from face_expression.io.image_search import find_images
from face_expression.io.parquet_images import Cell, ParquetRows
from face_expression.io.split_files import parquet_files


@dataclass(frozen=True)
class Picture:
    """A picture to be analysed: its name as given, where its annotated copy goes, and the file if that is another.

    `cell` is where a data set holds it. `error` is set where it is known already that there is nothing to read.
    """

    path: Path | str
    copy: Path | None = None
    file: Path | None = None
    cell: Cell | None = None
    error: str | None = None


@dataclass
class PictureList:
    """Pictures in order, and how many other files of each ending the folders hold."""

    pictures: Sequence[Picture]
    left_out: Counter[str] = field(default_factory=Counter)


def list_pictures(paths: list[Path], output: Path | None) -> PictureList:
    """List files, and what folders hold, searched to the bottom.

    Args:
        paths: files are taken as they are, whatever they are called.
        output: folder of annotated copies, or None. Copies of an earlier run are passed over; no name is used twice.
    """
    pictures: list[Picture] = []
    left_out: Counter[str] = Counter()
    used: Counter[Path] = Counter()

    def add(path: Path, copy: Path, error: str | None = None) -> None:
        used[copy] += 1
        number = f"-{used[copy]}" if used[copy] > 1 else ""
        named = output / copy.with_name(f"{copy.name}{number}.jpg") if output is not None else None
        pictures.append(Picture(path, named, error=error))

    for path in paths:
        if not path.is_dir():
            add(path, Path(path.name))
            continue
        found = find_images(path, skip=output)
        left_out += found.left_out
        for unreadable, error in found.unreadable.items():
            add(unreadable, Path(unreadable.name), error)
        for file in found.files:
            add(file, file.relative_to(path))
    return PictureList(pictures, left_out)


def open_data_set(data: str, split: str | None, column: str, output: Path | None) -> PictureList:
    """The pictures of a data set.

    Args:
        data: a Parquet file, a folder of Parquet files or of pictures, or "user/name[@revision]" on the Hub.
        split: take only this one; default: all.
        column: holds the pictures.
        output: folder of annotated copies, or None.

    Raises:
        DataError: if it cannot be used.
        HubError: if it cannot be downloaded.
    """
    path = Path(data)
    if path.is_file():
        if split is not None:
            raise DataError(f"{data} is one file; --split chooses among the files of a folder or of the Hub")
        return PictureList(_RowPictures([DataSetFile(path, data)], column, output))
    if not path.is_dir():
        if data.partition("@")[0].count("/") != 1 or path.suffix == ".parquet":
            raise DataError(f"{data}: no such file or folder, and no USER/NAME on the Hub")
        return PictureList(_RowPictures(download_data_set(data, split), column, output))
    by_split = parquet_files(path)
    if not by_split and split is None:
        return list_pictures([path], output)
    wanted = by_split.values() if split is None else [by_split.get(split, [])]
    files = [file for files in wanted for file in files]
    if not files:
        raise DataError(f"{data} holds no Parquet files of the split {split!r}")
    return PictureList(_RowPictures([DataSetFile(file, str(file)) for file in files], column, output))


class _RowPictures(Sequence[Picture]):
    """The rows of Parquet files as pictures, made when they are asked for: memory does not grow with their number."""

    def __init__(self, files: list[DataSetFile], column: str, output: Path | None):
        self._addresses = {file.path: file.address for file in files}
        self._rows = ParquetRows([file.path for file in files], column)
        self._output = output

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, number: int) -> Picture: ...
    @overload
    def __getitem__(self, number: slice) -> list[Picture]: ...
    def __getitem__(self, number: int | slice) -> Picture | list[Picture]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        cell, row = self._rows.find(number)
        copy = self._output / f"{cell.file.name}-{number:07d}.jpg" if self._output is not None else None
        return Picture(f"{self._addresses[cell.file]}#{row}", copy, cell=cell)
