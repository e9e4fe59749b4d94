"""The live view with its engine on the server: chosen by a click, one state a visitor, and what it withstands."""

import base64
import re

import httpx
import pytest
from playwright.sync_api import Page, expect

import app
from face_expression import encode_jpeg
from space.live import files as live_files
from tests.support.browsing import PATIENCE_MS, headline, start_button, wait_until_loaded
from tests.support.builders import EXAMPLES, calm_face, happy_face, moving, scene

pytestmark = pytest.mark.usefixtures("installed_web")
HAPPY = encode_jpeg(scene([(happy_face(), 70, 30, 180)], width=320, height=240))


def choose_server(page: Page) -> Page:
    page.get_by_label("on the server").check()
    return page


def wait_for_answers(page: Page, count: int) -> None:
    page.evaluate(
        """([left, patienceMs]) => new Promise((resolve, reject) => {
            setTimeout(() => reject(new Error("no answer came")), patienceMs);
            document.querySelector('#live-view .live').parentElement.addEventListener('answer', () => {
                left -= 1;
                if (left === 0) resolve();
            });
        })""",
        [count, PATIENCE_MS],
    )


def is_frame(url: str) -> bool:
    return url.endswith("live/frames")


def test_frames_go_to_the_server_only_after_a_click(open_page, tmp_path):
    page = wait_until_loaded(open_page(moving(happy_face(), 60)))
    sent = []
    page.on("request", lambda request: sent.append(request.post_data_buffer or b"") if is_frame(request.url) else None)
    start_button(page).click()
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    assert sent == []
    choose_server(page)
    expect(page.locator("#live-view .privacy")).to_contain_text("go to the server")
    page.wait_for_function("() => document.querySelector('#live-view .headline').textContent.includes('happy')")
    expect(page.locator("#live-view .sentence")).to_contain_text("Of ten people")
    assert sent
    assert sent[-1].startswith(b"\xff\xd8") and len(sent[-1]) < 40_000
    # The overlay lies where the face is, though the server saw a smaller picture.
    box = page.evaluate(
        """() => new Promise((resolve) => document.querySelector('#live-view .live').parentElement.addEventListener(
            'answer', (event) => resolve(event.detail.faces[0].box), { once: true }))"""
    )
    assert 200 < box[0] < 320 < box[2] < 450 and 60 < box[1] < 200 < box[3] < 420
    page.get_by_label("on this device").check()
    # The first answer may be to a frame that was on its way to the server.
    wait_for_answers(page, 2)
    count = len(sent)
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    wait_for_answers(page, 5)
    assert len(sent) == count


def test_the_label_follows_and_a_lost_connection_comes_back(open_page, tmp_path):
    camera = moving(happy_face(), 30) + moving(calm_face(), 30)
    page = choose_server(wait_until_loaded(open_page(camera)))
    start_button(page).click()
    for _ in range(2):
        expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
        expect(headline(page)).not_to_contain_text("happy", timeout=PATIENCE_MS)
    problem = page.locator("#live-view .problem")
    page.context.set_offline(True)
    expect(problem).to_contain_text("Retrying every second", timeout=PATIENCE_MS)
    page.context.set_offline(False)
    expect(problem).to_have_text("", timeout=PATIENCE_MS)
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)


def test_while_another_tab_is_open_nothing_is_sent_and_a_sign_says_that_the_camera_is_on(open_page, tmp_path):
    camera = moving(happy_face(), 60)
    page = choose_server(wait_until_loaded(open_page(camera)))
    start_button(page).click()
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    sign = page.locator(".camera-sign")
    expect(sign).to_be_hidden()
    page.get_by_role("tab", name="Photo").click()
    expect(sign).to_be_visible()
    assert sign.evaluate("(sign) => [getComputedStyle(sign).position, getComputedStyle(sign).backgroundColor]") == [
        "fixed",
        "rgb(185, 28, 28)",
    ]
    page.locator("#photo-upload input[type=file]").set_input_files(EXAMPLES / "astronaut.jpg")
    expect(page.locator(".face-card")).to_contain_text("happy", timeout=PATIENCE_MS)
    # What was on its way when the tab was opened has come back by now.
    sent = []
    page.on("request", lambda request: sent.append(request.url) if is_frame(request.url) else None)
    page.wait_for_timeout(1000)
    assert sent == []
    page.get_by_role("tab", name="Live", exact=True).click()
    with page.expect_request(lambda request: is_frame(request.url), timeout=PATIENCE_MS):
        expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    expect(sign).to_be_hidden()
    page.get_by_role("tab", name="Video").click()
    sign.get_by_role("button", name="Stop the camera").click()
    expect(sign).to_be_hidden()
    assert page.evaluate("document.querySelector('#live-view video').srcObject") is None
    page.get_by_role("tab", name="Live", exact=True).click()
    expect(page.locator("#live-view .badge")).to_have_text("Demonstration, not you")


