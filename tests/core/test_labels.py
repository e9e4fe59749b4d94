"""What is said of a face's expression: adjectives, and two expressions that share the lead."""

import json
import re
from dataclasses import replace
from functools import partial

import pytest

from face_expression import face_summary
from face_expression.labels import LABEL_NAMES, looks, shared_lead
from face_expression.output.annotate import COLORS, face_tag
from face_expression.output.percent import percent, shown_percent
from space.paths import WEB
from space.suggestions import load_suggestions
from tests.support.builders import SUPPORT, happy_photo

CASES = json.loads((SUPPORT / "shared_lead_cases.json").read_text())
PERCENT_CASES = json.loads((SUPPORT / "percent_cases.json").read_text())


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: str(case["probabilities"]))
def test_two_share_the_lead_as_in_the_browser(case):
    lead = shared_lead(case["probabilities"], CASES["label_names"])
    assert lead == (tuple(case["lead"]) if case["lead"] else None)


def test_two_labels_are_enough():
    assert shared_lead([0.5, 0.5], ["yes", "no"]) == ("yes", "no")


@pytest.mark.parametrize(
    "case", json.loads((SUPPORT / "percent_cases.json").read_text()), ids=lambda case: case["text"]
)
def test_percent_are_written_as_in_the_browser(case):
    assert percent(case["share"]) == case["text"] and shown_percent(case["share"]) == case["shown"]


def test_labels_read_as_adjectives():
    suggested = {label: entries.looks for label, entries in load_suggestions().expressions.items()}
    assert {label: looks(label) for label in LABEL_NAMES} == suggested
    assert looks("wink") == "wink"


def test_one_palette_means_expression_everywhere():
    style = (WEB / "live" / "page.css").read_text(encoding="utf-8")
    assert tuple(re.findall(r"\.class\d \{ --person: (#[0-9a-f]{6}); \}", style)) == COLORS
    overlay = (WEB / "live" / "overlay.js").read_text(encoding="utf-8")
    assert tuple(re.findall(r'"(#[0-9a-f]{6})"', overlay.split("COLOURS = ")[1].split(";")[0])) == COLORS


def test_a_face_between_two_expressions_names_both(yunet_pipeline):
    (face,) = yunet_pipeline.analyze(happy_photo())
    assert face.between is None
    unsure = replace(face, reasons=("too dark", "no clear expression"), between=("surprise", "happy"))
    assert face_summary(unsure) == "**Not sure:** too dark, between surprised and happy."
    assert face_tag(replace(unsure, reasons=("no clear expression",))) == "not sure: between surprised and happy"
    assert face_tag(replace(unsure, between=None, reasons=("no clear expression",))) == "not sure: no clear expression"
    assert "looks **fearful**" in face_summary(replace(face, label="fear"))


def test_words_beside_a_face_may_be_translated(yunet_pipeline):
    (face,) = yunet_pipeline.analyze(happy_photo())
    german = {"happy": "fröhlich", "99%": "99 %", "surprised": "überrascht", "too dark": "zu dunkel"}
    german |= {"not sure: {1}": "nicht sicher: {1}", "between {1} and {2}": "zwischen {1} und {2}"}
    words = partial(face_tag, translated=lambda text: german.get(text, text))
    assert words(face) == "fröhlich 99 %"
    dark = replace(face, reasons=("too dark",))
    assert words(dark) == "nicht sicher: zu dunkel"
    unsure = replace(face, reasons=("no clear expression",), between=("surprise", "happy"))
    assert words(unsure) == "nicht sicher: zwischen überrascht und fröhlich"
    assert words(replace(dark, reasons=("turned away",))) == "nicht sicher: turned away"
