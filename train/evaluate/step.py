"""Bundle -> metrics.json: the very network and preprocessing of the app, on the protocols of the test split.

Nothing else evaluates on a test split, except `compare --split test` for a last row; `make-stream` may show its faces.
Beside every figure KEY stands its 95 % bootstrap interval `KEY_interval_95`, [low, high] or null where it is undefined;
`n` counts the rows. `metrics.json`:

    schema_version  2
    bundle          {"model_sha256", "model_bytes", "parameters"}
    data            {"name", "revision", "split", "rows"}
    main_protocol   the protocol on which conditions, robustness, groups and risk-coverage are measured: MAIN
    protocols       name -> figures, each with its own `n`. Data with FER+ votes:
        ferplus-majority-7   MAIN: rows whose single most-voted of the ten tags is one of the seven classes
        ferplus-votes        against the votes for the seven classes, renormalised; rows without votes left out
        fer2013              against the data set's own label; by the second head of a network that has one
        fer2013/first_head   the same by the first head, where there is a second
                    All other data:
        labels               MAIN: rows that have a label (or a single most-voted one)
        votes                against the votes, if there are any
                    Both:
        MAIN/CONDITION       its rows that conditions.csv marks (ran_test, occluded, pose_over_30, pose_over_45)
        MAIN/not_in_train    its rows whose pixels do not occur in the training split
        MAIN/not_near_train  its rows that do not even nearly occur there (`train.evaluate.near_duplicates`)
        full-path            rows of MAIN through the detector (`train.evaluate.end_to_end`):
                             {"detector", "share_found", ...}; a missed face counts as wrong
        full-path/detected   its rows whose face was found
        full-path/answered   its rows of which the app did not say "not sure"
    calibration     {"against": "votes" or "labels", "temperature", "before", "after"}: see `train.evaluate.calibration`
    risk_coverage   see `train.evaluate.calibration`
    robustness      see `train.evaluate.robustness`; null if left out
    groups          see `train.evaluate.fairness`; null unless asked for
    fairness        see `train.evaluate.fairness_sets`; null unless asked for
    speed           {"n", "p50_ms", "p95_ms", "threads", "machine"}: one crop, preprocessing included

What the figures of a protocol are: `train/metrics/`.
"""

from pathlib import Path

import numpy as np

from face_expression.errors import DataError, required
from face_expression.hub.download import METRICS_FILE, Bundle, open_bundle
from face_expression.io.files import write_json
from face_expression.model.classifier import Classifier
from face_expression.model.config import InputSettings
from face_expression.model.preprocess import to_model_inputs
from train.data.dataset import data_name, load_split, read_crops, require_labels, require_readable
from train.evaluate.calibration import measure_calibration, measure_risk_coverage
from train.evaluate.fairness import compare_groups, read_groups
from train.evaluate.fairness_sets import measure_fairness
from train.evaluate.near_duplicates import find_duplicates
from train.evaluate.protocols import (
    Metrics,
    Predictions,
    condition_subsets,
    measure_full_path,
    measure_protocols,
    read_truth,
)
from train.evaluate.report import Evidence, write_report
from train.evaluate.robustness import measure_robustness
from train.evaluate.speed import count_parameters, measure_speed

METRICS = Path(__file__).parent.parent / "metrics"
SCHEMA_VERSION = 2
_CROPS_AT_ONCE = 1024


def evaluate(
    *,
    bundle: Path,
    data: str,
    revision: str | None,
    split: str = "test",
    group_column: str | None = None,
    robustness: bool = True,
    report: Path | None = None,
    fairness: Path | None = None,
) -> dict:
    """Measure a bundle and write `metrics.json` into it.

    Args:
        bundle: folder of the bundle.
        data: as in `load_split`.
        revision: as in `load_split`.
        split: which split.
        group_column: column of the data set whose groups are compared, if any.
        robustness: whether to measure robustness, which takes longest.
        report: where to write the HTML report, if anywhere; it shows faces of the data set.
        fairness: folder of photographs of people of whom something is known (`train.evaluate.fairness_sets`), or None.

    Raises:
        DataError: if the bundle or the data cannot be used.
    """
    if report is not None and report.is_dir():
        raise DataError(f"{report} is a folder; name the HTML file to write")
    opened, classifier = _open(bundle)
    config, preprocessing = opened.config, opened.config.preprocessing
    rows, train_rows = (load_split(data, name, revision=revision) for name in (split, "train"))
    require_labels(rows, config.label_names, data)
    truth = read_truth(rows, config.label_names)
    labelled = np.flatnonzero(truth.label >= 0)
    if not len(labelled):
        raise DataError(f"{data!r}: no row of the split {split!r} has a label that most people chose")
    groups = None if group_column is None else read_groups(rows, group_column)
    for name, checked in ((split, rows), ("train", train_rows)):
        require_readable(checked, name)
    crops = read_crops(rows, preprocessing)
    exact, near = find_duplicates(rows, train_rows)
    predictions = predict(classifier, crops, preprocessing.input)
    subsets = condition_subsets(data, rows) | {"not_in_train": ~exact, "not_near_train": ~near}
    metrics = Metrics(METRICS, config.label_names)
    label, probabilities = truth.label[labelled], predictions.probabilities[labelled]
    figures = {
        "schema_version": SCHEMA_VERSION,
        "bundle": _describe(opened),
        "data": {"name": data_name(data), "revision": revision, "split": split, "rows": len(rows)},
        "main_protocol": truth.main,
        "protocols": measure_protocols(predictions, truth, subsets, metrics)
        | measure_full_path(bundle, rows.select(labelled), label, metrics),
        "calibration": measure_calibration(predictions.logits, config.temperature, truth, metrics),
        "risk_coverage": measure_risk_coverage(probabilities, label, config.abstain_below),
        "robustness": None,
        "groups": None,
        "fairness": None if fairness is None else measure_fairness(bundle, fairness),
        "speed": measure_speed(opened.model, config, crops),
    }
    if robustness:
        figures["robustness"] = measure_robustness(classifier, config, [crops[index] for index in labelled], label)
    if groups is not None:
        figures["groups"] = compare_groups(
            required(group_column), groups[labelled], probabilities.argmax(1), label, metrics
        )
    write_json(bundle / METRICS_FILE, figures, allow_nan=False)
    if report is not None:
        write_report(report, figures, config, Evidence(crops, predictions.probabilities, truth))
    return figures


def predict(classifier: Classifier, crops: list[np.ndarray], settings: InputSettings) -> Predictions:
    """Run the network on crops, so many at a time that memory stays small."""
    logits, probabilities, own_label_logits = [], [], []
    for start in range(0, len(crops), _CROPS_AT_ONCE):
        inputs = to_model_inputs(crops[start : start + _CROPS_AT_ONCE], settings)
        of_crops, of_labels = classifier.run_heads(inputs)
        logits.append(of_crops)
        probabilities.append(classifier.probabilities_of(of_crops))
        own_label_logits.append(of_labels)
    second_head = None if own_label_logits[0] is None else np.concatenate(own_label_logits)
    return Predictions(np.concatenate(logits), np.concatenate(probabilities), second_head)


def _open(bundle: Path) -> tuple[Bundle, Classifier]:
    opened = open_bundle(bundle, "being evaluated")
    return opened, Classifier(opened.model, opened.config)


def _describe(bundle: Bundle) -> dict:
    return {
        "model_sha256": bundle.config.model_sha256,
        "model_bytes": bundle.model.stat().st_size,
        "parameters": count_parameters(bundle.model),
    }
