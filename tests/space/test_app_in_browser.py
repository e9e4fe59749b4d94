"""The page as visitors use it: real Chromium, a fake camera that plays real faces, real uploads."""

import base64
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from face_expression import encode_jpeg
from face_expression.hub.download import EMBEDDED_BUNDLE
from face_expression.labels import LABEL_NAMES
from face_expression.output.known_gaps import gaps_in_words
from tests.support.browsing import EXAMPLE, NARROW, open_photo_tab, picture_for_the_readme, upload_photo, wait_until
from tests.support.builders import (
    calm_face,
    happy_face,
    happy_photo,
    moving,
    save,
    scene,
)
from tests.support.busy_folders import files_in, folders_in
from tests.support.camera_of_basic import answer_to_camera
from tests.support.odd_pictures import make_bad_files, rotated_phone_photo
from tests.support.service_clients import Camera, until

FRAMES_A_FACE = 40

# One of them is in each answer to a picture of *Live (basic)*.
ANSWERS = ("cannot be used", "looks ", "process_completed")


def start_camera(page: Page) -> None:
    # The tabs appear together, and are there once the last one is.
    expect(page.get_by_role("tab", name="Photo")).to_be_visible()
    page.get_by_role("tab", name="Live (basic)").click()
    page.get_by_text("Click to Access Webcam").click()
    page.locator("#basic-camera button", has_text="Record").first.click()


def headline(page: Page):
    return page.locator("#basic-headline span.md")


def bars(page: Page) -> dict[str, int]:
    """The confidence bars on the page, in percent."""
    words = page.locator("#basic-bars").inner_text().split()
    return {name: int(value[:-1]) for name, value in pairwise(words) if value.endswith("%")}


def watch(page: Page, *, until: Callable[[list[dict[str, int]]], bool]) -> list[dict[str, int]]:
    """Complete sets of bars, until a condition on those that were seen holds."""
    seen = []

    def look() -> bool:
        page.wait_for_timeout(50)
        if len(now := bars(page)) == len(LABEL_NAMES):
            seen.append(now)
        return bool(seen) and until(seen)

    assert wait_until(look), seen
    return seen


def turned(rows: list[dict[str, int]]) -> bool:
    """Whether somebody looked happy and somebody did not."""
    return max(row["happy"] for row in rows) > 80 and min(row["happy"] for row in rows) < 30


def test_live_label_and_bars_follow_the_camera(open_page, tmp_path):
    camera = moving(happy_face(), FRAMES_A_FACE) + moving(calm_face(), FRAMES_A_FACE)
    page = open_page(camera, live=False)
    expect(page.locator("#source")).to_contain_text("embedded in this program, face detector yunet")
    start_camera(page)
    expect(headline(page)).to_contain_text("looks happy")
    assert page.locator("#basic-view img").get_attribute("src").startswith("data:image/jpeg;base64,")
    expect(headline(page)).not_to_contain_text("happy")
    expect(headline(page)).to_contain_text("looks happy")
    seen = watch(page, until=turned)
    assert {frozenset(row) for row in seen} == {frozenset(LABEL_NAMES)}
    assert all(96 <= sum(row.values()) <= 104 for row in seen)
    assert page.foreign_requests == []


def test_the_picture_is_mirrored_and_its_text_is_not(open_page, tmp_path):
    """A face on the left of the camera's picture appears on the right, as in a mirror, with its tag to be read."""
    camera = [scene([(happy_face(), 20, 100, 280)])] * 20
    page = open_page(camera, live=False)
    start_camera(page)
    expect(headline(page)).to_contain_text("looks happy")
    width, height, left, right = page.evaluate(
        """async () => {
            // The page replaces its picture while one is decoded.
            const image = new Image();
            image.src = document.querySelector('#basic-view img').src; await image.decode();
            const { naturalWidth: width, naturalHeight: height } = image;
            const canvas = Object.assign(document.createElement('canvas'), { width, height });
            const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);
            const { data } = context.getImageData(0, 0, width, height), middle = Math.floor(width / 2);
            const coloured = [0, 0];
            for (let at = 0; at < data.length; at += 4) {
                const difference = Math.max(...[0, 1, 2].map((channel) => Math.abs(data[at + channel] - 110)));
                coloured[(at / 4) % width < middle ? 0 : 1] += difference > 25;
            }
            return [width, height, ...coloured];
        }"""
    )
    assert width <= 640 and height <= 480
    assert right > 3 * left


