"""A visitor who reads the page before trying it is answered like everybody else."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

import app
from tests.support.browsing import EXAMPLE, PATIENCE_MS
from tests.support.wide_limits import WIDE_LIMITS

UNWANTED_S = 2.0


@pytest.fixture
def hurried_app(yunet_pipeline, monkeypatch, tmp_path) -> str:
    """The address of an app that soon takes a session whose answers nobody reads for abandoned."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    page = app.build_app(yunet_pipeline, limits=replace(WIDE_LIMITS, unwanted_s=UNWANTED_S))
    app.launch(page, prevent_thread_lock=True, quiet=True)
    yield page.local_url
    page.close(verbose=False)


def test_a_photo_is_answered_however_long_the_page_was_open(open_page, hurried_app):
    page = open_page(address=hurried_app)
    page.get_by_role("tab", name="Photo").click()
    examples = page.locator(EXAMPLE)
    for number, answer in ((0, "One face"), (3, "2 faces")):
        page.wait_for_timeout(1500 * UNWANTED_S)
        examples.nth(number).click()
        expect(page.locator("#photo-summary")).to_contain_text(answer, timeout=PATIENCE_MS)
        expect(page.get_by_text("nobody was waiting")).to_have_count(0)
