"""`python -m train evaluate` on a few photographs: every figure with n and interval, and a report that opens alone."""

import json
import re

import cv2
import datasets
import numpy as np
import pytest

from face_expression import LABEL_NAMES, load_pipeline
from face_expression.hub.download import DETECTOR_VARIABLE, EMBEDDED_BUNDLE
from face_expression.model.config import read_preprocessing
from face_expression.output.known_gaps import UNMEASURED
from tests.support.builders import REPOSITORY, calm_face, happy_face, scene
from tests.support.evaluating import ROWS, copy_bundle, evaluate, example_rows, noise, write
from train.data.dataset import load_split
from train.evaluate.at_a_glance import beside_other_tools, for_whom_it_is_worse, what_it_cannot_do
from train.evaluate.end_to_end import MISSED, analyze_rows
from train.evaluate.fairness import largest_gap
from train.evaluate.near_duplicates import find_duplicates
from train.evaluate.plots import tool_bars
from train.evaluate.protocols import Metrics, Predictions, measure_protocols, read_truth
from train.evaluate.robustness import corruptions
from train.evaluate.step import METRICS

PREPROCESSING = read_preprocessing(REPOSITORY / "train" / "data" / "preprocessing.json")
OTHER_NAMES = ("amused", "bored", "calm", "dull", "eager", "fine", "grim")


@pytest.fixture(scope="module")
def evaluated(yunet_weights, tmp_path_factory):
    """(metrics, report, folder of the data, folder of the bundle) of one run with everything."""
    folder = tmp_path_factory.mktemp("evaluated")
    data, bundle, report = write(folder / "data"), copy_bundle(folder / "bundle"), folder / "pages" / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
        result = evaluate("--data", data, "--bundle", bundle, "--report", report, "--groups", "query_group")
    assert result.exit_code == 0, result.output
    return json.loads((bundle / "metrics.json").read_text()), report.read_text(), data, bundle


def figures_with_intervals(value, path=""):
    """Every (path, figure, interval) of a metrics file; a figure without one is an error of the test's."""
    if isinstance(value, list):
        for number, entry in enumerate(value):
            yield from figures_with_intervals(entry, f"{path}[{number}]")
    if not isinstance(value, dict):
        return
    for key, entry in value.items():
        if key.endswith("_interval_95"):
            yield f"{path}.{key}", value[key.removesuffix("_interval_95")], entry
        elif isinstance(entry, dict | list) and f"{key}_interval_95" not in value:
            yield from figures_with_intervals(entry, f"{path}.{key}")
        elif isinstance(entry, float) and key not in ("temperature", "threshold", "p_value", "amount"):
            assert key == "coverage" or f"{key}_interval_95" in value, f"{path}.{key} has no interval"


def test_every_figure_lies_in_its_interval(evaluated):
    found = list(figures_with_intervals(evaluated[0]))
    sections = {path.split(".")[1] for path, *_ in found}
    assert sections == {"protocols", "calibration", "risk_coverage", "robustness", "groups", "speed"}
    for path, value, interval in found:
        if isinstance(value, dict):
            pairs = [(value[name], interval[name]) for name in value]
        else:
            pairs = zip(value, interval, strict=True) if isinstance(value, list) else [(value, interval)]
        for figure, bounds in pairs:
            assert bounds is None or bounds[0] - 1e-9 <= figure <= bounds[1] + 1e-9, path


def test_the_protocols_and_their_n(evaluated):
    metrics = evaluated[0]
    assert metrics["schema_version"] == 2 and metrics["main_protocol"] == "ferplus-majority-7"
    rows = {name: row["n"] for name, row in metrics["protocols"].items()}
    assert rows.pop("ferplus-majority-7/not_near_train") <= ROWS - 3
    assert rows.pop("full-path/detected") == 16 and rows.pop("full-path/answered") <= 16
    assert {name: n for name, n in rows.items() if name != "fer2013/first_head"} == {
        "fer2013": ROWS,
        "ferplus-majority-7": ROWS,
        "ferplus-majority-7/not_in_train": ROWS - 1,
        "ferplus-votes": ROWS,
        "full-path": ROWS,
    }


