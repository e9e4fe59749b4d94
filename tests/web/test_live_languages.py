"""The live view in English and German, from one table."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import NARROW, PATIENCE_MS, headline, start_button, wait_until_loaded
from tests.support.builders import calm_face, moving

pytestmark = pytest.mark.usefixtures("installed_web")

MISSING = """async () => {
    const modules = performance.getEntriesByType('resource').map(({ name }) => name);
    const texts = await import(modules.find((name) => name.endsWith('/texts.js')));
    return [...texts.missing];
}"""


def language(page: Page) -> str:
    return page.locator("#live-view .live").get_attribute("lang")


def test_the_browser_decides_and_the_address_changes_it(open_page, served_app):
    page = wait_until_loaded(open_page(locale="de-DE"))
    assert language(page) == "de"
    page.goto(f"{served_app[0]}?lang=en")
    assert language(wait_until_loaded(page)) == "en"
    expect(start_button(page)).to_have_text("Use my camera")


def test_a_view_that_cannot_be_loaded_says_so_in_german(open_page, served_app):
    page = open_page(leave_blank=True)
    page.route("**/live/modules/**/page.js", lambda route: route.abort())
    page.goto(f"{served_app[0]}?lang=de")
    expect(page.locator("#live-view")).to_contain_text("Diese Ansicht kann nicht geladen werden:")
    expect(page.locator("#live-view")).to_contain_text("Der Reiter „Live (einfach)“ geht vielleicht.")


def test_every_text_is_german(open_page, served_app, tmp_path):
    camera = moving(calm_face(), 40)
    page = open_page(camera, viewport=NARROW, leave_blank=True)
    page.goto(f"{served_app[0]}?lang=de")
    wait_until_loaded(page)
    expect(headline(page)).to_contain_text("fröhlich", timeout=PATIENCE_MS)
    expect(page.locator("#live-view .spoken")).to_contain_text("Vorführung: sieht")
    view = page.locator("#live-view")
    view.get_by_role("button", name="Meine Kamera benutzen").click()
    expect(view.locator(".badge")).to_have_text("Ihre Kamera", timeout=PATIENCE_MS)
    expect(headline(page)).to_contain_text("neutral", timeout=PATIENCE_MS)
    expect(view.locator(".sentence")).to_contain_text("Von zehn Menschen")
    for part, shown in ((".headline", "neutral \\d+"), (".faces > .bars b", "\\d+")):
        page.wait_for_function(
            "([part, shown]) => RegExp(shown).test(document.querySelector(`#live-view ${part}`).textContent)",
            arg=[part, f"^{shown}\u00a0%$"],
        )
    view.get_by_role("button", name="Spielen").click()
    expect(view.locator(".game .status")).to_contain_text("Machen Sie dieses Gesicht", timeout=PATIENCE_MS)
    view.get_by_role("button", name="Zurück zur Live-Ansicht").click()
    expect(view.locator(".faces > .bars dt")).to_have_text(
        ["wütend", "Ekel", "Angst", "fröhlich", "traurig", "Überraschung", "neutral"]
    )
    teach = view.locator(".teach")
    teach.get_by_role("button", name="Dieses Gesicht behalten").click()
    teach.get_by_role("button", name="traurig", exact=True).click()
    expect(teach.locator(".kept li")).to_have_text("traurigEntfernen")
    teach.get_by_role("button", name="Das als traurig behaltene Gesicht entfernen").click()
    expect(teach.locator(".status")).to_contain_text("Entfernt.")
    damaged = {"name": "kaputt.json", "mimeType": "application/json", "buffer": b"{"}
    view.locator(".personal .load").set_input_files(damaged)
    refused = "kaputt.json wird nicht benutzt: sie ist beschädigt: kein JSON."
    expect(view.locator(".personal > .status")).to_have_text(refused)
    assert page.evaluate(MISSING) == []
    words = view.inner_text()
    for english in ("What ", "Your ", "Delete", "Download", "camera", "nothing is", "expression"):
        assert english not in words, english
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
