"""Metric: how often the expression named is the right one, over all rows and over classes."""

import datasets
import evaluate
import numpy as np

from train.metrics.bootstrap import bootstrap_counts, interval_95


class ExpressionAccuracy(evaluate.Metric):
    """Accuracy, balanced accuracy, macro precision, recall and F1, the three per class, and the confusion matrix.

    Predictions are class indices (-1: no answer, which counts as wrong) or rows of scores, of which the largest counts;
    references are class indices. Beside each figure stands its 95 % interval (`train.metrics.bootstrap`). Precision,
    recall and F1 are 0 where they are undefined (as scikit-learn's `zero_division=0`); balanced accuracy is the mean
    recall of the classes that occur. The confusion matrix has a row for each right label.
    """

    def _info(self) -> evaluate.MetricInfo:
        index, scores = datasets.Value("int64"), datasets.Sequence(datasets.Value("float64"))
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions: class indices or scores; references: class indices; label_names",
            features=[datasets.Features({"predictions": kind, "references": index}) for kind in (index, scores)],
        )

    def _compute(self, *, predictions=None, references=None, label_names=(), **_):
        predictions, references = np.asarray(predictions), np.asarray(references)
        if predictions.ndim == 2:
            predictions = predictions.argmax(1)
        classes = len(label_names)
        # The last column holds the rows without an answer.
        counts = np.zeros((classes, classes + 1), int)
        np.add.at(counts, (references, predictions), 1)
        figures, resampled = _figures(counts), _figures(bootstrap_counts(counts))
        report = {"n": len(references)}
        for name, value in figures.items():
            if np.ndim(value) == 0:
                report[name] = float(value)
                report[f"{name}_interval_95"] = interval_95(resampled[name])
            else:
                report[name] = dict(zip(label_names, np.nan_to_num(value).tolist(), strict=True))
                report[f"{name}_interval_95"] = dict(
                    zip(label_names, (interval_95(column) for column in resampled[name].T), strict=True)
                )
        report["support"] = dict(zip(label_names, counts.sum(1).tolist(), strict=True))
        report["confusion"] = counts[:, :classes].tolist()
        return report


def _figures(counts: np.ndarray) -> dict[str, np.ndarray]:
    """All figures of confusion matrices (..., C, C + 1); those per class are NaN where they are undefined."""
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    support, named = counts.sum(-1), counts.sum(-2)[..., :-1]
    with np.errstate(invalid="ignore"):
        recall, precision, f1 = right / support, right / named, 2 * right / (support + named)
    return {
        "accuracy": right.sum(-1) / support.sum(-1),
        "balanced_accuracy": np.nanmean(recall, axis=-1),
        "macro_precision": np.nan_to_num(precision).mean(-1),
        "macro_recall": np.nan_to_num(recall).mean(-1),
        "macro_f1": np.nan_to_num(f1).mean(-1),
        "precision": precision,
        "recall": recall,
        "f1": f1,
    }
