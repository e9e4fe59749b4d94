"""The same function of a row on one machine or on many: a pool of processes, or Ray Data.

Both give the same changes for the same rows; only their order differs.
"""

import asyncio
import json
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

import cv2

from data_tools.collect.fetcher import Fetcher
from data_tools.collect.scheduler import fetch_rows
from data_tools.collect.url_guard import host_and_port_of
from data_tools.filter.face_filter import Judge
from data_tools.settings import FetchSettings, FilterSettings
from data_tools.work.denylist import Denylist
from data_tools.work.manifest import Reason, Row, Status
from face_expression.errors import DataError

_ROWS_IN_FLIGHT = 8
_DEADLINE_S = 120.0
_FETCH_GROUPS = 64
_ROWS_OF_A_PART = 16
# Where Ray is started for this machine alone, nobody else can reach it.
_LOCAL_RAY = {"_node_ip_address": "127.0.0.1"}


class Engine(StrEnum):
    """Who does the work."""

    LOCAL = "local"
    RAY = "ray"


def judged(
    rows: Iterable[Row],
    *,
    folder: Path,
    settings: FilterSettings,
    denylist: Denylist,
    engine: Engine = Engine.LOCAL,
    workers: int | None = None,
) -> Iterator[Row]:
    """Look at the files of many rows; gives the changes as they come.

    Args:
        rows: with `url` and `content_sha256`.
        folder: the work folder, which every worker must see.
        settings: what is kept.
        denylist: what was taken down.
        engine: who does the work.
        workers: processes of this machine; default: as many as it has cores.
    """
    if engine is Engine.RAY:
        return _judged_by_ray(rows, folder, settings, denylist)
    return _judged_by_pool(rows, folder, settings, denylist, workers or cores())


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


_judge: Judge | None = None


def _begin(folder: Path, settings: FilterSettings, denylist: Denylist) -> None:
    global _judge  # the way a pool's initializer hands something to its process
    # Ctrl-C reaches every process of a terminal; the one that gives the work ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Each core has a process of its own already.
    cv2.setNumThreads(1)
    _judge = Judge.make(folder, settings, denylist)


def _end_with_parent() -> None:
    """A pool's process waits for work for ever, also when the one that would give it was killed."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _work(row: Row) -> Row:
    return _judge.judge(row)


def _judged_by_pool(
    rows: Iterable[Row], folder: Path, settings: FilterSettings, denylist: Denylist, workers: int
) -> Iterator[Row]:
    def new_pool(size: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            size,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(folder, settings, denylist),
        )

    source, running = iter(rows), {}
    pool = new_pool(workers)
    try:
        while True:
            while len(running) < workers * _ROWS_IN_FLIGHT and (row := next(source, None)) is not None:
                running[pool.submit(_work, row)] = row
            if not running:
                return
            done, _ = wait(running, timeout=_DEADLINE_S, return_when=FIRST_COMPLETED)
            broken = not done or any(isinstance(future.exception(), BrokenProcessPool) for future in done)
            for future in done:
                if not isinstance(future.exception(), BrokenProcessPool):
                    running.pop(future)
                    yield future.result()
            if broken:
                _end(pool)
                yield from _one_by_one(list(running.values()), new_pool)
                running, pool = {}, new_pool(workers)
    finally:
        _end(pool)


def _one_by_one(rows: list[Row], new_pool) -> Iterator[Row]:
    """After a worker died or hung: find out at which row, and go on without it."""
    pool = new_pool(1)
    try:
        for row in rows:
            future: Future = pool.submit(_work, row)
            try:
                yield future.result(timeout=_DEADLINE_S)
            except (BrokenProcessPool, TimeoutError) as error:
                _end(pool)
                pool = new_pool(1)
                yield {
                    "url": row["url"],
                    "status": Status.REJECTED,
                    "rejection_reason": Reason.INTERNAL_ERROR,
                    "detail": f"the process that looked at it died or hung: {error!r}"[:300],
                }
    finally:
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """End a pool at once, its processes too if they hang."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


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
    ray_data = _ray_data()

    async def fetch_all(some: list[Row]) -> list[Row]:
        async with Fetcher(settings, folder, denylist, folders) as fetcher:
            return [changes async for changes in fetch_rows(some, fetcher)]

    def fetch_group(batch: dict) -> dict:
        some = [_unpacked(text) for texts in batch["rows"] for text in json.loads(texts)]
        return {"row": [_packed(changes) for changes in asyncio.run(fetch_all(some))]}

    groups: dict[int, list[str]] = {}
    for row in rows:
        number = int(sha256(host_and_port_of(row["url"]).encode()).hexdigest(), 16) % _FETCH_GROUPS
        groups.setdefault(number, []).append(_packed(row))
    if not groups:
        return
    for part in range(0, max(map(len, groups.values())), _ROWS_OF_A_PART):
        parts = (group[part : part + _ROWS_OF_A_PART] for _, group in sorted(groups.items()))
        items = [{"rows": json.dumps(some)} for some in parts if some]
        found = ray_data.from_items(items, override_num_blocks=len(items)).map_batches(fetch_group, batch_size=1)
        for item in found.iter_rows():
            yield _unpacked(item["row"])


def _judged_by_ray(rows: Iterable[Row], folder: Path, settings: FilterSettings, denylist: Denylist) -> Iterator[Row]:
    ray_data = _ray_data()

    class JudgeBatch:
        def __init__(self):
            self._judge = Judge.make(folder, settings, denylist)

        def __call__(self, batch: dict) -> dict:
            return {"row": [_packed(self._judge.judge(_unpacked(text))) for text in batch["row"]]}

    items = [{"row": _packed(row)} for row in rows]
    if not items:
        return
    found = ray_data.from_items(items).map_batches(JudgeBatch, batch_size=16, concurrency=(1, cores()))
    for item in found.iter_rows():
        yield _unpacked(item["row"])


def _ray_data():
    try:
        import ray
    except ModuleNotFoundError as error:
        raise DataError("--engine ray needs `pip install -r requirements-ray.txt`") from error
    if not ray.is_initialized():
        where = {} if os.environ.get("RAY_ADDRESS") else _LOCAL_RAY
        ray.init(log_to_driver=False, include_dashboard=False, logging_level="error", **where)
    ray.data.DataContext.get_current().enable_progress_bars = False
    return ray.data


def _packed(row: Row) -> str:
    """A row as text: Ray's own columns would have to guess the types of empty ones."""
    return json.dumps({name: _as_text(value) for name, value in row.items()})


def _as_text(value: object) -> object:
    return {"time": value.isoformat()} if isinstance(value, datetime) else value


def _unpacked(text: str) -> Row:
    return {
        name: datetime.fromisoformat(value["time"]) if isinstance(value, dict) else value
        for name, value in json.loads(text).items()
    }
