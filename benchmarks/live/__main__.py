"""The live view as a visitor has it, measured in real Chromium: `python -m benchmarks.live`.

The app runs in a process of its own; a video with two portraits of examples/ plays as the webcam, at 640x480 and 30
frames a second, and each of its frames carries a number, so that it is known which one an answer is about. Latency is
from first showing a frame to drawing its answer over the video. The browser draws in software and shares the machine
with the server. Four visitors are one browser and three programs that send pictures as its page does: four browsers
would measure how fast this machine draws. A flip is a change of the label shown on a face that is still, with a
camera's noise and flicker; the lag is from the first frame of another face to its label.
"""

import asyncio
import contextlib
import os
import platform
import tempfile
from collections import Counter
from collections.abc import Generator
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import aiohttp
import psutil
import typer
from playwright.async_api import Playwright, async_playwright
from tqdm import tqdm

from benchmarks.figures import FOLDER, as_markdown, record, table
from benchmarks.live.browser import LiveView, find_browser, live_view
from benchmarks.live.camera import CALM, HAPPY, NOISY_FRAMES, changing_faces, still_face, write_camera
from benchmarks.live.crowd import measure_visitors
from benchmarks.live.figures import percentile
from benchmarks.live.minutes import Memory, rows_of_minutes
from benchmarks.live.rest import measure_rest
from benchmarks.live.rows import Engine, Row, per_s, row_of_flips, rows_of_recording, rows_of_slow_link
from benchmarks.live.server import Server, running_server
from benchmarks.live.visitors import pictures_of, visit
from benchmarks.support.slow_link import slow_link


class Choice(StrEnum):
    """Which engines are measured."""

    SERVER = "server"
    DEVICE = "device"
    BOTH = "both"

    def engines(self) -> tuple[Engine, ...]:
        """The engines of this choice."""
        return tuple(Engine) if self is Choice.BOTH else (Engine(self),)


async def rows_of_visitors(view: LiveView, server: Server, seconds: float) -> list[Row]:
    """A happy face in the browser, and three programs: a happy one and two calm ones."""
    portraits = (HAPPY, CALM, CALM)
    pictures = [pictures_of(portrait) for portrait in portraits]
    async with aiohttp.ClientSession(read_bufsize=2**18) as http:
        recording, visits = await asyncio.gather(
            view.record(seconds),
            asyncio.gather(*(visit(http, server.address, camera, seconds) for camera in pictures)),
        )
    if refused := [made.refused for made in visits if made.refused]:
        raise SystemExit(f"the server took no picture: {refused[0]}")
    latencies = [recording.latencies_ms(), *(made.latencies_ms for made in visits)]
    rates = [recording.rate(), *(made.rate() for made in visits)]
    labels = [Counter(answer.label for answer in recording.answers), *(made.labels for made in visits)]
    others = {HAPPY: CALM.label, CALM: HAPPY.label}
    foreign = sum(seen[others[portrait]] for portrait, seen in zip((HAPPY, *portraits), labels, strict=True))
    who = "four visitors at once"
    return [
        per_s(Engine.SERVER, f"{who}: the browser", rates[0], 8),
        per_s(Engine.SERVER, f"{who}: the slowest program", min(rates[1:]), 8),
        Row(Engine.SERVER, f"{who}: latency in the browser, p95", percentile(latencies[0], 95), "ms", 250),
        Row(
            Engine.SERVER,
            f"{who}: latency in the slowest program, p95",
            max(percentile(made, 95) for made in latencies[1:]),
            "ms",
            250,
        ),
        Row(Engine.SERVER, f"{who}: labels that belong to another", foreign, target=0),
    ]


@contextlib.contextmanager
def step(progress: tqdm, description: str) -> Generator[None]:
    """Say what is being measured, and count it once it is."""
    progress.set_description(description)
    yield
    progress.update()


