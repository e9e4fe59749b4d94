"""For whom a bundle works less well: from `metrics.json` into one sentence."""

import json

import pytest

from face_expression.hub.download import EMBEDDED_BUNDLE, METRICS_FILE
from face_expression.output.known_gaps import NO_GAP, UNMEASURED, gaps_in_words, known_gaps


def table(measure="face found", *, significant=True, is_description=False, shares=(0.9, 0.5), groups=("White", "0-2")):
    named = dict(zip(groups, ({"shares": {measure: share}} for share in shares), strict=True))
    gap = {"measure": measure, "best": groups[0], "worst": groups[1], "significant": significant}
    return {"is_description": is_description, "n": 1200, "groups": named, "largest_gap": gap}


def test_only_gaps_that_are_more_than_chance_the_largest_first():
    london = [
        table("smiling face called happy", groups=("female", "male"), shares=(0.84, 0.4)),
        table(significant=False),
        table("answer happy", is_description=True),
        {"is_description": False, "n": 3, "groups": {}, "largest_gap": None},
    ]
    fairface = [table(groups=("White", "east_asian"), shares=(0.99, 0.31))]
    gaps = known_gaps({"fairness": {"london": {"tables": london}, "fairface": {"tables": fairface}}})
    assert list(map(str, gaps)) == [
        "faces found: White 99%, east asian 31% (n = 1,200)",
        "posed smiles called happy: women 84%, men 40% (n = 1,200)",
    ]


@pytest.mark.parametrize(
    ("metrics", "words"),
    [
        ({"fairness": None}, UNMEASURED),
        ({}, UNMEASURED),
        ({"fairness": {"london": {"tables": [table(significant=False)]}}}, NO_GAP),
        ({"fairness": {"london": {"tables": [table()]}}}, "faces found: White 90%, 0-2 50%"),
        # Damaged, or written by another program: the bundle still serves.
        ({"fairness": {"london": {"tables": [{"largest_gap": {}}]}}}, UNMEASURED),
        ([], UNMEASURED),
    ],
)
def test_a_sentence_for_every_bundle(tmp_path, metrics, words):
    (tmp_path / METRICS_FILE).write_text(json.dumps(metrics))
    assert words in gaps_in_words(tmp_path)


def test_a_bundle_without_figures_or_with_broken_ones(tmp_path, caplog):
    assert gaps_in_words(tmp_path) == UNMEASURED
    # Others in this process may have something to say, too.
    assert not [record for record in caplog.records if record.name.startswith("face_expression")]
    (tmp_path / METRICS_FILE).write_text("{")
    assert gaps_in_words(tmp_path) == UNMEASURED and "cannot be read" in caplog.text


def test_the_shipped_bundle_says_what_was_measured_of_it():
    gender = json.loads((EMBEDDED_BUNDLE / METRICS_FILE).read_text())["fairness"]["london"]["tables"][0]
    shares = [gender["groups"][group]["shares"]["smiling face called happy"] for group in ("female", "male")]
    assert f"posed smiles called happy: women {shares[0]:.0%}, men {shares[1]:.0%}" in gaps_in_words(EMBEDDED_BUNDLE)
