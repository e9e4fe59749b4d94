"""Fetches from a web of our own, as `data_tools collect` does."""

import csv
import json
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data_tools.collect.step import fetch_found
from data_tools.settings import FetchSettings
from data_tools.work.manifest import opened
from data_tools.work.schema import SCHEMA, Row
from tests.support.local_web import LocalWeb


def quick_settings(site: LocalWeb, **more: object) -> FetchSettings:
    """Settings that allow the addresses of a local web, and wait little between two attempts."""
    quick = {"deadline_s": 20.0, "backoff_s": 0.01, "max_bytes": 1_000_000}
    return FetchSettings(**{**quick, "allow_addresses": site.addresses, **more})


def fetched(folder: Path, urls: Iterable[str], settings: FetchSettings, **more: object) -> dict[str, Row]:
    """The rows of a work folder after fetching, by their urls."""
    with opened(folder, create=True) as manifest:
        manifest.add({"url": url, "source": "list:a.csv"} for url in urls)
        fetch_found(manifest, settings, **more)
        rows = list(manifest.rows())
    written = pq.read_table(folder / "manifest.parquet")
    assert written.schema.equals(SCHEMA) and written["url"].to_pylist() == [row["url"] for row in rows]
    drafts = folder / "raw" / "drafts"
    assert not drafts.exists() or not list(drafts.iterdir())
    return {row["url"]: row for row in rows}


def write_list(path: Path, rows: list[dict]) -> Path:
    """A list of addresses, in the format that the suffix says."""
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["url", "label"])
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path
