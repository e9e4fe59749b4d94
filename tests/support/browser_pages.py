"""Opens pages in Chromium: one browser for each set of arguments, and a context of its own for each page."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect
from playwright.sync_api import Error as BrowserError

from tests.support.browsing import PATIENCE_MS, WIDE
from tests.support.builders import write_y4m

ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
expect.set_options(timeout=PATIENCE_MS)
ERROR = 400
# What `describe_page` leaves out: requests that the test itself aborted.
BY_A_TEST = "ERR_FAILED"
MOST_LINES = 40


class Browsers:
    """Chromium with these and those arguments, each started once and kept until `close`."""

    def __init__(self, playwright: Playwright, browser_path: str, folder: Path):
        self._playwright, self._browser_path, self._folder = playwright, browser_path, folder
        self._running: dict[tuple[str, ...], Browser] = {}

    def get(self, arguments: Sequence[str]) -> Browser:
        key = tuple(arguments)
        if key not in self._running or not self._running[key].is_connected():
            self._running[key] = self._playwright.chromium.launch(
                executable_path=self._browser_path, args=[*ARGUMENTS, *arguments]
            )
        return self._running[key]

    def camera_file(self, frames: list[np.ndarray]) -> Path:
        """A file that plays these frames; the same ones give the same file, and so the same browser."""
        digest = hashlib.sha256(b"".join(frame.tobytes() for frame in frames)).hexdigest()
        path = self._folder / f"{digest[:16]}.y4m"
        return path if path.exists() else write_y4m(path, frames)

    def close(self) -> None:
        for browser in self._running.values():
            browser.close()


def patient_page(context: BrowserContext, address: str) -> Page:
    """An empty page that waits long.

    It lists in `foreign_requests` what it asks of others than an address, and in `complaints` what went wrong in it.
    """
    page = context.new_page()
    page.complaints = []
    page.on("console", lambda line: page.complaints.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("requestfailed", lambda request: page.complaints.append(f"{request.url}: {request.failure}"))
    page.on(
        "response",
        lambda answer: page.complaints.append(f"{answer.url}: {answer.status}") if answer.status >= ERROR else None,
    )
    page.set_default_timeout(PATIENCE_MS)
    page.foreign_requests = []
    page.on(
        "request",
        lambda request: (
            page.foreign_requests.append(request.url)
            if not request.url.startswith((address.rstrip("/"), "data:", "blob:"))
            else None
        ),
    )
    return page


class PageOpener:
    """Opens the app, each time as a visitor who was never there before; `close` ends all of these visits."""

    def __init__(self, browsers: Browsers, address: str):
        self._browsers, self._address = browsers, address
        self._contexts = []

    def __call__(
        self,
        camera: list[np.ndarray] | Path | None = None,
        viewport: dict[str, int] = WIDE,
        *,
        cameras: int = 0,
        live: bool = True,
        leave_blank: bool = False,
        address: str | None = None,
        arguments: Sequence[str] = (),
        **options,
    ) -> Page:
        """Open the app.

        Args:
            camera: frames, or a video file of them, which the webcam shows again and again.
            viewport: width and height in pixels.
            cameras: that many made-up cameras.
            live: without it the live view cannot run, and its engine is not loaded, which takes seconds.
            leave_blank: open nothing yet.
            address: another app's.
            arguments: Chromium's.
            options: the context's, such as `locale`.
        """
        address = address or self._address
        context = self._browsers.get([*self._camera_arguments(camera, cameras), *arguments]).new_context(
            viewport=viewport, **options
        )
        self._contexts.append(context)
        page = patient_page(context, address)
        if not live:
            page.route("**/live/modules/**", lambda route: route.abort())
        if not leave_blank:
            page.goto(address)
            expect(page.get_by_role("heading", name="Live Emotion Detector")).to_be_visible()
        return page

    def _camera_arguments(self, camera: list[np.ndarray] | Path | None, cameras: int) -> list[str]:
        if camera is None and not cameras:
            return []
        devices = f"=device-count={cameras}" if cameras else ""
        arguments = [f"--use-fake-device-for-media-stream{devices}", "--use-fake-ui-for-media-stream"]
        if camera is not None:
            path = camera if isinstance(camera, Path) else self._browsers.camera_file(camera)
            arguments.append(f"--use-file-for-fake-video-capture={path}")
        return arguments

    def describe(self) -> str:
        """What the open pages show, and what went wrong in them."""
        return "\n\n".join(describe_page(page) for context in self._contexts for page in context.pages)

    def close(self) -> None:
        for context in self._contexts:
            context.close()


def describe_page(page: Page) -> str:
    """The words of a page, and its `complaints`."""
    try:
        words = " | ".join(page.locator("body").inner_text(timeout=5000).split("\n"))
    except BrowserError as error:
        words = f"(cannot be read: {error.message})"
    complaints = [line for line in getattr(page, "complaints", ()) if BY_A_TEST not in line]
    return "\n".join([page.url, words, *complaints[-MOST_LINES:]])
