"""Annotated pictures with labels of any language and length."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import face_expression.output.fonts as fonts
from face_expression import COLORS, annotate, load_pipeline
from face_expression.hub.download import EMBEDDED_BUNDLE
from face_expression.pipeline import Face
from tests.support.builders import happy_photo

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


@pytest.fixture
def face(haar_pipeline) -> Face:
    return haar_pipeline.analyze(happy_photo())[0]


def drawn(face: Face, label: str, labels=LABELS, **options) -> np.ndarray:
    named = tuple(label if name == face.label else name for name in labels)
    blank = np.full((512, 700, 3), 128, np.uint8)
    return annotate(blank, [replace(face, label=label)], named, **options).astype(int)


@pytest.fixture
def no_fonts_of_the_system(monkeypatch):
    """Only what the app's own requirements bring."""
    monkeypatch.setattr(fonts, "_SYSTEM", ())
    monkeypatch.setattr(fonts, "_PACKAGES", fonts._PACKAGES[:1])
    for cached in (fonts._font_files, fonts._file_with):
        cached.cache_clear()
    yield
    for cached in (fonts._font_files, fonts._file_with):
        cached.cache_clear()


@pytest.mark.usefixtures("no_fonts_of_the_system")
@pytest.mark.parametrize(
    "label", ["Glücklich", "heureux·se", "šťastný", "счастье", "ευτυχία", "悲しい", "难过", "難過", "행복"]
)
def test_letters_of_other_languages_are_drawn(face, label):
    box = "\U0010ffff" * len(label)
    assert fonts.font_and_text(label, 20)[1] == label
    for bars in (True, False):
        pictures = [drawn(face, text, bars=bars) for text in (label, box, label[::-1])]
        assert all((one != other).any() for one in pictures for other in pictures if one is not other)


@pytest.mark.usefixtures("no_fonts_of_the_system")
def test_every_letter_of_a_word_counts(face):
    """Where a letter is not there, two words that differ in it look the same."""
    for one, other in (("Glücklich", "Glöcklich"), ("né", "nè"), ("жук", "щук")):
        assert (drawn(face, one, bars=False) != drawn(face, other, bars=False)).any()


def test_tags_and_bars_may_be_translated(face):
    picture = drawn(face, face.label, translated=lambda text: {"happy": "Glücklich", "sad": "traurig"}.get(text, text))
    named = tuple({"sad": "traurig"}.get(name, name) for name in LABELS)
    assert (picture == drawn(face, "Glücklich", labels=named)).all() and (picture != drawn(face, face.label)).any()


def test_without_any_font_words_stay_readable(face, monkeypatch, caplog):
    fonts._file_with.cache_clear()
    monkeypatch.setattr(fonts, "_font_files", lambda: ())
    assert fonts.font_and_text("Glücklich, weiß", 20)[1] == "Glucklich, weiss"
    assert fonts.font_and_text("悲しい", 20)[1] == "???"
    assert "no font here has the letters" in caplog.text and "apt install" in caplog.text
    assert (drawn(face, "Glücklich") == drawn(face, "Glucklich")).all()
    fonts._file_with.cache_clear()


@pytest.mark.parametrize("name", ["sad", "WWWWWWWWWWWW", "a very long name of an expression, far longer than others"])
@pytest.mark.parametrize("shift_px", [-150, 250])
def test_names_never_reach_the_bars(face, name, shift_px):
    box = (face.box[0] + shift_px, face.box[1], face.box[2] + shift_px, face.box[3])
    placed = replace(face, box=box, probabilities=np.full(7, 1 / 7, np.float32))
    names = ("happy", name, *(f"l{index}" for index in range(5)))
    picture = annotate(np.full((512, 700, 3), 128, np.uint8), [placed], names).astype(int)
    hues = {tuple(int(hue[at : at + 2], 16) for at in (1, 3, 5)) for hue in COLORS}
    bars = [column for column in range(700) if hues <= {tuple(pixel) for pixel in picture[:, column].tolist()}]
    # The first column with all seven hues, and from there to the right; names are nearly white.
    assert len(bars) > 3 and picture[:, bars].min(axis=2).max() < 190


def test_a_bundle_with_labels_of_two_languages(tmp_path):
    for name in ("model.onnx", "metrics.json"):
        shutil.copy(EMBEDDED_BUNDLE / name, tmp_path / name)
    config = json.loads((EMBEDDED_BUNDLE / "config.json").read_text())
    config["label_names"] = ["zornig", "Ekel", "Furcht", "Glücklich", "悲しい", "überrascht", "neutral"]
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    pipeline = load_pipeline(str(tmp_path), detector="haar")
    faces = pipeline.analyze(happy_photo())
    picture = annotate(happy_photo(), faces, pipeline.label_names)
    assert faces[0].label == "Glücklich" and picture.shape == (512, 512, 3)
    assert Path(tmp_path / "config.json").is_file() and Image.fromarray(picture).mode == "RGB"