def test_two_visitors_do_not_share_what_is_smoothed(served_app):
    """Their frames come in turn, closer to each other than what is smoothed; a shared state would mix them."""
    cameras = {}
    for number, face in enumerate((happy_face(), calm_face())):
        frame = base64.b64encode(encode_jpeg(moving(face, 1)[0])).decode()
        cameras[f"data:image/jpeg;base64,{frame}"] = Camera(served_app[2], f"198.51.100.{200 + number}")
    for url, camera in cameras.items():
        camera.start(url)
    for count in range(1, 11):
        for url, camera in cameras.items():
            until(lambda camera=camera, count=count: len(camera.answers()) >= count)
            camera.send(url)
    happy, calm = (camera.answers()[:10] for camera in cameras.values())
    assert all("looks **happy**" in words for words in happy)
    assert not any("happy" in words for words in calm) and all("looks" in words for words in calm)


def test_nothing_to_see(open_page, tmp_path):
    page = open_page([scene([])] * 10, live=False)
    start_camera(page)
    expect(headline(page)).to_have_text("No face in view.")


def test_the_page_fits_a_phone(open_page, tmp_path):
    page = open_page(moving(happy_face(), 40), viewport=NARROW, live=False)
    start_camera(page)
    expect(headline(page)).to_contain_text("looks happy")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_every_face_of_a_photo_has_a_number_and_bars(open_page, tmp_path):
    photo = scene(
        [(happy_face(), 40, 100, 300), (calm_face(), 380, 60, 400), (happy_face(), 800, 150, 260)],
        width=1100,
        height=520,
    )
    page = open_page()
    open_photo_tab(page)
    upload_photo(page, save(photo, tmp_path / "three.jpg"))
    expect(page.locator("#photo-summary")).to_contain_text("3 faces")
    cards = page.locator(".face-card")
    expect(cards).to_have_count(3)
    texts = [card.inner_text() for card in cards.all()]
    for number, text in enumerate(texts, start=1):
        assert text.startswith(f"{number}.") and len(re.findall(r"\d+%", text)) >= 7
    assert sum("looks happy" in text for text in texts) == 2
    with picture_for_the_readme(page, "photo.png", tmp_path):
        page.wait_for_timeout(500)


def test_examples_need_no_network(open_page):
    page = open_page(live=False)
    open_photo_tab(page)
    page.locator(EXAMPLE).first.click()
    expect(page.locator(".face-card").first).to_contain_text("happy")
    assert page.foreign_requests == []


def test_examples_keep_their_places_while_their_pictures_come(open_page, served_app):
    page = open_page(live=False, leave_blank=True)
    held = []
    page.route(re.compile(r"\.jpg$"), lambda route: held.append(route))
    page.goto(served_app[0])
    open_photo_tab(page)
    examples = page.locator(EXAMPLE)
    expect(examples).to_have_count(4)
    page.wait_for_timeout(500)
    assert len(held) == 4
    empty = [box.bounding_box() for box in examples.all()]
    assert all(box["width"] > 60 and box["height"] > 60 for box in empty), empty
    # Pressed before the pictures come, and released after.
    examples.nth(1).hover()
    page.mouse.down()
    for route in held:
        route.continue_()
    page.wait_for_function("[...document.querySelectorAll('.gallery-item img')].every((image) => image.naturalWidth)")
    assert [box.bounding_box() for box in examples.all()] == empty
    page.mouse.up()
    expect(page.locator(".face-card")).to_have_count(1)


COUNT_ANIMATION_FRAMES = """
    window.animationFrames = 0;
    const next = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (callback) => { window.animationFrames += 1; return next(callback); };
"""


