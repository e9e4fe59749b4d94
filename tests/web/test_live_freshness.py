"""What the live view says is true now: nothing of an answer older than a second is shown."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import PATIENCE_MS, headline, start_button, wait_until_loaded
from tests.support.builders import happy_face, moving, scene

pytestmark = pytest.mark.usefixtures("installed_web")

# What the page shows of a face, part by part: true where it shows something.
SHOWN = """() => {
    const find = (selector) => document.querySelector(`#live-view ${selector}`);
    const isDrawn = (canvas) => canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data
        .some((value, at) => at % 4 === 3 && value > 0);
    return {
        box: isDrawn(find(".overlay")), crop: isDrawn(find(".seen canvas")), people: Boolean(find(".person")),
        headline: find(".headline").textContent, spoken: find(".spoken").textContent,
        sentence: find(".sentence").textContent, figures: find(".figures").textContent,
        bars: find(".bars").textContent.replace(/angry|disgust|fear|happy|sad|surprise|neutral/g, ""),
        lengths: [...document.querySelectorAll("#live-view .bars i")].some((bar) => parseFloat(bar.style.width) > 0),
        suggestion: !find(".suggestions .shown").hidden,
    };
}"""


def wait_until_shown(page: Page, *, but_for: tuple[str, ...] = ()) -> None:
    """All of a face is shown, but for some parts; its box may be missing, too, where frames take long."""
    page.wait_for_function(
        f"(left) => Object.entries(({SHOWN})()).every(([part, shown]) => shown || left.includes(part))",
        arg=["box", *but_for],
        timeout=PATIENCE_MS,
    )


def wait_until_empty(page: Page, *, but_for: dict[str, str] | None = None) -> None:
    """Nothing of a face is shown any more, but for some parts, whose words are given."""
    left = but_for or {}
    page.wait_for_function(
        f"""(left) => Object.entries(({SHOWN})()).every(
            ([part, shown]) => part in left ? String(shown).includes(left[part]) : !shown)""",
        arg=left,
        timeout=PATIENCE_MS,
    )


def suggest(page: Page) -> None:
    page.locator("#live-view .suggestions").get_by_role("switch").check()


@pytest.mark.parametrize("ends", ["refuses connections", "hangs"])
def test_answers_of_a_server_that_died_are_not_shown(open_page, ends):
    page = wait_until_loaded(open_page(moving(happy_face(), 60)))
    page.get_by_label("on the server").check()
    start_button(page).click()
    # A suggestion needs two seconds without a gap, which a server on a busy machine cannot promise.
    wait_until_shown(page, but_for=("suggestion",))
    waiting = []
    frames = re.compile("live/frames")
    page.route(frames, lambda route: route.abort() if ends == "refuses connections" else waiting.append(route))
    wait_until_empty(page)
    expect(page.locator("#live-view .problem")).to_contain_text("every second")
    wait_until_empty(page)
    for route in waiting:
        route.abort()
    page.unroute(frames)
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    expect(page.locator("#live-view .problem")).to_have_text("")


# How long nobody has been searched for at most, in seconds, since then.
LONGEST_PAUSE = """() => {
    window.longestPause = 0;
    let before = Infinity;
    const view = document.querySelector("#live-view .live").parentElement;
    view.addEventListener("answer", ({ detail: { timeS, faces } }) => {
        if (!faces.length) window.longestPause = Math.max(longestPause, timeS - before);
        before = faces.length ? Infinity : timeS;
    });
}"""


def test_nothing_is_shown_of_a_face_that_went_away(open_page, tmp_path):
    # A suggestion needs two seconds of the same face, which must not end with the face on a busy machine.
    frames = moving(happy_face(), 300) + [scene([])] * 600
    page = wait_until_loaded(open_page(frames))
    start_button(page).click()
    suggest(page)
    wait_until_shown(page)
    wait_until_empty(page, but_for={"headline": "No face in view.", "spoken": "", "figures": "frames/s"})
    # After three seconds a new one is searched for less often, where nothing moves more seldom still, and seen all the
    # same.
    page.evaluate(LONGEST_PAUSE)
    page.wait_for_function("longestPause > 2.5", timeout=PATIENCE_MS)
    expect(page.locator("#live-view .headline")).to_have_text("No face in view.")
    wait_until_shown(page, but_for=("suggestion",))


def test_nothing_is_shown_of_the_demonstration_once_the_camera_is_on(open_page, tmp_path):
    page = wait_until_loaded(open_page([scene([])] * 20))
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    start_button(page).click()
    expect(headline(page)).to_have_text("No face in view.", timeout=PATIENCE_MS)
    wait_until_empty(page, but_for={"headline": "No face in view.", "spoken": "", "figures": "frames/s"})


def test_the_servers_demonstration_ends_with_the_picture_and_the_box(open_page, served_app):
    page = open_page(leave_blank=True)
    page.clock.install()
    page.goto(served_app[0])
    wait_until_loaded(page)
    page.get_by_label("on the server").check()
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    page.clock.fast_forward(61_000)
    expect(page.locator("#live-view .badge")).to_have_text("Demonstration, not you (paused)")
    wait_until_empty(page)
    picture = "document.querySelector('#live-view .demo').toDataURL()"
    before = page.evaluate(picture)
    page.evaluate("() => new Promise((resolve) => setTimeout(resolve, 500))")
    assert page.evaluate(picture) == before
    page.get_by_label("on this device").check()
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    expect(page.locator("#live-view .badge")).to_have_text("Demonstration, not you")