def test_it_never_falls_back_to_the_server_by_itself(open_page, playwright, browser_path, served_app, tmp_path):
    page = open_page(leave_blank=True)
    sent = []
    page.on("request", lambda request: sent.append(request.url) if is_frame(request.url) else None)
    page.route(re.compile("live/files/[0-9a-f]+/model"), lambda route: route.abort())
    page.goto(served_app[0])
    problem, again = page.locator("#live-view .problem"), page.get_by_role("button", name="Try again")
    expect(problem).to_contain_text('choose "on the server"', timeout=PATIENCE_MS)
    page.wait_for_timeout(1000)
    assert sent == []
    choose_server(page)
    expect(problem).to_have_text("")
    expect(again).to_be_hidden()
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    assert sent
    page.get_by_label("on this device").check()
    expect(problem).to_contain_text('choose "on the server"', timeout=PATIENCE_MS)
    # A camera may be started all the same, which does not hide what is wrong with the model.
    start_button(page).click()
    expect(start_button(page)).to_be_enabled()
    start_button(page).click()
    page.unroute_all()
    again.click()
    expect(problem).to_have_text("", timeout=PATIENCE_MS)
    expect(again).to_be_hidden()
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)


def test_without_the_web_files_the_server_is_all_there_is(open_page, yunet_pipeline, monkeypatch, tmp_path, caplog):
    monkeypatch.setattr(live_files, "VENDOR", tmp_path)
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    alone = app.build_app(yunet_pipeline)
    assert "run `make web`" in caplog.text
    app.launch(alone, prevent_thread_lock=True, quiet=True)
    try:
        page = open_page(address=alone.local_url)
        expect(page.get_by_label("on the server")).to_be_checked(timeout=PATIENCE_MS)
        expect(page.get_by_label("on this device")).to_be_disabled()
        expect(page.locator("#live-view .privacy")).to_contain_text("not available here")
        expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    finally:
        alone.close()


def test_over_plain_http_all_but_the_camera_works(open_page, yunet_pipeline, monkeypatch, tmp_path):
    """Browsers withhold much from pages that come from another machine over plain HTTP."""
    monkeypatch.setenv("ALLOWED_HOSTS", "plain.test")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    alone = app.build_app(yunet_pipeline)
    app.launch(alone, prevent_thread_lock=True, quiet=True)
    try:
        address = alone.local_url.replace("127.0.0.1", "plain.test")
        page = open_page(address=address, arguments=["--host-resolver-rules=MAP plain.test 127.0.0.1"])
        assert page.evaluate("[isSecureContext, 'randomUUID' in crypto]") == [False, False]
        problem = page.locator("#live-view .problem")
        for engine in ("on this device", "on the server"):
            page.get_by_label(engine).check()
            expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
            expect(problem).to_have_text("")
        expect(page.locator("#live-view .needs-https")).to_contain_text("HTTPS and localhost only")
        start_button(page).click()
        expect(problem).to_contain_text("browsers give the camera to HTTPS and localhost only")
        expect(start_button(page)).to_be_enabled()
        expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    finally:
        alone.close()


def test_haar_finds_faces_on_the_server(haar_pipeline, caplog):
    assert app.build_app(haar_pipeline).device_files == {} and "another detector is in use" in caplog.text


