"""The live view in a real browser whose webcam plays a video: opened, started, and what happened in it recorded."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from playwright.async_api import Browser, Page, Playwright
from playwright.async_api import Error as BrowserError

from benchmarks.live.camera import HEIGHT, NUMBER_BITS, WIDTH
from benchmarks.live.figures import Recording

# The first is Chromium without its windows, which starts in half the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
RECORDER = Path(__file__).with_name("page.js")
PATIENCE_MS = 120_000
# The first frames of a network take longer, and so do those that come while a page still unfolds.
WARM_UP_ANSWERS = 30


def find_browser() -> str:
    """An installed Chromium.

    Raises:
        SystemExit: if there is none.
    """
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise SystemExit(
        f"no Chromium found (looked for {', '.join(BROWSERS)}); on Debian: apt install chromium-headless-shell"
    )


@dataclass(frozen=True)
class LiveView:
    """The page with its camera on."""

    page: Page
    browser: Browser

    async def use(self, engine: str) -> None:
        """Choose where images are processed, `server` or `device`, and wait until that goes well.

        Raises:
            SystemExit: if that engine is not offered, or does not answer.
        """
        choice = self.page.locator(f"#live-view [name=engine][value={engine}]")
        if await choice.is_disabled():
            raise SystemExit(
                "the engine on the device is not offered here: it needs what `make web` installs, and YuNet's weights"
            )
        await choice.check()
        try:
            await self.page.evaluate("recorder.answers = 0")
            await self.page.wait_for_function(f"recorder.answers >= {WARM_UP_ANSWERS}", timeout=PATIENCE_MS)
        except BrowserError as error:
            problem = await self.page.locator("#live-view .problem").inner_text()
            raise SystemExit(f"the {engine} engine does not answer: {problem or error}") from error

    async def record(self, seconds: float) -> Recording:
        """Watch for so long."""
        await self.page.evaluate("recorder.begin()")
        await asyncio.sleep(seconds)
        return Recording.of_page(await self.page.evaluate("recorder.end()"))

    async def heap_mib(self) -> float:
        """What the page's own JavaScript keeps in memory, after its garbage has been collected."""
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("Performance.enable")
        await session.send("HeapProfiler.collectGarbage")
        metrics = (await session.send("Performance.getMetrics"))["metrics"]
        await session.detach()
        return next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize") / 2**20

    async def process_mib(self) -> float:
        """Resident memory of the process in which the page runs, the engine's worker and pictures included."""
        return self._process_of_page(await self._processes()).memory_info().rss / 2**20

    async def give_memory_back(self) -> None:
        """Tell the browser that memory is short, as the system does; what was only kept in case is freed soon after."""
        session = await self.page.context.new_cdp_session(self.page)
        await session.send("Memory.simulatePressureNotification", {"level": "critical"})
        await session.detach()

    async def cpu_s(self) -> tuple[float, float]:
        """The seconds of CPU time that the page's process has taken, and all processes of the browser together."""

        def taken(process: psutil.Process) -> float:
            times = process.cpu_times()
            return times.user + times.system

        processes = await self._processes()
        everything = sum(taken(psutil.Process(process["id"])) for process in processes)
        return taken(self._process_of_page(processes)), everything

    async def _processes(self) -> list[dict[str, Any]]:
        session = await self.browser.new_browser_cdp_session()
        processes = (await session.send("SystemInfo.getProcessInfo"))["processInfo"]
        await session.detach()
        return processes

    @staticmethod
    def _process_of_page(processes: list[dict[str, Any]]) -> psutil.Process:
        """The renderer with something in it; Chromium has others ready for pages to come."""
        renderers = [psutil.Process(process["id"]) for process in processes if process["type"] == "renderer"]
        return max(renderers, key=lambda renderer: renderer.memory_info().rss)


@contextlib.asynccontextmanager
async def live_view(playwright: Playwright, address: str, camera: Path) -> AsyncGenerator[LiveView]:
    """Open the page in a browser of its own, start the camera, and be ready to record."""
    browser = await playwright.chromium.launch(
        executable_path=find_browser(),
        args=[
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        ],
    )
    try:
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(PATIENCE_MS)
        await page.goto(address)
        start = page.locator("#live-view .start:enabled")
        await start.wait_for()
        measures = {"width": WIDTH, "height": HEIGHT, "bits": NUMBER_BITS}
        await page.evaluate(RECORDER.read_text(encoding="utf-8"), measures)
        await start.click()
        yield LiveView(page, browser)
    finally:
        await browser.close()
