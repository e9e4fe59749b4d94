"""Fairness on photographs: pairs of one person, the face that is meant, gaps that are more than chance, the card."""

import json

import numpy as np
import pytest

from face_expression.errors import DataError
from face_expression.hub.download import DETECTOR_VARIABLE, EMBEDDED_BUNDLE
from tests.support.builders import calm_face, calm_photo, happy_face, happy_photo, scene
from tests.support.evaluating import copy_bundle, evaluate, write
from tests.support.training import output_of, photographs
from train.evaluate.fairness_card import fairness_lines
from train.evaluate.fairness_sets import measure_fairness
from train.evaluate.fairness_tables import MIN_RANKED, group_table

PEOPLE = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """People of whom every second shows no smile where the label is a smile, and whose neutral face is calm."""
    place = tmp_path_factory.mktemp("faces")
    calm, happy = calm_photo(), happy_photo()
    shown, ids, expressions, genders, ethnicities = [], [], [], [], []
    for person in range(PEOPLE):
        for expression in ("neutral", "smiling"):
            # The men's smiles are faint: their picture is the calm one.
            is_woman = person % 2 == 0
            shown.append(happy if expression == "smiling" and is_woman else calm)
            ids.append(str(person))
            expressions.append(expression)
            genders.append("female" if is_woman else "male")
            ethnicities.append("black" if person < 4 else None if person < 8 else "white")
    columns = {"face_id": ids, "expression": expressions, "gender": genders, "ethnicity": ethnicities}
    photographs(place / "london.parquet", shown, age=[30] * len(ids), **columns)
    # A large face in a corner beside the smaller one in the middle, which is meant; and pictures of nobody.
    beside = scene([(calm_face(), 0, 0, 200), (happy_face(), 260, 180, 120)])
    nobody = np.full((200, 200, 3), 90, np.uint8)
    pictures = [beside] * 12 + [nobody] * 12
    photographs(
        place / "fairface.parquet",
        pictures,
        race=["White"] * 12 + ["Black"] * 12,
        gender=["male", "female"] * 12,
        age=["0-2"] * 8 + ["10-19"] * 8 + ["3-9"] * 8,
    )
    smiles, splits = [1, 0] * 10 + [1] * 4, ["development"] * 20 + ["train"] * 4
    dark = [(face * 0.3).astype(np.uint8) for face in (happy_face(), calm_face())]
    faces = [happy_face(), calm_face()] * 9 + dark + [calm_face()] * 4
    photographs(place / "genki.parquet", faces, smile=smiles, split=splits)
    return place


@pytest.fixture(scope="module")
def measured(folder, yunet_weights):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
        return measure_fairness(EMBEDDED_BUNDLE, folder)


def test_pairs_of_one_person_are_one_row(measured):
    by_gender, by_ethnicity = measured["london"]["tables"]
    assert measured["london"]["n"] == 2 * PEOPLE and by_gender["n"] == PEOPLE
    women, men = by_gender["groups"]["female"], by_gender["groups"]["male"]
    assert women["n"] == men["n"] == PEOPLE / 2
    assert women["shares"]["smiling face called happy"] == 1 and men["shares"]["smiling face called happy"] == 0
    rises = [group["shares"]["rise of the happy bar with the smile"] for group in (women, men)]
    assert rises[0] > 0.5 and rises[1] == pytest.approx(0, abs=1e-6)
    gap = by_gender["largest_gap"]
    assert (gap["measure"], gap["best"], gap["worst"]) == ("smiling face called happy", "female", "male")
    assert gap["difference"] == 1 and gap["significant"]
    # Four people are too few to be compared, and those who did not say are no group.
    assert by_ethnicity["groups"].keys() == {"white", "black", "(not stated)"} and by_ethnicity["largest_gap"] is None


