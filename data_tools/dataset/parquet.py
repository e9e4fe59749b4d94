"""Kept rows -> Parquet shards that `datasets` reads: Image, ClassLabel, and where every row came from.

Rows are written some at a time, however many there are. A split without rows has no file, since `datasets` cannot load
one that is empty.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from data_tools.collect.queries import group_words
from data_tools.dataset.metadata import without_metadata
from data_tools.settings import LOCAL_SCHEME
from data_tools.work.decisions import classes_for
from data_tools.work.denylist import Denylist, read_denylist
from data_tools.work.manifest import Manifest
from data_tools.work.schema import PUBLISHABLE, SCHEMA, SPLITS, UNKNOWN, Row, host_of, label_of
from face_expression.errors import DataError, required
from face_expression.io.files import store

SHARD = re.compile(rf"data/({'|'.join(SPLITS)})-\d{{5}}-of-\d{{5}}\.parquet")
DESCRIPTIONS = {column.name: column.metadata[b"description"].decode() for column in SCHEMA} | {
    "image": "the face with its surroundings, JPEG or PNG, without metadata",
    "label": "the expression: what a reviewer called it, otherwise what was searched for",
    "reviewed": "whether a person chose or confirmed the label",
}
# What is needed to fetch a picture again and to know it again.
_URL_COLUMNS = (
    *("url", "page_url", "query_label", "query_group", "query", "source", "license_requested", "fetched_at"),
    *("opt_out", "content_sha256", "image_sha256", "phash", "width", "height", "detector", "detector_sha256"),
    "tool_version",
)
_PIXEL_COLUMNS = (
    *(
        "face_box",
        "landmarks",
        "query_label",
        "query_group",
        "query",
        "url",
        "final_url",
        "page_url",
        "title",
        "source",
    ),
    *("license_requested", "fetched_at", "opt_out", "content_sha256", "image_sha256", "phash", "width", "height"),
    *("face_score", "face_px", "sharpness", "highlight", "shadow", "turn", "detector", "detector_sha256"),
    "tool_version",
)
_ROWS_AT_ONCE = 100
# Values of one row by the names of the data set's columns.
WrittenRow = dict[str, Any]


@dataclass
class Contents:
    """What a data set holds, counted while it is written.

    `rows`: by (split, label). `file_bytes`: by split. `left_out`: rows that are ready but not in it, by why. The other
    counters are of all rows; `group_words` by (kind, word).
    """

    columns: tuple[str, ...]
    label_names: tuple[str, ...]
    rows: Counter[tuple[str, str]] = field(default_factory=Counter)
    reviewed: int = 0
    hosts: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    licenses: Counter[str] = field(default_factory=Counter)
    detectors: Counter[str] = field(default_factory=Counter)
    group_words: Counter[tuple[str, str]] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    file_bytes: Counter[str] = field(default_factory=Counter)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have rows."""
        return tuple(split for split in SPLITS if self.rows_in(split))

    def rows_in(self, split: str) -> int:
        """How many rows a split has."""
        return sum(self.rows[split, label] for label in self.label_names)


def write_dataset(manifest: Manifest, folder: Path, *, pixels: bool, shard_bytes: int) -> Contents:
    """Write all rows that are kept and have a label and a split, and were not taken down, as `data/*.parquet`.

    An image that still has metadata is replaced in the work folder, too, by one that has not.

    Args:
        manifest: of a work folder.
        folder: an empty one.
        pixels: write the images; if not, only rows with an address on the web, for others to fetch again.
        shard_bytes: a file is ended when it has so many.

    Raises:
        DataError: if an image is missing or damaged.
    """
    found = manifest.counts("COALESCE(label, query_label)", where=PUBLISHABLE)
    label_names = classes_for({name for (name,) in found})
    features = _features(label_names, pixels=pixels)
    contents = Contents(tuple(features), label_names)
    denylist = read_denylist(manifest.folder)
    (folder / "data").mkdir()
    replaced: set[Path] = set()
    for split in SPLITS:
        rows = _rows(manifest, split, denylist, contents, pixels=pixels)
        total = manifest.count(f"{PUBLISHABLE} AND split = ?", (split,))
        shown = tqdm(rows, total=total, unit="face", desc=f"writing {split}", leave=False)
        written = (_as_written(manifest, row, features, replaced) for row in shown)
        _write_shards(written, folder / "data", split, features.arrow_schema, shard_bytes)
        contents.file_bytes[split] = sum(file.stat().st_size for file in (folder / "data").glob(f"{split}-*"))
    for path in replaced:
        path.unlink()
    return contents


