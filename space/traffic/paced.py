"""Requests that cost the event loop much come one at a time, with a rest after each, so that others come in between."""

import asyncio
import contextlib
import time
from collections.abc import Callable

from space.traffic.turns import Turns


class Paced:
    """One place for all clients, which they take in turn. To be used in one event loop.

    Args:
        longest_s: what takes longer gives the place to the next one, as it waits for something else.
        rest: how long the place stays empty after each, as a multiple of the time that the event loop took for it.
    """

    def __init__(self, *, longest_s: float = 0.05, rest: float = 2.0):
        self._longest_s = longest_s
        self._rest = rest
        self._place = Turns(1)
        self._holders: set[asyncio.Task[None]] = set()

    async def enter(self, client: str) -> Callable[[], None]:
        """Wait for the place; gives what is to be called at the end."""
        entered, done = asyncio.get_running_loop().create_future(), asyncio.Event()
        holder = asyncio.create_task(self._hold(client, entered, done))
        self._holders.add(holder)
        holder.add_done_callback(self._holders.discard)
        try:
            await entered
        except asyncio.CancelledError:
            holder.cancel()
            raise
        return done.set

    async def _hold(self, client: str, entered: asyncio.Future[None], done: asyncio.Event) -> None:
        async with self._place.slot(client):
            if entered.done():
                # Who waited has gone.
                return
            begun_s = time.thread_time()
            entered.set_result(None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._longest_s):
                    await done.wait()
            await asyncio.sleep(self._rest * min(time.thread_time() - begun_s, self._longest_s))
