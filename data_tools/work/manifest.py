"""The manifest: one row for every URL ever seen, with what became of it.

While commands work, rows live in `manifest.sqlite`, where every change is safe the moment it is made: a kill, a full
disk or Ctrl-C loses nothing that was told to it. At the end of a command they are written out as `manifest.parquet`,
which is what people and other programs read; `SCHEMA` says what its columns mean.

A work folder holds:

    manifest.sqlite, manifest.parquet
    raw/ab/abcd...         what was fetched, named by its sha256
    images/ab/abcd....jpg  what was kept, named by its sha256
    decisions.jsonl        what reviewers decided (`data_tools.work.decisions`)
    denylist.jsonl         what was taken down and never comes back (`data_tools.work.denylist`)
"""

import errno
import itertools
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from face_expression.errors import DataError

SCHEMA_VERSION = 1
MANIFEST_FILE = "manifest.parquet"
_LEDGER_FILE = "manifest.sqlite"
_LOCK_FILE = ".lock"
_ROWS_AT_ONCE = 1000


class Status(StrEnum):
    """What became of a URL. The first two are on their way; a row that all steps have seen has one of the others."""

    FOUND = "found"
    FETCHED = "fetched"
    KEPT = "kept"
    REJECTED = "rejected"
    FAILED = "failed"
    OPTED_OUT = "opted_out"
    DEFERRED = "deferred"
    REMOVED = "removed"


class Reason(StrEnum):
    """Why a row was not kept."""

    # Not fetched.
    BAD_URL = "bad_url"
    PRIVATE_ADDRESS = "private_address"
    UNKNOWN_HOST = "unknown_host"
    CONNECTION_FAILED = "connection_failed"
    TIMEOUT = "timeout"
    REDIRECTS = "redirects"
    HTTP_STATUS = "http_status"
    TOO_LARGE = "too_large"
    SHORT_BODY = "short_body"
    CONTENT_ENCODING = "content_encoding"
    EMPTY = "empty"
    # Asked not to.
    ROBOTS_TXT = "robots_txt"
    OPT_OUT_HEADER = "opt_out_header"
    TDM_RESERVATION = "tdm_reservation"
    # To be tried again later.
    RETRY_LATER = "retry_later"
    ROBOTS_UNREACHABLE = "robots_unreachable"
    # Not an image to be used.
    NOT_AN_IMAGE = "not_an_image"
    FORMAT = "format"
    DAMAGED = "damaged"
    TOO_MANY_PIXELS = "too_many_pixels"
    ANIMATED = "animated"
    PLACEHOLDER = "placeholder"
    SAME_CONTENT = "same_content"
    NEAR_DUPLICATE = "near_duplicate"
    # Not one face fit to be judged.
    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_TOO_SMALL = "face_too_small"
    TURNED_AWAY = "turned_away"
    TOO_DARK = "too_dark"
    TOO_BRIGHT = "too_bright"
    BLURRED = "blurred"
    # Of a data set that is fetched again.
    CHANGED = "changed"
    # Decided by people.
    REVIEWED_OUT = "reviewed_out"
    DENYLISTED = "denylisted"
    TAKEDOWN = "takedown"
    # Would tie two splits together.
    BETWEEN_SPLITS = "between_splits"
    # A mistake of ours; `detail` says which.
    INTERNAL_ERROR = "internal_error"


_STRINGS = pa.list_(pa.string())
_BOX = pa.list_(pa.float32(), 4)
_POINTS = pa.list_(pa.list_(pa.float32(), 2))
_TIME = pa.timestamp("us", tz="UTC")


def _column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    return pa.field(name, kind, nullable=name not in ("url", "status"), metadata={"description": description})


