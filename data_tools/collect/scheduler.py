"""Many rows at once, a few of each host at a time."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Iterable

from data_tools.collect.fetcher import Fetcher
from data_tools.collect.url_guard import host_and_port_of
from data_tools.settings import FetchSettings
from data_tools.work.schema import Row

_WINDOW_ROWS = 2000


async def fetch_rows(rows: Iterable[Row], fetcher: Fetcher) -> AsyncIterator[Row]:
    """Fetch many rows at once, those of one host a few at a time; gives the changes in the order in which they end.

    Only a window of the rows is in memory.
    """
    queue = _Queue(fetcher.settings)
    running: dict[asyncio.Task, str] = {}
    source = iter(rows)
    try:
        while True:
            while queue.size < _WINDOW_ROWS and (row := next(source, None)) is not None:
                queue.add(row)
            while len(running) < fetcher.settings.connections and (due := queue.take()):
                row, host = due
                running[asyncio.create_task(fetcher.fetch(row))] = host
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                queue.end(running.pop(task))
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class _Queue:
    """Rows that wait, by host; a host has its turn while few enough of its rows are on their way."""

    def __init__(self, settings: FetchSettings):
        self._per_host = settings.connections_per_host
        self._waiting: dict[str, deque[Row]] = defaultdict(deque)
        self._busy: Counter[str] = Counter()
        self._due: dict[str, None] = {}
        self.size = 0

    def add(self, row: Row) -> None:
        host = host_and_port_of(row["url"])
        self._waiting[host].append(row)
        self.size += 1
        self._make_due(host)

    def take(self) -> tuple[Row, str] | None:
        """A row whose host has its turn, and the host."""
        if not self._due:
            return None
        host = next(iter(self._due))
        del self._due[host]
        row = self._waiting[host].popleft()
        self._busy[host] += 1
        self.size -= 1
        self._make_due(host)
        return row, host

    def end(self, host: str) -> None:
        self._busy[host] -= 1
        self._make_due(host)

    def _make_due(self, host: str) -> None:
        if self._waiting[host] and self._busy[host] < self._per_host:
            self._due[host] = None
        elif not self._waiting[host] and not self._busy[host]:
            del self._waiting[host], self._busy[host]
