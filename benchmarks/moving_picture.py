"""Film the live view's demonstration, on a calm machine: `python -m benchmarks.moving_picture`.

Everybody in it is drawn, or the astronaut of scikit-image; the words and bars are the engine's answers.
"""

import io
import tempfile
import time
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from playwright.sync_api import FloatRect, Page, sync_playwright

from benchmarks.live.browser import find_browser
from benchmarks.live.server import running_server

WIDTH_PX = 760
INTERVAL_S = 0.3
# Each scene of web/live/sources/demo.js once.
LENGTH_S = 30.0
PATIENCE_MS = 120_000


def film(page: Page) -> list[tuple[Image.Image, float]]:
    """Pictures of the view, each with the time in seconds when it was taken."""
    box = page.locator("#live-view .live").bounding_box()
    below = page.locator("#live-view .engines").bounding_box()
    if box is None or below is None:
        raise SystemExit("the live view is not shown")
    clip = FloatRect(x=box["x"] - 8, y=box["y"] - 8, width=box["width"] + 16, height=below["y"] - box["y"])
    begun, shots = time.monotonic(), []
    while (now_s := time.monotonic() - begun) < LENGTH_S:
        picture = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
        height = round(picture.height * WIDTH_PX / picture.width)
        shots.append((picture.resize((WIDTH_PX, height), Image.Resampling.LANCZOS), now_s))
        time.sleep(max(0.0, INTERVAL_S - (time.monotonic() - begun - now_s)))
    return shots


def main(output: Annotated[Path, typer.Option(dir_okay=False)] = Path("docs/live.webp")) -> None:
    """Film it, and write an animated WebP."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_server(Path(folder)) as server,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=find_browser(), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1180, "height": 820}, color_scheme="light")
        page.goto(server.address)
        page.locator("#live-view .live[aria-busy=false]").wait_for(timeout=PATIENCE_MS)
        page.wait_for_function("document.querySelector('#live-view .person')", timeout=PATIENCE_MS)
        shots = film(page)
        browser.close()
    ends = [taken_s for _, taken_s in shots[1:]] + [LENGTH_S]
    lengths_ms = [round(1000 * (end - taken)) for (_, taken), end in zip(shots, ends, strict=True)]
    first, *others = [picture for picture, _ in shots]
    first.save(output, save_all=True, append_images=others, duration=lengths_ms, loop=0, quality=55, method=4)
    print(f"{output}: {len(shots)} pictures, {output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    typer.run(main)