SCHEMA = pa.schema(
    [
        _column("url", pa.string(), "address of the picture as the source gave it; `local:NAME/PATH` for a folder's"),
        _column("final_url", pa.string(), "where redirects led"),
        _column("page_url", pa.string(), "page that shows the picture, as the source says"),
        _column("title", pa.string(), "title of that page, as the source says"),
        _column("source", pa.string(), "what it was found by: duckduckgo, list:FILE or folder:NAME"),
        _column("query", pa.string(), "words searched for"),
        _column("query_label", pa.string(), "expression searched for, or the label in the list; never overwritten"),
        _column("query_group", pa.string(), "words of age, gender and region in the query: what was asked for"),
        _column("other_query_labels", _STRINGS, "other expressions for which the same URL was found"),
        _column("rank", pa.int32(), "place among the results of its query, from 0"),
        _column("license_requested", pa.string(), "licence filter of the search; requested, not proven"),
        _column("label", pa.string(), "what a reviewer called the expression; null until somebody did"),
        _column("status", pa.string(), "what became of it: one of `Status`"),
        _column("rejection_reason", pa.string(), "why it was not kept: one of `Reason`; null if it was"),
        _column("detail", pa.string(), "the reason in words, such as an error's text"),
        _column("found_at", _TIME, "when the source gave it"),
        _column("fetched_at", _TIME, "when the last attempt to fetch it ended"),
        _column("retry_at", _TIME, "of a deferred row: not to be tried before"),
        _column("http_status", pa.int16(), "status of the last answer"),
        _column("opt_out", pa.string(), "what was looked at and found: `none`, or the words that asked not to"),
        _column("content_type", pa.string(), "as the server called it"),
        _column("content_bytes", pa.int64(), "length of what was fetched"),
        _column("content_sha256", pa.string(), "sha256 of what was fetched"),
        _column("format", pa.string(), "format of the picture, read from its bytes"),
        _column("width", pa.int32(), "of the picture as fetched, upright, px"),
        _column("height", pa.int32(), "of the picture as fetched, upright, px"),
        _column("image_sha256", pa.string(), "sha256 of the file that was kept"),
        _column("image_width", pa.int32(), "of the kept image, px"),
        _column("image_height", pa.int32(), "of the kept image, px"),
        _column("phash", pa.string(), "64-bit perceptual hash of the face with its context, 16 hexadecimal digits"),
        _column("phash_mirrored", pa.string(), "the same of the mirror image"),
        _column("face_box", _BOX, "the face, xyxy, px of the kept image"),
        _column("landmarks", _POINTS, "eyes, nose and mouth corners (x, y), px of the kept image; null with Haar"),
        _column("face_score", pa.float32(), "the detector's score, in [0, 1]"),
        _column("face_px", pa.float32(), "sqrt(width x height) of the face, px of the picture as fetched"),
        _column("sharpness", pa.float32(), "as `face_expression.quality.measure_sharpness`"),
        _column("highlight", pa.float32(), "95th percentile of the grey crop, 0..255"),
        _column("shadow", pa.float32(), "5th percentile of the grey crop, 0..255"),
        _column("turn", pa.float32(), "as `face_expression.quality.measure_turn`; null with Haar"),
        _column("detector", pa.string(), "detector that found the face: yunet or haar"),
        _column("detector_sha256", pa.string(), "sha256 of its weights; null with Haar"),
        _column("duplicate_of", pa.string(), "url of the row that was kept instead"),
        _column("expected_sha256", pa.string(), "of a set that is fetched again: sha256 of what was fetched then"),
        _column("expected_phash", pa.string(), "of a set that is fetched again: perceptual hash of the face then"),
        _column("split", pa.string(), "train, validation or test; once set, it never changes"),
        _column("tool_version", pa.string(), "version of this program that wrote the row last"),
    ],
    metadata={"schema_version": str(SCHEMA_VERSION)},
)
COLUMNS = tuple(SCHEMA.names)
SPLITS = ("train", "validation", "test")
Row = dict[str, object]
TOOL_VERSION = "0.1.0"


