"""A data set of addresses -> rows of a new manifest to be fetched, and afterwards a check that they still are the same.

Between the two, the rows are fetched and filtered as any others: robots.txt, opt-outs and this work folder's denylist
are asked again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import datasets
from datasets.exceptions import DatasetsError
from huggingface_hub import HfApi

from data_tools.collect.step import fetch_found
from data_tools.dataset.publish import describe_publication, publish
from data_tools.filter.step import filter_images
from data_tools.settings import FetchSettings, FilterSettings, PublishSettings
from data_tools.work.denylist import MAX_BITS
from data_tools.work.manifest import Manifest
from data_tools.work.schema import FETCHED_AGAIN, SPLITS, Reason, Row, Status
from data_tools.work.summary import summary
from face_expression.errors import DataError, required
from face_expression.io.split_files import escaped, parquet_files

_COLUMNS = ("url", "label", "reviewed", "query_label", "content_sha256", "phash")
_TAKEN_OVER = ("page_url", "query", "query_label", "query_group", "license_requested")


@dataclass(frozen=True)
class Materialized:
    """What became of the rows of a set of addresses.

    `same`: the file is the same. `alike`: another file of the same picture. `changed`: another picture; rejected.
    `missing`: not fetched, or not kept by the filter; the manifest says why.
    """

    same: int
    alike: int
    changed: int
    missing: int

    def __str__(self) -> str:
        return (
            f"{self.same:,} pictures are the same files as then, {self.alike:,} other files of the same picture; "
            f"{self.changed:,} addresses show another picture now and were rejected, {self.missing:,} are missing."
        )


def rows_to_fetch(data: str, *, revision: str | None = None) -> Iterator[Row]:
    """Rows for `Manifest.add`, with the split and the label that the data set gives them.

    Args:
        data: what `publish --urls-only` made: a folder, or a Hub repository "user/name".
        revision: commit, tag or branch of a Hub repository.

    Raises:
        DataError: if it cannot be loaded, or is no such data set.
    """
    folder = Path(data)
    try:
        if folder.is_dir():
            if not (files := parquet_files(folder)):
                raise ValueError("it holds no Parquet files")
            loaded = datasets.load_dataset(
                "parquet", data_files={split: escaped(paths) for split, paths in files.items()}
            )
        else:
            loaded = datasets.load_dataset(data, revision=revision)
    except (ValueError, OSError, DatasetsError) as error:
        raise DataError(f"cannot load {data!r}: {error}") from error
    source = f"list:{folder.name if folder.is_dir() else data}"
    for name, rows in loaded.items():
        split = str(name)
        missing = sorted(set(_COLUMNS) - set(rows.column_names))
        if missing or split not in SPLITS or not isinstance(rows.features["label"], datasets.ClassLabel):
            raise DataError(
                f"{data!r} was not made by `publish --urls-only`: its split {split!r} has the columns "
                f"{rows.column_names}"
            )
        # Pictures may be there, and are not taken.
        wanted = [name for name in (*_COLUMNS, *_TAKEN_OVER) if name in rows.column_names]
        for number, row in enumerate(rows.select_columns(list(dict.fromkeys(wanted)))):
            if not _is_sound(row):
                raise DataError(f"{data!r}, {split}, row {number}: no web address, or hashes that are none: {row}")
            taken_over = cast(Row, {name: row.get(name) for name in _TAKEN_OVER})
            yield {
                **taken_over,
                "url": row["url"],
                "source": source,
                "label": rows.features["label"].int2str(row["label"]) if row["reviewed"] else None,
                "split": split,
                "expected_sha256": row["content_sha256"],
                "expected_phash": row["phash"],
            }


def reject_changed(manifest: Manifest) -> Materialized:
    """Reject rows whose address shows another picture than when the set was made; call it after the filter.

    Files that differ are taken for the same picture if their perceptual hashes differ in at most `denylist.MAX_BITS`.
    """
    same = alike = 0
    for row in manifest.rows(FETCHED_AGAIN):
        if row["content_sha256"] == row["expected_sha256"]:
            same += 1
        elif (int(required(row["phash"]), 16) ^ int(required(row["expected_phash"]), 16)).bit_count() <= MAX_BITS:
            alike += 1
        else:
            manifest.update([_changed(row)])
            manifest.files.find_image(required(row["image_sha256"])).unlink()
    changed = manifest.count("rejection_reason = ?", (Reason.CHANGED,))
    return Materialized(same, alike, changed, manifest.count("expected_sha256 IS NOT NULL") - same - alike - changed)


def _changed(row: Row) -> Row:
    return {
        "url": row["url"],
        "status": Status.REJECTED,
        "rejection_reason": Reason.CHANGED,
        "image_sha256": None,
        "split": None,
    }


def _is_sound(row: Row) -> bool:
    return (
        str(row["url"]).startswith(("http://", "https://"))
        and re.fullmatch("[0-9a-f]{64}", row["content_sha256"] or "") is not None
        and re.fullmatch("[0-9a-f]{16}", row["phash"] or "") is not None
    )


def materialize(
    manifest: Manifest, data: str, settings: FetchSettings, *, revision: str | None = None, to: Path | None = None
) -> str:
    """Fetch and filter what a data set of addresses names, and reject what is another picture now.

    Run again, it also retries what failed for reasons that may have passed.

    Args:
        manifest: of a work folder of its own.
        data: as `rows_to_fetch` takes it.
        settings: how to fetch.
        revision: commit, tag or branch of a Hub data set.
        to: folder to write the data set to, or None.
    """
    manifest.add(rows_to_fetch(data, revision=revision))
    fetch_found(manifest, settings, again=True)
    filter_images(manifest, FilterSettings())
    summaries = [summary(manifest), str(reject_changed(manifest))]
    if to is not None:
        summaries.append(describe_publication(publish(manifest, PublishSettings(to=to), api=HfApi())))
    return "\n\n".join(summaries)
