"""The upkeep of the running app goes on after a fault, and ends with the app."""

import asyncio

from space.storage.upkeep import repeating


def test_a_fault_is_logged_and_does_not_end_it(caplog):
    times = []

    async def look_after_things() -> None:
        times.append(len(times))
        if len(times) == 1:
            raise RuntimeError("out of order")

    async def run() -> None:
        async with repeating(look_after_things, 0.001):
            while len(times) < 3:
                await asyncio.sleep(0.001)
        done = len(times)
        await asyncio.sleep(0.05)
        assert len(times) == done

    asyncio.run(asyncio.wait_for(run(), 60))
    assert "failed, and is tried again" in caplog.text and "out of order" in caplog.text