async def measure(
    server: Server,
    playwright: Playwright,
    folder: Path,
    *,
    engines: tuple[Engine, ...],
    seconds: float,
    still_seconds: float,
    progress: tqdm,
) -> list[Row]:
    """All figures but those of the long run."""
    rows: list[Row] = []
    changing = write_camera(folder / "changing.y4m", changing_faces())
    async with live_view(playwright, server.address, changing) as view:
        for engine in engines:
            with step(progress, f"{engine}: frames and latency"):
                await view.use(engine)
                rows += rows_of_recording(engine, await view.record(seconds))
    async with slow_link(server.port) as port, live_view(playwright, f"http://127.0.0.1:{port}/", changing) as view:
        for engine in engines:
            with step(progress, f"{engine}: slow line"):
                await view.use(engine)
                rows += rows_of_slow_link(engine, await view.record(seconds))
    for portrait in (HAPPY, CALM):
        still = write_camera(folder / "still.y4m", still_face(portrait, NOISY_FRAMES))
        async with live_view(playwright, server.address, still) as view:
            for engine in engines:
                with step(progress, f"{engine}: still {portrait.label} face"):
                    await view.use(engine)
                    rows.append(row_of_flips(engine, portrait.label, await view.record(still_seconds)))
            if portrait is HAPPY and Engine.SERVER in engines:
                with step(progress, "server: four visitors"):
                    await view.use(Engine.SERVER)
                    rows += await rows_of_visitors(view, server, seconds)
    return sorted(rows, key=lambda row: engines.index(row.engine))


async def measure_minutes(
    server: Server,
    playwright: Playwright,
    folder: Path,
    *,
    engines: tuple[Engine, ...],
    minutes: float,
    progress: tqdm,
) -> tuple[list[Row], dict[str, list[Memory]]]:
    """What grows in the long run, and the memory in its course."""
    camera = write_camera(folder / "changing.y4m", changing_faces())
    rows, memories = [], {}
    for engine in engines:
        with step(progress, f"{engine}: {minutes:g} minutes"):
            more, memories[engine] = await rows_of_minutes(engine, server, playwright, camera, minutes, progress)
            rows += more
    return rows, memories


def main(
    engine: Annotated[Choice, typer.Option(help="Which engine is measured.")] = Choice.BOTH,
    seconds: Annotated[float, typer.Option(min=1, help="Seconds for each figure.")] = 20,
    still_seconds: Annotated[float, typer.Option(min=1, help="Seconds for the flips on each still face.")] = 60,
    long: Annotated[bool, typer.Option("--long", help="Only this: what grows while somebody stays.")] = False,
    minutes: Annotated[float, typer.Option(min=0.1, help="Of --long: minutes for each engine.")] = 10,
    rest: Annotated[bool, typer.Option("--rest", help="Only this: CPU time while there is nothing to do.")] = False,
    visitors: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Only this: so many visitors of the server's engine at once; repeatable."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(help="JSON to write; default: live.json (-long, -rest) or visitors.json in docs/figures."),
    ] = None,
) -> None:
    """Measure, and print one table."""
    if visitors:
        measure_visitors(visitors, seconds, output or FOLDER / "visitors.json")
        return
    find_browser()
    if rest:
        measure_rest(seconds, output or FOLDER / "live-rest.json")
        return
    engines = engine.engines()
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}, load {psutil.getloadavg()[0]:.1f} before"
    )
    steps = len(engines) if long else len(engines) * 4 + (Engine.SERVER in engines)
    folder = tempfile.TemporaryDirectory()
    with folder, running_server(Path(folder.name) / "app") as server, tqdm(total=steps, unit="figure") as progress:

        async def run() -> tuple[list[Row], dict[str, list[Memory]]]:
            async with async_playwright() as playwright:
                what = server, playwright, Path(folder.name)
                if long:
                    return await measure_minutes(*what, engines=engines, minutes=minutes, progress=progress)
                rows = await measure(
                    *what, engines=engines, seconds=seconds, still_seconds=still_seconds, progress=progress
                )
                return rows, {}

        rows, memories = asyncio.run(run())
        source = server.output().splitlines()[0]
    typer.echo(f"{machine}; {source}; Chromium drawing in software, camera 640x480 at 30 frames/s\n")
    shown = table(("engine", "measure", "target", "measured", "met"), [row.cells() for row in rows])
    typer.echo(as_markdown(shown))
    record(
        output or FOLDER / ("live-long.json" if long else "live.json"),
        command=f"python -m benchmarks.live --long --minutes {minutes:g}"
        if long
        else f"python -m benchmarks.live --seconds {seconds:g} --still-seconds {still_seconds:g}",
        speaks_of=["app.py", "face_expression", "space", "web/live"],
        tables={"view": shown},
        data={
            "source": source,
            "rows": [row.as_json() for row in rows],
            "memory_mib": {name: [asdict(memory) for memory in course] for name, course in memories.items()},
        },
    )


if __name__ == "__main__":
    typer.run(main)
