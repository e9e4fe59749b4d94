"""What `predict` found in each picture, as JSON Lines, CSV or Parquet.

JSON has a line for each picture. The tables have a row for each face, and one row without a face for a picture in which
none was found or that could not be read.
"""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import NotRequired, TextIO, TypedDict

from tqdm import tqdm

from face_expression.io.files import replacing_file
from face_expression.output.csv_cells import csv_text
from face_expression.output.records import FaceJson

_BOX = ("x0", "y0", "x1", "y1")
_BEFORE = ("path", "error", "width", "height", "face", *_BOX, "score")
_AFTER = ("label", "confidence", "reliable", "reasons")
_ROWS_AT_ONCE = 10_000


class Format(StrEnum):
    """How the records are written."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class PictureRecord(TypedDict):
    """One picture: its size in pixels and its faces, the largest first, or `error` alone."""

    path: str
    width: NotRequired[int]
    height: NotRequired[int]
    faces: NotRequired[list[FaceJson]]
    error: NotRequired[str]


class MissingPackageError(Exception):
    """A format that needs a package that is not installed; the message says which."""


def format_of(file: Path | None) -> Format:
    """The format that a file's ending stands for; JSON Lines where it stands for none."""
    ending = file.suffix.lower().removeprefix(".") if file else ""
    return Format(ending) if ending in set(Format) else Format.JSONL


def require_packages(records_format: Format) -> None:
    """Check that a format can be written here, before hours of work.

    Raises:
        MissingPackageError: if not.
    """
    if records_format is Format.PARQUET:
        try:
            import pyarrow.parquet  # noqa: F401
        except ImportError as error:
            raise MissingPackageError("Parquet needs the package pyarrow: pip install pyarrow") from error


@contextmanager
def record_writer(
    records_format: Format, file: Path | None, label_names: Sequence[str], own_names: Sequence[str] = ()
) -> Generator[Callable[[PictureRecord], object]]:
    """Something that writes one record after the other.

    Args:
        records_format: how.
        file: where; it appears, in place of what was there, when the block ends well. None is standard output.
        label_names: the labels of all faces, in their order.
        own_names: the names of own expressions, if a `personal.json` has any.

    Raises:
        MissingPackageError: if Parquet is asked for and cannot be written here.
        OSError: if the file cannot be written.
        ValueError: if Parquet is to go to standard output.
    """
    if records_format is Format.PARQUET:
        if file is None:
            raise ValueError("Parquet needs a file")
        with _parquet_writer(file, label_names, own_names) as write:
            yield write
        return
    with _text_sink(file) as put:
        if records_format is Format.CSV:
            put(_csv_line(list(map(csv_text, columns(label_names, own_names)))))
            yield lambda record: put("".join(map(_csv_line, _csv_rows(record, label_names, own_names))))
        else:
            yield lambda record: put(json.dumps(record) + "\n")


@contextmanager
def _text_sink(file: Path | None) -> Generator[Callable[[str], object]]:
    if file is None:
        show_any_letter(sys.stdout)
        yield lambda text: tqdm.write(text, end="")
        # Here a full disk is still an error, and later only a remark of the interpreter.
        sys.stdout.flush()
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(file) as draft, draft.open("w", newline="", encoding="utf-8") as opened:
        yield opened.write


def show_any_letter(stream: TextIO) -> None:
    """Write letters that a terminal's encoding lacks as escapes, instead of failing."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")


def columns(label_names: Sequence[str], own_names: Sequence[str] = ()) -> list[str]:
    """The columns of the tables; a label that is named as another column gets a longer name.

    Own expressions come last, as "own: NAME".
    """
    labels = [f"{name} probability" if name in (*_BEFORE, *_AFTER) else name for name in label_names]
    return [*_BEFORE, *labels, *_AFTER, *(f"own: {name}" for name in own_names)]


def table_rows(
    record: PictureRecord, label_names: Sequence[str], own_names: Sequence[str] = ()
) -> Iterator[dict[str, object]]:
    """The rows of one picture by `columns`; `face` counts from 1, the largest first, and None is unknown."""
    empty = dict.fromkeys(columns(label_names, own_names))
    empty["path"] = os.fsencode(record["path"]).decode(errors="backslashreplace")
    empty |= {name: record.get(name) for name in ("error", "width", "height")}
    faces = record.get("faces") or ()
    for number, face in enumerate(faces, 1):
        own = (face.get("own", {}).get(name) for name in own_names)
        values = (*face["probabilities"].values(), *(face[name] for name in _AFTER), *own)
        row = dict(zip(columns(label_names, own_names)[len(_BEFORE) :], values, strict=True))
        yield empty | {"face": number, **dict(zip(_BOX, face["box"], strict=True)), "score": face["score"]} | row
    if not faces:
        yield empty


def _csv_rows(record: PictureRecord, label_names: Sequence[str], own_names: Sequence[str]) -> Iterator[list[str]]:
    for row in table_rows(record, label_names, own_names):
        yield [_csv_cell(value) for value in row.values()]


def _csv_cell(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        value = "; ".join(value)
    if isinstance(value, str):
        return csv_text(value)
    return "" if value is None else str(value)


def _csv_line(cells: list[str]) -> str:
    line = io.StringIO(newline="")
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


@contextmanager
def _parquet_writer(
    file: Path, label_names: Sequence[str], own_names: Sequence[str]
) -> Generator[Callable[[PictureRecord], object]]:
    require_packages(Format.PARQUET)
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = dict.fromkeys(columns(label_names, own_names), pa.float64())
    types |= dict.fromkeys(("path", "error", "label"), pa.string()) | dict.fromkeys(
        ("width", "height", "face"), pa.int32()
    )
    types |= {"reliable": pa.bool_(), "reasons": pa.list_(pa.string())}
    schema = pa.schema(list(types.items()))
    rows: list[dict] = []
    file.parent.mkdir(parents=True, exist_ok=True)
    with replacing_file(file) as draft, pq.ParquetWriter(draft, schema) as writer:

        def flush() -> None:
            writer.write_table(pa.Table.from_pylist(rows, schema))
            rows.clear()

        def write(record: PictureRecord) -> None:
            rows.extend(table_rows(record, label_names, own_names))
            if len(rows) >= _ROWS_AT_ONCE:
                flush()

        yield write
        flush()
