"""*Make this face* in the live view, in real Chromium with a camera that plays a smiling face and a calm one."""

import re
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from face_expression.labels import LABEL_NAMES
from tests.support.browsing import PATIENCE_MS, in_turn, start_button, wait_until_loaded
from tests.support.builders import calm_face, happy_face, moving

FRAMES_A_FACE = 30
MADE_BY_THE_CAMERA = ("happy", "neutral")

pytestmark = pytest.mark.usefixtures("installed_web")


@pytest.fixture(scope="module")
def page_of_games(open_shared_page) -> Page:
    faces = moving(happy_face(), FRAMES_A_FACE) + moving(calm_face(), FRAMES_A_FACE)
    page = wait_until_loaded(open_shared_page(faces))
    page.clock.install()
    return page


@pytest.fixture
def page(page_of_games) -> Iterator[Page]:
    """A page on which games may have been played before."""
    with in_turn(page_of_games) as page:
        yield page
        page.evaluate(
            """() => {
                delete navigator.canShare;
                delete navigator.share;
                if (window.makeFile) HTMLCanvasElement.prototype.toBlob = makeFile;
            }"""
        )
        if game(page).locator(".playing").is_visible():
            button(page, "Stop").click()
        if button(page, "Back to the live view").is_visible():
            button(page, "Back to the live view").click()


def game(page: Page) -> Locator:
    return page.locator("#live-view .game")


def button(page: Page, name: str) -> Locator:
    return game(page).get_by_role("button", name=name)


def message_of(page: Page) -> Locator:
    return game(page).get_by_role("status")


def start_camera(page: Page) -> None:
    start_button(page).click()
    expect(page.get_by_text("Demonstration, not you")).to_be_hidden()
    expect(page.locator("#live-view .headline")).to_contain_text("%", timeout=PATIENCE_MS)


def play(page: Page) -> None:
    """Begin a game, and wait until a face is asked for."""
    button(page, "Play").click()
    expect(message_of(page)).to_contain_text("Make this face: ", timeout=PATIENCE_MS)


def skip_to(page: Page, labels: tuple[str, ...]) -> str:
    """Skip targets until one of these is asked for."""
    for _ in range(2 * len(LABEL_NAMES)):
        target = game(page).locator(".target").inner_text()
        if target in labels:
            return target
        button(page, "Skip this one").click()
    raise AssertionError(f"none of {labels} was asked for")


def test_the_game_is_a_view_of_its_own_that_starts_the_camera(page):
    others = page.locator("#live-view .session, #live-view .side, #live-view .teach")
    button(page, "Play").click()
    expect(page.locator("#live-view .badge")).to_have_text("Your camera", timeout=PATIENCE_MS)
    expect(game(page).locator(".countdown")).to_have_text(re.compile("[123…]"))
    for other in others.all():
        expect(other).to_be_hidden()
    expect(message_of(page)).to_contain_text("Make this face: ", timeout=PATIENCE_MS)
    expect(game(page).get_by_text("disgust too seldom")).to_be_visible()
    button(page, "Stop").click()
    expect(message_of(page)).to_contain_text("The game is over.")
    button(page, "Back to the live view").click()
    for other in others.all():
        expect(other).to_be_visible()
    expect(button(page, "Play again")).to_be_focused()


def test_each_face_has_six_seconds(page):
    play(page)
    targets = {game(page).locator(".target").inner_text()}
    for _ in range(3):
        before = game(page).locator(".target").inner_text()
        page.clock.fast_forward(6_000)
        expect(game(page).locator(".target")).not_to_have_text(before)
        targets.add(game(page).locator(".target").inner_text())
    assert len(targets) >= 3
    page.clock.fast_forward(31_000)
    expect(message_of(page)).to_contain_text("The game is over.")


def test_a_game_without_a_camera_says_so(open_page):
    page = wait_until_loaded(open_page())
    button(page, "Play").click()
    expect(message_of(page)).to_contain_text("This game needs your camera")
    expect(page.locator("#live-view .problem")).to_contain_text("then try again")
    expect(page.locator("#live-view .session")).to_be_visible()


def test_play_and_the_camera_button_ask_for_one_camera_together(page):
    page.evaluate(
        """() => {
            const media = navigator.mediaDevices, ask = media.getUserMedia.bind(media);
            window.allow = [];
            media.getUserMedia = (wanted) => new Promise((resolve) => allow.push(() => resolve(ask(wanted))));
        }"""
    )
    start_button(page).click()
    button(page, "Play").click()
    expect(button(page, "Play")).to_be_disabled()
    game(page).locator(".play").dispatch_event("click")
    page.evaluate("() => allow.forEach((answer) => answer())")
    expect(message_of(page)).to_contain_text("Make this face: ", timeout=PATIENCE_MS)
    assert page.evaluate("allow.length") == 1
    button(page, "Stop").click()
    expect(message_of(page)).to_contain_text("The game is over.")
    # No other clock begins a game of its own.
    page.clock.fast_forward(5_000)
    page.evaluate("() => new Promise(requestAnimationFrame)")
    expect(message_of(page)).to_contain_text("The game is over.")
    expect(button(page, "Play again")).to_be_visible()
    button(page, "Back to the live view").click()
    start_button(page).click()
    assert page.evaluate("document.querySelector('#live-view video').srcObject") is None