def send(address: str, jpeg: bytes = HAPPY, *, cookies: dict | None = None, **changes: str | None) -> httpx.Response:
    """What a program of its own can send to where the page sends its frames."""
    headers = {"Content-Type": "image/jpeg", "X-Visitor": "v", "X-Time-S": "1.0", "X-Scene": "0"}
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    given = {name: value for name, value in headers.items() if value is not None}
    return httpx.post(f"{address}live/frames", content=jpeg, headers=given, cookies=cookies, timeout=60)


@pytest.mark.parametrize(
    ("jpeg", "changes", "words"),
    [
        (b"", {}, "the file is empty"),
        (b"%%%", {}, "not a picture"),
        (HAPPY[:900], {}, "damaged"),
        (HAPPY, {"X_Time_S": "soon"}, "valid"),
        (HAPPY, {"X_Time_S": "nan"}, "finite"),
        (HAPPY, {"X_Time_S": None}, "required"),
        (HAPPY, {"X_Scene": "1.5"}, "valid"),
        (HAPPY, {"X_Scene": None}, "required"),
        (HAPPY, {"X_Visitor": None}, "required"),
        (HAPPY, {"X_Visitor": ""}, "1 to 64 letters"),
        (HAPPY, {"X_Visitor": "x" * 65}, "1 to 64 letters"),
    ],
)
def test_a_frame_that_cannot_be_used_is_answered(served_app, jpeg, changes, words):
    answer = send(served_app[0], jpeg, **changes)
    assert answer.status_code == 422 and words in answer.json()["refused"]


def test_a_frame_of_a_program_is_answered_as_the_pages_are(served_app):
    answer = send(served_app[0], X_Visitor="a program")
    assert answer.headers["Cache-Control"] == "private, no-store"
    (face,) = answer.json()["faces"]
    assert face["label"] == "happy" and face["reliable"] and face["track_id"] == 1
    assert sum(face["probabilities"]) == pytest.approx(1, abs=1e-4)
    assert (face["crop"]["width"], face["crop"]["height"]) == (48, 48)
    assert len(base64.b64decode(face["crop"]["data"])) == 48 * 48 * 3


def test_what_is_far_too_long_is_refused_before_it_is_read(served_app):
    assert send(served_app[0], bytes(400_000)).status_code == 413
    assert send(served_app[0], X_Visitor="a program", X_Time_S="9.0").json()["faces"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/json"}, 415),
        ({"Content_Type": None}, 415),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Host": "elsewhere.example"}, 403),
    ],
)
def test_pages_of_other_sites_cannot_send_frames(served_app, changes, status):
    assert send(served_app[0], **changes).status_code == status


def test_doors_of_gradio_that_nobody_needs_are_closed(served_app):
    for path in ("component_server", "component_server/", "process_recording", "process_recording/"):
        assert httpx.post(f"{served_app[0]}gradio_api/{path}", json={"data": {}}, timeout=60).status_code == 404


def test_frames_need_the_password_that_the_page_asks_for(yunet_pipeline, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    page = app.build_app(yunet_pipeline)
    app.launch(page, prevent_thread_lock=True, quiet=True, auth=("someone", "secret"))
    try:
        address = page.local_url
        assert send(address).status_code == 401
        assert send(address, cookies={f"access-token-{page.app.cookie_id}": "guessed"}).status_code == 401
        for password, status in (("wrong", 400), ("secret", 200)):
            entered = httpx.post(f"{address}login", data={"username": "someone", "password": password}, timeout=60)
            assert entered.status_code == status
        # A browser sends one of its two cookies over HTTPS only.
        assert send(address, cookies=dict(entered.cookies)).json()["faces"]
    finally:
        page.close(verbose=False)


def test_behind_a_proxy_that_serves_the_page_in_a_folder_frames_go_there(served_app):
    """All of the page's addresses are relative to its own."""
    config = httpx.get(f"{served_app[0]}config", timeout=60).json()
    (view,) = (part for part in config["components"] if part["props"].get("elem_id") == "live-view")
    assert '"frames": "live/frames"' in view["props"]["js_on_load"]
