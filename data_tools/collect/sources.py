"""Where pictures come from: DuckDuckGo's image search, a list of addresses, a local folder.

All give pages of hits through `search(query, page)`, page 0 being the first; an empty page is the last.
"""

import csv
import json
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from ddgs import DDGS

from data_tools.collect.queries import Query
from data_tools.collect.url_guard import requoted
from data_tools.settings import FOLDER_SOURCE, LOCAL_SCHEME
from face_expression.errors import DataError
from face_expression.io.image_search import describe_left_out, find_images
from face_expression.io.images import SUFFIXES
from face_expression.io.split_files import same_name

log = logging.getLogger(__name__)

_PAGE_HITS = 1000
_PAUSES_S = (5.0, 20.0, 60.0)
_CANARY = "portrait photo"
_NOTHING_FOUND = "No results found."
_ROWS_AT_ONCE = 256
_MAX_CELL_BYTES = 20_000
_LIST_COLUMNS = ("page_url", "title", "query", "query_group")


@dataclass(frozen=True)
class Hit:
    """One picture that a source knows; `label` is the expression that the source says it shows, if any."""

    url: str
    page_url: str | None = None
    title: str | None = None
    label: str | None = None
    query: str | None = None
    query_group: str | None = None


class SearchBlocked(Exception):
    """A source gives nothing any more, not even for a search that always finds something."""


class Source(Protocol):
    """A place that pictures come from."""

    name: str

    def search(self, query: Query, page: int) -> list[Hit]:
        """One page of hits, empty after the last.

        Raises:
            SearchBlocked: if the source has stopped answering.
        """


class DuckDuckGo:
    """Photos found by DuckDuckGo, through `ddgs`.

    Its answer to a client that asked too much looks like an empty page. An empty page is therefore believed only if a
    search that always finds something still does; if that is empty too, we wait and ask again, a few times.

    Args:
        license_image: DuckDuckGo's word for a licence filter, such as "Share"; what it finds is not proven to have it.
        proxy: as `ddgs` takes it.
        ca: a PEM file of certificates to trust.
        pauses_s: how long to wait before each further attempt.
        wait: what waits.
    """

    name = "duckduckgo"

    def __init__(
        self,
        *,
        license_image: str | None = None,
        proxy: str | None = None,
        ca: Path | None = None,
        pauses_s: tuple[float, ...] = _PAUSES_S,
        wait: Callable[[float], None] = time.sleep,
    ):
        self._engine = DDGS(proxy=proxy, timeout=20, verify=str(ca) if ca else True)
        self._filters = {"license_image": license_image} if license_image else {}
        self._pauses_s = pauses_s
        self._wait = wait
        self._failure: str | None = None  # of the last request

    def search(self, query: Query, page: int) -> list[Hit]:
        """See `Source`."""
        for pause_s in (*self._pauses_s, None):
            found = self._images(query.text, page)
            answers = found or self._images(_CANARY, 0)
            # What fails again and again although others are answered is an end, too.
            if answers and (found is not None or pause_s is None):
                return [_hit(image) for image in found or () if image.get("image")]
            if pause_s is not None:
                log.warning("DuckDuckGo gives nothing; asking again in %g s", pause_s)
                self._wait(pause_s)
        if self._failure is not None:
            raise SearchBlocked(f"DuckDuckGo cannot be reached: {self._failure}")
        raise SearchBlocked("DuckDuckGo gives nothing any more, which is how it says that it was asked too much")

    def _images(self, text: str, page: int) -> list[dict] | None:
        """One page, empty if there is none, None if asking for it went wrong."""
        self._failure = None
        try:
            return self._engine.images(
                text, backend="duckduckgo", type_image="photo", page=page + 1, max_results=None, **self._filters
            )
        except Exception as error:  # ddgs raises "no results", time-outs and its own mistakes alike
            log.info("searching %r, page %d: %r", text, page, error)
            if str(error) == _NOTHING_FOUND:
                return []
            self._failure = str(error)
            return None