def test_the_face_that_is_meant_is_nearest_the_centre_and_answers_are_described(measured):
    found, unsure, answers = measured["fairface"]["tables"][:3]
    assert found["groups"]["White"]["shares"] == {"face found": 1} and not found["is_description"]
    assert found["groups"]["Black"]["shares"] == {"face found": 0} and found["largest_gap"]["significant"]
    assert unsure["is_description"] and answers["is_description"] and answers["n"] == 12
    # The calm face is larger; the one that smiles is in the middle.
    assert answers["groups"]["White"]["shares"]["answer happy"] == 1
    shares = answers["groups"]["White"]["shares"].values()
    assert sum(shares) == pytest.approx(1)
    tables = measured["fairface"]["tables"]
    assert [table["by"] for table in tables] == ["race"] * 3 + ["gender"] * 3 + ["age"] * 3
    assert list(tables[6]["groups"]) == ["0-2", "3-9", "10-19"]
    assert tables[3]["largest_gap"]["difference"] == 0 and tables[3]["groups"]["male"]["shares"]["face found"] == 0.5


def test_only_development_rows_are_measured_by_light(measured):
    (table,) = measured["genki"]["tables"]
    # The rows for training are all wrong; none of them counts.
    assert measured["genki"]["n"] == 20 and set(table["groups"]) == {"darkest tenth", "the rest"}
    assert table["groups"]["the rest"]["shares"]["happy agrees with smile"] == 1
    assert table["groups"]["darkest tenth"]["n"] < MIN_RANKED and table["largest_gap"] is None


def test_a_gap_is_significant_only_if_it_is_more_than_the_best_of_many_by_chance():
    rng = np.random.default_rng(0)
    groups = [f"group {number % 10}" for number in range(400)]
    significant = []
    for _ in range(12):
        alike = {f"measure {number}": rng.random(400) < 0.5 for number in range(5)}
        significant.append(group_table("tribe", groups, alike, is_description=True)["largest_gap"]["significant"])
    # Among 5 x 45 pairs, an uncorrected test would find one nearly every time.
    assert sum(significant) <= 3
    apart = {"measure": rng.random(400) < np.where(np.array(groups) == "group 3", 0.2, 0.8)}
    gap = group_table("tribe", groups, apart, is_description=False)["largest_gap"]
    assert gap["significant"] and gap["worst"] == "group 3"
    low, high = gap["difference_interval_95"]
    assert low < gap["difference"] < high and 0.3 < low < high < 1


def test_the_card_has_each_table_and_says_what_each_gap_is(measured):
    text = "\n".join(fairness_lines(measured))
    assert "| by gender | n | neutral face called neutral | smiling face called happy |" in text
    assert "smiling face called happy, female 100.0 points (100.0 to 100.0) above male; significant" in text
    assert "Fewer than two groups are large enough" in text and "no labels of expressions" in text
    assert "All groups that are large enough are alike." in text
    assert fairness_lines(None) == []


def test_evaluate_writes_the_section_and_the_report_shows_it(folder, yunet_weights, monkeypatch, tmp_path):
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    faces = tmp_path / "faces"
    faces.mkdir()
    (faces / "london.parquet").write_bytes((folder / "london.parquet").read_bytes())
    data, bundle, report = write(tmp_path / "data"), copy_bundle(tmp_path / "bundle"), tmp_path / "report.html"
    options = ["--no-robustness", "--fairness", faces, "--report", report]
    result = evaluate("--data", data, "--bundle", bundle, *options)
    assert result.exit_code == 0, output_of(result)
    written = json.loads((bundle / "metrics.json").read_text())["fairness"]
    assert list(written) == ["london"] and written["london"]["tables"][0]["largest_gap"]["difference"] == 1
    page = report.read_text()
    assert 'id="fairness"' in page and "smiling face called happy" in page and "Nothing here says" not in page


def test_a_folder_without_such_sets_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"holds none of london\.parquet"):
        measure_fairness(EMBEDDED_BUNDLE, tmp_path)
