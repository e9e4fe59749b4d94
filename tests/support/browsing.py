"""What tests in a browser share: sizes, patience, and pictures for the README."""

import os
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.support.builders import REPOSITORY

SCREENSHOTS = REPOSITORY / "docs"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
PATIENCE_MS = 60_000


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


def headline(page: Page) -> Locator:
    """What the live view says of the largest face."""
    return page.locator("#live-view .headline")