class Manifest:
    """The rows of one work folder; open it with `opened`."""

    def __init__(self, folder: Path, ledger: sqlite3.Connection):
        self.folder = folder
        self._ledger = ledger

    def add(self, rows: Iterable[Row], *, note: str | None = None) -> int:
        """Add rows of URLs; a URL that is known keeps its row, and only notes another label it was found for.

        Args:
            rows: with `url` and what is known of it; `status` and `found_at` are filled in.
            note: key under which to remember, together with the rows or not at all, how many `rows` were given and
                how many were `new`.

        Returns:
            How many were new.
        """
        new = given = 0
        with self._ledger:
            for row in rows:
                given += 1
                full = {"status": Status.FOUND, "found_at": datetime.now(UTC), "tool_version": TOOL_VERSION, **row}
                names = ", ".join(full)
                places = ", ".join("?" for _ in full)
                values = [_to_ledger(value) for value in full.values()]
                done = self._ledger.execute(f"INSERT OR IGNORE INTO rows ({names}) VALUES ({places})", values)
                new += done.rowcount
                if not done.rowcount:
                    self._note_other_label(row)
            if note is not None:
                self._remember(note, {"rows": given, "new": new})
        return new

    def _note_other_label(self, row: Row) -> None:
        known = next(self.rows("url = ?", (_to_ledger(row["url"]),)))
        others = known["other_query_labels"] or []
        label = row.get("query_label")
        if label is not None and label != known["query_label"] and label not in others:
            self._write([{"url": row["url"], "other_query_labels": [*others, label]}])

    def update(self, rows: Iterable[Row]) -> None:
        """Change rows that are known by their `url`; all of them or, if something goes wrong, none."""
        with self._ledger:
            self._write(rows)

    def _write(self, rows: Iterable[Row]) -> None:
        for row in rows:
            changes = {"tool_version": TOOL_VERSION, **{name: row[name] for name in row if name != "url"}}
            names = ", ".join(f"{name} = ?" for name in changes)
            values = [_to_ledger(value) for value in (*changes.values(), row["url"])]
            if self._ledger.execute(f"UPDATE rows SET {names} WHERE url = ?", values).rowcount != 1:
                raise KeyError(f"the manifest has no row of {row['url']}")

    def rows(self, where: str = "1", values: Sequence = ()) -> Iterator[Row]:
        """Rows in the order in which they were found, a few in memory at a time; rows may be changed meanwhile.

        Args:
            where: condition in SQL on the columns, such as "status = ?".
            values: what stands for its question marks.
        """
        sql = f"SELECT rowid, {', '.join(COLUMNS)} FROM rows WHERE rowid > ? AND ({where}) ORDER BY rowid LIMIT ?"
        last = 0
        while some := self._ledger.execute(sql, (last, *values, _ROWS_AT_ONCE)).fetchall():
            for found in some:
                yield {
                    name: _from_ledger(value, SCHEMA.field(name).type)
                    for name, value in zip(COLUMNS, found[1:], strict=True)
                }
            last = some[-1][0]

    def count(self, where: str = "1", values: Sequence = ()) -> int:
        """How many rows a condition holds for."""
        return self._ledger.execute(f"SELECT COUNT(*) FROM rows WHERE {where}", values).fetchone()[0]

    def counts(self, *columns: str, where: str = "1", values: Sequence = ()) -> dict[tuple, int]:
        """How many rows there are of each combination of values of some columns."""
        names = ", ".join(columns)
        sql = f"SELECT {names}, COUNT(*) FROM rows WHERE {where} GROUP BY {names} ORDER BY {names}"
        return {tuple(found[:-1]): found[-1] for found in self._ledger.execute(sql, values)}

    def remember(self, key: str, value: object) -> None:
        """Note something beside the rows, such as a page of results that was read."""
        with self._ledger:
            self._remember(key, value)

    def _remember(self, key: str, value: object) -> None:
        self._ledger.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, json.dumps(value)))

    def recall(self, key: str) -> object | None:
        """What was noted under a key, or None."""
        found = self._ledger.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
        return None if found is None else json.loads(found[0])

    def raw_file(self, content_sha256: str) -> Path:
        """Where fetched bytes lie."""
        return self.folder / "raw" / content_sha256[:2] / content_sha256

    def image_file(self, image_sha256: str) -> Path:
        """Where a kept image lies.

        Raises:
            FileNotFoundError: if it does not.
        """
        for suffix in (".jpg", ".png"):
            path = self.folder / "images" / image_sha256[:2] / (image_sha256 + suffix)
            if path.is_file():
                return path
        raise FileNotFoundError(f"{self.folder}: the image {image_sha256} is missing")

    def export(self) -> Path:
        """Write `manifest.parquet`; the one that was there is replaced at once or not at all."""
        path = self.folder / MANIFEST_FILE
        draft = path.with_suffix(".draft")
        try:
            with pq.ParquetWriter(draft, SCHEMA) as writer:
                rows = self.rows()
                while some := list(itertools.islice(rows, _ROWS_AT_ONCE)):
                    writer.write_table(pa.Table.from_pylist(some, SCHEMA))
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return path


