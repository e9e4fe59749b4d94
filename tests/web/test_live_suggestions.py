"""Suggestions in the live view and of a photo, in real Chromium with a camera that plays real faces."""

import pytest
from playwright.sync_api import expect

from space.suggestions import load_suggestions
from tests.support.browsing import (
    NARROW,
    PATIENCE_MS,
    headline,
    open_photo_tab,
    start_button,
    upload_photo,
    wait_until_loaded,
)
from tests.support.builders import happy_face, happy_photo, moving, save, scene

pytestmark = pytest.mark.usefixtures("installed_web")

# Notes the text of the panel at each answer; the panel has got the answer before this.
WATCH = """() => {
    window.noted = [];
    const live = document.querySelector("#live-view .live");
    const panel = live.querySelector(".suggestions");
    live.parentElement.addEventListener("answer", ({ detail }) => {
        const [face] = detail.faces;
        const sure = Boolean(detail.live && face?.reliable && face.confidence >= 0.6);
        noted.push({ timeS: detail.timeS, label: sure ? face.label : null, text: panel.innerText });
    });
}"""


def panel(page):
    return page.locator("#live-view .suggestions")


def switch(page):
    return panel(page).get_by_role("switch")


def text_of(page):
    """What is to be read in the panel now."""
    return panel(page).inner_text()


def watch(page, *, until, doing=lambda: None):
    """Do something and let answers come until a condition on those `noted` holds; the oldest is first."""
    page.evaluate("noted.length = 0")
    doing()
    page.wait_for_function(f"noted.length > 2 && {until}", timeout=PATIENCE_MS)
    return page.evaluate("noted")


# The demonstration pauses out of sight, and so nothing may be.
TALL = {**NARROW, "height": 4000}
MORE_THAN_TWO_SECONDS = "noted.at(-1).timeS - noted[0].timeS > 2.5"


def test_a_suggestion_comes_when_switched_on_and_after_two_seconds_and_stays_for_a_glance(open_page, tmp_path):
    # Long enough for two seconds of answers that all see it, on a busy machine, too.
    frames = moving(happy_face(), 240) + [scene([])] * 10
    page = wait_until_loaded(open_page(frames, viewport=TALL))
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    page.evaluate(WATCH)
    expect(switch(page)).not_to_be_checked()
    switch(page).press("Space")
    hint = text_of(page)
    assert "A suggestion appears once your camera is on" in hint
    demonstration = watch(page, until=MORE_THAN_TWO_SECONDS)
    assert {answer["text"] for answer in demonstration} == {hint}

    switch(page).press("Space")
    watch(page, doing=start_button(page).click, until="noted.at(-1).label === 'happy'")
    switched_off = watch(page, until=MORE_THAN_TWO_SECONDS)
    assert {answer["text"] for answer in switched_off} == {text_of(page)}
    assert "A suggestion" not in text_of(page) and "Your expression" not in text_of(page)

    switched_on = watch(
        page,
        doing=lambda: switch(page).press("Space"),
        until="noted.at(-1).text.includes('Your expression looks happy.')",
    )
    shown_s = next(answer["timeS"] for answer in switched_on if "Your expression" in answer["text"])
    assert shown_s - switched_on[0]["timeS"] >= 2
    assert {answer["label"] for answer in switched_on if shown_s - 2 <= answer["timeS"] <= shown_s} == {"happy"}

    suggestion = text_of(page)
    entries = load_suggestions().as_json()["expressions"]["happy"]
    assert any(line in suggestion for line in entries["lines"])
    assert any(f"Something to do: {activity}" in suggestion for activity in entries["activities"])
    link = panel(page).get_by_role("link")
    music = next(music for music in entries["music"] if link.inner_text().startswith(f"{music['search']} ("))
    assert link.inner_text() == f"{music['search']} (opens a new tab: YouTube search)"
    attributes = [link.get_attribute(name) for name in ("href", "target", "rel")]
    assert attributes == [music["link"], "_blank", "noopener noreferrer"]
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]

    glance = watch(page, until="noted.some(({ label }) => label === null) && noted.at(-1).label === 'happy'")
    assert {answer["text"] for answer in glance} == {suggestion}
    switch(page).press("Space")
    assert "Your expression" not in text_of(page)
    assert page.foreign_requests == []


def test_a_photo_gets_a_suggestion_only_when_switched_on(open_page, tmp_path):
    page = open_page()
    open_photo_tab(page)
    suggestion = page.locator("#photo-suggestion")
    upload_photo(page, save(happy_photo(), tmp_path / "happy.png"))
    expect(page.locator("#photo-summary")).to_contain_text("One face")
    expect(suggestion).to_be_hidden()
    page.get_by_label("Suggest something for the largest face").check()
    expect(suggestion).to_contain_text("Your expression looks happy.")
    link = suggestion.get_by_role("link", name="(opens a new tab: YouTube search)")
    assert link.get_attribute("href").startswith("https://www.youtube.com/results?search_query=")
    assert (link.get_attribute("target"), link.get_attribute("rel")) == ("_blank", "noopener noreferrer")
    upload_photo(page, save(happy_photo() // 8, tmp_path / "dark.png"))
    expect(suggestion).to_have_text("There is no suggestion: no face here shows one clear expression.")
    page.get_by_label("Suggest something for the largest face").uncheck()
    expect(suggestion).to_be_hidden()
    assert page.foreign_requests == []
