"""The first screen where it is low, and what several faces may move."""

import pytest
from playwright.sync_api import expect

from tests.support.browsing import PATIENCE_MS, headline, start_button, wait_until_loaded
from tests.support.builders import calm_face, happy_face, scene, write_y4m

pytestmark = pytest.mark.usefixtures("installed_web")

# A phone on its side, and a page of 1280x720 at 200 %.
LOW = [{"width": 844, "height": 390}, {"width": 640, "height": 360}]


@pytest.mark.parametrize("viewport", LOW, ids=["phone", "zoomed"])
def test_a_low_first_screen_holds_picture_headline_bars_and_button(page, viewport):
    page.set_viewport_size(viewport)
    page.evaluate("window.scrollTo(0, 0)")
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    for part in (".picture", ".start-here", ".headline", ".faces > .bars", ".wrong"):
        box = page.locator(f"#live-view {part}").first.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= viewport["height"], part
        assert box["x"] >= 0 and box["x"] + box["width"] <= viewport["width"], part
    words, button = (page.locator(f"#live-view {part}").bounding_box() for part in (".headline", ".side .wrong"))
    assert words["x"] + words["width"] <= button["x"]
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_a_second_face_moves_nothing_below_the_picture(open_page, tmp_path):
    one, two = scene([(happy_face(), 10, 60, 330)]), scene([(happy_face(), 10, 60, 330), (calm_face(), 360, 120, 260)])
    page = wait_until_loaded(open_page(write_y4m(tmp_path / "camera.y4m", [one] * 60 + [two] * 60)))
    start_button(page).click()
    others = page.locator("#live-view .others li:visible")
    for width, height in ((1280, 900), (1280, 720), (1100, 800), (768, 1024), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        places = []
        for count in (1, 0, 1):
            expect(others).to_have_count(count, timeout=PATIENCE_MS)
            places.append(page.locator("#live-view .suggestions").bounding_box()["y"])
        assert len(set(places)) == 1, width
        bar, entry = (others.locator(part).first.bounding_box() for part in (".bar", ".choose"))
        assert bar["height"] >= 3 and bar["width"] >= 50 and entry["height"] >= 24
        assert page.evaluate("document.documentElement.scrollWidth") <= width
