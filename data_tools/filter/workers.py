"""The face filter on many rows: by a pool of processes of this machine, or by Ray Data.

Both give the same changes for the same rows; only their order differs.
"""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cv2

from data_tools.filter.face_filter import Judge
from data_tools.settings import FilterSettings
from data_tools.work.denylist import Denylist
from data_tools.work.ray import packed, unpacked
from data_tools.work.schema import Reason, Row, Status
from face_expression.cli.ray_engine import Engine, ray_data
from face_expression.cli.worker_pool import cores
from face_expression.errors import required

_ROWS_IN_FLIGHT = 8
_DEADLINE_S = 120.0


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
    multiprocessing.connection.wait([required(multiprocessing.parent_process()).sentinel])
    os._exit(1)


def _work(row: Row) -> Row:
    return required(_judge).judge(row)


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
                    "detail": f"the worker process died or hung: {error!r}",
                }
    finally:
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    """End a pool at once, its processes too if they hang."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()


def _judged_by_ray(rows: Iterable[Row], folder: Path, settings: FilterSettings, denylist: Denylist) -> Iterator[Row]:
    data = ray_data()

    class JudgeBatch:
        def __init__(self):
            self._judge = Judge.make(folder, settings, denylist)

        def __call__(self, batch: dict) -> dict:
            return {"row": [packed(self._judge.judge(unpacked(text))) for text in batch["row"]]}

    items = [{"row": packed(row)} for row in rows]
    if not items:
        return
    found = data.from_items(items).map_batches(JudgeBatch, batch_size=16, concurrency=(1, cores()))
    for item in found.iter_rows():
        yield unpacked(item["row"])
