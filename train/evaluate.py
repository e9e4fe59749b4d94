"""Bundle -> metrics.json: the very network and preprocessing of the app, on the protocols of the test split.

This is the only code that reads a test split. `metrics.json`:

    schema_version  1
    bundle          {"model_sha256", "model_bytes"}
    data            {"name", "revision", "split", "rows"}
    protocols       name -> figures, each with its own `n`:
        fer2013              against the data set's own label
        ferplus-majority-7   rows whose single most-voted of the ten tags is one of the seven classes
        ferplus-majority-7/CONDITION   its rows that conditions.csv marks (ran_test, occluded, pose_over_30, ...)
        ferplus-votes        against the votes for the seven classes, renormalised; rows without votes left out

What the figures are: `train/metrics/`.
"""

import csv
import json
from pathlib import Path

import datasets
import evaluate as hf_evaluate
import numpy as np

from face_expression.classifier import Classifier
from face_expression.config import BundleError
from face_expression.hub import open_bundle
from train.data import load_split, model_inputs, read_targets

METRICS = Path(__file__).parent / "metrics"
_BATCH = 256


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
    inputs = model_inputs(rows, opened.config.preprocessing)
    probabilities = np.concatenate(
        [classifier.probabilities(inputs[start : start + _BATCH]) for start in range(0, len(inputs), _BATCH)]
    )
    metrics = {
        "schema_version": 1,
        "bundle": {"model_sha256": opened.config.model_sha256, "model_bytes": opened.model.stat().st_size},
        "data": {
            "name": Path(data).name if Path(data).is_dir() else data,
            "revision": revision,
            "split": split,
            "rows": len(rows),
        },
        "protocols": measure_protocols(probabilities, rows, opened.config.label_names, _read_conditions(data)),
    }
    (bundle / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    return metrics


def measure_protocols(
    probabilities: np.ndarray,
    rows: datasets.Dataset,
    label_names: tuple[str, ...],
    conditions: dict[str, set[int]],
) -> dict[str, dict]:
    """The figures of every protocol for which the data set has the columns.

    Args:
        probabilities: (N, 7), calibrated, one row for each of `rows`.
        rows: the split.
        label_names: names of the columns of `probabilities`.
        conditions: name -> the `fer2013_row` numbers it marks.
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
        if "fer2013_row" in rows.column_names:
            numbers = np.array([-1 if number is None else number for number in rows["fer2013_row"]])
            for condition, marked in conditions.items():
                chosen = (majority >= 0) & np.isin(numbers, list(marked))
                judge(f"ferplus-majority-7/{condition}", majority, chosen)
        shares, voted = targets.shares()
        protocols["ferplus-votes"] = agreement.compute(predictions=probabilities[voted], references=shares[voted])
    return protocols


def _read_conditions(data: str) -> dict[str, set[int]]:
    path = Path(data) / "conditions.csv"
    if not path.is_file():
        return {}
    with path.open(newline="") as file:
        table = list(csv.DictReader(file))
    return {
        name: {int(row["fer2013_row"]) for row in table if row[name] == "1"}
        for name in ("ran_test", "occluded", "pose_over_30", "pose_over_45")
    }