def test_near_duplicates_are_found_mirrored_relit_and_rescaled():
    shown = [cv2.GaussianBlur(noise(seed), (0, 0), 3) for seed in range(20)]
    relit = np.clip(shown[2] * 0.5 + 60, 0, 255).astype(np.uint8)
    tested = [
        shown[0],
        np.ascontiguousarray(shown[1][:, ::-1]),
        relit,
        cv2.resize(shown[3], (96, 96)),
        cv2.cvtColor(shown[4], cv2.COLOR_GRAY2RGB),
        cv2.GaussianBlur(noise(99), (0, 0), 3),
        shown[5][::-1].copy(),
        np.full((48, 48), 90, np.uint8),
    ]
    rows, others = (
        datasets.Dataset.from_dict({"image": images}, features=datasets.Features({"image": datasets.Image()}))
        for images in (tested, [*shown, np.full((48, 48), 20, np.uint8)])
    )
    exact, near = find_duplicates(*(part.cast_column("image", datasets.Image(decode=False)) for part in (rows, others)))
    assert exact.tolist() == [True] + [False] * 7
    assert near.tolist() == [True] * 5 + [False] * 3


def test_accuracy_is_what_the_app_says_of_the_same_crops(evaluated):
    metrics, _, _, bundle = evaluated
    rows = example_rows()
    named = load_pipeline(str(bundle), detector="haar").classify(rows["image"]).argmax(1)
    main = metrics["protocols"]["ferplus-majority-7"]
    assert main["accuracy"] == pytest.approx(np.mean(named == rows["label"]))
    assert metrics["robustness"]["untouched"]["accuracy"] == pytest.approx(main["accuracy"])
    assert np.array(main["confusion"]).sum() == ROWS


def test_a_missed_face_counts_as_wrong(evaluated):
    whole, found = (evaluated[0]["protocols"][name] for name in ("full-path", "full-path/detected"))
    assert whole["detector"] == "yunet" and whole["share_found"] == 16 / ROWS
    assert found["accuracy"] > 0 and whole["accuracy"] == pytest.approx(found["accuracy"] * 16 / ROWS)


def test_robustness_has_every_corruption_at_five_severities(evaluated):
    curves = evaluated[0]["robustness"]["corruptions"]
    assert list(curves) == [corruption.name for corruption in corruptions(PREPROCESSING)] and len(curves) == 11
    for curve in curves.values():
        assert [level["n"] for level in curve["levels"]] == [ROWS] * 5
    assert curves["blur"]["levels"][-1]["not_sure"] > evaluated[0]["robustness"]["untouched"]["not_sure"]


def test_calibration_compares_before_with_after(evaluated):
    calibration = evaluated[0]["calibration"]
    assert calibration["against"] == "votes"
    after = evaluated[0]["protocols"]["ferplus-votes"]
    assert calibration["after"]["votes"] == after and calibration["before"]["votes"] != after
    assert calibration["after"]["labels"]["loss"] == evaluated[0]["protocols"]["ferplus-majority-7"]["loss"]


def test_groups_are_compared_and_small_ones_are_not_ranked(evaluated):
    groups = evaluated[0]["groups"]
    assert groups["column"] == "query_group" and groups["is_proxy"]
    assert {name: (row["n"], row["ranked"]) for name, row in groups["groups"].items()} == {
        "photo": (16, False),
        "noise": (ROWS - 20, False),
        "(not stated)": (4, False),
    }
    assert groups["largest_gap"] is None
    assert sum(groups["groups"]["photo"]["support"].values()) == 16
    assert "A proxy" in evaluated[1] and "search" in evaluated[1]


def test_speed_and_size_are_of_this_network(evaluated):
    metrics, _, _, bundle = evaluated
    assert 0 < metrics["speed"]["p50_ms"] <= metrics["speed"]["p95_ms"] and metrics["speed"]["machine"]
    assert metrics["bundle"]["model_bytes"] == (bundle / "model.onnx").stat().st_size
    assert 10_000 < metrics["bundle"]["parameters"] < metrics["bundle"]["model_bytes"]


def test_the_report_needs_nothing_else(evaluated):
    page = evaluated[1]
    assert len(page) < 6_000_000
    assert not re.search(r"<(script|link|iframe)\b", page)
    for address in re.findall(r"(?:src|href)=\"([^\"]*)\"", page):
        assert address.startswith(("#", "data:image/png;base64,")), address
    assert not re.search(r"url\((?!#)", page) and "@import" not in page
    assert str(REPOSITORY) not in page


