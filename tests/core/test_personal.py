"""What is learned about one person: the head and its check, the file, and what reads it."""

import csv
import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from face_expression import PersonalError, load_pipeline, read_picture
from face_expression.__main__ import app
from face_expression.model.classifier import softmax
from face_expression.output.records import face_as_json
from face_expression.personal.head import (
    CORRECTIONS_PRIOR,
    MAX_FACES,
    OWN_PRIOR,
    KeptFaces,
    check_head,
    fit_head,
)
from face_expression.personal.personal_file import (
    NONE_OF_THESE,
    Corrections,
    Neutral,
    OwnExpressions,
    Personal,
    head_numbers,
    neutral_shift,
)
from tests.support.builders import EXAMPLES, SUPPORT, calm_face, happy_face, moving
from tests.support.videos import write_video

TABLE = json.loads((SUPPORT / "personal_cases.json").read_text(encoding="utf-8"))
PRIORS = {"corrections": CORRECTIONS_PRIOR, "own": OWN_PRIOR}
PORTRAIT = EXAMPLES / "astronaut.jpg"


def kept_faces(faces: list[dict], classes: int, width: int) -> KeptFaces:
    return KeptFaces(
        np.array([face["logits"] for face in faces], np.float64).reshape(-1, classes),
        np.array([face["features"] for face in faces], np.float64).reshape(-1, width),
        np.array([face["label"] for face in faces], np.int64),
        np.array([face["take"] for face in faces], np.int64),
    )


