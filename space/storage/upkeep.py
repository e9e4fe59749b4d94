"""Work that is done again and again while the app runs; a fault in it is logged and does not end it."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def repeating(work: Callable[[], Awaitable[None]], every_s: float) -> AsyncGenerator[None]:
    """While it lasts, work is done at once and then again `every_s` seconds after it was done.

    Args:
        work: what is awaited each time.
        every_s: the pause, in seconds.
    """

    async def again_and_again() -> None:
        while True:
            try:
                await work()
            # Were it to end with the first fault, old uploads would stay and lost visitors would keep their place.
            except Exception:
                log.exception("work of every %g s failed, and is tried again", every_s)
            await asyncio.sleep(every_s)

    task = asyncio.create_task(again_and_again())
    try:
        yield
    finally:
        task.cancel()