def test_the_report_shows_and_explains_everything(evaluated):
    metrics, page = evaluated[:2]
    for heading in ("What it cannot do", "For whom it is worse"):
        assert page.index(f">{heading}</h2>") < page.index('<h2 id="how">'), "not on the first screen"
    assert UNMEASURED in page
    for heading in ("Figures", "Conditions", "taken for which", "Each class", "mean what they say", "not sure"):
        assert re.search(f"<h2[^>]*>[^<]*{heading}", page), heading
    for heading in (
        "confident mistakes",
        "Annotations beside predictions",
        "gets worse",
        "Groups",
        "Speed",
        "Training",
        "Limits",
    ):
        assert re.search(f"<h2[^>]*>[^<]*{heading}", page), heading
    drawings = re.findall(r"<svg[^>]*>", page)
    assert len(drawings) == 5 + 11 + 1 and all('role="img" aria-label="' in drawing for drawing in drawings)
    assert f"{metrics['protocols']['ferplus-majority-7']['accuracy']:.1%}" in page
    wrong = round(ROWS * (1 - metrics["protocols"]["ferplus-majority-7"]["accuracy"]))
    mistakes = page[page.index('id="mistakes"') : page.index('id="people"')]
    assert mistakes.count("<img") == min(36, wrong) and all("alt=" in tag for tag in re.findall("<img[^>]*>", page))
    assert page.count("n = ") >= 9


def test_the_first_screen_says_what_the_figures_say():
    metrics = json.loads((EMBEDDED_BUNDLE / "metrics.json").read_text())
    cannot = what_it_cannot_do(metrics)
    recall = metrics["protocols"]["ferplus-majority-7"]["recall"]["disgust"]
    assert "cannot tell what somebody feels" in cannot[0]
    assert any(f"call disgust: of 22 it recognises {recall:.0%}" in sentence for sentence in cannot)
    spoiled = metrics["robustness"]["corruptions"]["mouth covered"]["levels"][-1]
    wrong = spoiled["answered"]["n"] * (1 - spoiled["answered"]["accuracy"]) / spoiled["n"]
    assert any(
        f"{wrong:.0%} under mouth covered (height of a bright bar, share: 0.4)" in sentence for sentence in cannot
    )
    assert for_whom_it_is_worse(metrics)[0].startswith("Posed smiles called happy: women")
    # Of a model that nobody tried on spoiled pictures, nothing is said about them.
    assert len(what_it_cannot_do(metrics | {"robustness": None})) == len(cannot) - 1


def test_other_tools_are_shown_beside_the_network_that_was_compared_with_them_only(tmp_path):
    metrics = json.loads((EMBEDDED_BUNDLE / "metrics.json").read_text())
    record = tmp_path / "peers.json"
    assert beside_other_tools(metrics, record) is None
    tools = [{"tool": "this project", "ferplus_majority_7": 0.86}, {"tool": "other", "ferplus_majority_7": 0.65}]
    data = {"n": {"ferplus-majority-7": 937}, "tools": [*tools, {"tool": "could not be fetched"}]}
    written = {
        "bundle_sha256": metrics["bundle"]["model_sha256"],
        "command": "python -m benchmarks.peers",
        "data": data,
    }
    record.write_text(json.dumps(written))
    shown = beside_other_tools(metrics, record)
    assert shown["tools"] == {"this project": 0.86, "other": 0.65} and shown["n"] == 937
    drawing = tool_bars(shown["tools"], shown["n"])
    assert "this project 86.0%, other 65.0%" in drawing
    for change in ({"bundle": {"model_sha256": "0"}}, {"data": {"name": "mine", "split": "test"}}):
        assert beside_other_tools(metrics | change, record) is None


def test_other_label_names_and_no_votes(tmp_path):
    data = write(tmp_path / "data", votes=False, names=OTHER_NAMES)
    bundle = copy_bundle(tmp_path / "bundle", OTHER_NAMES)
    report = tmp_path / "report.html"
    result = evaluate("--data", data, "--bundle", bundle, "--report", report, "--no-robustness", "--groups", "label")
    assert result.exit_code == 0, result.output
    metrics = json.loads((bundle / "metrics.json").read_text())
    assert metrics["main_protocol"] == "labels" and metrics["calibration"]["against"] == "labels"
    assert set(metrics["protocols"]) <= {
        "labels",
        "labels/not_in_train",
        "labels/not_near_train",
        "full-path",
        "full-path/detected",
        "full-path/answered",
    }
    assert list(metrics["protocols"]["labels"]["recall"]) == list(OTHER_NAMES)
    assert metrics["protocols"]["full-path"]["detector"] == "yunet" and metrics["robustness"] is None
    assert set(metrics["groups"]["groups"]) == set(OTHER_NAMES) and not metrics["groups"]["is_proxy"]
    assert "Annotations beside predictions" not in report.read_text() and "gets worse" not in report.read_text()


