"""What the live view with its camera on takes of the processor while there is nothing to do."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import typer
from playwright.async_api import async_playwright

from benchmarks.figures import as_markdown, record, table
from benchmarks.live.browser import LiveView, live_view
from benchmarks.live.camera import HEIGHT, WIDTH, write_camera
from benchmarks.live.rows import Engine, Row
from benchmarks.live.server import running_server

MOST_PERCENT = 10
# After three seconds without a face the page searches less often, and after eight more seldom, since nothing moves; and
# what another tab draws at first is over.
SETTLED_S = 13
FRAMES, NOISE_LEVELS = 60, 4.0


def empty_room() -> Iterator[np.ndarray]:
    """What a camera sees where nobody is: two walls and a floor, with a camera's noise; the same every time."""
    random = np.random.default_rng(0)
    room = np.full((HEIGHT, WIDTH, 3), 110, np.float32)
    room[:, : WIDTH // 3] += 40
    room[2 * HEIGHT // 3 :] -= 30
    for _ in range(FRAMES):
        yield np.clip(room + random.standard_normal(room.shape, np.float32) * NOISE_LEVELS, 0, 255).astype(np.uint8)


async def rows_of_rest(engine: Engine, view: LiveView, seconds: float) -> list[Row]:
    """Shares of one core; the browser draws in software, which is most of what all of it takes."""
    rows = []

    async def measure(when: str, target: float | None) -> None:
        await asyncio.sleep(SETTLED_S)
        before = await view.cpu_s()
        await asyncio.sleep(seconds)
        after = await view.cpu_s()
        page, browser = (100 * (now - then) / seconds for now, then in zip(after, before, strict=True))
        rows.append(Row(engine, f"{when}: the page's process", page, "% of a core", target))
        rows.append(Row(engine, f"{when}: all of the browser", browser, "% of a core"))

    await measure("nobody in view", MOST_PERCENT)
    await view.page.get_by_role("tab", name="Photo").click()
    await measure("another tab of the app is open", None)
    await view.page.locator(".camera-sign button").click()
    await measure("there, with the camera off", None)
    return rows


def measure_rest(seconds: float, output: Path) -> None:
    """Measure the engine on the device, print the table, and put it on record."""
    engine = Engine.DEVICE

    async def run(address: str, camera: Path) -> list[Row]:
        async with async_playwright() as playwright, live_view(playwright, address, camera) as view:
            await view.use(engine)
            return await rows_of_rest(engine, view, seconds)

    with tempfile.TemporaryDirectory() as temporary, running_server(Path(temporary) / "app") as server:
        # Numbers would move.
        room = write_camera(Path(temporary) / "room.y4m", empty_room(), numbered=False)
        rows = asyncio.run(run(server.address, room))
    shown = table(("engine", "measure", "target", "measured", "met"), [row.cells() for row in rows])
    typer.echo(as_markdown(shown))
    record(
        output,
        command=f"python -m benchmarks.live --rest --seconds {seconds:g}",
        speaks_of=["app.py", "space", "web/live"],
        tables={"rest": shown},
        data={"rows": [row.as_json() for row in rows]},
    )
