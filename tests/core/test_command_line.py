"""The command line as people type it: a process of its own, JSON on its output."""

import os
from pathlib import Path

import numpy as np
import pytest

from face_expression import read_picture
from face_expression.hub.download import DETECTOR_VARIABLE
from tests.support.builders import EXAMPLES, calm_photo, happy_photo, save
from tests.support.odd_pictures import make_bad_files
from tests.support.programs import lines, predict, run_program


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two photos, one of them deeper down, and a file that is none of our business."""
    folder = tmp_path_factory.mktemp("pictures")
    save(happy_photo(), folder / "happy.png")
    (folder / "deeper").mkdir()
    save(calm_photo(), folder / "deeper" / "calm ü.jpg")
    (folder / "notes.txt").write_text("hello")
    return folder


@pytest.mark.parametrize("detector", ["yunet", "haar"])
def test_a_folder_of_pictures(folder, tmp_path, yunet_weights, detector):
    result = predict(
        folder, "--output", tmp_path / "out", "--detector", detector, **{DETECTOR_VARIABLE: str(yunet_weights)}
    )
    assert result.returncode == 0, result.stderr
    assert detector in result.stderr
    by_name = {Path(line["path"]).name: line for line in lines(result)}
    assert set(by_name) == {"happy.png", "calm ü.jpg"}
    happy = by_name["happy.png"]
    assert (happy["width"], happy["height"]) == (512, 512)
    (face,) = happy["faces"]
    assert set(face) == {"box", "score", "label", "confidence", "probabilities", "reliable", "reasons"}
    assert face["label"] == "happy" and face["reliable"] is True and face["reasons"] == []
    assert face["confidence"] == max(face["probabilities"].values())
    assert list(face["probabilities"]) == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    copies = sorted(path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.jpg"))
    assert copies == ["deeper/calm ü.jpg.jpg", "happy.png.jpg"]
    drawn = read_picture(tmp_path / "out" / "happy.png.jpg").astype(int)
    changed = np.abs(drawn - happy_photo()).max(axis=2) > 60
    x0, y0, _, y1 = (round(value) for value in face["box"])
    assert changed[y0 - 3 : y1 + 3, x0 - 3 : x0 + 3].any() and not changed[300:, :].any()


def test_bad_files_do_not_stop_the_good_ones(tmp_path):
    bad = make_bad_files(tmp_path)
    del bad["."]
    result = predict(*(tmp_path / name for name in bad), EXAMPLES / "astronaut.jpg", "--detector", "haar")
    assert result.returncode == 1
    *errors, good = lines(result)
    assert len(errors) == len(bad)
    for line, (name, words) in zip(errors, bad.items(), strict=True):
        assert line["path"].endswith(name) and words in line["error"]
    assert good["faces"][0]["label"] == "happy"


def test_copies_of_the_same_name_are_all_kept(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save(happy_photo(), tmp_path / name / "x.png")
    for _ in range(2):
        out = tmp_path / "a" / "out"
        result = predict(tmp_path / "a", tmp_path / "b" / "x.png", "--output", out, "--detector", "haar")
        assert result.returncode == 0 and len(lines(result)) == 2
    assert sorted(path.name for path in out.iterdir()) == ["x.png-2.jpg", "x.png.jpg"]


def test_names_that_are_no_unicode_are_printed(tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.png")
    Path(odd).write_bytes((EXAMPLES / "astronaut.jpg").read_bytes())
    result = predict(odd, EXAMPLES / "astronaut.jpg", "--detector", "haar", LC_ALL="C", PYTHONIOENCODING="ascii:strict")
    assert result.returncode == 0, result.stderr
    assert [line["faces"][0]["label"] for line in lines(result)] == ["happy", "happy"]


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--detector", "mtcnn"], {}, "mtcnn"),
        (["--model", "nobody/nothing"], {}, "nobody/nothing"),
        (["--output", str(EXAMPLES / "astronaut.jpg")], {}, "is a file"),
        ([str(EXAMPLES), "--output", str(EXAMPLES)], {}, "choose another folder"),
        ([], {DETECTOR_VARIABLE: "/no/such.onnx"}, "no such file"),
        ([], {DETECTOR_VARIABLE: str(EXAMPLES / "astronaut.jpg")}, "cannot load"),
    ],
)
def test_wrong_settings_are_errors(arguments, environment, words):
    result = predict(EXAMPLES / "astronaut.jpg", *arguments, **environment)
    assert result.returncode == 2 and words in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr


def test_help_teaches():
    """In a process that nothing was imported in beforehand."""
    result = run_program("-m", "face_expression", "predict", "--help")
    assert result.returncode == 0 and "--output" in result.stdout and "error" in result.stdout
