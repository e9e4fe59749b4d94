"""The face filter on many rows: by processes of this machine, or by Ray Data.

Both give the same changes for the same rows; only their order differs.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import cv2

from data_tools.filter.face_filter import Judge
from data_tools.settings import FilterSettings
from data_tools.work.denylist import Denylist
from data_tools.work.ray import packed, unpacked
from data_tools.work.schema import Reason, Row, Status
from face_expression.cli.ray_engine import Engine, ray_data
from face_expression.cli.worker_pool import TaskFault, Work, cores, shared_out

_DEADLINE_S = 120.0


def judged(
    rows: Iterable[Row],
    *,
    folder: Path,
    settings: FilterSettings,
    denylist: Denylist,
    engine: Engine = Engine.LOCAL,
    workers: int,
) -> Iterator[Row]:
    """Look at the files of many rows; gives the changes as they come.

    Args:
        rows: with `url` and `content_sha256`.
        folder: the work folder, which every worker must see.
        settings: what is kept.
        denylist: what was taken down.
        engine: who does the work.
        workers: processes of this machine, if they do.

    Raises:
        WorkersError: if no process can be started.
    """
    if engine is Engine.RAY:
        return _judged_by_ray(rows, folder, settings, denylist)
    return _judged_here(rows, folder, settings, denylist, workers)


def _judged_here(
    rows: Iterable[Row], folder: Path, settings: FilterSettings, denylist: Denylist, workers: int
) -> Iterator[Row]:
    make_work, again = partial(_make_work, folder, settings, denylist), []
    for row, answer in _answered(rows, make_work, workers):
        if isinstance(answer, TaskFault):
            again.append(row)
        else:
            yield answer
    # One at a time: a process may have been killed for the memory that all of them took together.
    for row, answer in _answered(again, make_work, min(1, len(again))):
        yield _rejection(row, answer) if isinstance(answer, TaskFault) else answer


def _answered(
    rows: Iterable[Row], make_work: Callable[[], Work], workers: int
) -> Iterator[tuple[Row, Row | TaskFault]]:
    sent: dict[int, Row] = {}

    def sending() -> Iterator[Row]:
        for number, row in enumerate(rows):
            sent[number] = row
            yield row

    for number, answer in shared_out(sending(), make_work, workers=workers, deadline_s=_DEADLINE_S):
        if isinstance(answer, OSError):
            raise answer
        yield sent.pop(number), answer


def _make_work(folder: Path, settings: FilterSettings, denylist: Denylist) -> Work:
    # Each core has a process of its own already.
    cv2.setNumThreads(1)
    judge = Judge.make(folder, settings, denylist)

    def work(row: Row) -> Row | OSError:
        try:
            return judge.judge(row)
        except OSError as error:  # the disk's, which ends the run
            return error

    return work


def _rejection(row: Row, fault: TaskFault) -> Row:
    return {
        "url": row["url"],
        "status": Status.REJECTED,
        "rejection_reason": Reason.INTERNAL_ERROR,
        "detail": f"the worker process died or hung: {fault.message}",
    }


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
