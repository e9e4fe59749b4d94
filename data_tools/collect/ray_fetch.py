"""Fetching on a Ray cluster, one worker at a time for each host."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from pathlib import Path

from data_tools.collect.fetcher import Fetcher
from data_tools.collect.scheduler import fetch_rows
from data_tools.collect.url_guard import host_and_port_of
from data_tools.settings import FetchSettings
from data_tools.work.denylist import Denylist
from data_tools.work.ray import packed, unpacked
from data_tools.work.schema import Row
from face_expression.cli.ray_engine import ray_data

_FETCH_GROUPS = 64
_ROWS_OF_A_PART = 16


def fetched_by_ray(
    rows: Iterable[Row], *, folder: Path, settings: FetchSettings, denylist: Denylist, folders: dict[str, Path]
) -> Iterator[Row]:
    """Fetch rows on a Ray cluster; all rows of a host go to one worker at a time, which keeps to the host's limits.

    A group of hosts is fetched in small parts, each of which is given as soon as it is done: whatever ends this process
    costs no more than the parts that were on their way.

    Args:
        rows: with `url` and `source`.
        folder: the work folder, which every worker must see.
        settings: how to fetch.
        denylist: what was taken down.
        folders: as `Fetcher` takes them.
    """
    data = ray_data()

    async def fetch_all(some: list[Row]) -> list[Row]:
        async with Fetcher(settings, folder, denylist, folders) as fetcher:
            return [changes async for changes in fetch_rows(some, fetcher)]

    def fetch_group(batch: dict) -> dict:
        some = [unpacked(text) for texts in batch["rows"] for text in json.loads(texts)]
        return {"row": [packed(changes) for changes in asyncio.run(fetch_all(some))]}

    groups: dict[int, list[str]] = {}
    for row in rows:
        number = int(sha256(host_and_port_of(row["url"]).encode()).hexdigest(), 16) % _FETCH_GROUPS
        groups.setdefault(number, []).append(packed(row))
    if not groups:
        return
    for part in range(0, max(map(len, groups.values())), _ROWS_OF_A_PART):
        parts = (group[part : part + _ROWS_OF_A_PART] for _, group in sorted(groups.items()))
        items = [{"rows": json.dumps(some)} for some in parts if some]
        found = data.from_items(items, override_num_blocks=len(items)).map_batches(fetch_group, batch_size=1)
        for item in found.iter_rows():
            yield unpacked(item["row"])
