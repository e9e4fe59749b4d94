"""Slots that clients take in turn."""

import asyncio
import contextlib

from space.traffic.turns import Turns


def test_who_has_gone_when_its_turn_comes_breaks_nothing_for_the_others():
    async def run() -> list[str]:
        turns, done = Turns(1), []

        async def work(client: str, hold: asyncio.Event) -> None:
            async with turns.slot(client):
                await hold.wait()
            done.append(client)

        now, later = asyncio.Event(), asyncio.Event()
        later.set()
        first, gone, last = (
            asyncio.create_task(work(client, hold)) for client, hold in (("a", now), ("b", later), ("c", later))
        )
        await asyncio.sleep(0)
        # Both in one round of the event loop: the slot is given back before the one that was cancelled wakes.
        now.set()
        gone.cancel()
        await asyncio.gather(first, last)
        with contextlib.suppress(asyncio.CancelledError):
            await gone
        return done

    assert asyncio.run(asyncio.wait_for(run(), 60)) == ["a", "c"]
