"""Bundle -> metrics.json: the very network and preprocessing of the app, on the protocols of the test split.

This is the only code that reads a test split. `metrics.json`:

    schema_version  1
    bundle          {"model_sha256", "model_bytes"}
    data            {"name", "revision", "split", "rows"}
    protocols       name -> figures, each with its own `n`:
        fer2013              against the data set's own label
        ferplus-majority-7   rows whose single most-voted of the ten tags is one of the seven classes
        ferplus-majority-7/CONDITION   its rows that conditions.csv marks (ran_test, occluded, pose_over_30, ...)
        ferplus-majority-7/not_in_train   its rows whose pixels do not occur in the training split
        ferplus-votes        against the votes for the seven classes, renormalised; rows without votes left out

What the figures are: `train/metrics/`.
"""

import csv
import hashlib
import json
from pathlib import Path

import datasets
import evaluate as hf_evaluate
import numpy as np

from face_expression.classifier import Classifier
from face_expression.config import BundleError
from face_expression.hub import open_bundle
from train.data import data_name, decode, load_split, read_crops, read_targets, stack_inputs

METRICS = Path(__file__).parent / "metrics"


def evaluate(*, bundle: Path, data: str, revision: str | None, split: str = "test") -> dict:
    """Measure a bundle and write `metrics.json` into it.

    Raises:
        SystemExit: if the bundle or the data cannot be used.
    """
    try:
        opened = open_bundle(bundle, "being evaluated")
        classifier = Classifier(opened.model, opened.config)
    except BundleError as error:
        raise SystemExit(str(error)) from error
    rows = load_split(data, split, revision=revision)
    settings = opened.config.preprocessing
    probabilities = classifier.probabilities(stack_inputs(read_crops(rows, settings), settings.input))
    subsets = condition_subsets(data, rows)
    subsets["not_in_train"] = ~pixels_occur_in(rows, load_split(data, "train", revision=revision))
    metrics = {
        "schema_version": 1,
        "bundle": {"model_sha256": opened.config.model_sha256, "model_bytes": opened.model.stat().st_size},
        "data": {
            "name": data_name(data),
            "revision": revision,
            "split": split,
            "rows": len(rows),
        },
        "protocols": measure_protocols(probabilities, rows, opened.config.label_names, subsets),
    }
    (bundle / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    return metrics


def measure_protocols(
    probabilities: np.ndarray,
    rows: datasets.Dataset,
    label_names: tuple[str, ...],
    subsets: dict[str, np.ndarray],
) -> dict[str, dict]:
    """The figures of every protocol for which the data set has the columns.

    Args:
        probabilities: (N, 7), calibrated, one row for each of `rows`.
        rows: the split.
        label_names: names of the columns of `probabilities`.
        subsets: name -> (N,) bool, the rows on which the majority is reported once more.
    """
    accuracy = hf_evaluate.load(str(METRICS / "expression_accuracy"))
    agreement = hf_evaluate.load(str(METRICS / "vote_agreement"))
    predicted = probabilities.argmax(1)
    targets = read_targets(rows)
    protocols = {}

    def judge(name: str, truth: np.ndarray, chosen: np.ndarray) -> None:
        if chosen.any():
            protocols[name] = accuracy.compute(
                predictions=predicted[chosen], references=truth[chosen], label_names=list(label_names)
            )

    judge("fer2013", targets.label, targets.label >= 0)
    if targets.votes is not None:
        majority = targets.majority()
        judge("ferplus-majority-7", majority, majority >= 0)
        for name, marked in subsets.items():
            judge(f"ferplus-majority-7/{name}", majority, (majority >= 0) & marked)
        shares, voted = targets.shares()
        protocols["ferplus-votes"] = agreement.compute(predictions=probabilities[voted], references=shares[voted])
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
        name: np.isin(numbers, [int(line["fer2013_row"]) for line in table if line[name] == "1"])
        for name in ("ran_test", "occluded", "pose_over_30", "pose_over_45")
    }


def pixels_occur_in(rows: datasets.Dataset, others: datasets.Dataset) -> np.ndarray:
    """(N,) bool: which of `rows` have exactly the pixels of some row of `others`."""
    seen = {_pixels_sha256(image) for image in others["image"]}
    return np.array([_pixels_sha256(image) in seen for image in rows["image"]])


def _pixels_sha256(image: dict) -> bytes:
    pixels = decode(image)
    return hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()
