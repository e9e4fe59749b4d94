"""*Teach it* in the live view, in real Chromium: faces kept with the visitor's word, and the zip for training."""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect

from face_expression.labels import LABEL_NAMES
from tests.support.browsing import PATIENCE_MS, start_button, wait_until_loaded
from tests.support.builders import calm_face, moving
from train.data.dataset import decode, label_names_of, load_split

KEPT = ["sad"] * 4 + ["fear"] * 5

pytestmark = pytest.mark.usefixtures("installed_web")


@pytest.fixture
def page(open_page, tmp_path) -> Page:
    camera = moving(calm_face(), 40)
    page = wait_until_loaded(open_page(camera))
    button(page, "Keep this face").click()
    expect(status_of(page)).to_contain_text("Start your camera first")
    start_button(page).click()
    expect(page.get_by_text("Demonstration, not you")).to_be_hidden()
    expect(page.locator("#live-view .headline")).to_contain_text("neutral", timeout=PATIENCE_MS)
    return page


def teach(page: Page) -> Locator:
    return page.locator("#live-view .teach")


def button(page: Page, name: str) -> Locator:
    return teach(page).get_by_role("button", name=name, exact=True)


def status_of(page: Page) -> Locator:
    return teach(page).get_by_role("status")


def ask(page: Page) -> None:
    """Choose the face in view. A busy machine may have none for a moment, and says so; then once more, as people do."""
    question = teach(page).get_by_role("group")
    for _ in range(100):
        button(page, "Keep this face").click()
        if question.is_visible():
            return
        expect(status_of(page)).to_contain_text("No face is in view now")
    pytest.fail("no face is in view for long")


def keep(page: Page, label: str) -> None:
    ask(page)
    button(page, label).click()
    expect(status_of(page)).to_contain_text(f"Kept as {label}.")


def pixels(canvas: Locator) -> list[int]:
    return canvas.evaluate(
        "(canvas) => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"
    )


def test_the_zip_from_the_page_is_a_data_set(page, tmp_path):
    # Also without a network, which the page promises not to need.
    page.context.set_offline(True)
    for label in KEPT:
        keep(page, label)
    expect(status_of(page)).to_contain_text("4 sad, 5 fear. It can be trained on")
    shown = [pixels(canvas) for canvas in teach(page).locator(".kept canvas").all()]
    with page.expect_download() as download:
        button(page, "Download zip").click()
    assert download.value.suggested_filename == "corrections.zip"
    saved = tmp_path / "corrections.zip"
    download.value.save_as(saved)
    rows = {split: load_split(str(saved), split) for split in ("train", "validation")}
    assert [label_names_of(part) for part in rows.values()] == [("fear", "sad")] * 2
    assert rows["train"]["label"] == [1] * 3 + [0] * 4 and rows["validation"]["label"] == [1, 0]
    expected = [np.uint8(values).reshape(48, 48, 4)[..., :3] for values in shown]
    kept_for_training = [index for index in range(len(KEPT)) if index not in (3, 7)]
    for row, index in zip(rows["train"], kept_for_training, strict=True):
        np.testing.assert_array_equal(decode(row["image"]), expected[index])
    assert expected[0].std() > 20, "the face is flat"
    check_what_lies_beside(saved)


def check_what_lies_beside(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        assert "pictures of people" in archive.read("README.txt").decode()
        rows = list(csv.DictReader(io.StringIO(archive.read("corrections.csv").decode())))
    assert [row["label"] for row in rows] == KEPT and rows[3]["file"] == "validation/sad/4.png"
    assert {row["model_said"] for row in rows} == {"neutral"}
    assert all(0.4 < float(row["model_confidence"]) <= 1 for row in rows)


def test_the_face_stands_still_while_somebody_chooses_and_all_can_be_taken_back(page):
    wrong, question = button(page, "Keep this face"), teach(page).get_by_role("group")
    ask(page)
    expect(question).to_contain_text("The model answered: neutral")
    assert question.locator(".labels button").all_inner_texts() == list(LABEL_NAMES)
    expect(button(page, "angry")).to_be_focused()
    frozen, seen = question.locator("canvas"), page.locator("#live-view .seen canvas")
    before, seen_before = pixels(frozen), pixels(seen)
    for _ in range(100):
        if pixels(seen) != seen_before:
            break
        page.wait_for_timeout(50)
    assert pixels(seen) != seen_before and pixels(frozen) == before
    page.keyboard.press("Escape")
    expect(question).to_be_hidden()
    expect(wrong).to_be_focused()
    expect(status_of(page)).to_have_text("Nothing is kept yet.")
    for label in ("fear", "sad", "happy"):
        keep(page, label)
    button(page, "Remove the face kept as sad").click()
    expect(status_of(page)).to_contain_text("Kept: 1 fear, 1 happy.")
    expect(teach(page).locator(".kept li")).to_have_count(2)
    button(page, "Delete all").click()
    expect(teach(page).locator(".kept li")).to_have_count(0)
    expect(button(page, "Download zip")).to_be_hidden()
    expect(wrong).to_be_focused()
    start_button(page).click()
    wrong.click()
    expect(status_of(page)).to_contain_text("Start your camera first")
    expect(question).to_be_hidden()