class UrlList:
    """Addresses in a CSV, JSON Lines or Parquet file with the column `url`, and `label` where they have one.

    Raises:
        DataError: if the file cannot be read or has no column `url`.
    """

    def __init__(self, path: Path):
        self.name = f"list:{path.name}"
        self._path = path
        self._rows = _rows_of(path)
        self._page = 0

    def search(self, query: Query, page: int) -> list[Hit]:
        """See `Source`; the query is ignored, and pages are read in their order."""
        if page != self._page:
            raise ValueError(f"page {self._page} of {self.name} is next, not {page}")
        self._page += 1
        hits = []
        for row in self._some_rows():
            if row.get("url"):
                known = {name: str(row[name]) for name in _LIST_COLUMNS if row.get(name)}
                hits.append(Hit(str(row["url"]).strip(), label=_text_or_none(row.get("label")), **known))
        return hits

    def _some_rows(self) -> list[dict]:
        try:
            return list(islice(self._rows, _PAGE_HITS))
        except (ValueError, OSError, csv.Error) as error:
            raise DataError(f"{self._path} cannot be read: {error}") from error


class Folder:
    """Picture files of a folder and those below it; a class folder gives its pictures their label. Links are followed.

    Args:
        path: the folder; its name stands for it in the manifest.
        label_names: folder names that are labels.

    Raises:
        DataError: if there is no such folder, or no picture in it.
    """

    def __init__(self, path: Path, label_names: tuple[str, ...]):
        if not path.is_dir():
            raise DataError(f"{path}: no such folder")
        self.name = FOLDER_SOURCE + path.resolve().name
        self.path = path.resolve()
        found = find_images(path)
        for unreadable, error in found.unreadable.items():
            log.warning("%s: %s", unreadable, error)
        if found.left_out:
            log.info("%s: left out: %s", path, describe_left_out(found.left_out))
        if not found.files:
            raise DataError(f"{path} holds no picture; endings taken: {' '.join(SUFFIXES)}")
        self._files = (file.relative_to(path) for file in found.files)
        self._label_of = {same_name(name): name for name in label_names}

    def search(self, query: Query, page: int) -> list[Hit]:
        """See `Source`; the query is ignored, and pages are read in their order."""
        base = LOCAL_SCHEME + self.name.removeprefix(FOLDER_SOURCE)
        hits = []
        for file in islice(self._files, _PAGE_HITS):
            label = next(
                filter(None, (self._label_of.get(same_name(part)) for part in reversed(file.parts[:-1]))), None
            )
            hits.append(Hit(f"{base}/{quote(os.fsencode(file))}", label=label))
        return hits


def _hit(image: dict) -> Hit:
    # `ddgs` unquotes addresses as a whole, and puts "+" for spaces.
    page_url = requoted(image.get("url") or "") or None
    return Hit(requoted(image["image"]), page_url, image.get("title") or None)


def _rows_of(path: Path) -> Iterator[dict]:
    readers = {".csv": _csv_rows, ".jsonl": _json_rows, ".ndjson": _json_rows, ".parquet": _parquet_rows}
    if path.suffix.lower() not in readers:
        raise DataError(f"{path}: a list of addresses is a .csv, .jsonl or .parquet file")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return readers[path.suffix.lower()](path)


def _csv_rows(path: Path) -> Iterator[dict]:
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file)
        if "url" not in (reader.fieldnames or ()):
            raise DataError(f"{path} needs a column 'url'; it has {reader.fieldnames}")
        yield from reader


def _json_rows(path: Path) -> Iterator[dict]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise DataError(f"{path}, line {number}: no JSON: {error}") from error
            if not isinstance(row, dict) or "url" not in row:
                raise DataError(f"{path}, line {number}: needs an object with 'url'")
            yield row


def _parquet_rows(path: Path) -> Iterator[dict]:
    with pq.ParquetFile(path) as file:
        if "url" not in file.schema_arrow.names:
            raise DataError(f"{path} needs a column 'url'; it has {file.schema_arrow.names}")
        wanted = [name for name in ("url", "label", *_LIST_COLUMNS) if name in file.schema_arrow.names]
        # A value that is repeated takes next to no room in the file; only a few are in memory at once.
        for batch in file.iter_batches(_ROWS_AT_ONCE, columns=wanted):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                if _largest_cell_bytes(column) > _MAX_CELL_BYTES:
                    raise DataError(f"{path}: the column {name!r} holds texts that are too long for what it names")
            yield from batch.to_pylist()


def _largest_cell_bytes(column: pa.Array) -> float:
    """Bytes of the longest text, or of an average cell of another kind."""
    values = column.dictionary if isinstance(column, pa.DictionaryArray) else column
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return pc.max(pc.binary_length(values)).as_py() or 0
    return values.nbytes / _ROWS_AT_ONCE


def _text_or_none(value: object) -> str | None:
    return str(value).strip() or None if value is not None else None
