"""The live view that runs in the visitor's browser, in real Chromium with a camera that plays real faces."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import (
    NARROW,
    PATIENCE_MS,
    headline,
    in_turn,
    picture_for_the_readme,
    start_button,
    wait_until,
    wait_until_loaded,
)
from tests.support.builders import calm_face, happy_face, moving, scene

FRAMES_A_FACE = 30

pytestmark = pytest.mark.usefixtures("installed_web")


@pytest.fixture(scope="module")
def loaded_page_of_both(open_shared_page) -> Page:
    faces = moving(happy_face(), FRAMES_A_FACE) + moving(calm_face(), FRAMES_A_FACE)
    return wait_until_loaded(open_shared_page(faces))


@pytest.fixture
def page_of_both(loaded_page_of_both) -> Iterator[Page]:
    """The live view with a camera that shows somebody happy and somebody calm by turns."""
    with in_turn(loaded_page_of_both) as page:
        yield page


@pytest.fixture(scope="module")
def page_of_two(open_shared_page) -> Page:
    """The live view with its camera on, which shows two people."""
    two = scene([(happy_face(), 10, 60, 330), (calm_face(), 360, 120, 260)])
    page = wait_until_loaded(open_shared_page([two] * 20))
    start_button(page).click()
    expect(page.locator("#live-view .others li:visible")).to_have_count(1)
    return page


def test_the_demonstration_runs_before_any_camera_is_asked_for(open_page, tmp_path):
    page = open_page()
    page.evaluate("() => { navigator.mediaDevices.getUserMedia = () => { throw Error('asked too early') } }")
    wait_until_loaded(page)
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    expect(page.locator("#live-view .sentence")).to_contain_text("Of ten people")
    expect(page.locator("#live-view .person")).to_have_count(10)
    expect(page.get_by_text("Demonstration, not you")).to_be_visible()
    assert page.foreign_requests == []


BARS_AND_CROP_ARE_SHOWN = """() => {
    const find = (selector) => [...document.querySelectorAll(`#live-view ${selector}`)];
    const values = find(".bars b").map(({ textContent }) => parseInt(textContent));
    const sum = values.reduce((before, value) => before + value, 0);
    const [opacity] = find(".seen canvas")[0].getContext("2d").getImageData(24, 24, 1, 1).data.slice(3);
    return values.length === 7 && sum >= 97 && sum <= 103 && opacity === 255;
}"""


def test_the_label_follows_the_camera_and_nothing_leaves_the_device(page_of_both):
    page = page_of_both
    # What Gradio keeps open is a stream of its own events, which began with the page.
    page.wait_for_load_state("load")
    requests = []
    page.context.on("request", lambda request: requests.append(request.url))
    start_button(page).click()
    expect(page.get_by_text("Demonstration, not you")).to_be_hidden()
    for _ in range(2):
        expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
        expect(headline(page)).to_contain_text("neutral", timeout=PATIENCE_MS)
    page.context.set_offline(True)
    for _ in range(2):
        expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
        expect(headline(page)).to_contain_text("neutral", timeout=PATIENCE_MS)
    # On a slow machine an answer is gone before the next one comes; then there are no numbers for a moment.
    page.wait_for_function(BARS_AND_CROP_ARE_SHOWN)
    assert [url for url in requests if "/live/" in url or not url.startswith(("http://127", "http://localhost"))] == []
    assert not any("upload" in url or "run/predict" in url or "queue/join" in url for url in requests)
    page.context.set_offline(False)
    start_button(page).click()
    expect(start_button(page)).to_have_text("Use my camera")
    expect(page.get_by_text("Demonstration, not you")).to_be_visible()


def test_without_a_camera_it_says_what_to_do(page):
    start_button(page).click()
    expect(page.locator("#live-view .problem")).to_contain_text("then try again")
    expect(start_button(page)).to_have_text("Use my camera")
    expect(headline(page)).to_contain_text("%", timeout=PATIENCE_MS)


def test_it_fits_a_phone(page, tmp_path):
    page.set_viewport_size(NARROW)
    with picture_for_the_readme(page, "phone.png", tmp_path):
        expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        ("NotAllowedError", "Allow it in the browser's address bar"),
        ("NotReadableError", "in use by another program"),
        ("NotFoundError", "Connect one"),
        # WebKit's, where there is no camera at all.
        ("OverconstrainedError", "No camera was found"),
    ],
)
def test_a_camera_that_cannot_be_had_is_explained(page, error, advice):
    page.evaluate(
        "(name) => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', name) } }", error
    )
    start_button(page).click()
    expect(page.locator("#live-view .problem")).to_contain_text(advice)
    expect(start_button(page)).to_have_text("Use my camera")


def test_an_unplugged_camera_is_reported_and_can_be_started_again(page_of_both):
    page = page_of_both
    start_button(page).click()
    expect(page.get_by_text("Demonstration, not you")).to_be_hidden()
    page.evaluate(
        """() => { const [track] = document.querySelector('#live-view video').srcObject.getVideoTracks();
            track.stop(); track.dispatchEvent(new Event('ended')); }"""
    )
    expect(page.locator("#live-view .problem")).to_contain_text("disconnected")
    expect(page.get_by_text("Demonstration, not you")).to_be_visible()
    start_button(page).click()
    expect(page.locator("#live-view .problem")).to_have_text("")
    expect(headline(page)).not_to_contain_text("happy", timeout=PATIENCE_MS)


ASKED = """() => { const asked = [], media = navigator.mediaDevices, ask = media.getUserMedia.bind(media);
    media.getUserMedia = (wanted) => { asked.push(wanted.video); return ask(wanted) };
    return asked; }"""
RUNNING = "document.querySelector('#live-view video').srcObject?.getVideoTracks()[0].label"


def camera_list(page):
    return page.get_by_label("Camera", exact=True)


def test_with_several_cameras_one_chooses_by_name(open_page):
    page = wait_until_loaded(open_page(cameras=3))
    asked = page.evaluate_handle(ASKED)
    expect(camera_list(page)).to_be_hidden()
    start_button(page).click()
    expect(camera_list(page)).to_be_visible(timeout=PATIENCE_MS)
    names = camera_list(page).locator("option").all_inner_texts()
    assert len(set(names)) == 3
    assert camera_list(page).locator("option:checked").inner_text() == page.evaluate(RUNNING)
    for name in reversed(names):
        camera_list(page).select_option(label=name)
        page.wait_for_function(f"(name) => {RUNNING} === name", arg=name)
        expect(camera_list(page)).to_be_enabled()
        expect(camera_list(page).locator("option:checked")).to_have_text(name)
        expect(start_button(page)).to_have_text("Stop")
    ids = [request.get("deviceId", {}).get("exact") for request in asked.json_value()]
    assert ids[0] is None and len(set(ids[1:])) == 3
    start_button(page).click()
    start_button(page).click()
    expect(start_button(page)).to_have_text("Stop")
    assert page.evaluate(RUNNING) == names[0], "the choice is kept"


@pytest.fixture(scope="module")
def loaded_page_with_a_camera(open_shared_page) -> Page:
    return wait_until_loaded(open_shared_page(cameras=1))


@pytest.fixture
def page_with_a_camera(loaded_page_with_a_camera) -> Iterator[Page]:
    with in_turn(loaded_page_with_a_camera) as page:
        yield page


def test_with_one_camera_there_is_nothing_to_choose(page_with_a_camera):
    page = page_with_a_camera
    start_button(page).click()
    expect(start_button(page)).to_have_text("Stop", timeout=PATIENCE_MS)
    expect(start_button(page)).to_be_enabled()
    expect(camera_list(page)).to_be_hidden()


@pytest.mark.parametrize("says_facing", [True, False])
def test_on_a_phone_the_mirror_follows_the_camera(open_page, says_facing):
    page = wait_until_loaded(open_page(cameras=2))
    page.evaluate(
        """(saysFacing) => {
            const cameras = [["a", "camera2 1, facing front", "user"], ["b", "camera2 0, facing back", "environment"]];
            navigator.mediaDevices.enumerateDevices = async () => cameras.map(
                ([deviceId, label]) => ({ deviceId, label, kind: "videoinput" }));
            const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
            navigator.mediaDevices.getUserMedia = async ({ video: { deviceId } }) => {
                const [id, label, facing] = cameras.find(([id]) => id === (deviceId?.exact ?? "a"));
                const stream = await ask({ video: true });
                const [track] = stream.getVideoTracks();
                Object.defineProperty(track, "label", { value: label });
                track.getSettings = () => ({ deviceId: id, ...(saysFacing ? { facingMode: facing } : {}) });
                return stream;
            };
        }""",
        says_facing,
    )
    mirror = page.get_by_label("mirror")
    start_button(page).click()
    expect(camera_list(page)).to_be_visible(timeout=PATIENCE_MS)
    assert camera_list(page).locator("option").all_inner_texts() == ["front camera", "rear camera"]
    expect(mirror).to_be_checked()
    camera_list(page).select_option(label="rear camera")
    expect(mirror).not_to_be_checked()
    expect(page.locator("#live-view video")).not_to_have_class("mirrored")
    camera_list(page).select_option(label="front camera")
    expect(mirror).to_be_checked()
    expect(camera_list(page)).to_be_enabled()
    mirror.uncheck()
    start_button(page).click()
    start_button(page).click()
    expect(start_button(page)).to_have_text("Stop")
    expect(mirror).not_to_be_checked()


def test_a_camera_that_exists_but_is_not_available_is_not_called_missing(page_with_a_camera):
    page = page_with_a_camera
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = async () => { throw new OverconstrainedError('deviceId') } }"
    )
    start_button(page).click()
    expect(page.locator("#live-view .problem")).to_contain_text("Try another camera")


def test_every_face_has_its_bars(page_of_two, tmp_path):
    page, others = page_of_two, page_of_two.locator("#live-view .others li:visible")
    with picture_for_the_readme(page, "live.png", tmp_path):
        expect(page.locator("#live-view .seen")).to_contain_text("frames/s")
    expect(others).to_have_count(1, timeout=PATIENCE_MS)
    expect(others.locator("dt")).to_have_text(page.locator("#live-view .faces > .bars dt").all_inner_texts())
    looks = {headline(page).inner_text().split()[0], others.locator("b").first.inner_text().split()[0]}
    assert "happy" in looks and len(looks) == 2


# Right after an answer, since the boxes of an older one are gone; until the next answer.
CLICK = """([x, y]) => new Promise((done, fail) => {
    setTimeout(() => fail(new Error("there was no answer")), 60_000);
    const view = document.querySelector("#live-view .live").parentElement;
    const overlay = document.querySelector("#live-view .overlay");
    const click = () => {
        const { left, top, width, height } = overlay.getBoundingClientRect();
        view.addEventListener("answer", () => done(), { once: true });
        overlay.dispatchEvent(new MouseEvent("click", { clientX: left + x * width, clientY: top + y * height }));
    };
    view.addEventListener("answer", () => setTimeout(click), { once: true });
})"""


def test_a_click_on_a_face_chooses_whose_headline_is_shown(page_of_two):
    page = page_of_two

    def choose(x: float, y: float, word: str) -> bool:
        """Click there; on a slow machine a face may have no box at that moment, and is clicked again."""
        page.evaluate(CLICK, [x, y])
        page.wait_for_timeout(100)
        return word in headline(page).inner_text()

    # The picture is mirrored: who is on the left of it appears on the right; and a click beside them chooses nobody.
    for x, y, word in ((0.24, 0.5, "neutral"), (0.73, 0.5, "happy"), (0.24, 0.5, "neutral"), (0.5, 0.02, "happy")):
        assert wait_until(lambda x=x, y=y, word=word: choose(x, y, word)), word


# How often the larger of the same two people was another one than a moment before, and how often the headline followed.
SWAPS = """(wanted) => new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("the two did not swap often enough")), 60_000);
    const view = document.querySelector("#live-view .live").parentElement;
    const areaOf = ({ box: [x0, y0, x1, y1] }) => (x1 - x0) * (y1 - y0);
    const swaps = { larger: 0, headline: 0 };
    let before = null;
    view.addEventListener("answer", function heard({ detail: { faces } }) {
        const ids = faces.map(({ trackId }) => trackId).sort().join();
        const larger = [...faces].sort((one, other) => areaOf(other) - areaOf(one))[0]?.trackId;
        if (faces.length === 2 && before?.ids === ids) {
            swaps.larger += larger !== before.larger;
            swaps.headline += faces[0].trackId !== before.first;
        }
        before = { ids, larger, first: faces[0]?.trackId };
        if (swaps.larger < wanted) return;
        view.removeEventListener("answer", heard);
        resolve(swaps);
    });
})"""


def test_two_people_of_like_size_do_not_swap_the_headline(open_page):
    sizes = ((280, 265), (255, 290))
    frames = [scene([(happy_face(), 10, 60, one), (calm_face(), 330, 60, other)]) for one, other in sizes]
    page = wait_until_loaded(open_page([frames[0]] * 15 + [frames[1]] * 15))
    start_button(page).click()
    expect(page.locator("#live-view .others li:visible")).to_have_count(1)
    assert page.evaluate(SWAPS, 3)["headline"] == 0


def test_a_face_is_chosen_with_the_keyboard_too(page_of_two):
    page, other = page_of_two, page_of_two.locator("#live-view .others .choose").first
    # Beside everybody: the larger one is first again.
    assert wait_until(lambda: page.evaluate(CLICK, [0.5, 0.02]) or "happy" in headline(page).inner_text())
    expect(other).to_contain_text("neutral")
    other.focus()
    page.keyboard.press("Enter")
    expect(headline(page)).to_contain_text("neutral", timeout=PATIENCE_MS)
    expect(other).to_contain_text("happy")
    page.evaluate(CLICK, [0.5, 0.02])
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)


# Of each answer that is about another person than the last one: what the headline says and whom the bars are of.
CHANGES = """(wanted) => new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("the person did not change often enough")), 60_000);
    const view = document.querySelector("#live-view .live").parentElement;
    const overlay = document.querySelector("#live-view .overlay");
    const { left, top, width, height } = overlay.getBoundingClientRect();
    const found = [];
    let before, side = 0;
    view.addEventListener("answer", function heard({ detail: { faces: [face] } }) {
        if (face && before !== undefined && face.trackId !== before) {
            found.push([document.querySelector("#live-view .headline").textContent, face.label]);
        }
        before = face?.trackId;
        if (found.length >= wanted) {
            view.removeEventListener("answer", heard);
            resolve(found);
        }
        side = (side + 1) % 2;
        const at = { clientX: left + (side ? 0.24 : 0.73) * width, clientY: top + 0.5 * height, bubbles: true };
        overlay.dispatchEvent(new PointerEvent("click", at));
    });
})"""


def test_headline_and_bars_are_of_the_same_person_at_any_moment(page_of_two):
    changes = page_of_two.evaluate(CHANGES, 6)
    assert {label for _, label in changes} == {"happy", "neutral"}
    assert all(label in words for words, label in changes), changes
