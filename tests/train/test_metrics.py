"""The metric modules and the fits, on tables small enough to be worked out by hand."""

import evaluate
import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from face_expression.model.classifier import softmax
from train.evaluate.calibration import measure_risk_coverage
from train.evaluate.step import METRICS
from train.export.quality_limits import fit_limits, spoilings
from train.export.step import fit_abstention, fit_temperature
from train.metrics.bootstrap import bootstrap_means, share_with_interval
from train.metrics.calibration_bins import reliability


@pytest.fixture(scope="module")
def accuracy():
    return evaluate.load(str(METRICS / "expression_accuracy"))


@pytest.fixture(scope="module")
def agreement():
    return evaluate.load(str(METRICS / "vote_agreement"))


@pytest.fixture(scope="module")
def likelihood():
    return evaluate.load(str(METRICS / "label_likelihood"))


def test_accuracy_by_hand(accuracy):
    scores = accuracy.compute(
        predictions=[0, 0, 1, 1, 1, 0], references=[0, 0, 0, 1, 1, 1], label_names=["a", "b", "c"]
    )
    assert scores["n"] == 6 and scores["accuracy"] == pytest.approx(4 / 6)
    assert scores["confusion"] == [[2, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert scores["recall"] == pytest.approx({"a": 2 / 3, "b": 2 / 3, "c": 0})
    assert scores["precision"] == pytest.approx({"a": 2 / 3, "b": 2 / 3, "c": 0})
    assert scores["balanced_accuracy"] == pytest.approx(2 / 3)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    low, high = scores["accuracy_interval_95"]
    assert 0 <= low < 4 / 6 < high <= 1
    assert scores["recall_interval_95"]["c"] is None, "nobody can know the recall of a class that does not occur"


def test_figures_are_those_of_scikit_learn(accuracy):
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 5, 400)
    named = np.where(rng.random(400) < 0.6, truth, rng.integers(0, 5, 400))
    scores = accuracy.compute(predictions=named, references=truth, label_names=list("abcde"))
    expected = precision_recall_fscore_support(truth, named, zero_division=0)
    for key, values in zip(("precision", "recall", "f1"), expected, strict=False):
        np.testing.assert_allclose(list(scores[key].values()), values)
        assert scores[f"macro_{key}"] == pytest.approx(values.mean())
        for name, value in scores[key].items():
            low, high = scores[f"{key}_interval_95"][name]
            assert low < value < high


def test_no_answer_is_a_wrong_answer(accuracy):
    scores = accuracy.compute(predictions=[0, -1, 1, -1], references=[0, 0, 1, 1], label_names=["a", "b"])
    assert scores["accuracy"] == 0.5 and scores["recall"] == {"a": 0.5, "b": 0.5}
    assert scores["precision"] == {"a": 1, "b": 1} and scores["confusion"] == [[1, 0], [0, 1]]


def test_the_interval_narrows_with_n(accuracy):
    widths = []
    for n in (100, 10000):
        rows = np.arange(n) % 4 == 0
        low, high = accuracy.compute(predictions=rows, references=np.zeros(n), label_names=["a", "b"])[
            "accuracy_interval_95"
        ]
        widths.append(high - low)
        assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.25 * 0.75 / n), rel=0.15)
    assert widths[0] > 8 * widths[1]


def test_the_bootstrap_draws_rows():
    columns = np.random.default_rng(0).normal(size=(400, 2)) * (1, 3)
    means = bootstrap_means(columns)
    np.testing.assert_allclose(means.mean(0), columns.mean(0), atol=0.02)
    np.testing.assert_allclose(means.std(0), columns.std(0) / 20, rtol=0.1)
    np.testing.assert_array_equal(means, bootstrap_means(columns))
    assert share_with_interval(np.zeros(0, bool), "share") == {"n": 0, "share": None, "share_interval_95": None}


def test_likelihood_by_hand(likelihood):
    scores = likelihood.compute(predictions=[[0.5, 0.5], [0.25, 0.75]], references=[0, 0], label_names=["a", "b"])
    assert scores["loss"] == pytest.approx((np.log(2) + np.log(4)) / 2)
    assert scores["label_ece"] == pytest.approx((0.5 + 0.75) / 2)
    with pytest.raises(ValueError, match="3 label names"):
        likelihood.compute(predictions=[[0.5, 0.5]], references=[0], label_names=["a", "b", "c"])


def test_the_metrics_of_labels_can_be_combined(accuracy, likelihood):
    rows = {"predictions": [[0.9, 0.1], [0.2, 0.8]], "references": [0, 0], "label_names": ["a", "b"]}
    together = evaluate.combine([accuracy, likelihood]).compute(**rows)
    assert together == accuracy.compute(**rows) | likelihood.compute(**rows)
    assert together["n"] == 2 and together["accuracy"] == 0.5


def test_agreement_by_hand(agreement):
    predictions, references = [[0.5, 0.5], [0.9, 0.1]], [[1.0, 0.0], [0.9, 0.1]]
    scores = agreement.compute(predictions=predictions, references=references)
    entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert scores["cross_entropy"] == pytest.approx((np.log(2) + entropy) / 2)
    assert scores["kl_divergence"] == pytest.approx(np.log(2) / 2)
    assert scores["vote_ece"] == pytest.approx((0.5 + 0) / 2)


