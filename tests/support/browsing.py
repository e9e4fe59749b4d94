"""What tests in a browser share: sizes, patience, and pictures for the README."""

import os
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.support.builders import REPOSITORY

SCREENSHOTS = REPOSITORY / "docs"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 60_000
# A picture among the examples of the tab Photo, as Gradio shows them.
EXAMPLE = ".gallery-item, .gallery button, table button"


@contextmanager
def picture_for_the_readme(page: Page, name: str, folder: Path):
    """Take a screenshot after the block; into docs/ when UPDATE_SCREENSHOTS is set."""
    yield
    target = SCREENSHOTS if os.environ.get("UPDATE_SCREENSHOTS") else folder
    page.screenshot(path=target / name)
    assert (target / name).stat().st_size > 10_000


def wait_until_loaded(page: Page) -> Page:
    """The page, once the live view's engine can be used."""
    expect(page.locator("#live-view .live[aria-busy=false]")).to_be_attached(timeout=60_000)
    return page


def start_button(page: Page) -> Locator:
    """What starts and stops the camera of the live view."""
    return page.locator("#live-view .start")


@contextmanager
def in_turn(page: Page):
    """A page of the live view that tests use in turn: as if just opened in the block, and at rest after it."""
    page.set_viewport_size(WIDE)
    page.get_by_role("tab", name="Live", exact=True).click()
    page.evaluate("() => { delete navigator.mediaDevices.getUserMedia; window.scrollTo(0, 0); }")
    # A click lets a demonstration go on that has stopped by itself.
    page.locator("#live-view .overlay").click(position={"x": 5, "y": 5})
    expect(page.locator("#live-view .badge")).to_have_text("Demonstration, not you")
    yield page
    page.set_viewport_size(WIDE)
    if start_button(page).inner_text() == "Stop":
        start_button(page).click()
    # Nothing is classified while another tab is open.
    page.get_by_role("tab", name="Photo").click()


def headline(page: Page) -> Locator:
    """What the live view says of one face."""
    return page.locator("#live-view .headline")


def open_photo_tab(page: Page) -> None:
    """Open the tab Photo, and wait until its examples can be chosen."""
    page.get_by_role("tab", name="Photo").click()
    expect(page.get_by_text("Examples", exact=True)).to_be_visible()


def upload_photo(page: Page, path: Path) -> None:
    """Hand in a photo, once the one before is gone."""
    clear = page.locator("#photo-upload button[aria-label='Clear'], #photo-upload button[aria-label='Remove Image']")
    if clear.count():
        clear.first.click()
        expect(page.locator("#photo-summary")).to_have_text("")
    page.locator("#photo-upload input[type=file]").set_input_files(path)


def wait_until(condition: Callable[[], bool], *, seconds: float = PATIENCE_MS / 1000) -> bool:
    """Whether a condition comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()
