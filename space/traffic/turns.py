"""Slots for work that clients take in turn, so that none has to wait for all the work of another one."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable

# Who asked so recently may ask again at any moment.
_ACTIVE_S = 1.0


class Turns:
    """`slots` of which each holds one piece of work. To be used in one event loop.

    While there are several active clients, one of them leaves a slot free for the others; alone, it may have all.
    """

    def __init__(self, slots: int, *, clock_s: Callable[[], float] = time.monotonic):
        self._slots = slots
        self._clock_s = clock_s
        self._running: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._served_s: dict[str, float] = {}
        self._asked_s: dict[str, float] = {}

    @contextlib.asynccontextmanager
    async def slot(self, client: str) -> AsyncGenerator[None]:
        """Wait for a slot, and have it while this lasts."""
        self._asked_s[client] = self._clock_s()
        place = (client, asyncio.get_running_loop().create_future())
        self._waiting.append(place)
        self._hand_out()
        try:
            await place[1]
        except asyncio.CancelledError:
            if place in self._waiting:
                self._waiting.remove(place)
            else:
                self._give_back(client)
            raise
        try:
            yield
        finally:
            self._give_back(client)

    def _give_back(self, client: str) -> None:
        self._running[client] -= 1
        self._running += Counter()
        self._hand_out()

    def _hand_out(self) -> None:
        now_s = self._clock_s()
        self._asked_s = {client: at_s for client, at_s in self._asked_s.items() if now_s - at_s < _ACTIVE_S}
        self._served_s = {client: at_s for client, at_s in self._served_s.items() if client in self._asked_s}
        others = len(self._asked_s.keys() | self._running.keys()) > 1
        most_of_one = max(self._slots - 1, 1) if others else self._slots
        while self._running.total() < self._slots:
            # One that was cancelled a moment ago leaves by itself.
            waiting = [place for place in self._waiting if not place[1].done()]
            ready = [place for place in waiting if self._running[place[0]] < most_of_one]
            if not ready:
                return
            place = min(ready, key=lambda place: (self._running[place[0]], self._served_s.get(place[0], 0.0)))
            self._waiting.remove(place)
            self._running[place[0]] += 1
            self._served_s[place[0]] = now_s
            place[1].set_result(None)