@pytest.mark.parametrize(("arguments", "pages"), [([], ["evaluation/report.html"]), (["--no-report"], [])])
def test_the_report_never_lies_in_the_bundle(tmp_path, monkeypatch, arguments, pages):
    monkeypatch.chdir(tmp_path)
    data, bundle = write(tmp_path / "data"), copy_bundle(tmp_path / "bundle")
    result = evaluate("--data", data, "--bundle", bundle, "--no-robustness", *arguments)
    assert result.exit_code == 0, result.output
    assert (bundle / "metrics.json").is_file()
    assert [str(page.relative_to(tmp_path)) for page in tmp_path.rglob("*.html")] == pages
    assert "/evaluation/" in (REPOSITORY / ".gitignore").read_text().splitlines()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--groups", "planet"], "no column 'planet' to group by; it has ['image', 'label'"),
        (["--groups", "image"], "cannot group by the column 'image'"),
        (["--groups", "votes"], "cannot group by the column 'votes'"),
        (["--bundle", "{folder}/other"], "amused"),
        (["--report", "{folder}/other"], "is a folder"),
    ],
)
def test_mistakes_are_reported_before_anything_is_measured(tmp_path, arguments, words):
    data, bundle = write(tmp_path / "data"), copy_bundle(tmp_path / "bundle")
    copy_bundle(tmp_path / "other", OTHER_NAMES)
    filled = [argument.replace("{folder}", str(tmp_path)) for argument in arguments]
    result = evaluate("--data", data, "--bundle", bundle, "--report", tmp_path / "report.html", *filled)
    assert result.exit_code != 0 and isinstance(result.exception, SystemExit)
    assert words in str(result.exception) + result.output
    assert not list(tmp_path.rglob("metrics.json")) and not (tmp_path / "report.html").exists()


def test_a_second_head_answers_for_the_data_sets_own_labels(tmp_path):
    rows = load_split(str(write(tmp_path / "data")), "test")
    truth = read_truth(rows, LABEL_NAMES)
    right = 20 * np.eye(7, dtype=np.float32)[truth.own_label]
    wrong = np.roll(right, 1, axis=1)
    shares = np.full((len(rows), 7), 1 / 7)
    shares[:, 0] += 0.01
    metrics = Metrics(METRICS, LABEL_NAMES)
    one = measure_protocols(Predictions(wrong, shares, None), truth, {}, metrics)
    two = measure_protocols(Predictions(wrong, shares, right), truth, {}, metrics)
    assert "fer2013/first_head" not in one and one["fer2013"]["accuracy"] < 1
    assert two["fer2013"]["accuracy"] == 1 and two["fer2013/first_head"] == one["fer2013"]
    assert two["ferplus-majority-7"] == one["ferplus-majority-7"]


def test_a_face_box_names_the_face_that_is_meant(yunet_pipeline):
    frame = scene([(happy_face(), 40, 120, 200), (calm_face(), 380, 120, 220)])
    faces = yunet_pipeline.analyze(frame)
    assert len(faces) == 2
    boxes = [list(face.box) for face in faces] + [[250.0, 10.0, 330.0, 90.0]]
    features = datasets.Features({"image": datasets.Image(), "face_box": datasets.List(datasets.Value("float32"))})
    rows = datasets.Dataset.from_dict({"image": [frame] * 3, "face_box": boxes}, features=features)
    predicted, _ = analyze_rows(yunet_pipeline, rows.cast_column("image", datasets.Image(decode=False)))
    expected = [LABEL_NAMES.index(face.label) for face in faces]
    assert predicted.tolist() == [*expected, MISSED]


@pytest.mark.parametrize("corruption", corruptions(PREPROCESSING), ids=lambda corruption: corruption.name)
@pytest.mark.parametrize("grey", [True, False])
def test_each_severity_is_worse_than_the_one_before(corruption, grey):
    face = cv2.resize(happy_face(), (48, 48), interpolation=cv2.INTER_AREA)
    face = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY) if grey else face
    changes = []
    for amount in corruption.amounts:
        worse = corruption.corrupt(face, amount, np.random.default_rng(0))
        assert worse.dtype == np.uint8 and worse.shape == face.shape
        np.testing.assert_array_equal(worse, corruption.corrupt(face, amount, np.random.default_rng(0)))
        changes.append(np.abs(worse.astype(int) - face).mean())
    assert changes[0] > 0 and changes == sorted(changes)


def test_a_gap_is_significant_only_if_chance_does_not_make_it():
    rng = np.random.default_rng(3)
    groups = np.repeat(["a", "b", "c"], 200)
    alike = rng.random(600) < 0.8
    apart = rng.random(600) < np.where(groups == "c", 0.6, 0.85)
    assert not largest_gap(groups, alike)["significant"]
    gap = largest_gap(groups, apart)
    assert gap["significant"] and gap["worst"] == "c" and gap["n"] == 600 and gap["p_value"] < 0.01
    low, high = gap["difference_interval_95"]
    assert 0 < low < gap["difference"] < high