@contextmanager
def opened(folder: Path, *, create: bool = False) -> Iterator[Manifest]:
    """Open a work folder for one command, and write `manifest.parquet` when it ends, however it ends.

    Args:
        folder: the work folder.
        create: make it if it does not exist.

    Raises:
        DataError: if there is no manifest, another command is at work in the folder, the disk is full, or the
            manifest was written by a later version of this program.
    """
    if not create and not (folder / _LEDGER_FILE).is_file():
        raise DataError(
            f"{folder} holds no manifest; begin with `python -m data_tools collect`, or name another --work"
        )
    lock = FileLock(folder / _LOCK_FILE, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise DataError(f"another command is at work in {folder}; wait until it is done") from None
    except OSError as error:
        raise DataError(f"{folder} cannot be a work folder: {error.strerror}") from error
    try:
        ledger = _open_ledger(folder / _LEDGER_FILE)
        try:
            manifest = Manifest(folder, ledger)
            try:
                yield manifest
            finally:
                manifest.export()
        finally:
            ledger.close()
    except sqlite3.DatabaseError as error:
        raise DataError(f"{folder / _LEDGER_FILE}: {error}; what was written before is safe") from error
    except OSError as error:
        if not is_of_disk(error):
            raise
        raise DataError(
            f"{folder} cannot be written to: {error.strerror}. What was written before is safe: make room, or give "
            "leave to write, and run the same command again"
        ) from error
    finally:
        lock.release()


def _open_ledger(path: Path) -> sqlite3.Connection:
    ledger = sqlite3.connect(path)
    ledger.execute("PRAGMA journal_mode = WAL")
    ledger.execute("PRAGMA synchronous = NORMAL")
    # What a takedown blanks is not to be found in the file's free space.
    ledger.execute("PRAGMA secure_delete = ON")
    written_by = ledger.execute("PRAGMA user_version").fetchone()[0]
    if written_by > SCHEMA_VERSION:
        ledger.close()
        raise DataError(f"{path} was written by a later version of this program (schema {written_by})")
    columns = ", ".join(f"{name} {_sql_type(SCHEMA.field(name))}" for name in COLUMNS)
    with ledger:
        ledger.execute(f"CREATE TABLE IF NOT EXISTS rows ({columns})")
        ledger.execute("CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value TEXT NOT NULL)")
        for column in ("status", "content_sha256", "image_sha256"):
            ledger.execute(f"CREATE INDEX IF NOT EXISTS by_{column} ON rows ({column})")
        ledger.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    return ledger


def _sql_type(field: pa.Field) -> str:
    if field.name == "url":
        return "TEXT PRIMARY KEY"
    kind = "TEXT"
    if pa.types.is_integer(field.type) or pa.types.is_floating(field.type):
        kind = "NUMERIC"
    return kind if field.nullable else f"{kind} NOT NULL"


def _to_ledger(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, str):
        # A header or a title may hold half a character, which no file can.
        return str(value).encode("utf-8", errors="replace").decode("utf-8")
    return json.dumps(value) if isinstance(value, list | tuple) else value


def _from_ledger(value: object, kind: pa.DataType) -> object:
    if value is None:
        return None
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(value)
    return json.loads(value) if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) else value


def is_of_disk(error: OSError) -> bool:
    """Whether an error is the disk's, so that every further row would meet it too."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)


def store(content: bytes, path: Path) -> None:
    """Write a file that is named by its content; a kill leaves it whole or not there."""
    if path.is_file():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
