"""What stands around the live view, and in Photo and Video, in German: nothing of the English page is left."""

import re

from playwright.sync_api import Page, expect

from tests.support.browsing import EXAMPLE, PATIENCE_MS, wait_until

# The same in both languages: names, and words that are German, too.
SAME = {"live emotion detector", "live", "video", "neutral", "logo", "broken", "broken.mp4", ".mp4"} | {
    f"person {number}" for number in (1, 2, 3)
}
# Gradio shows a text's key, such as "common.complete", as long as its own table is on its way.
GRADIO_KEY = re.compile(r"[a-z_]+\.[a-z_]+")
TEXTS = """() => {
    const left = "#live-view, script, style, noscript, textarea, input";
    const found = new Set();
    const add = (words) => /[a-z]{3}/i.test(words) && found.add(words.trim().replace(/\\s+/g, " ").toLowerCase());
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const holder = node.parentElement;
        if (!holder.closest(left) && holder.checkVisibility()) add(node.data);
    }
    for (const part of document.querySelectorAll("[aria-label], [title], [placeholder]")) {
        if (part.closest(left) || !part.checkVisibility()) continue;
        for (const name of ["aria-label", "title", "placeholder"]) add(part.getAttribute(name) ?? "");
    }
    return [...found];
}"""


def visit(page: Page, broken: dict, percent: str) -> set[str]:
    """All that a visitor reads there: tabs, notices, answers to a photo and a video, and two refusals."""
    tabs = page.get_by_role("tab")
    expect(tabs.nth(2)).to_be_visible(timeout=PATIENCE_MS)
    expect(page.locator("#notice")).to_be_visible(timeout=PATIENCE_MS)
    seen = set(page.evaluate(TEXTS))
    tabs.nth(1).click()
    seen |= set(page.evaluate(TEXTS))
    examples = page.locator(EXAMPLE)
    for number, cards in ((1, 1), (3, 2)):
        examples.nth(number).click()
        expect(page.locator(".face-card")).to_have_count(cards, timeout=PATIENCE_MS)
        expect(page.locator("#photo-summary strong")).to_be_visible()
        page.get_by_role("checkbox").filter(visible=True).first.check()
        expect(page.locator("#photo-suggestion p").first).to_be_visible()
        seen |= set(page.evaluate(TEXTS))
    shares = re.findall(r"\d+\W?%", " ".join(page.locator(".face-card").all_inner_texts()))
    assert len(shares) > 14 and all(re.fullmatch(percent, share) for share in shares), shares
    tabs.nth(2).click()
    seen |= set(page.evaluate(TEXTS))
    page.locator("#video-example").click()
    expect(page.locator("#video-result video")).to_be_attached(timeout=3 * PATIENCE_MS)
    expect(page.locator(".video-person").nth(2)).to_be_visible(timeout=PATIENCE_MS)
    seen |= set(page.evaluate(TEXTS))
    page.locator("#video-upload input[type=file]").set_input_files(broken)
    expect(page.locator("#video-status strong")).to_contain_text(
        re.compile("This file|Diese Datei"), timeout=PATIENCE_MS
    )
    return seen | set(page.evaluate(TEXTS))


def check_the_address_decides(page: Page, address: str, english: set[str]) -> None:
    """Gradio's own words are English, too, in a German browser that was asked for English."""
    page.goto(f"{address}?lang=en")
    page.get_by_role("tab", name="Photo").click()
    expect(page.locator("#photo-upload")).to_contain_text("Click to Upload", timeout=PATIENCE_MS)

    def others() -> set[str]:
        # Without the live view, Live (basic) is there instead.
        return {text for text in page.evaluate(TEXTS) if text not in english and "basic" not in text}

    assert len(page.evaluate(TEXTS)) > 20 and wait_until(lambda: not others()), others()
    page.context.close()


def test_no_english_is_left_on_the_german_page(open_page, served_app):
    broken = {"name": "broken.mp4", "mimeType": "video/mp4", "buffer": b"no video"}
    page = open_page(locale="en-GB")
    assert page.locator("html").get_attribute("lang") == "en"
    english = visit(page, broken, r"\d+%")
    page.context.close()
    check_the_address_decides(open_page(locale="de-DE", live=False, leave_blank=True), served_app[0], english)
    page = open_page(leave_blank=True)
    page.goto(f"{served_app[0]}?lang=de")
    german = visit(page, broken, "\\d+\u00a0%")
    assert page.locator("html").get_attribute("lang") == "de"
    assert len(english) > 60 and "this expression looks" in english and "dieser ausdruck wirkt" in german
    assert "nicht sicher:" in german and "diese datei geht nicht:" in german
    left = sorted(text for text in (english & german) - SAME if not GRADIO_KEY.fullmatch(text))
    assert not left, left
