"""Answers reach the page, though the end of its connection to the queue reaches it late."""

import base64
import json

import httpx
import pytest
from playwright.sync_api import Page, expect

from face_expression import encode_jpeg
from space.traffic import fair_queue
from tests.support.browsing import EXAMPLE, open_photo_tab
from tests.support.builders import happy_face, scene

# Two connections of a page are not in step: what is said last on one comes after an answer to a later question.
LATE_GOODBYE = """() => {
    const ask = window.fetch;
    window.goodbyes = 0;
    window.atGoodbye = () => undefined;
    window.fetch = async (...given) => {
        const answer = await ask(...given);
        if (!answer.url.includes("/queue/data")) return answer;
        const late = new TransformStream({
            async transform(part, to) {
                const start = part.lastIndexOf("data: ", part.indexOf("close_stream"));
                if (!part.includes("close_stream")) return to.enqueue(part);
                to.enqueue(part.slice(0, start));
                window.goodbyes += 1;
                window.atGoodbye();
                await new Promise((done) => setTimeout(done, 1200));
                to.enqueue(part.slice(start));
            },
        });
        const words = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(late);
        return new Response(words.pipeThrough(new TextEncoderStream()), answer);
    };
}"""


@pytest.fixture
def page(open_page, served_app) -> Page:
    page = open_page(live=False, leave_blank=True)
    page.add_init_script(f"({LATE_GOODBYE})()")
    page.goto(served_app[0])
    open_photo_tab(page)
    return page


def test_one_answer_leads_to_the_next_question(page):
    page.locator(EXAMPLE).first.click()
    expect(page.locator("#photo-summary")).to_contain_text("One face")
    expect(page.locator(".face-card")).to_have_count(1)


def test_a_question_at_the_moment_of_the_goodbye(page, monkeypatch):
    monkeypatch.setattr(fair_queue, "LINGER_S", 0.5)
    # The page has 1.2 s of it for the goodbye, and a busy machine takes its time.
    monkeypatch.setattr(fair_queue, "SETTLED_S", 15)
    page.locator(EXAMPLE).first.click()
    expect(page.locator("#photo-summary")).to_contain_text("One face")
    page.wait_for_function("() => window.goodbyes > 0")
    page.evaluate(f"() => {{ window.atGoodbye = () => document.querySelectorAll('{EXAMPLE}')[3].click(); }}")
    page.get_by_role("checkbox").filter(visible=True).first.check()
    expect(page.locator("#photo-summary")).to_contain_text("2 faces")
    expect(page.locator(".face-card")).to_have_count(2)


def test_a_program_that_asks_again_is_answered_on_the_connection_it_has(served_app):
    """gradio_client, by which MCP's tools are served, opens no other while it takes one for open."""
    api = f"{served_app[0]}gradio_api/"
    events = httpx.get(f"{served_app[0]}config", timeout=60).json()["dependencies"]
    number = next(event["id"] for event in events if event["api_name"] == "analyze_image")
    photo = base64.b64encode(encode_jpeg(scene([(happy_face(), 30, 60, 220)]))).decode()

    def ask() -> str:
        body = {"data": [photo], "fn_index": number, "session_hash": "program"}
        return httpx.post(f"{api}queue/join", json=body, timeout=60).raise_for_status().json()["event_id"]

    asked, answered = [ask()], []
    with httpx.stream("GET", f"{api}queue/data", params={"session_hash": "program"}, timeout=60) as messages:
        for line in messages.iter_lines():
            message = json.loads(line.removeprefix("data: ") or "{}")
            if message.get("msg") == "process_completed":
                answered.append(message["event_id"])
                if len(asked) == 2:
                    break
                asked.append(ask())
    assert answered == asked
