"""What the server draws into pictures is in the visitor's language: Photo, Video and Live (basic)."""

import base64
import io
import json
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from face_expression import annotate, encode_jpeg, read_picture
from face_expression.video.labelled_file import label_file
from tests.support.browsing import PATIENCE_MS
from tests.support.builders import happy_face, happy_photo, scene
from tests.support.camera_of_basic import answer_to_camera
from tests.support.videos import decoded, write_video

GERMAN = {"happy": "fröhlich", "surprise": "Überraschung", "surprised": "überrascht", "sad": "traurig"}
GERMAN |= {"angry": "wütend", "disgust": "Ekel", "fear": "Angst"}


def in_german(text: str) -> str:
    return GERMAN.get(text, text.replace("%", "\N{NO-BREAK SPACE}%"))


def in_data_url(url: str) -> np.ndarray:
    return read_picture(io.BytesIO(base64.b64decode(url.partition(",")[2])))


def language_of(picture: np.ndarray, expected: Callable[..., np.ndarray]) -> str:
    """Which of two drawings a picture is, after its compression."""
    drawn = {name: expected(translated=words).astype(int) for name, words in (("en", str), ("de", in_german))}
    differ = (np.abs(drawn["en"] - drawn["de"]) > 60).any(axis=2)
    assert differ.sum() > 50
    away = {name: np.abs(picture.astype(int) - other)[differ].mean() for name, other in drawn.items()}
    assert max(away.values()) > 2 * min(away.values()), away
    return min(away, key=lambda name: away[name])


def open_tab(open_page, served_app, name: str, language: str) -> Page:
    page = open_page(leave_blank=True)
    page.goto(f"{served_app[0]}?lang={language}")
    page.get_by_role("tab", name=name).click()
    return page


@pytest.mark.parametrize(("tab", "language"), [("Foto", "de"), ("Photo", "en")])
def test_a_photo(open_page, served_app, yunet_pipeline, tmp_path, tab, language):
    (tmp_path / "happy.png").write_bytes(cv2.imencode(".png", happy_photo()[..., ::-1])[1].tobytes())
    page = open_tab(open_page, served_app, tab, language)
    page.locator("#photo-upload input[type=file]").set_input_files(tmp_path / "happy.png")
    shown = page.locator("#photo-result img")
    expect(shown).to_be_visible(timeout=PATIENCE_MS)

    def expected(translated) -> np.ndarray:
        faces = yunet_pipeline.analyze(happy_photo())
        names = yunet_pipeline.label_names
        return annotate(happy_photo(), faces, names, numbered=True, bars=False, translated=translated)

    assert language_of(in_data_url(shown.get_attribute("src")), expected) == language


def test_a_video(open_page, served_app, yunet_pipeline, tmp_path):
    clip = write_video(tmp_path / "clip.mp4", [scene([(happy_face(), 60, 60, 240)], width=640, height=360)] * 20)
    page = open_tab(open_page, served_app, "Video", "de")
    page.locator("#video-upload input[type=file]").set_input_files(clip)
    expect(page.locator("#video-result a").first).to_be_visible(timeout=PATIENCE_MS)
    with page.expect_download() as waiting:
        page.locator("#video-result a").first.click()
    waiting.value.save_as(tmp_path / "copy.mp4")

    def expected(translated) -> np.ndarray:
        label_file(yunet_pipeline, clip, output=tmp_path / "expected.mp4", translated=translated)
        return decoded(tmp_path / "expected.mp4")[-1][1]

    assert language_of(decoded(tmp_path / "copy.mp4")[-1][1], expected) == "de"


@pytest.mark.parametrize(
    ("asked", "preferred", "language"),
    [
        ("", "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", "fr, en-GB;q=0.9, de;q=0.8", "en"),
        ("", "fr", "en"),
        ("?lang=de", "en", "de"),
        ("?lang=en", "de", "en"),
        ("?lang=xx", "de", "de"),
        ("?lang=", "", "en"),
    ],
)
def test_live_basic(served_app, yunet_pipeline, asked, preferred, language):
    frame = scene([(happy_face(), 60, 60, 300)], width=640, height=480)
    sent = encode_jpeg(frame)
    headers = {"Referer": f"{served_app[0]}{asked}", "Accept-Language": preferred}
    view = answer_to_camera(served_app, sent, f"{language} {asked} {preferred}", ["data:image/jpeg"], headers)
    shown = json.loads(view.removeprefix("data:"))["output"]["data"][0]["url"]

    def expected(translated) -> np.ndarray:
        faces, _ = yunet_pipeline.track(read_picture(io.BytesIO(sent)), None, 0.0)
        return annotate(read_picture(io.BytesIO(sent)), faces, yunet_pipeline.label_names, translated=translated)

    assert language_of(in_data_url(shown), expected) == language
