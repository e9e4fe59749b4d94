"""The tab Video as visitors use it, in real Chromium: upload, progress, the labelled video, the plots, the files."""

import csv
import os
import re
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from playwright.sync_api import Page, expect

from face_expression import Face, VideoFrame, face_columns, face_rows, label_video
from space.tabs.person_timeline import PeopleSeen, person_summary, visible_people
from tests.support.browsing import NARROW, PATIENCE_MS, wait_until
from tests.support.builders import calm_face, happy_face, scene
from tests.support.busy_folders import files_in
from tests.support.videos import decoded, plain, write_video

CLIP_FRAMES = 40


@pytest.fixture(scope="module")
def two_people(tmp_path_factory) -> Path:
    """1.6 seconds in which somebody happy is joined by somebody calm."""
    frames = [
        scene([(happy_face(), 30 + index // 4, 60, 220), *([(calm_face(), 360, 90, 240)] if index >= 10 else [])])
        for index in range(CLIP_FRAMES)
    ]
    return write_video(tmp_path_factory.mktemp("clip") / "my <clip>.mp4", frames, sound="aac")


def of_one(face: np.ndarray, path: Path, *, count: int = 30) -> Path:
    return write_video(path, [scene([(face, 10, 10, 220)], width=320, height=240)] * count)


@pytest.fixture(scope="module")
def happy_clip(tmp_path_factory) -> Path:
    return of_one(happy_face(), tmp_path_factory.mktemp("clip") / "happy.mp4")


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory) -> Path:
    """48 seconds, which take long enough to be cancelled."""
    return of_one(happy_face(), tmp_path_factory.mktemp("clip") / "long.mp4", count=1200)


def open_video_tab(open_page, **options) -> Page:
    page = open_page(live=False, **options)
    page.get_by_role("tab", name="Video").click()
    expect(page.get_by_text("One video of at most 60 seconds")).to_be_visible()
    return page


def upload(page: Page, path: Path) -> None:
    clear = page.locator("#video-upload button[aria-label='Clear']")
    if clear.count():
        clear.first.click()
        expect(status(page)).to_have_text("")
    page.locator("#video-upload input[type=file]").set_input_files(path)


def status(page: Page):
    return page.locator("#video-status span.md")


def people(page: Page):
    return page.locator(".video-person span.md")


def played(page: Page) -> dict:
    """The labelled video, once it can be played."""
    expect(page.locator("#video-result video")).to_be_visible(timeout=PATIENCE_MS)
    page.wait_for_function("document.querySelector('#video-result video').readyState >= 3")
    return page.locator("#video-result video").evaluate(
        "video => ({ duration: video.duration, width: video.videoWidth, source: video.currentSrc })"
    )


def download(page: Page, words: str, path: Path) -> Path:
    with page.expect_download() as waiting:
        page.get_by_role("link", name=words).click()
    waiting.value.save_as(path)
    assert waiting.value.suggested_filename.startswith("my ")
    return path


def test_an_example_clip_can_be_tried(open_page):
    page = open_video_tab(open_page)
    page.get_by_role("button", name="Try it with an example clip").click()
    assert played(page)["duration"] == pytest.approx(8, abs=0.3)
    expect(status(page)).to_contain_text("8.0 s, 120 pictures")
    expect(people(page).first).to_be_visible()


def kept_files(served_app) -> list[Path]:
    return files_in(served_app[2].videos.root)


def test_a_video_is_labelled_played_plotted_and_downloaded(open_page, two_people, yunet_pipeline, served_app, tmp_path):
    page = open_video_tab(open_page, viewport=NARROW)
    # What an earlier test's visitor had goes a little after that visitor.
    assert wait_until(lambda: kept_files(served_app) == [])
    upload(page, two_people)
    video = played(page)
    assert video["duration"] == pytest.approx(1.6, abs=0.05) and video["width"] == 640
    expect(status(page)).to_have_text("1.6 s, 40 pictures, 2 people.")
    expect(people(page)).to_have_count(2)
    assert people(page).first.inner_text().startswith("Person 1, in view for 1.6 s: looks mostly happy (100%")
    assert people(page).last.inner_text().startswith("Person 2, in view for 1.2 s")

    expect(page.locator("#video-legend")).to_contain_text("angry disgust fear happy sad surprise neutral not sure")
    lines = page.locator(".expressions").first.locator("g.mark-line path[aria-label*='happy']")
    expect(lines.first).to_have_attribute("d", re.compile("M.*L"), timeout=PATIENCE_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]

    with download(page, "Download the table", tmp_path / "faces.csv").open(newline="") as file:
        columns, *rows = csv.reader(file)
    assert columns == face_columns(yunet_pipeline.label_names)
    frames = label_video(yunet_pipeline, two_people)
    assert rows == [[str(value) for value in row] for frame in frames for row in face_rows(frame)]
    assert len(decoded(download(page, "Download the video", tmp_path / "copy.mp4"))) == CLIP_FRAMES
    assert page.foreign_requests == []

    assert {path.name for path in kept_files(served_app)} == {"labelled.mp4", "faces.csv"}
    page.context.close()
    assert wait_until(lambda: kept_files(served_app) == [])
    assert wait_until(
        lambda: not [path for path in files_in(served_app[1]) if "clip" in path.name and path.suffix == ".mp4"]
    )


def test_what_cannot_be_labelled_is_answered_in_words(open_page, tmp_path):
    page = open_video_tab(open_page)
    (tmp_path / "text.mp4").write_text("hello")
    for path, words in [
        (tmp_path / "text.mp4", "This file cannot be used: this is not a video that can be read"),
        (write_video(tmp_path / "long.mp4", [plain(), plain()], [0, 61]), "the video lasts longer than 60 s"),
        (write_video(tmp_path / "large.mp4", [plain(2048, 1280)]), "the video has 2048 x 1280 pixels"),
    ]:
        upload(page, path)
        expect(status(page)).to_contain_text(words)
        expect(page.locator("#video-result video, #video-cancel, .video-person")).to_have_count(0)
    frames = [scene([(happy_face(), 30 + 5 * index, 60, 220)]) for index in range(75)]
    whole = write_video(tmp_path / "whole.mkv", frames, options={"cluster_time_limit": "200"})
    (tmp_path / "half.mkv").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    upload(page, tmp_path / "half.mkv")
    assert 0 < played(page)["duration"] < 3
    expect(status(page)).to_contain_text("Not all of it: the video should last 3.0 s, but can be read up to")
    with (tmp_path / "huge.mp4").open("wb") as file:
        file.truncate(106_000_000)
    upload(page, tmp_path / "huge.mp4")
    expect(page.get_by_text("exceed the maximum allowed size of 100.0 Mb")).to_be_visible()


def test_two_visitors_at_once_get_their_own(open_page, served_app, happy_clip, tmp_path):
    pages = [open_video_tab(open_page) for _ in range(2)]
    clips = [happy_clip, of_one(calm_face(), tmp_path / "calm.mp4", count=40)]
    for page, clip in zip(pages, clips, strict=True):
        upload(page, clip)
    happy, calm = (played(page) for page in pages)
    assert happy["source"] != calm["source"]
    assert happy["duration"] == pytest.approx(1.2, abs=0.05) and calm["duration"] == pytest.approx(1.6, abs=0.05)
    expect(people(pages[0])).to_contain_text("looks mostly happy")
    expect(people(pages[1])).not_to_contain_text("happy")

    upload(pages[0], clips[1])
    assert played(pages[0])["duration"] == pytest.approx(1.6, abs=0.05)
    assert pages[0].request.get(happy["source"]).status == 404
    assert pages[1].request.get(calm["source"]).status == 200
    long_ago = time.time() - 700
    for path in kept_files(served_app):
        os.utime(path, (long_ago, long_ago))
    assert wait_until(lambda: kept_files(served_app) == [])
    assert pages[1].request.get(calm["source"]).status == 404


def test_cancel_stops_the_work_and_deletes_the_video(open_page, served_app, long_clip):
    page = open_video_tab(open_page)
    upload(page, long_clip)
    expect(page.locator("#video-status")).to_contain_text(" of 48 s", timeout=PATIENCE_MS)
    page.locator("#video-cancel").click()
    expect(status(page)).to_have_text("Cancelled. The video is deleted.")
    expect(page.locator("#video-cancel, #video-result video")).to_have_count(0)
    assert kept_files(served_app) == []
    root = str(served_app[2].videos.root)
    assert wait_until(lambda: not [file for file in psutil.Process().open_files() if file.path.startswith(root)])


def nothing_is_shown(page: Page) -> None:
    expect(
        page.locator("#video-result video, #video-cancel, #video-legend, .video-person, .expressions")
    ).to_have_count(0)


def test_nothing_of_the_last_person_stays(open_page, happy_clip, long_clip, tmp_path):
    (tmp_path / "text.mp4").write_text("hello")
    page = open_video_tab(open_page)

    def label_somebody() -> None:
        upload(page, happy_clip)
        expect(people(page)).to_contain_text("looks mostly happy", timeout=PATIENCE_MS)
        expect(page.locator(".expressions")).to_have_count(1)

    label_somebody()
    page.locator("#video-upload button[aria-label='Clear']").first.click()
    nothing_is_shown(page)
    upload(page, tmp_path / "text.mp4")
    expect(status(page)).to_contain_text("This file cannot be used")
    nothing_is_shown(page)
    label_somebody()
    upload(page, write_video(tmp_path / "nobody.mp4", [plain()] * 10))
    expect(status(page)).to_contain_text("nobody was seen", timeout=PATIENCE_MS)
    expect(page.locator("#video-legend, .video-person, .expressions")).to_have_count(0)
    label_somebody()
    upload(page, long_clip)
    expect(page.locator("#video-status")).to_contain_text(" of 48 s", timeout=PATIENCE_MS)
    expect(page.locator("#video-status")).not_to_contain_text("as soon as")
    page.locator("#video-cancel").click()
    expect(status(page)).to_have_text("Cancelled. The video is deleted.")
    nothing_is_shown(page)


@pytest.mark.parametrize("missing", ["the decoder", "the picture"])
def test_a_browser_that_cannot_play_the_video_says_so(open_page, happy_clip, missing):
    page = open_video_tab(open_page)
    page.evaluate("HTMLMediaElement.prototype.canPlayType = () => ''")
    if missing == "the decoder":
        page.route("**/labelled.mp4", lambda route: route.fulfill(content_type="video/mp4", body=b"no film" * 99))
    else:
        page.evaluate(
            "Object.defineProperty(HTMLVideoElement.prototype, 'videoWidth', { configurable: true, get: () => 0 })"
        )
    upload(page, happy_clip)
    words = page.get_by_text("This browser cannot play the video")
    expect(words).to_be_visible(timeout=PATIENCE_MS)
    expect(words).to_contain_text("H.264")
    expect(page.locator("#video-result video")).to_be_hidden()
    expect(page.get_by_role("link", name="Download the video")).to_be_visible()


def frame_of(index: int, *faces: Face, analysed: bool = True) -> VideoFrame:
    return VideoFrame(index, index / 10, 0.1, plain(), faces, analysed)


def face_of(track_id: int, label: str, *reasons: str, happy: float = 0.9) -> Face:
    return Face((0, 0, 9, 9), 1.0, None, np.array([happy, 1 - happy]), label, happy, reasons, track_id, plain())


def test_people_are_listed_by_the_time_they_were_in_view():
    seen = PeopleSeen()
    assert seen.by_time() == []
    for index in range(12):
        faces = [face_of(1, "happy")] if index < 3 else [face_of(2, "sad" if index < 6 else "happy")]
        seen.add(frame_of(index, *faces, *([face_of(3, "sad", "blurred")] if index in (5, 11) else [])))
    first, second, third = seen.by_time()
    assert (first.track_id, second.track_id, third.track_id) == (2, 1, 3)
    assert first.shares() == pytest.approx({"happy": 6 / 9, "sad": 3 / 9})
    assert (
        person_summary(first)
        == "**Person 2**, in view for 0.9 s: looks mostly **happy** (67% of the time that could be classified)."
    )
    assert (
        person_summary(third) == "**Person 3**, in view for 0.2 s: not sure what the expression looks like (blurred)."
    )
    assert visible_people(seen.by_time(), most=1, least_s=0.2) == ([first], 2)
    assert visible_people(seen.by_time(), most=5, least_s=0.25) == ([first, second], 1)
    assert [(point.absent, point.probabilities) for point in third.curve(300)] == [
        (False, None),
        (True, None),
        (False, None),
    ]


def test_a_sentence_about_a_person_has_an_adjective():
    seen = PeopleSeen()
    seen.add(frame_of(0, face_of(1, "surprise")))
    assert "looks mostly **surprised** (100%" in person_summary(*seen.by_time())


def test_a_curve_has_few_points_and_a_look_lasts_until_the_next():
    seen = PeopleSeen()
    for index in range(1000):
        seen.add(frame_of(index, face_of(1, "happy", happy=index // 500), analysed=index % 2 == 0))
    (person,) = seen.by_time()
    assert person.seen_s == pytest.approx(100) and len(person.moments) == 500
    points = list(person.curve(300))
    assert len(points) == 250 and not any(point.absent for point in points)
    assert points[0].probabilities == pytest.approx([0, 1]) and points[-1].probabilities == pytest.approx([1, 0])
