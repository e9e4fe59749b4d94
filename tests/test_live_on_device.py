"""The live view that runs in the visitor's browser, in real Chromium with a camera that plays real faces."""

import pytest
from playwright.sync_api import expect

import app
from tests.browsing import NARROW, PATIENCE_MS, picture_for_the_readme
from tests.builders import calm_face, happy_face, moving, write_y4m
from tests.conftest import skip_or_fail

FRAMES_A_FACE = 60

pytestmark = pytest.mark.usefixtures("installed_web")


@pytest.fixture(scope="module")
def installed_web():
    if not app.ONNX_RUNTIME.is_dir():
        skip_or_fail("web/node_modules is missing; with npm installed, run `make web`")


@pytest.fixture
def camera(tmp_path):
    faces = moving(happy_face(), FRAMES_A_FACE) + moving(calm_face(), FRAMES_A_FACE)
    return write_y4m(tmp_path / "camera.y4m", faces)


def wait_until_loaded(page):
    expect(start_button(page)).to_be_enabled(timeout=60_000)
    return page


def start_button(page):
    return page.locator("#live-device .start")


def headline(page):
    return page.locator("#live-device .headline")


def test_the_demonstration_runs_before_any_camera_is_asked_for(open_page, tmp_path):
    page = open_page()
    page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => { throw Error('asked too early') } }")
    wait_until_loaded(page)
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    expect(page.locator("#live-device .sentence")).to_contain_text("Of ten people")
    expect(page.locator("#live-device .person")).to_have_count(10)
    expect(page.get_by_text("demonstration with a photo")).to_be_visible()
    assert page.foreign_requests == []


def test_the_label_follows_the_camera_and_nothing_leaves_the_device(open_page, camera, tmp_path):
    page = wait_until_loaded(open_page(camera))
    # What Gradio keeps open is a stream of its own events, which began with the page.
    page.wait_for_timeout(1000)
    requests = []
    page.context.on("request", lambda request: requests.append(request.url))
    start_button(page).click()
    expect(page.get_by_text("demonstration with a photo")).to_be_hidden()
    for _ in range(2):
        expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
        expect(headline(page)).not_to_contain_text("happy", timeout=PATIENCE_MS)
    with picture_for_the_readme(page, "live.png", tmp_path):
        expect(headline(page)).to_contain_text("neutral", timeout=PATIENCE_MS)
    page.context.set_offline(True)
    for _ in range(2):
        expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
        expect(headline(page)).not_to_contain_text("happy", timeout=PATIENCE_MS)
    values = [int(text.split()[0]) for text in page.locator("#live-device .bars b").all_inner_texts()]
    assert len(values) == 7 and 97 <= sum(values) <= 103
    assert (
        page.evaluate(
            "document.querySelector('#live-device .seen canvas').getContext('2d').getImageData(24, 24, 1, 1).data[3]"
        )
        == 255
    )
    assert [url for url in requests if "/live/" in url or not url.startswith(("http://127", "http://localhost"))] == []
    assert not any("upload" in url or "run/predict" in url or "queue/join" in url for url in requests)
    start_button(page).click()
    expect(start_button(page)).to_have_text("Use my camera")
    expect(page.get_by_text("demonstration with a photo")).to_be_visible()


def test_without_a_camera_it_says_what_to_do(open_page):
    page = wait_until_loaded(open_page())
    start_button(page).click()
    expect(page.locator("#live-device .problem")).to_contain_text("then try again")
    expect(start_button(page)).to_have_text("Use my camera")
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)


def test_it_fits_a_phone(open_page, tmp_path):
    page = wait_until_loaded(open_page(viewport=NARROW))
    with picture_for_the_readme(page, "phone.png", tmp_path):
        expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_without_the_web_files_the_basic_view_is_offered_alone(
    haar_pipeline, yunet_pipeline, monkeypatch, tmp_path, caplog
):
    page = app.build_app(haar_pipeline)
    assert page.device_files == {} and "another detector is in use" in caplog.text
    monkeypatch.setattr(app, "ONNX_RUNTIME", tmp_path)
    page = app.build_app(yunet_pipeline)
    assert page.device_files == {} and "run `make web`" in caplog.text
    tabs = [block.label for block in page.blocks.values() if type(block).__name__ == "Tab"]
    assert tabs == ["Live", "Photo"]