def test_errors_in_one_bin_cancel_and_in_two_bins_do_not(agreement):
    same_bin = agreement.compute(predictions=[[0.5, 0.5]] * 2, references=[[1.0, 0.0], [0.0, 1.0]])
    other_bins = agreement.compute(predictions=[[0.3, 0.7], [0.7, 0.3]], references=[[0.5, 0.5]] * 2)
    assert same_bin["vote_ece"] == pytest.approx(0) and other_bins["vote_ece"] == pytest.approx(0.2)


def test_intervals_hold_what_was_measured(agreement, likelihood):
    rng = np.random.default_rng(0)
    probabilities = softmax(rng.normal(size=(500, 4)).astype(np.float32)).astype(float)
    shares = rng.multinomial(10, probabilities / probabilities.sum(1, keepdims=True)) / 10
    labels = shares.argmax(1)
    scores = agreement.compute(predictions=probabilities, references=shares)
    scores |= likelihood.compute(predictions=probabilities, references=labels, label_names=list("abcd"))
    for key in ("cross_entropy", "kl_divergence", "vote_ece", "loss", "label_ece"):
        low, high = scores[f"{key}_interval_95"]
        assert 0 <= low < scores[key] < high, key


def test_reliability_by_hand():
    bins = reliability(np.array([[0.1, 0.9], [0.12, 0.88]]), np.array([[0.0, 1.0], [0.5, 0.5]]))
    assert bins["predicted"] == pytest.approx([0.11, 0.89]) and bins["observed"] == pytest.approx([0.25, 0.75])
    assert bins["count"] == [2, 2] and bins["observed_interval_95"] == [[0, 0.5], [0.5, 1]]


def test_risk_coverage_by_hand():
    sure = np.array([0.9, 0.8, 0.7, 0.6])
    probabilities = np.stack([sure, 1 - sure], axis=1)
    measured = measure_risk_coverage(probabilities, np.array([0, 0, 1, 1]), 0.75)
    assert [(point["coverage"], point["n"], point["risk"]) for point in measured["points"]] == [
        (0.25, 1, 0),
        (0.5, 2, 0),
        (0.75, 3, pytest.approx(1 / 3)),
        (1, 4, 0.5),
    ]
    at = measured["at_threshold"]
    assert (at["coverage"], at["n"], at["accuracy"]) == (0.5, 2, 1)
    nobody = measure_risk_coverage(probabilities, np.array([0, 0, 1, 1]), 0.95)["at_threshold"]
    assert (nobody["coverage"], nobody["n"], nobody["accuracy"]) == (0, 0, None)


class Rows(dict):
    """Just enough of a data set for `read_targets`."""

    @property
    def column_names(self):
        return list(self)

    def __len__(self):
        return len(self["votes"])


def test_the_temperature_undoes_overconfidence():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 7)).astype(np.float32) * 2
    votes = np.round(softmax(logits) * 1000).astype(int)
    rows = Rows(votes=[[*row, 0, 0, 0] for row in votes.tolist()])
    assert fit_temperature(logits, rows) == pytest.approx(1, abs=0.02)
    assert fit_temperature(logits * 3, rows) == pytest.approx(3, abs=0.06)
    assert fit_temperature(logits / 2, rows) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("confidences", "right", "expected"),
    [
        ([0.9, 0.8, 0.7], [1, 1, 1], 0.0),
        ([0.4, 0.5, 0.6, 0.9], [0, 1, 1, 1], 0.4),
        ([0.7, 0.4, 0.6, 0.5, 0.9], [1, 0, 1, 0, 1], 0.6),
        ([0.6, 0.7], [0, 0], 0.7),
    ],
)
def test_below_the_threshold_most_were_wrong(confidences, right, expected):
    probabilities = np.array([[sure, (1 - sure) / 2, (1 - sure) / 2] for sure in confidences])
    majority = np.where(np.array(right) == 1, 0, 2)
    unlabelled = np.array([[0.99, 0.01, 0]])
    found = fit_abstention(np.concatenate([probabilities, unlabelled]), np.append(majority, -1))
    assert found == pytest.approx(expected)


def test_limits_lie_where_the_faces_begin_to_be_misclassified(haar_pipeline):
    """A stand-in network that is right about a checkerboard as long as it can see its contrast, levelled by nobody."""
    settings = haar_pipeline.config.preprocessing
    settings = settings.model_copy(update={"input": settings.input.model_copy(update={"contrast": None})})
    board = (np.indices((48, 48)).sum(axis=0) // 8 % 2 * 120 + 60).astype(np.uint8)

    class SeesContrast:
        def run(self, inputs):
            visible = inputs.std(axis=(1, 2, 3)) > 0.5
            return np.stack([visible, ~visible], axis=1).astype(np.float32), None

    limits = fit_limits(SeesContrast(), [board] * 4, np.zeros(4, int), settings)
    assert set(limits) == {spoiling.limit for spoiling in spoilings(settings)}
    assert 180 * 0.125 / 0.24 < limits["min_highlight"] < 180 * 0.125 / 0.24 * 1.15 + 5
    assert limits["max_shadow"] > 100 and limits["min_sharpness"] > 0 and 0 < limits["min_face_px"] < 45
