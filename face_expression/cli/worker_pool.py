"""Tasks shared among processes. A process that dies or hangs costs one task, and none outlives the program.

`concurrent.futures` gives up all tasks at once when one of its processes is killed, and waits for ever for one that
hangs. Here each process has a pipe of its own, and the parent watches pipe, process and clock together.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from face_expression.errors import ExpectedError

log = logging.getLogger(__name__)

Work = Callable[[Any], Any]
_TASKS_SENT = 3  # so that a process need not wait for its next one
_WINDOW = 64  # tasks for each process that may be done before an earlier one is
_POLL_S = 0.2
_START_S = 120.0
_END_S = 5.0


@dataclass(frozen=True)
class TaskFault:
    """The answer to a task whose process died, hung, or raised; `message` says which."""

    message: str


class WorkersError(ExpectedError):
    """No process can be started, or all ended before they were ready."""


def shared_out(
    tasks: Iterable[Any],
    make_work: Callable[[], Work],
    *,
    workers: int,
    deadline_s: float,
    stop: threading.Event | None = None,
) -> Iterator[tuple[int, Any]]:
    """Give each task to one of several processes.

    Args:
        tasks: small picklable values; they are asked for as they are needed.
        make_work: picklable; called once in each process, it gives the function that turns a task into its answer.
        workers: processes.
        deadline_s: a process that is at one task for longer is ended. Time in which the caller is busy, or in which
            the program is stopped, hardly counts.
        stop: once set, nothing more is given out, and the iterator ends within a fraction of a second.

    Yields:
        (number of the task from 0, its answer or a `TaskFault`), as they come: at most 64 for each process ahead of
        the first that is missing.

    Raises:
        WorkersError: if no process is left and no new one gets ready.
    """
    pool = _Pool(enumerate(tasks), make_work, deadline_s)
    try:
        pool.start(workers)
        while pool.give_out() and not (stop and stop.is_set()):
            yield from pool.answers()
    finally:
        pool.end()


@dataclass
class _Worker:
    process: BaseProcess
    connection: Connection
    is_ready: bool = False
    tasks: deque[tuple[int, Any]] = field(default_factory=deque)
    waited_s: float = 0.0  # for its next answer


class _Pool:
    def __init__(self, tasks: Iterator[tuple[int, Any]], make_work: Callable[[], Work], deadline_s: float):
        self._context = multiprocessing.get_context("spawn")
        self._tasks = tasks
        self._given_back: deque[tuple[int, Any]] = deque()
        self._make_work = make_work
        self._deadline_s = deadline_s
        self._workers: list[_Worker] = []
        self._unanswered: set[int] = set()
        self._watched_at = time.monotonic()

    def start(self, count: int) -> None:
        for _ in range(count):
            here, there = self._context.Pipe()
            process = self._context.Process(target=_serve, args=(there, self._make_work), daemon=True)
            with _interrupts_held():
                process.start()
            there.close()
            self._workers.append(_Worker(process, here))

    def give_out(self) -> bool:
        """Send each process what it can take; False when everything is answered."""
        for _ in range(_TASKS_SENT):
            for worker in self._workers:
                if worker.is_ready and len(worker.tasks) < _TASKS_SENT and (task := self._next_task()) is not None:
                    if not worker.tasks:
                        worker.waited_s = 0.0
                    worker.tasks.append(task)
                    # A process that is gone is noticed in `answers`.
                    _send(worker.connection, task[1])
        return bool(self._unanswered) or self._has_task()

    def _next_task(self) -> tuple[int, Any] | None:
        if self._given_back:
            return self._given_back.popleft()
        if self._unanswered and max(self._unanswered) - min(self._unanswered) > _WINDOW * len(self._workers):
            return None
        if (task := next(self._tasks, None)) is not None:
            self._unanswered.add(task[0])
        return task

    def _has_task(self) -> bool:
        if not self._given_back and (task := self._next_task()) is not None:
            self._given_back.append(task)
        return bool(self._given_back)

    def answers(self) -> Iterator[tuple[int, Any]]:
        """What is there after a fraction of a second at most."""
        if not self._workers:
            raise WorkersError("the worker processes ended before they were ready")
        by_handle: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers}
        by_handle |= {worker.process.sentinel: worker for worker in self._workers}
        signalled = {id(by_handle[handle]) for handle in wait(list(by_handle), timeout=_POLL_S)}
        watched_s = self._watched_s()
        for worker in list(self._workers):
            if id(worker) in signalled:
                yield from self._received(worker)
                continue
            worker.waited_s += watched_s
            limit_s = self._deadline_s if worker.is_ready else _START_S
            is_late = (worker.tasks or not worker.is_ready) and worker.waited_s > limit_s
            if is_late and not worker.connection.poll():
                yield from self._lost(worker, f"it took longer than {limit_s:g} s")

    def _watched_s(self) -> float:
        """Seconds since the last call, without those in which the caller was busy or all processes were stopped."""
        before, self._watched_at = self._watched_at, time.monotonic()
        return min(self._watched_at - before, 2 * _POLL_S)

    def _received(self, worker: _Worker) -> Iterator[tuple[int, Any]]:
        try:
            while worker.connection.poll():
                answer = worker.connection.recv()
                worker.waited_s = 0.0
                if not worker.is_ready:
                    worker.is_ready = True
                    continue
                number, _ = worker.tasks.popleft()
                self._unanswered.discard(number)
                yield number, answer
            if worker.process.is_alive():
                return
        except (EOFError, OSError):
            worker.process.join(_END_S)
        yield from self._lost(worker, f"its process ended unexpectedly ({_reason(worker.process.exitcode)})")

    def _lost(self, worker: _Worker, why: str) -> Iterator[tuple[int, Any]]:
        """Go on without a process: the task that it was at gets a fault, the others go to a new process."""
        _end(worker)
        self._workers.remove(worker)
        if not worker.is_ready:
            log.warning("a worker process did not get ready: %s", why)
            return
        if worker.tasks:
            number, _ = worker.tasks.popleft()
            self._unanswered.discard(number)
            self._given_back.extendleft(reversed(worker.tasks))
            self.start(1)
            yield number, TaskFault(why)
        else:
            self.start(1)

    def end(self) -> None:
        for worker in self._workers:
            _end(worker)


def _end(worker: _Worker) -> None:
    worker.process.kill()
    worker.process.join(_END_S)
    worker.connection.close()


def _reason(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    with_name = signal.Signals(-exit_code).name if -exit_code in set(signal.Signals) else str(-exit_code)
    return f"{with_name}, as when memory runs out" if -exit_code == signal.SIGKILL else with_name


def _send(connection: Connection, value: Any) -> bool:
    try:
        connection.send(value)
    except OSError:
        return False
    return True


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _interrupts_held() -> Generator[None]:
    """A process started inside never gets Ctrl-C, which a terminal sends to all: the parent ends it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, make_work: Callable[[], Work]) -> None:
    """What runs in a process: a first empty answer when it is ready, then one for each task."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work = make_work()
    alive = _send(connection, None)
    while alive:
        try:
            task = connection.recv()
        except (EOFError, OSError):  # the parent is gone; an OSError if it had not read all answers
            return
        try:
            answer = work(task)
        except Exception as error:  # one task never ends the others
            answer = TaskFault(repr(error))
        alive = _send(connection, answer)


def _end_with_parent() -> None:
    """Also in the midst of a task, and also when the parent was killed."""
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
    os._exit(1)
