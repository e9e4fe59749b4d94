"""The manifest: one row for every URL ever seen, with what became of it.

While commands work, rows live in `manifest.sqlite`, where every change is safe the moment it is made: a kill, a full
disk or Ctrl-C loses nothing that was passed to it. At the end of a command they are written out as `manifest.parquet`,
which is what people and other programs read; `SCHEMA` says what its columns mean, `WorkFolder` where the files are.
"""

import itertools
import json
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from data_tools.work.folder import WorkFolder
from data_tools.work.schema import COLUMNS, SCHEMA, SCHEMA_VERSION, Row, Status
from face_expression import __version__
from face_expression.errors import DataError
from face_expression.io.files import is_of_disk, replacing_file

_ROWS_AT_ONCE = 1000
_DETAIL_CHARACTERS = 300


class Manifest:
    """The rows of one work folder; open it with `opened`."""

    def __init__(self, folder: Path, ledger: sqlite3.Connection):
        self.folder = folder
        self.files = WorkFolder(folder)
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
                full: dict[str, object] = {
                    "status": Status.FOUND,
                    "found_at": datetime.now(UTC),
                    "tool_version": __version__,
                    **row,
                }
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
            changes = {"tool_version": __version__, **{name: value for name, value in row.items() if name != "url"}}
            names = ", ".join(f"{name} = ?" for name in changes)
            if detail := row.get("detail"):
                changes["detail"] = detail[:_DETAIL_CHARACTERS]
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
                named = zip(COLUMNS, found[1:], strict=True)
                yield cast(Row, {name: _from_ledger(value, SCHEMA.field(name).type) for name, value in named})
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

    def recall(self, key: str) -> Any:
        """What was noted under a key, as JSON gives it, or None."""
        found = self._ledger.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
        return None if found is None else json.loads(found[0])

    def export(self) -> Path:
        """Write `manifest.parquet`; the one that was there is replaced at once or not at all."""
        path = self.files.manifest
        with replacing_file(path) as draft, pq.ParquetWriter(draft, SCHEMA) as writer:
            rows = self.rows()
            while some := list(itertools.islice(rows, _ROWS_AT_ONCE)):
                writer.write_table(pa.Table.from_pylist(some, SCHEMA))
        return path


@contextmanager
def opened(folder: Path, *, create: bool = False) -> Generator[Manifest]:
    """Open a work folder for one command, and write `manifest.parquet` when it ends, however it ends.

    Args:
        folder: the work folder.
        create: make it if it does not exist.

    Raises:
        DataError: if there is no manifest, another command is at work in the folder, the disk is full, or the
            manifest was written by a later version of this program.
    """
    files = WorkFolder(folder)
    if not create and not files.database.is_file():
        raise DataError(
            f"{folder} holds no manifest; begin with `python -m data_tools collect`, or name another --work"
        )
    lock = FileLock(files.lock, timeout=0)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise DataError(f"another command is at work in {folder}; wait until it is done") from None
    except OSError as error:
        raise DataError(f"{folder} cannot be a work folder: {error.strerror}") from error
    try:
        ledger = _open_ledger(files.database)
        try:
            manifest = Manifest(folder, ledger)
            try:
                yield manifest
            finally:
                manifest.export()
        finally:
            ledger.close()
    except sqlite3.DatabaseError as error:
        raise DataError(f"{files.database}: {error}; what was written before is safe") from error
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
        if written_by == 1:
            # Candidates were "fetched", too, before they had a status of their own.
            sql = "UPDATE rows SET status = ? WHERE status = ? AND image_sha256 IS NOT NULL"
            ledger.execute(sql, (Status.CANDIDATE, Status.FETCHED))
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


def _from_ledger(value: str | float | None, kind: pa.DataType) -> object:
    if not isinstance(value, str):
        return value
    if pa.types.is_timestamp(kind):
        return datetime.fromisoformat(value)
    return json.loads(value) if pa.types.is_list(kind) or pa.types.is_fixed_size_list(kind) else value