def _features(label_names: tuple[str, ...], *, pixels: bool) -> datasets.Features:
    known = datasets.Features.from_arrow_schema(
        pa.schema([SCHEMA.field(name) for name in (_PIXEL_COLUMNS if pixels else _URL_COLUMNS)])
    )
    image = {"image": datasets.Image()} if pixels else {}
    label = {"label": datasets.ClassLabel(names=list(label_names)), "reviewed": datasets.Value("bool")}
    return datasets.Features({**image, **label, **known})


def _rows(manifest: Manifest, split: str, denylist: Denylist, contents: Contents, *, pixels: bool) -> Iterator[Row]:
    for row in manifest.rows(f"{PUBLISHABLE} AND split = ?", (split,)):
        if denylist.forbids(row):
            contents.left_out["taken down"] += 1
        elif not pixels and row["url"].startswith(LOCAL_SCHEME):
            contents.left_out["no address on the web"] += 1
        else:
            _count(contents, row)
            yield row


def _count(contents: Contents, row: Row) -> None:
    contents.rows[required(row["split"]), label_of(row)] += 1
    contents.reviewed += row["label"] is not None
    contents.hosts[host_of(row["url"])] += 1
    contents.sources[row["source"] or UNKNOWN] += 1
    contents.licenses[row["license_requested"] or "none"] += 1
    contents.detectors[row["detector"] or UNKNOWN] += 1
    contents.group_words.update(group_words(row["query_group"]).items())


def _as_written(manifest: Manifest, row: Row, features: datasets.Features, replaced: set[Path]) -> WrittenRow:
    written: WrittenRow = {name: value for name, value in row.items() if name in features}
    written["label"] = features["label"].str2int(label_of(row))
    written["reviewed"] = row["label"] is not None
    if "image" in features:
        path, content = _clean_image(manifest, required(row["image_sha256"]), replaced)
        written["image"] = {"path": path.name, "bytes": content}
        written["image_sha256"] = path.stem
    return written


def _clean_image(manifest: Manifest, image_sha256: str, replaced: set[Path]) -> tuple[Path, bytes]:
    try:
        path = manifest.files.find_image(image_sha256)
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != image_sha256:
            raise ValueError(f"{path} was changed after it was written")
        clean = without_metadata(content)
    except (FileNotFoundError, ValueError) as error:
        raise DataError(f"{error}; take the image back from a backup, or take it out with `remove`") from error
    if clean == content:
        return path, content
    clean_path = path.with_stem(hashlib.sha256(clean).hexdigest())
    clean_path = manifest.files.image_path(clean_path.stem, suffix=clean_path.suffix)
    store(clean, clean_path)
    rows = list(manifest.rows("image_sha256 = ?", (image_sha256,)))
    manifest.update({"url": row["url"], "image_sha256": clean_path.stem} for row in rows)
    replaced.add(path)
    return clean_path, clean


def _write_shards(rows: Iterator[WrittenRow], folder: Path, split: str, schema: pa.Schema, shard_bytes: int) -> None:
    drafts: list[Path] = []
    batches = _batches(rows, shard_bytes)
    batch = next(batches, None)
    while batch:
        drafts.append(folder / f"{split}-{len(drafts)}.draft")
        written_bytes = 0
        with pq.ParquetWriter(drafts[-1], schema) as writer:
            while batch and written_bytes < shard_bytes:
                writer.write_table(pa.Table.from_pylist(batch, schema))
                written_bytes = drafts[-1].stat().st_size
                batch = next(batches, None)
    for number, draft in enumerate(drafts):
        draft.rename(folder / f"{split}-{number:05}-of-{len(drafts):05}.parquet")


def _batches(rows: Iterator[WrittenRow], most_bytes: int) -> Iterator[list[WrittenRow]]:
    batch: list[WrittenRow] = []
    image_bytes = 0
    for row in rows:
        batch.append(row)
        image_bytes += len(row["image"]["bytes"]) if "image" in row else 0
        if len(batch) == _ROWS_AT_ONCE or image_bytes >= most_bytes:
            yield batch
            batch, image_bytes = [], 0
    if batch:
        yield batch