def test_when_the_work_is_done_nothing_goes_on_in_the_page(open_page, served_app):
    page = open_page(live=False, leave_blank=True)
    page.add_init_script(COUNT_ANIMATION_FRAMES)
    page.goto(served_app[0])
    open_photo_tab(page)
    for number, cards in ((0, 1), (3, 2)):
        page.locator(EXAMPLE).nth(number).click()
        expect(page.locator(".face-card")).to_have_count(cards)
    page.get_by_role("tab", name="Video").click()

    def frames_in_a_second() -> int:
        before = page.evaluate("animationFrames")
        page.wait_for_timeout(1000)
        return page.evaluate("animationFrames") - before

    # What shows progress swings out for a while.
    assert wait_until(lambda: frames_in_a_second() < 10)


def test_examples_show_a_group_and_a_not_sure(open_page):
    page = open_page(live=False)
    open_photo_tab(page)
    examples = page.locator(EXAMPLE)
    expect(examples).to_have_count(4)
    # In alphabetical order: astronaut, dark, grace_hopper, group.
    examples.nth(1).click()
    expect(page.locator(".face-card")).to_contain_text("Not sure: too dark")
    examples.nth(3).click()
    expect(page.locator("#photo-summary")).to_contain_text("2 faces")


def test_live_basic_is_offered_where_live_cannot_run(open_page, served_app):
    page = open_page()
    expect(page.get_by_role("tab", name="Photo")).to_be_visible()
    expect(page.get_by_role("tab", name="Live (basic)")).to_be_hidden()
    page.route("**/live/modules/**", lambda route: route.abort())
    page.goto(f"{served_app[0]}?again")
    expect(page.locator("#live-view")).to_contain_text("This view cannot be loaded")
    page.get_by_role("tab", name="Live (basic)").click()
    expect(page.locator("#basic-headline")).to_contain_text("Press the camera")
    expect(page.locator("#notice")).to_contain_text(gaps_in_words(EMBEDDED_BUNDLE))


def test_odd_photos_are_read_as_people_see_them(open_page, tmp_path):
    alpha = np.dstack([happy_photo(), np.full((512, 512), 255, np.uint8)])
    grey = happy_photo().mean(axis=2).astype(np.uint8)
    rotated_phone_photo(tmp_path / "phone.jpg")
    large = Image.fromarray(happy_photo()).resize((4000, 3000))
    large.save(tmp_path / "large.jpg")
    Image.new("RGB", (1, 1)).save(tmp_path / "pixel.png")
    page = open_page(live=False)
    open_photo_tab(page)
    for path, words in [
        (save(alpha, tmp_path / "alpha.png"), "One face"),
        (save(grey, tmp_path / "grey.png"), "One face"),
        (tmp_path / "phone.jpg", "One face"),
        (tmp_path / "large.jpg", "One face"),
        (tmp_path / "pixel.png", "No face was found"),
    ]:
        upload_photo(page, path)
        expect(page.locator("#photo-summary")).to_contain_text(words)


def test_bad_files_are_answered_and_the_app_goes_on(open_page, tmp_path):
    page = open_page(live=False)
    open_photo_tab(page)
    bad = make_bad_files(tmp_path)
    for name in ("truncated.jpg", "empty.jpg", "text.jpg", "huge.png"):
        upload_photo(page, tmp_path / name)
        expect(page.locator("#photo-summary")).to_contain_text("This file cannot be used")
        expect(page.locator("#photo-summary")).to_contain_text(bad[name])
        assert page.locator(".face-card").count() == 0
    upload_photo(page, save(happy_photo(), tmp_path / "fine.png"))
    expect(page.locator("#photo-summary")).to_contain_text("One face")


def test_bad_files_are_answered_after_an_example_too(open_page, tmp_path):
    """A click on an example makes Gradio build the component anew."""
    page = open_page(live=False)
    open_photo_tab(page)
    page.locator(EXAMPLE).first.click()
    expect(page.locator("#photo-summary")).to_contain_text("One face")
    bad = make_bad_files(tmp_path)
    for name in ("text.jpg", "empty.jpg"):
        upload_photo(page, tmp_path / name)
        expect(page.locator("#photo-summary")).to_contain_text("This file cannot be used")
        expect(page.locator("#photo-summary")).to_contain_text(bad[name])
    upload_photo(page, save(happy_photo(), tmp_path / "fine.png"))
    expect(page.locator("#photo-summary")).to_contain_text("One face")
    assert page.locator("#photo-result img").get_attribute("src").startswith("data:image/jpeg;base64,")


