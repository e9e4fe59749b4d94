"""What the live view shows before any camera: faces that are nobody's, with the engine's own answers."""

import pytest
from playwright.sync_api import expect

from tests.support.browsing import PATIENCE_MS, headline, start_button, wait_until_loaded
from tests.support.builders import calm_face, moving

pytestmark = pytest.mark.usefixtures("installed_web")

SCENE_MS = 5000
# What was answered since, in all: `seen.labels`, `seen.most` faces at once, `seen.unsure`.
WATCH = """() => {
    window.seen = { labels: [], most: 0, unsure: false, live: false };
    document.querySelector('#live-view .live').parentElement.addEventListener('answer', ({ detail }) => {
        seen.live ||= detail.live;
        seen.most = Math.max(seen.most, detail.faces.length);
        for (const face of detail.faces) face.reliable ? seen.labels.push(face.label) : (seen.unsure = true);
    });
}"""


def test_it_shows_expressions_a_not_sure_and_two_faces(open_page, served_app):
    page = open_page(leave_blank=True)
    page.clock.install()
    page.goto(served_app[0])
    wait_until_loaded(page).evaluate(WATCH)
    # One scene after the other, each as soon as the one before it has been answered.
    for answered in (
        "seen.labels.includes('happy')",
        "seen.labels.includes('surprise')",
        "seen.labels.includes('sad')",
        "seen.most === 2",
        "seen.labels.includes('angry')",
        "seen.unsure",
    ):
        page.wait_for_function(answered)
        page.clock.fast_forward(SCENE_MS)
    seen = page.evaluate("seen")
    assert len(set(seen["labels"])) >= 5 and seen["most"] == 2 and not seen["live"]
    minute = page.locator("#live-view .minute")
    expect(minute.get_by_role("heading")).to_have_text("The last minute (demonstration)")
    assert page.locator("#live-view .nothing").is_visible(), "it is not counted"


def test_it_cannot_be_taken_for_the_visitor(open_page, tmp_path):
    page = wait_until_loaded(open_page(moving(calm_face(), 40)))
    badge, spoken = page.locator("#live-view .badge"), page.locator("#live-view .spoken")
    expect(page.get_by_role("img", name="Demonstration with a photo and drawn faces: not you")).to_be_visible()
    expect(badge).to_have_text("Demonstration, not you")
    expect(spoken).to_contain_text("Demonstration: looks", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Start my camera").click()
    expect(badge).to_have_text("Your camera", timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Start my camera")).to_be_hidden()
    expect(spoken).to_have_text("looks neutral", timeout=PATIENCE_MS)
    expect(page.locator("#live-view .of-demo")).to_have_text("")
    start_button(page).click()
    expect(badge).to_have_text("Demonstration, not you")


def test_pictures_that_are_sent_are_counted(open_page):
    page = wait_until_loaded(open_page())
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.url.endswith("live/frames") else None)
    count = page.locator("#live-view .sent")
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    expect(page.get_by_role("heading", name="Switch off your network: it goes on.")).to_be_visible()
    expect(count).to_have_text("0")
    assert sent == []
    page.get_by_label("on the server").check()
    expect(count).not_to_have_text("0", timeout=PATIENCE_MS)
    page.get_by_label("on this device").check()
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    assert int(count.inner_text()) == len(sent) > 0


def test_it_pauses_out_of_sight_and_by_itself(open_page, served_app):
    page = open_page(leave_blank=True)
    page.clock.install()
    page.goto(served_app[0])
    wait_until_loaded(page)
    badge = page.locator("#live-view .badge")
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    expect(badge).to_have_text("Demonstration, not you (paused)", timeout=PATIENCE_MS)
    expect(headline(page)).to_have_text("", timeout=PATIENCE_MS)
    page.evaluate("window.scrollTo(0, 0)")
    expect(badge).to_have_text("Demonstration, not you", timeout=PATIENCE_MS)
    page.clock.fast_forward(181_000)
    expect(badge).to_have_text("Demonstration, not you (paused)", timeout=PATIENCE_MS)
    page.locator("#live-view .overlay").click(position={"x": 5, "y": 5})
    expect(badge).to_have_text("Demonstration, not you", timeout=PATIENCE_MS)
    expect(headline(page)).to_contain_text("%", timeout=PATIENCE_MS)
