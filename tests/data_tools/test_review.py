"""Doubtful labels are found, shown and decided about; what was decided survives a kill and is applied once."""

import csv
import hashlib
import io
import json
import logging
import re
import signal
import subprocess
import sys
from contextlib import ExitStack

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from data_tools.review.label_issues import DoubtfulFace, find_doubtful
from data_tools.review.page import build_page, launch
from data_tools.review.step import read_table, review, write_table
from data_tools.work.decisions import DECISIONS_FILE, Decision, apply_decisions, decide, read_decisions
from data_tools.work.manifest import opened
from face_expression import Pipeline
from face_expression.errors import DataError
from face_expression.io.files import store
from tests.support.browser_pages import patient_page
from tests.support.browsing import WIDE
from tests.support.builders import calm_face, calm_photo, happy_face, happy_photo

GROUP_OF = {"happy": happy_face, "neutral": calm_face}


def varied(picture: np.ndarray, seed: int) -> np.ndarray:
    """The same face in another light and place: RGB uint8 (160, 160, 3)."""
    rng = np.random.default_rng(seed)
    side = picture.shape[0]
    left, top = rng.integers(0, side // 10, 2)
    cut = picture[top : top + side * 9 // 10, left : left + side * 9 // 10]
    lit = np.clip(cut * rng.uniform(0.7, 1.2) + rng.uniform(-10, 25), 0, 255).astype(np.uint8)
    return cv2.resize(lit, (160, 160), interpolation=cv2.INTER_AREA)


def add_face(manifest, picture: np.ndarray, **columns) -> str:
    """Put a picture into a work folder as the filter would; returns its sha256."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    sha256 = hashlib.sha256(file.getvalue()).hexdigest()
    store(file.getvalue(), manifest.folder / "images" / sha256[:2] / f"{sha256}.png")
    height, width = picture.shape[:2]
    known = {
        "url": f"https://pictures.example/{sha256[:8]}",
        "status": "kept",
        "image_sha256": sha256,
        "content_sha256": sha256,
        "face_box": (0.2 * width, 0.2 * height, 0.8 * width, 0.8 * height),
        "detector": "yunet",
        "phash": sha256[:16],
        "phash_mirrored": sha256[16:32],
    }
    manifest.add([known | columns])
    return sha256


def add_faces(manifest, looks: str, count: int, *, query_label: str | None, first: int = 0) -> list[str]:
    return [
        add_face(manifest, varied(GROUP_OF[looks](), first + number), query_label=query_label)
        for number in range(count)
    ]


@pytest.fixture
def manifest(tmp_path):
    with opened(tmp_path / "work", create=True) as opened_manifest:
        yield opened_manifest


def row_of(manifest, sha256: str) -> dict:
    (row,) = manifest.rows("image_sha256 = ?", (sha256,))
    return row


# What is doubtful.


def test_planted_mistakes_come_first_with_the_right_suggestion(manifest, haar_pipeline):
    add_faces(manifest, "happy", 12, query_label="happy")
    add_faces(manifest, "neutral", 12, query_label="neutral")
    (wrong_neutral,) = add_faces(manifest, "happy", 1, query_label="neutral", first=100)
    (wrong_happy,) = add_faces(manifest, "neutral", 1, query_label="happy", first=100)
    (unnamed,) = add_faces(manifest, "happy", 1, query_label=None, first=200)
    add_face(manifest, varied(happy_face(), 300), query_label="neutral", status="rejected", rejection_reason="blurred")
    doubt = find_doubtful(manifest, haar_pipeline)
    assert set(doubt.faces[:2]) == {
        DoubtfulFace(wrong_neutral, "neutral", "happy"),
        DoubtfulFace(wrong_happy, "happy", "neutral"),
    }
    assert doubt.faces[-1] == DoubtfulFace(unnamed, None, "happy")
    assert len(doubt.faces) == 3
    assert doubt.notes == ("1 face(s) have no label; they come last, to be given one",)
    decide(manifest.folder, [Decision(wrong_neutral, "reject"), Decision(wrong_happy, "relabel", "neutral")])
    apply_decisions(manifest)
    assert find_doubtful(manifest, haar_pipeline) == doubt


@pytest.mark.parametrize(
    ("groups", "shown", "notes"),
    [
        ([], 0, []),
        ([("happy", 1)], 0, ["'happy' has one face only"]),
        ([("happy", 3)], 3, ["all labels to be compared are 'happy'"]),
        ([("happy", 3), ("neutral", 1)], 3, ["'neutral' has one face only", "all labels to be compared are 'happy'"]),
        ([("happy", 2), (None, 2)], 4, ["2 face\\(s\\) have no label", "all labels to be compared are 'happy'"]),
        ([(None, 2)], 2, ["2 face\\(s\\) have no label"]),
        ([("happy", 2), ("neutral", 2)], None, []),
        ([("happy", 9), ("neutral", 2)], None, []),
    ],
)
def test_few_faces_are_answered_in_words(manifest, haar_pipeline, groups, shown, notes):
    shas = []
    for label, count in groups:
        shas += add_faces(manifest, label or "happy", count, query_label=label, first=len(shas))
    doubt = find_doubtful(manifest, haar_pipeline)
    assert len(doubt.notes) == len(notes)
    for note, expected in zip(doubt.notes, notes, strict=True):
        assert re.search(expected, note)
    if shown is not None:
        in_order = [sha256 for sha256 in shas if sha256 in {face.image_sha256 for face in doubt.faces}]
        assert [face.image_sha256 for face in doubt.faces] == in_order
        assert len(in_order) == shown


class Recording:
    """Stands in for a network: keeps what it was given, and gives the next of the features it was made with."""

    def __init__(self, features: np.ndarray):
        self.inputs = []
        self.features = features

    def run(self, inputs):
        self.inputs.append(inputs)
        features, self.features = np.split(self.features, [len(inputs)])
        return np.zeros((len(inputs), 7), np.float32), features

    def calibrated(self, inputs):
        return self.run(inputs)


def test_the_worst_mistake_comes_first_among_more_faces_than_are_read_at_once(manifest, haar_pipeline):
    """600 faces of two well separated kinds, of which five bear the wrong label, some more wrongly than others."""
    rng = np.random.default_rng(0)
    kinds = np.arange(600) % 2
    features = rng.normal(np.where(kinds, 3, -3), 0.5).astype(np.float32)
    labels = kinds.copy()
    mistakes = [17, 80, 255, 256, 599]
    labels[mistakes] = 1 - kinds[mistakes]
    features[mistakes] = np.where(kinds[mistakes], 1, -1) * np.array([3.2, 5, 3.8, 4.4, 3.5])
    shas = [
        add_face(manifest, np.full((8, 8, 3), (number % 250, number // 250, 0), np.uint8), query_label=f"kind {label}")
        for number, label in enumerate(labels)
    ]
    recording = Recording(features[:, None])
    config, detector, graphs, files = (
        getattr(haar_pipeline, name) for name in ("config", "detector", "graphs", "files")
    )
    watched = Pipeline(config, detector, recording, graphs, "a test", files)
    doubt = find_doubtful(manifest, watched)
    assert [shas.index(face.image_sha256) for face in doubt.faces] == [80, 256, 255, 599, 17]


def test_faces_are_cut_as_the_app_cuts_them(manifest, pipeline):
    recording = Recording(np.eye(8, dtype=np.float32))
    watched = Pipeline(pipeline.config, pipeline.detector, recording, pipeline.graphs, "a test", pipeline.files)
    for label, photo in (("happy", happy_photo()), ("neutral", calm_photo())):
        for turn in (photo, photo[:, ::-1]):
            face = watched.analyze(np.ascontiguousarray(turn))[0]
            columns = {"face_box": face.box, "landmarks": face.landmarks, "detector": pipeline.detector.name.split()[0]}
            add_face(manifest, np.ascontiguousarray(turn), query_label=label, **columns)
    seen_by_app = np.concatenate([inputs[:1] for inputs in recording.inputs])
    recording.inputs.clear()
    find_doubtful(manifest, watched)
    np.testing.assert_array_equal(recording.inputs[0], seen_by_app)


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_an_image_that_is_gone_is_named(manifest, haar_pipeline, damage):
    shas = add_faces(manifest, "happy", 2, query_label="happy") + add_faces(manifest, "neutral", 2, query_label="sad")
    file = manifest.files.find_image(shas[1])
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=shas[1]):
        find_doubtful(manifest, haar_pipeline)


# What was decided.


def test_the_last_decision_counts_and_a_torn_line_is_cut_off(tmp_path):
    assert read_decisions(tmp_path) == {}
    decide(tmp_path, [Decision("a", "keep"), Decision("b", "relabel", "sad")])
    decide(tmp_path, [Decision("a", "reject")])
    file = tmp_path / DECISIONS_FILE
    whole = file.read_bytes()
    assert read_decisions(tmp_path) == {"a": Decision("a", "reject"), "b": Decision("b", "relabel", "sad")}
    last_line = whole.rstrip().rfind(b"\n") + 1
    for end in range(last_line, len(whole)):
        file.write_bytes(whole[:end])
        assert read_decisions(tmp_path)["a"] == Decision("a", "keep")
        decide(tmp_path, [Decision("c", "keep")])
        entries = [json.loads(line) for line in file.read_text().splitlines()]
        assert [entry["image_sha256"] for entry in entries] == ["a", "b", "c"]
        assert all(entry["at"] and entry["by"] for entry in entries)
        assert file.read_bytes().startswith(whole[:last_line])


def test_what_was_decided_survives_a_kill(tmp_path):
    program = (
        "import os, pathlib, sys; from data_tools.work.decisions import Decision, decide\n"
        "decide(pathlib.Path(sys.argv[1]), [Decision('a', 'keep')]); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path], timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert read_decisions(tmp_path) == {"a": Decision("a", "keep")}


def test_a_whole_line_that_cannot_be_read_is_named(tmp_path):
    decide(tmp_path, [Decision("a", "keep")])
    with (tmp_path / DECISIONS_FILE).open("a") as file:
        file.write('{"image_sha256": "b", "decision": "burn", "label": null}\n')
    with pytest.raises(DataError, match="line 2"):
        read_decisions(tmp_path)


@pytest.mark.parametrize(
    ("decisions", "label", "status", "reason"),
    [
        ([], None, "kept", None),
        ([("keep", None)], "happy", "kept", None),
        ([("relabel", "neutral")], "neutral", "kept", None),
        ([("reject", None)], None, "rejected", "reviewed_out"),
        ([("relabel", "neutral"), ("keep", None)], "happy", "kept", None),
        ([("reject", None), ("keep", None)], "happy", "kept", None),
        ([("reject", None), ("relabel", "neutral")], "neutral", "kept", None),
        ([("keep", None), ("reject", None)], "happy", "rejected", "reviewed_out"),
    ],
)
def test_decisions_change_label_and_status_once_and_never_what_was_searched_for(
    manifest, decisions, label, status, reason
):
    (sha256,) = add_faces(manifest, "happy", 1, query_label="happy")
    for word, new_label in decisions:
        decide(manifest.folder, [Decision(sha256, word, new_label)])
        apply_decisions(manifest)
        before = row_of(manifest, sha256)
        assert apply_decisions(manifest) == 0
        assert row_of(manifest, sha256) == before
    row = row_of(manifest, sha256)
    assert (row["query_label"], row["label"], row["status"], row["rejection_reason"]) == (
        "happy",
        label,
        status,
        reason,
    )


@pytest.mark.parametrize(("status", "reason"), [("rejected", "between_splits"), ("removed", "takedown")])
def test_what_is_out_for_another_reason_stays_out(manifest, status, reason):
    (sha256,) = add_faces(manifest, "happy", 1, query_label="happy")
    manifest.update([{**row_of(manifest, sha256), "status": status, "rejection_reason": reason}])
    before = row_of(manifest, sha256)
    decide(manifest.folder, [Decision(sha256, "keep")])
    assert apply_decisions(manifest) == 0
    assert row_of(manifest, sha256) == before


# A table instead of the page.


@pytest.fixture
def doubtful_folder(tmp_path):
    """A work folder in which all of three faces are shown, and one that has no label."""
    folder = tmp_path / "doubtful"
    with opened(folder, create=True) as manifest:
        shas = add_faces(manifest, "happy", 3, query_label="happy")
        shas += add_faces(manifest, "happy", 1, query_label=None, first=50)
        add_faces(manifest, "neutral", 1, query_label="neutral")
    return folder, shas


def read_rows(path) -> list[dict]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path, rows: list[dict]) -> None:
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_no_label_in_a_table_is_a_formula(tmp_path):
    folder = tmp_path / "work"
    with opened(folder, create=True) as manifest:
        add_faces(manifest, "happy", 2, query_label="=1+2")
        add_faces(manifest, "neutral", 1, query_label="happy")
        faces = tuple(DoubtfulFace(row["image_sha256"], row["query_label"], "@sum") for row in manifest.rows())
        write_table(tmp_path / "table.csv", manifest, faces)
        rows = read_rows(tmp_path / "table.csv")
        assert {row["query_label"] for row in rows} == {"'=1+2", "happy"} and rows[0]["suggested"] == "'@sum"
        write_rows(tmp_path / "table.csv", [{**row, "decision": "relabel", "label": "'=1+2"} for row in rows])
        assert {decision.label for decision in read_table(tmp_path / "table.csv", manifest)} == {"=1+2"}


def test_a_table_does_what_the_page_does(doubtful_folder, tmp_path, caplog):
    folder, shas = doubtful_folder
    caplog.set_level(logging.INFO)
    table = tmp_path / "doubtful.csv"
    review(folder, table=table)
    rows = read_rows(table)
    assert [row["image_sha256"] for row in rows] == shas
    assert [(row["query_label"], row["suggested"], row["decision"], row["label"]) for row in rows] == [
        ("happy", "", "", "")
    ] * 3 + [("", "", "", "")]
    assert all((folder / row["file"]).is_file() for row in rows)
    assert "4 face(s)" in caplog.text and "'neutral' has one face only" in caplog.text
    rows[0] |= {"decision": "keep"}
    rows[1] |= {"decision": " reject "}
    rows[3] |= {"decision": "relabel", "label": "neutral"}
    write_rows(table, rows)
    review(folder, filled=table)
    assert read_decisions(folder) == {
        shas[0]: Decision(shas[0], "keep"),
        shas[1]: Decision(shas[1], "reject"),
        shas[3]: Decision(shas[3], "relabel", "neutral"),
    }
    review(folder, table=tmp_path / "rest.csv")
    assert [row["image_sha256"] for row in read_rows(tmp_path / "rest.csv")] == [shas[2]]
    review(folder, table=tmp_path / "first.csv", limit=2)
    assert read_rows(tmp_path / "first.csv") == []
    with pytest.raises(DataError, match="may have been filled in"):
        review(folder, table=table)
    with pytest.raises(DataError, match="not both"):
        review(folder, table=table, filled=table)


@pytest.mark.parametrize(
    ("number", "filled", "message"),
    [
        (1, {"image_sha256": "abc", "decision": "keep"}, "line 3: no kept image has the sha256 'abc'"),
        (1, {"decision": "burn"}, "line 3: a decision is keep, relabel or reject, not 'burn'"),
        (1, {"decision": "relabel"}, "line 3: relabel needs a label"),
        (1, {"decision": "relabel", "label": "bored"}, "line 3: 'bored' is no label here; there are angry,"),
        (1, {"decision": "reject", "label": "happy"}, "line 3: reject takes no label"),
        (1, {"label": "happy"}, "line 3: a decision is keep, relabel or reject, not ''"),
        (3, {"decision": "keep"}, "line 5: this image has no label to keep"),
    ],
)
def test_a_mistake_in_a_table_is_named_by_its_line_and_nothing_is_noted(
    doubtful_folder, tmp_path, number, filled, message
):
    folder, shas = doubtful_folder
    empty = {"query_label": "", "decision": "", "label": ""}
    rows = [{**empty, "image_sha256": sha256} for sha256 in shas]
    rows[0]["decision"] = "keep"
    rows[number] |= filled
    write_rows(tmp_path / "filled.csv", rows)
    with pytest.raises(DataError) as stopped:
        review(folder, filled=tmp_path / "filled.csv")
    assert message in str(stopped.value)
    assert read_decisions(folder) == {}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        (b"", "lacks the column"),
        (b"image_sha256;decision;label\n", "lacks the column"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_file_that_is_no_table_is_refused(doubtful_folder, tmp_path, content, message):
    if content is not None:
        (tmp_path / "filled.csv").write_bytes(content)
    with pytest.raises(DataError, match=message):
        review(doubtful_folder[0], filled=tmp_path / "filled.csv")


# The page.


@pytest.fixture
def open_page(browsers, monkeypatch, tmp_path):
    """Serves the page for faces and opens it in a browser; Gradio's files would go to `tmp_path / "gradio"`."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    with ExitStack() as opened_ones:

        def open_in_browser(manifest, faces) -> Page:
            blocks = build_page(manifest, faces)
            launch(blocks, None)
            opened_ones.callback(blocks.close)
            context = browsers.get(()).new_context(viewport=WIDE)
            opened_ones.callback(context.close)
            page = patient_page(context, blocks.local_url)
            page.goto(blocks.local_url)
            expect(page.locator(".progress")).to_be_visible()
            page.stop = blocks.close
            return page

        yield open_in_browser


def face_number(page: Page, number: int):
    return page.get_by_label(f"Face {number}", exact=True).and_(page.locator("article"))


def test_the_page_notes_each_choice_at_once_and_goes_on_where_it_stopped(manifest, open_page, tmp_path):
    shas = add_faces(manifest, "happy", 14, query_label="happy")
    shas += add_faces(manifest, "neutral", 1, query_label="neutral")
    faces = [DoubtfulFace(sha256, "happy", "neutral") for sha256 in shas[:13]]
    faces.append(DoubtfulFace(shas[13], None, None))
    page = open_page(manifest, faces)
    expect(page.locator("article")).to_have_count(12)
    expect(page.locator(".progress")).to_have_text(re.compile("0 of 14 decided"))
    assert page.locator("article img").first.evaluate("image => image.naturalWidth") == 160

    face_number(page, 2).get_by_role("button", name="Keep").click()
    expect(face_number(page, 2).locator(".told")).to_have_text("kept")
    assert read_decisions(manifest.folder) == {shas[1]: Decision(shas[1], "keep")}
    face_number(page, 2).get_by_role("button", name="Reject").click()
    expect(face_number(page, 2).locator(".told")).to_have_text("rejected")
    expect(page.locator(".progress")).to_have_text(re.compile("1 of 14 decided"))
    face_number(page, 1).get_by_role("combobox").select_option("neutral")
    expect(face_number(page, 1).locator(".told")).to_have_text("now neutral")

    face_number(page, 3).focus()
    for key, outcome in (("k", "kept"), ("s", "now neutral"), ("4", "now happy"), ("x", "rejected")):
        focused = page.locator("article:focus")
        number = focused.get_attribute("aria-label")
        page.keyboard.press(key)
        expect(page.locator(f"article[aria-label='{number}'] .told")).to_have_text(outcome)
    expect(page.locator(".progress")).to_have_text(re.compile("6 of 14 decided"))
    assert [decision.decision for decision in read_decisions(manifest.folder).values()] == [
        "reject", "relabel", "keep", "relabel", "relabel", "reject"
    ]  # fmt: skip
    page.keyboard.press("n")
    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("select").first).to_have_value("")
    assert page.foreign_requests == []
    page.stop()

    page = open_page(manifest, faces)
    expect(page.locator("article")).to_have_count(8)
    expect(page.locator(".progress")).to_have_text(re.compile("6 of 14 decided"))
    assert page.locator("article").first.get_attribute("data-sha256") == shas[6]
    unnamed = face_number(page, 8)
    expect(unnamed).to_contain_text("no label yet")
    expect(unnamed.get_by_role("button")).to_have_text(["Reject"])
    for number in range(1, 8):
        face_number(page, number).get_by_role("button", name="Keep").click()
    page.keyboard.press("n")
    expect(page.locator(".end")).to_contain_text("1 of the faces are not decided yet")
    page.get_by_role("button", name="Show the 1 left").click()
    expect(page.locator("article")).to_have_count(1)
    page.keyboard.press("7")
    expect(page.locator(".told")).to_have_text("now neutral")
    page.keyboard.press("n")
    expect(page.locator(".end")).to_contain_text("All 14 faces are decided")
    expect(page.locator("#next-page")).to_be_disabled()
    page.keyboard.press("p")
    expect(page.locator("article .told")).to_have_text("now neutral")
    assert len(read_decisions(manifest.folder)) == 14
    assert [path for path in (tmp_path / "gradio").rglob("*") if path.is_file()] == []


def test_the_page_shows_names_as_they_are_and_says_what_it_cannot_save(manifest, open_page):
    odd = "<b>${1+1}</b> {{x}}"
    (sha256,) = add_faces(manifest, "happy", 1, query_label=odd)
    page = open_page(manifest, [DoubtfulFace(sha256, odd, None)])
    expect(page.locator(".labels b")).to_have_text(odd)
    page.stop()
    page.locator("article").get_by_role("button", name="Keep").click()
    expect(page.locator(".told")).to_contain_text("not saved")
    assert read_decisions(manifest.folder) == {}


def test_nothing_doubtful_is_an_end_screen_and_a_taken_port_is_an_error(manifest, open_page):
    page = open_page(manifest, [])
    expect(page.locator(".end")).to_contain_text("No label is doubtful")
    expect(page.locator("#next-page")).to_be_disabled()
    with pytest.raises(DataError, match="--port"):
        launch(build_page(manifest, []), int(page.url.rstrip("/").rpartition(":")[2]))


def test_pages_of_other_sites_decide_nothing(manifest, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    (sha256,) = add_faces(manifest, "happy", 1, query_label="happy")
    blocks = build_page(manifest, [DoubtfulFace(sha256, "happy", "neutral")])
    launch(blocks, None)
    try:
        address = blocks.local_url
        components = httpx.get(f"{address}config", timeout=60).json()["components"]
        number = next(component["id"] for component in components if component["props"].get("elem_id") == "faces")
        wanted = {"image_sha256": sha256, "decision": "reject", "label": None}
        sent = {"data": wanted, "component_id": number, "session_hash": "a", "fn_name": "decide_one"}
        for headers, status in [
            ({"Origin": "http://elsewhere.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Host": "elsewhere.example"}, 403),
            ({"Content-Type": "text/plain"}, 415),
        ]:
            answer = httpx.post(f"{address}gradio_api/component_server", json=sent, headers=headers, timeout=60)
            assert answer.status_code == status and read_decisions(manifest.folder) == {}
        answer = httpx.post(f"{address}gradio_api/component_server", json=sent, timeout=60)
        assert answer.json()["told"] == "rejected" and sha256 in read_decisions(manifest.folder)
    finally:
        blocks.close()
