"""Where the parts of the live view lie: whatever camera and screen, the boxes lie over the faces."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import (
    NARROW,
    PATIENCE_MS,
    WIDE,
    headline,
    start_button,
)

pytestmark = pytest.mark.usefixtures("installed_web")

WIDTHS = (320, 390, 768, 1280, 1920)
SHAPES = {"16:9": (640, 360), "9:16": (360, 640), "4:3": (640, 480), "1:1": (480, 480)}

# A camera of another shape than Chromium's own.
CAMERA = """([width, height]) => {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    setInterval(() => {
        context.fillStyle = `hsl(${Date.now() / 20} 50% 50%)`;
        context.fillRect(0, 0, width, height);
    }, 50);
    navigator.mediaDevices.getUserMedia = async () => canvas.captureStream(20);
}"""
PLACES = """() => {
    const [video, overlay, stage] = ["video", ".overlay", ".stage"].map((selector) => {
        const element = document.querySelector(`#live-view ${selector}`);
        const { x, y, width, height } = element.getBoundingClientRect();
        const pixels = [element.videoWidth ?? element.width, element.videoHeight ?? element.height];
        return { x, y, width, height, pixels };
    });
    return { video, overlay, stage, page: document.documentElement.scrollWidth };
}"""


def start_camera(page: Page, size: tuple[int, int]) -> None:
    page.evaluate(CAMERA, size)
    start_button(page).click()
    page.wait_for_function(
        """([width, height]) => {
            const overlay = document.querySelector("#live-view .overlay");
            return overlay.width === width && overlay.height === height;
        }""",
        arg=size,
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_the_overlay_lies_over_the_video(page, shape):
    size = SHAPES[shape]
    start_camera(page, size)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        places = page.evaluate(PLACES)
        video, overlay = places["video"], places["overlay"]
        assert video == overlay and video["pixels"] == list(size)
        assert video["width"] / video["height"] == pytest.approx(size[0] / size[1], rel=0.01)
        assert places["stage"]["x"] <= video["x"] and video["width"] <= places["stage"]["width"]
        assert 120 <= video["height"] <= 800, "all of the picture can be seen at once"
        assert places["page"] <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_no_label_lies_over_the_words_demonstration(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    expect(headline(page)).to_contain_text("%", timeout=PATIENCE_MS)
    picture, badge = (page.locator(f"#live-view {selector}").bounding_box() for selector in (".overlay", ".badge"))
    assert badge["y"] >= picture["y"] + picture["height"] and badge["height"] > 0


@pytest.mark.parametrize("viewport", [NARROW, {"width": 768, "height": 1024}, WIDE, {"width": 1920, "height": 1080}])
def test_the_first_screen_holds_picture_headline_bars_and_button(page, viewport):
    page.set_viewport_size(viewport)
    page.evaluate("window.scrollTo(0, 0)")
    expect(headline(page)).to_contain_text("%", timeout=PATIENCE_MS)
    for part in (".picture", ".start-here", ".headline", ".faces > .bars"):
        box = page.locator(f"#live-view {part}").bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= viewport["height"], part
        assert box["x"] >= 0 and box["x"] + box["width"] <= viewport["width"], part


def test_the_countdown_lies_on_the_picture(page):
    start_camera(page, SHAPES["4:3"])
    expect(headline(page)).to_have_text("No face in view.", timeout=PATIENCE_MS)
    page.locator("#live-view .personal .take-none").click()
    expect(page.locator("#live-view .personal-countdown")).to_be_visible()
    picture, words = page.evaluate(
        """() => [".picture", ".personal-countdown"].map((part) => {
            const { left, top, right, bottom } = document.querySelector(`#live-view ${part}`).getBoundingClientRect();
            return [left, top, -right, -bottom];
        })"""
    )
    assert all(outer <= inner + 1 for outer, inner in zip(picture, words, strict=True)), (picture, words)
