"""The metric modules and the fits, on tables small enough to be worked out by hand."""

import evaluate
import numpy as np
import pytest

from face_expression.classifier import softmax
from train.evaluate import METRICS
from train.export import fit_abstention, fit_temperature
from train.limits import fit_limits, spoilings


@pytest.fixture(scope="module")
def accuracy():
    return evaluate.load(str(METRICS / "expression_accuracy"))


@pytest.fixture(scope="module")
def agreement():
    return evaluate.load(str(METRICS / "vote_agreement"))


def test_accuracy_by_hand(accuracy):
    scores = accuracy.compute(
        predictions=[0, 0, 1, 1, 1, 0], references=[0, 0, 0, 1, 1, 1], label_names=["a", "b", "c"]
    )
    assert scores["n"] == 6 and scores["accuracy"] == pytest.approx(4 / 6)
    assert scores["confusion"] == [[2, 1, 0], [1, 2, 0], [0, 0, 0]]
    assert scores["recall"] == pytest.approx({"a": 2 / 3, "b": 2 / 3, "c": 0})
    assert scores["balanced_accuracy"] == pytest.approx(2 / 3)
    assert scores["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    low, high = scores["accuracy_interval_95"]
    assert 0 <= low < 4 / 6 < high <= 1


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
    unjudged = np.array([[0.99, 0.01, 0]])
    found = fit_abstention(np.concatenate([probabilities, unjudged]), np.append(majority, -1))
    assert found == pytest.approx(expected)


def test_limits_lie_where_the_faces_begin_to_be_misjudged(haar_pipeline):
    """A stand-in network that is right about a checkerboard as long as it can see its contrast."""
    settings = haar_pipeline.config.preprocessing
    board = (np.indices((48, 48)).sum(axis=0) // 8 % 2 * 120 + 60).astype(np.uint8)

    class SeesContrast:
        def run(self, inputs):
            visible = inputs.std(axis=(1, 2, 3)) > 0.5
            return np.stack([visible, ~visible], axis=1).astype(np.float32), None

    limits = fit_limits(SeesContrast(), [board] * 4, np.zeros(4, int), settings)
    assert set(limits) == {spoiling.limit for spoiling in spoilings(settings)}
    assert 180 * 0.125 / 0.24 < limits["min_highlight"] < 180 * 0.125 / 0.24 * 1.15 + 1
    assert limits["max_shadow"] > 100 and limits["min_sharpness"] > 0 and 0 < limits["min_face_px"] < 45