@contextmanager
def watched(folder: Path):
    """The names of all files that are in a folder at some moment of the block; looked for every few milliseconds."""
    names, done = set(), threading.Event()

    def look() -> None:
        while not done.wait(0.005):
            names.update(path.name for path in files_in(folder))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield names
    finally:
        done.set()
        thread.join()


def test_nothing_that_was_shown_is_kept_on_disk(open_page, served_app, tmp_path):
    address, folder = served_app[:2]
    page = open_page(moving(happy_face(), 40), live=False)
    start_camera(page)
    expect(headline(page)).to_contain_text("looks happy")
    open_photo_tab(page)
    examples = {"astronaut.jpg", "dark.jpg", "grace_hopper.jpg", "group.jpg"}
    with watched(folder) as seen:
        upload_photo(page, save(happy_photo(), tmp_path / "private.png"))
        expect(page.locator("#photo-summary")).to_contain_text("One face")
        (folder / "left by a killed server").mkdir()
        (folder / "left by a killed server" / "photo.jpg").write_bytes(b"somebody")
        with half_sent(address):
            assert wait_until(lambda: any(name.startswith("tmp") for name in seen))
        # What is kept for 15 s has been there for longer now; so have the examples, which stay.
        assert wait_until(lambda: aged(folder) == examples)
    assert {"private.png", "photo.jpg"} < seen
    assert wait_until(lambda: aged(folder) == examples and not empty_folders(folder))
    page.locator(EXAMPLE).first.click()
    expect(page.locator("#photo-summary")).to_contain_text("One face")


def empty_folders(folder: Path) -> list[str]:
    return [parent for parent, folders, files in os.walk(folder) if not folders + files]


def aged(folder: Path) -> set[str]:
    """The names of the files in a folder, all of which are a minute old now."""
    names = set()
    for path in files_in(folder) + folders_in(folder):
        with suppress(FileNotFoundError):
            os.utime(path, (time.time() - 60,) * 2)
            names |= {path.name} if path.is_file() else set()
    return names


@contextmanager
def half_sent(address: str):
    """A part of an upload has been sent in the block; then it breaks off."""
    host, port = address.removeprefix("http://").rstrip("/").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(
            b"POST /gradio_api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 900000\r\n"
            b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
            b'--b\r\nContent-Disposition: form-data; name="files"; filename="half.jpg"\r\n'
            b"Content-Type: image/jpeg\r\n\r\n" + b"x" * 300_000
        )
        yield


def test_a_visitor_who_leaves_is_forgotten(open_page, served_app, tmp_path):
    sessions = served_app[2].app.state_holder.session_data
    others = set(sessions)
    page = open_page(moving(happy_face(), 40), live=False)
    start_camera(page)
    expect(headline(page)).to_contain_text("looks happy")
    assert set(sessions) - others
    page.context.close()
    assert wait_until(lambda: not set(sessions) - others)


@pytest.mark.parametrize(
    ("method", "path"), [("get", "runs"), ("get", "deep_link?session_hash=abc"), ("post", "process_recording")]
)
def test_endpoints_that_would_keep_something_are_closed(served_app, method, path):
    options = {"json": {"data": {}}} if method == "post" else {}
    answer = httpx.request(method, f"{served_app[0]}gradio_api/{path}", **options, timeout=60)
    assert answer.status_code == 404


@pytest.mark.parametrize(("width", "height"), [(1300, 1300), (1920, 1080), (1080, 1920), (3840, 2160)])
def test_a_camera_that_gives_large_pictures_is_labelled(served_app, width, height):
    """The page asks for 640x480, which a camera need not have."""
    side = min(width, height)
    large = encode_jpeg(scene([(happy_photo(), 0, 0, side)], width=width, height=height))
    assert "looks **happy**" in answer_to_camera(served_app, large, f"{width} x {height}", ANSWERS)


def test_a_picture_of_the_camera_that_is_too_large_is_refused(served_app):
    """No camera gives such pictures; a program that speaks to the server can send anything."""
    words = answer_to_camera(served_app, encode_jpeg(np.zeros((8, 5000, 3), np.uint8)), "large", ANSWERS)
    assert "The camera's picture cannot be used" in words
    assert "5000 x 8 pixels; at most 4096 pixels a side are taken" in words and "megapixels" not in words