def test_what_goes_wrong_is_seen_in_the_game(page):
    problem = page.locator("#live-view .problem")
    play(page)
    page.evaluate(
        """() => { const [track] = document.querySelector('#live-view video').srcObject.getVideoTracks();
            track.stop(); track.dispatchEvent(new Event('ended')); }"""
    )
    expect(problem).to_contain_text("disconnected")
    picture, words = (page.locator(f"#live-view {part}").bounding_box() for part in (".picture", ".problem"))
    assert (
        picture["y"] + picture["height"] <= words["y"] and words["y"] + words["height"] <= page.viewport_size["height"]
    )
    expect(page.locator("#live-view .session")).to_be_hidden()
    page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = async () => { throw new DOMException('no', 'NotFoundError') } }"
    )
    button(page, "Play again").click()
    expect(message_of(page)).to_contain_text("what is wrong with it stands beside the picture")
    expect(problem).to_be_visible()
    expect(page.locator("#live-view .session")).to_be_visible()


def test_a_model_that_stops_answering_is_reported_in_the_game_and_started_anew(page):
    problem = page.locator("#live-view .problem")
    play(page)
    page.evaluate(
        """() => {
            window.post = Worker.prototype.postMessage;
            Worker.prototype.postMessage = function (...message) { if (!message[0].frame) post.apply(this, message); };
        }"""
    )
    # A frame that the worker has already is answered yet.
    for _ in range(2):
        page.evaluate("() => new Promise(requestAnimationFrame)")
        page.clock.fast_forward(16_000)
    expect(problem).to_have_text("The model on this device does not answer.")
    expect(problem).to_be_visible()
    page.evaluate("() => { Worker.prototype.postMessage = post; }")
    page.clock.fast_forward(16_000)
    expect(problem).to_have_text("", timeout=PATIENCE_MS)
    button(page, "Back to the live view").click()
    expect(page.locator("#live-view .headline")).to_contain_text("%", timeout=PATIENCE_MS)


def make_one_face_and_stop(page: Page) -> None:
    play(page)
    skip_to(page, MADE_BY_THE_CAMERA)
    expect(message_of(page)).to_contain_text("Made: ", timeout=PATIENCE_MS)
    button(page, "Stop").click()


def test_the_picture_is_shared_by_the_browsers_own_sheet(page):
    page.evaluate(
        """() => {
            navigator.canShare = ({ files }) => files[0].type === "image/png";
            navigator.share = async ({ files }) => { window.shared = files.map(({ name, size }) => ({ name, size })); };
        }"""
    )
    make_one_face_and_stop(page)
    button(page, "Share the picture").click()
    (shared,) = page.evaluate("window.shared")
    assert shared["name"] == "make-this-face.png" and shared["size"] > 10_000
    button(page, "Delete").click()
    expect(button(page, "Share the picture")).to_have_count(0)
    expect(game(page).locator(".share")).to_have_attribute("hidden", "")


def test_a_deleted_picture_is_not_kept_to_be_shared(page):
    """Not even if its file is made after that."""
    page.evaluate(
        """() => {
            navigator.canShare = () => true;
            window.makeFile = HTMLCanvasElement.prototype.toBlob;
            window.late = [];
            HTMLCanvasElement.prototype.toBlob = function (...wanted) {
                late.push(() => new Promise((done) => makeFile.call(
                    this, (file) => { wanted[0](file); setTimeout(done); }, ...wanted.slice(1))));
            };
        }"""
    )
    make_one_face_and_stop(page)
    button(page, "Delete").click()
    assert page.evaluate("Promise.all(late.map((make) => make())).then(({ length }) => length)") == 1
    expect(game(page).locator(".share")).to_have_attribute("hidden", "")


def test_faces_that_are_made_count_and_their_picture_can_be_kept(page):
    start_camera(page)
    requests = []
    page.context.on("request", lambda request: requests.append(request.url))
    play(page)
    targets = []
    for count in range(1, 3):
        targets.append(skip_to(page, MADE_BY_THE_CAMERA))
        expect(message_of(page)).to_contain_text(f"Made: {targets[-1]}, ", timeout=PATIENCE_MS)
        assert int(game(page).locator(".score").inner_text()) >= 10 * count
    expect(game(page).locator(".seconds")).not_to_have_text("30")
    # Thirty seconds in no time.
    page.clock.fast_forward(31_000)
    expect(message_of(page)).to_contain_text("The game is over. You made 2 faces: ")
    result = message_of(page).inner_text().removeprefix("The game is over. ")
    card = game(page).get_by_role("img", name=result)
    expect(card).to_be_visible()
    with page.expect_download() as download:
        button(page, "Download picture").click()
    assert download.value.suggested_filename == "make-this-face.png"
    kept = cv2.cvtColor(cv2.imread(str(download.value.path())), cv2.COLOR_BGR2RGB)
    assert [who_is_in(kept[150:390, left : left + 240]) for left in (24, 288)] == [(name, True) for name in targets]
    assert [url for url in requests if not url.startswith("blob:") and "heartbeat" not in url] == []
    button(page, "Delete").click()
    expect(card).to_be_hidden()
    expect(button(page, "Download picture")).to_be_hidden()
    expect(button(page, "Play again")).to_be_focused()


def who_is_in(snapshot: np.ndarray) -> tuple[str, bool]:
    """What the face in a snapshot of 240 px looks like, and whether it is mirrored."""
    faces = {"happy": happy_face(), "neutral": calm_face()}
    seen = {(label, False): face for label, face in faces.items()}
    seen |= {(label, True): face[:, ::-1] for label, face in faces.items()}
    return max(seen, key=lambda key: likeness_of(snapshot, seen[key]))


def likeness_of(picture: np.ndarray, face: np.ndarray) -> float:
    """How well some part of a face's picture, at some size, fits the middle of another picture: -1 to 1."""
    middle = picture[60:180, 60:180]
    resized = (cv2.resize(face, (size, size)) for size in (240, 280, 320, 360, 420, 480))
    return max(cv2.matchTemplate(larger, middle, cv2.TM_CCOEFF_NORMED).max() for larger in resized)
