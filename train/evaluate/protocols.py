"""The protocols: which rows are evaluated, against which ground truth, by which metrics.

`train.evaluate.step` lists their names.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import datasets
import evaluate as hf_evaluate
import numpy as np

from face_expression.errors import required
from face_expression.labels import LABEL_NAMES
from face_expression.model.classifier import softmax
from train.data.dataset import read_targets
from train.evaluate.end_to_end import MISSED, analyze_rows, load_app
from train.metrics.bootstrap import share_with_interval

FERPLUS_TAGS = 10
CONDITIONS = ("ran_test", "occluded", "pose_over_30", "pose_over_45")


@dataclass(frozen=True)
class Predictions:
    """What the network says of N crops.

    `logits` and calibrated `probabilities` (N, C); `own_label_logits` (N, C) of the second head, or None if the network
    has none.
    """

    logits: np.ndarray
    probabilities: np.ndarray
    own_label_logits: np.ndarray | None


class Metrics:
    """The metric modules of `folder`, and the two of them that share their inputs combined into one."""

    def __init__(self, folder: Path, label_names: tuple[str, ...]):
        self._accuracy, self._likelihood, self._agreement = (
            hf_evaluate.load(str(folder / name), keep_in_memory=True)
            for name in ("expression_accuracy", "label_likelihood", "vote_agreement")
        )
        self._both = hf_evaluate.combine([self._accuracy, self._likelihood])
        self._label_names = list(label_names)

    def of_labels(self, predicted: np.ndarray, truth: np.ndarray) -> dict:
        """Accuracy and what belongs to it, of (N,) label indices; those that are MISSED count as wrong."""
        return required(self._accuracy.compute(predictions=predicted, references=truth, label_names=self._label_names))

    def of_probabilities(self, probabilities: np.ndarray, truth: np.ndarray) -> dict:
        """As `of_labels` for the most probable labels, and the loss and label ECE."""
        return self._both.compute(predictions=probabilities, references=truth, label_names=self._label_names)

    def loss_of(self, probabilities: np.ndarray, truth: np.ndarray) -> dict:
        """The loss and label ECE alone."""
        return required(
            self._likelihood.compute(predictions=probabilities, references=truth, label_names=self._label_names)
        )

    def of_shares(self, probabilities: np.ndarray, shares: np.ndarray) -> dict:
        """Cross-entropy, KL divergence and vote-ECE of (N, C) probabilities to (N, C) shares of the votes."""
        return required(self._agreement.compute(predictions=probabilities, references=shares))


@dataclass(frozen=True)
class Truth:
    """The ground truth of N rows.

    `main` names the main protocol; `label` (N,) its right label indices, -1 where there is none; `own_label` the data
    set's own, or None where there is no other; `shares` (N, C) of the votes or one-hot labels, all 0 where there are
    none; `votes` (N, tags) their counts, and `votes_protocol` the name of the protocol against them, or None and None.
    """

    main: str
    label: np.ndarray
    own_label: np.ndarray | None
    shares: np.ndarray
    votes: np.ndarray | None
    votes_protocol: str | None


def read_truth(rows: datasets.Dataset, label_names: tuple[str, ...]) -> Truth:
    """The ground truth of a split; its classes are those of the bundle."""
    targets = read_targets(rows)
    shares = targets.shares()[0]
    if targets.votes is None:
        return Truth("labels", targets.label, None, shares, None, None)
    if targets.votes.shape[1] == FERPLUS_TAGS and label_names == LABEL_NAMES:
        own_label = targets.label if (targets.label >= 0).any() else None
        return Truth("ferplus-majority-7", targets.majority(), own_label, shares, targets.votes, "ferplus-votes")
    return Truth("labels", targets.majority(), None, shares, targets.votes, "votes")


def measure_protocols(
    predictions: Predictions, truth: Truth, subsets: dict[str, np.ndarray], metrics: Metrics
) -> dict[str, dict]:
    """The figures of every protocol on crops for which there is a row.

    Args:
        predictions: of N crops.
        truth: of the same rows.
        subsets: name -> (N,) bool, the rows on which the main protocol is reported once more.
        metrics: the metrics.
    """
    protocols = {}

    def add(name: str, probabilities: np.ndarray, label: np.ndarray, chosen: np.ndarray) -> None:
        if chosen.any():
            protocols[name] = metrics.of_probabilities(probabilities[chosen], label[chosen])

    probabilities = predictions.probabilities
    if truth.own_label is not None:
        labelled = truth.own_label >= 0
        if predictions.own_label_logits is None:
            add("fer2013", probabilities, truth.own_label, labelled)
        else:
            add("fer2013", softmax(predictions.own_label_logits), truth.own_label, labelled)
            add("fer2013/first_head", probabilities, truth.own_label, labelled)
    add(truth.main, probabilities, truth.label, truth.label >= 0)
    for name, marked in subsets.items():
        add(f"{truth.main}/{name}", probabilities, truth.label, (truth.label >= 0) & marked)
    if truth.votes_protocol is not None:
        voted = truth.shares.sum(1) > 0
        protocols[truth.votes_protocol] = metrics.of_shares(probabilities[voted], truth.shares[voted])
    return protocols


def measure_full_path(bundle: Path, rows: datasets.Dataset, label: np.ndarray, metrics: Metrics) -> dict[str, dict]:
    """The main protocol through the app's detector.

    Args:
        bundle: folder of the bundle.
        rows: N rows, each with a right label.
        label: (N,) their label indices.
        metrics: the metrics.
    """
    app = load_app(bundle)
    predicted, answered = analyze_rows(app, rows)
    found = predicted != MISSED
    whole = {"detector": app.detector.name, **share_with_interval(found, "share_found")}
    protocols = {"full-path": whole | metrics.of_labels(predicted, label)}
    for name, chosen in (("detected", found), ("answered", answered)):
        if chosen.any():
            protocols[f"full-path/{name}"] = metrics.of_labels(predicted[chosen], label[chosen])
    return protocols


def condition_subsets(data: str, rows: datasets.Dataset) -> dict[str, np.ndarray]:
    """The subsets that a `conditions.csv` beside the data marks by `fer2013_row`: name -> (N,) bool."""
    path = Path(data) / "conditions.csv"
    if not path.is_file() or "fer2013_row" not in rows.column_names:
        return {}
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    numbers = [-1 if number is None else number for number in rows["fer2013_row"]]
    return {
        name: np.isin(numbers, [int(line["fer2013_row"]) for line in table if line[name] == "1"]) for name in CONDITIONS
    }
