"""What grows while somebody stays: memory of the server and of the page, and files."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Playwright
from tqdm import tqdm

from benchmarks.live.browser import LiveView, live_view
from benchmarks.live.rows import LIMITS, Engine, Row, per_s
from benchmarks.live.server import Server

FLAT = 1.1
WATCH_EVERY_S = 1.0
SECONDS_AFTERWARDS = 5


@dataclass(frozen=True)
class Memory:
    """In MiB: the server's process, the page's own JavaScript, and the browser's process with the page in it."""

    server: float
    heap: float
    page: float

    @classmethod
    async def now(cls, server: Server, view: LiveView) -> "Memory":
        """As it is now."""
        return cls(server.memory_mib(), await view.heap_mib(), await view.process_mib())


async def watch_files(server: Server, seconds: float, known: set[Path]) -> set[Path]:
    """Wait, and give the files that appeared meanwhile, those included that soon went away."""
    appeared = set()
    end = asyncio.get_running_loop().time() + seconds
    while (left := end - asyncio.get_running_loop().time()) > 0:
        await asyncio.sleep(min(WATCH_EVERY_S, left))
        appeared |= server.files() - known
    return appeared


async def rows_of_minutes(
    engine: Engine, server: Server, playwright: Playwright, camera: Path, minutes: float, progress: tqdm
) -> tuple[list[Row], list[Memory]]:
    """What grows while somebody stays; memory is compared with that after the first tenth, and given for each tenth."""
    async with live_view(playwright, server.address, camera) as view:
        await view.use(engine)
        known, written = server.files(), server.written_bytes()
        memories, appeared = [], set()
        for part in range(10):
            progress.set_description(f"{engine}: minute {part * minutes / 10:g} of {minutes:g}")
            appeared |= await watch_files(server, minutes * 6, known)
            memories.append(await Memory.now(server, view))
        rate = (await view.record(SECONDS_AFTERWARDS)).rate()
        await view.give_memory_back()
        await asyncio.sleep(SECONDS_AFTERWARDS)
        left_mib = await view.process_mib()
    first, last, after = memories[0], memories[-1], f"after {minutes:g} minutes"

    def growth(what: str, name: str) -> Row:
        before, now = getattr(first, name), getattr(last, name)
        return Row(engine, f"{what} {after}", now / before, f"times {before:.0f} MiB", FLAT, digits=2)

    left = Row(
        engine,
        "the page's process, once memory is short",
        left_mib / first.page,
        f"times {first.page:.0f} MiB",
        FLAT,
        digits=2,
    )
    rows = [growth("the page's JavaScript", "heap"), growth("the page's process", "page"), left]
    if engine is Engine.SERVER:
        rows += [
            growth("the server", "server"),
            Row(engine, f"files written by the server {after}", len(appeared), target=0),
        ]
        written_now = server.written_bytes()
        if written is not None and written_now is not None:
            rows.append(Row(engine, "bytes it had written to any disk", written_now - written, target=0))
    return [*rows, per_s(engine, f"frames processed {after}", rate, LIMITS[engine].frames_per_s)], memories
