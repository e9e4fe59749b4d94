"""How long a first visit takes to its first label: `python -m benchmarks.first_label`.

A browser without any cache opens the app over a line of 8 and of 50 Mbit/s down, with 40 ms of round trip; the clock
runs from the navigation to the first label of the demonstration. On the second visit everything is in the cache.
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from playwright.async_api import Browser, BrowserContext, async_playwright

from benchmarks.figures import FOLDER, as_markdown, record, table
from benchmarks.live.browser import PATIENCE_MS, find_browser
from benchmarks.live.server import running_server
from benchmarks.support.slow_link import slow_link

# Mbit/s, and the seconds that a first label may take.
LINES = {8: 7.0, 50: 3.0}
ROUND_TRIP_S = 0.04
FIRST_LABEL = """() => /\\d/.test(document.querySelector('#live-view .headline')?.textContent ?? "")"""


async def seconds_to_first_label(context: BrowserContext, address: str) -> float:
    """Open the page in a new tab, and wait for a label with its percentage."""
    page = await context.new_page()
    begun = time.monotonic()
    await page.goto(address, wait_until="commit")
    await page.wait_for_function(FIRST_LABEL, timeout=PATIENCE_MS, polling=20)
    took_s = time.monotonic() - begun
    await page.close()
    return took_s


async def visits(browser: Browser, port: int, mbit_per_s: float, repeats: int) -> tuple[list[float], list[float]]:
    """Seconds of first and of second visits, each pair in a browser profile of its own."""
    first, second = [], []
    async with slow_link(port, round_trip_s=ROUND_TRIP_S, down_bits_per_s=mbit_per_s * 1e6) as slow_port:
        for _ in range(repeats):
            context = await browser.new_context(viewport={"width": 1280, "height": 900})
            first.append(await seconds_to_first_label(context, f"http://localhost:{slow_port}/"))
            second.append(await seconds_to_first_label(context, f"http://localhost:{slow_port}/"))
            await context.close()
    return first, second


async def measure(repeats: int) -> list[tuple[str, ...]]:
    """The lines of the table."""
    rows = []
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=find_browser(),
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            for mbit_per_s, most_s in LINES.items():
                first, second = await visits(browser, server.port, mbit_per_s, repeats)
                shown = [f"{statistics.median(times):.1f} s" for times in (first, second)]
                rows.append((f"{mbit_per_s} Mbit/s", *shown, f"{most_s:g} s"))
            await browser.close()
    return rows


def main(
    repeats: Annotated[int, typer.Option(min=1, help="Visits for each line; the median is shown.")] = 3,
    output: Annotated[Path, typer.Option(dir_okay=False)] = FOLDER / "first_label.json",
) -> None:
    """Print the table, and write it."""
    shown = table(("line", "first visit", "second visit", "first visit, at most"), asyncio.run(measure(repeats)))
    print(as_markdown(shown))
    record(
        output,
        command=f"python -m benchmarks.first_label --repeats {repeats}",
        speaks_of=["app.py", "space", "web/live"],
        tables={"visits": shown},
    )


if __name__ == "__main__":
    typer.run(main)