@pytest.fixture(scope="module")
def learned(yunet_pipeline) -> Personal:
    """A person whose portrait looks afraid, and who winks."""
    (face,) = yunet_pipeline.analyze(read_picture(PORTRAIT))
    names = yunet_pipeline.label_names
    twice = KeptFaces(
        np.tile(face.logits, (8, 1)), np.tile(face.features, (8, 1)), np.full(8, names.index("fear")), np.arange(8)
    )
    other = np.roll(face.features, 1)
    own = KeptFaces(np.zeros((8, 2)), np.array([face.features, other] * 4), np.array([0, 1] * 4), np.arange(8) // 2)
    return Personal(
        bundle_sha256=yunet_pipeline.config.model_sha256,
        label_names=names,
        features=len(face.features),
        neutral=Neutral(shift=tuple(neutral_shift(face.logits[None], names).tolist()), frames=1),
        corrections=Corrections(
            head=head_numbers(fit_head(twice, CORRECTIONS_PRIOR)), faces={"fear": 8}, right_before=0, right_after=8
        ),
        own=OwnExpressions(
            names=("wink", NONE_OF_THESE), head=head_numbers(fit_head(own, OWN_PRIOR)), frames=(4, 4), right=8
        ),
    )


@pytest.fixture
def personal_file(learned, tmp_path) -> Path:
    file = tmp_path / "personal.json"
    file.write_text(learned.model_dump_json())
    return file


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_what_javascript_must_do_as_well(case):
    """`web/test/personal.test.js` reads the same table."""
    asked = np.array(case["asked"])
    faces = kept_faces(case["faces"], case["classes"], asked.shape[1])
    head = fit_head(faces, PRIORS[case["prior"]])
    np.testing.assert_allclose(head.shift(asked), case["shifts"], atol=1e-5)
    check, expected = check_head(faces, PRIORS[case["prior"]]), case["check"]
    counts = ("faces", "right_before", "right_after", "helps")
    assert {name: getattr(check, name) for name in counts} == {name: expected[name] for name in counts}
    assert list(check.right_by_label) == expected["right_by_label"]
    losses = [check.loss_before, check.loss_after]
    np.testing.assert_allclose(losses, [expected["loss_before"], expected["loss_after"]], atol=1e-5)


@pytest.mark.parametrize("case", TABLE["neutral"], ids=lambda case: case["name"])
def test_the_baseline_of_a_resting_face(case):
    np.testing.assert_allclose(neutral_shift(np.array(case["logits"]), case["label_names"]), case["shift"], atol=1e-5)


def test_two_faces_cannot_ruin_it(learned, yunet_pipeline):
    """Two faces with an absurd label move the answer for them, and leave a clear answer to another face as it is."""
    (face,) = yunet_pipeline.analyze(read_picture(PORTRAIT))
    assert face.label == "happy" and face.confidence > 0.9
    names = yunet_pipeline.label_names
    absurd = KeptFaces(
        np.tile(face.logits, (2, 1)), np.tile(face.features, (2, 1)), np.full(2, names.index("disgust")), np.arange(2)
    )
    adapted = softmax((face.logits + fit_head(absurd, CORRECTIONS_PRIOR).shift(face.features[None]))[:1])[0]
    assert adapted.argmax() == names.index("happy")
    assert adapted[names.index("disgust")] > face.probabilities[names.index("disgust")]


def test_the_fit_is_the_optimum_of_its_objective():
    """The gradient of loss and prior is zero, checked against nothing but the definition."""
    rng = np.random.default_rng(0)
    faces = KeptFaces(rng.normal(0, 1, (9, 3)), rng.random((9, 4)), np.arange(9) % 3, np.arange(9))
    head = fit_head(faces, CORRECTIONS_PRIOR)
    units = faces.features / np.linalg.norm(faces.features, axis=1, keepdims=True)
    wrong = softmax(faces.logits + head.shift(faces.features)) - np.eye(3)[faces.labels]
    np.testing.assert_allclose(wrong.T @ units + head.weights / CORRECTIONS_PRIOR.weights, 0, atol=1e-4)
    np.testing.assert_allclose(wrong.sum(axis=0) + head.bias / CORRECTIONS_PRIOR.bias, 0, atol=1e-4)


def test_there_is_a_most_that_can_be_learned_from():
    many = MAX_FACES + 1
    faces = KeptFaces(np.zeros((many, 2)), np.ones((many, 3)), np.zeros(many, np.int64), np.arange(many))
    with pytest.raises(ValueError, match="at most"):
        fit_head(faces, CORRECTIONS_PRIOR)
    with pytest.raises(ValueError, match="at least one frame"):
        neutral_shift(np.zeros((0, 2)), ("neutral", "sad"))


def test_nothing_learned_is_exactly_the_bundle(learned, yunet_pipeline, tmp_path):
    file = tmp_path / "empty.json"
    file.write_text(learned.model_copy(update=dict.fromkeys(("neutral", "corrections", "own"))).model_dump_json())
    (alone,) = yunet_pipeline.analyze(read_picture(PORTRAIT))
    (face,) = load_pipeline(personal=file).analyze(read_picture(PORTRAIT))
    assert face.probabilities.tolist() == alone.probabilities.tolist() and face.own is None


def test_a_pipeline_adapts_to_the_person(personal_file, learned, yunet_pipeline):
    pipeline = load_pipeline(personal=personal_file)
    picture = read_picture(PORTRAIT)
    (alone,), (face,) = yunet_pipeline.analyze(picture), pipeline.analyze(picture)
    expected = softmax(learned.adapt(alone.logits[None], alone.features[None]))[0]
    np.testing.assert_allclose(face.probabilities, expected, atol=1e-6)
    fear = pipeline.label_names.index("fear")
    assert face.probabilities[fear] > alone.probabilities[fear] + 0.01
    assert list(face.own) == ["wink", NONE_OF_THESE] and face.own["wink"] > 0.9
    np.testing.assert_array_equal(face.logits, alone.logits)
    tracked, _ = pipeline.track(picture, None, 0.0)
    np.testing.assert_allclose(tracked[0].probabilities, face.probabilities, atol=1e-6)
    np.testing.assert_allclose(
        pipeline.classify([face.crop])[0],
        softmax(learned.adapt(*pipeline.classifier.calibrated(pipeline.model_inputs([face.crop]))))[0],
    )
    assert "adapted to one person" in pipeline.source
    assert face.personal and tracked[0].personal and not alone.personal
    assert face_as_json(face, pipeline.label_names)["personal"] is True
    assert "personal" not in face_as_json(alone, pipeline.label_names)


def test_an_own_expression_may_be_one_sided(personal_file, yunet_pipeline):
    """It is recognised by the face as it is, while the bars are those of the face and its mirror image."""
    pipeline, picture, state = load_pipeline(personal=personal_file), read_picture(PORTRAIT), None
    fear = pipeline.label_names.index("fear")
    (alone,) = yunet_pipeline.analyze(picture)
    seen = []
    for index in range(6):
        (face,), state = pipeline.track(picture, state, index * 0.1)
        assert face.probabilities[fear] > alone.probabilities[fear] + 0.01
        seen.append(face)
    changes = [not np.array_equal(before.probabilities, face.probabilities) for before, face in pairwise(seen)]
    assert changes[0] and changes[2]
    assert seen[1].own == seen[0].own and seen[3].own == seen[2].own == seen[5].own
    (wink,) = own_of(pipeline, seen[3].crop)
    (mirrored,) = own_of(pipeline, seen[3].crop[:, ::-1])
    assert seen[3].own["wink"] == pytest.approx(wink, abs=1e-6) and abs(wink - mirrored) > 1e-4


def own_of(pipeline, crop):
    _, features = pipeline.classifier.calibrated(pipeline.model_inputs([crop]))
    return pipeline.personal.own_probabilities(features)[:, 0]


def test_predict_takes_the_file(personal_file, tmp_path):
    table = tmp_path / "faces.csv"
    shown = CliRunner().invoke(app, ["predict", str(PORTRAIT), "--personal", str(personal_file)])
    assert shown.exit_code == 0, shown.output
    line = next(line for line in shown.stdout.splitlines() if line.startswith("{"))
    (face,) = json.loads(line)["faces"]
    assert set(face["own"]) == {"wink", NONE_OF_THESE} and face["personal"] is True
    options = ["--personal", str(personal_file), "--results", str(table), "--workers", "2"]
    assert CliRunner().invoke(app, ["predict", str(PORTRAIT), str(PORTRAIT), *options]).exit_code == 0
    rows = list(csv.DictReader(table.open()))
    assert [float(row["own: wink"]) for row in rows] == [face["own"]["wink"]] * 2
    assert {float(row["fear"]) for row in rows} == {face["probabilities"]["fear"]}


def test_video_takes_the_file(personal_file, tmp_path):
    source, table = write_video(tmp_path / "short.mp4", moving(calm_face(), 3)), tmp_path / "faces.csv"
    run = CliRunner().invoke(app, ["video", str(source), "--csv", str(table), "--personal", str(personal_file)])
    assert run.exit_code == 0, run.output
    rows = list(csv.DictReader(table.open()))
    assert rows and all(float(row["own: wink"]) + float(row[f"own: {NONE_OF_THESE}"]) > 0.99 for row in rows)


def test_events_have_a_line_when_an_own_expression_begins_or_ends(yunet_pipeline, tmp_path):
    """The label stays the same all the while, and nothing else is learned."""
    sides = [happy_face(), np.ascontiguousarray(happy_face()[:, ::-1])]
    features = [yunet_pipeline.analyze(side)[0].features for side in sides]
    own = KeptFaces(np.zeros((8, 2)), np.array(features * 4), np.array([0, 1] * 4), np.arange(8) // 2)
    names = ("facing left", NONE_OF_THESE)
    learned = Personal(
        bundle_sha256=yunet_pipeline.config.model_sha256,
        label_names=yunet_pipeline.label_names,
        features=len(features[0]),
        own=OwnExpressions(names=names, head=head_numbers(fit_head(own, OWN_PRIOR)), frames=(4, 4), right=8),
    )
    file = tmp_path / "personal.json"
    file.write_text(learned.model_dump_json())
    source = write_video(tmp_path / "sides.mov", [side for side in (*sides, sides[0]) for _ in range(12)], codec="png")
    shown = CliRunner().invoke(app, ["video", str(source), "--events", "--personal", str(file)])
    faces = [json.loads(line)["faces"][0] for line in shown.stdout.splitlines()]
    assert {(face["label"], face["reliable"]) for face in faces} == {("happy", True)}
    assert [max(face["own"], key=face["own"].get) for face in faces] == [names[0], names[1], names[0]]
    assert not any("personal" in face for face in faces), "own expressions leave the probabilities as they are"
    alone = CliRunner().invoke(app, ["video", str(source), "--events"])
    assert len(alone.stdout.splitlines()) == 1


def changed(**parts):
    return lambda raw: json.dumps({**raw, **parts}).encode()


BROKEN_HEAD = {"weights": [[1, 2]], "bias": [0]}
REFUSED = {
    "cut short": (lambda raw: json.dumps(raw).encode()[:500], "damaged: not JSON"),
    "no text": (lambda _: b"\xff\xfe\x00", "damaged: not JSON"),
    "nested without end": (lambda _: b"[" * 1_000_000, "damaged: not JSON"),
    "another file": (lambda _: b"{}", "not a personal.json"),
    "huge": (lambda _: b" " * 4_000_001, "larger than 4 MB"),
    "a later version": (changed(schema_version=2), "schema version 2"),
    "another bundle": (changed(bundle_sha256="0" * 64), "made for another model"),
    "unknown parts": (changed(pictures=[]), "pictures"),
    "a head too small": (
        changed(corrections={"head": BROKEN_HEAD, "faces": {}, "right_before": 0, "right_after": 0}),
        "corrections",
    ),
    "not a number": (
        lambda raw: json.dumps({**raw, "neutral": {"shift": [float("nan")] * 7, "frames": 1}}).encode(),
        "neutral",
    ),
}


@pytest.mark.parametrize(("make", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_a_file_that_cannot_be_used_is_refused(make, sentence, learned, tmp_path):
    file = tmp_path / "personal.json"
    file.write_bytes(make(json.loads(learned.model_dump_json())))
    with pytest.raises(PersonalError, match=sentence) as refused:
        load_pipeline(personal=file)
    assert str(file) in str(refused.value)


def test_the_command_line_says_why_a_file_is_refused(tmp_path):
    run = CliRunner().invoke(app, ["predict", str(PORTRAIT), "--personal", str(tmp_path / "missing.json")])
    assert run.exit_code == 2 and "cannot be read" in " ".join(run.output.split())
