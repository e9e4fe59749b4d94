"""Metric: how often the most probable expression is the right one, over all rows and over classes."""

import datasets
import evaluate
import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

_RESAMPLES = 1000


class ExpressionAccuracy(evaluate.Metric):
    """Accuracy with a 95 % bootstrap interval, balanced accuracy, macro precision, recall and F1, recall per class.

    Inputs are class indices. The interval is the percentile bootstrap over rows (Efron, 1979), with a fixed seed.
    """

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions, references: class indices; label_names: their names",
            features=datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}),
        )

    def _compute(self, predictions, references, label_names):
        predictions, references = np.asarray(predictions), np.asarray(references)
        classes = np.arange(len(label_names))
        precision, recall, f1, support = precision_recall_fscore_support(
            references, predictions, labels=classes, zero_division=0
        )
        right = (predictions == references).astype(np.float64)
        rng = np.random.default_rng(0)
        resampled = right[rng.integers(0, len(right), (_RESAMPLES, len(right)))].mean(axis=1)
        return {
            "n": len(right),
            "accuracy": float(right.mean()),
            "accuracy_interval_95": [float(bound) for bound in np.percentile(resampled, (2.5, 97.5))],
            "balanced_accuracy": float(recall[support > 0].mean()),
            "macro_precision": float(precision.mean()),
            "macro_recall": float(recall.mean()),
            "macro_f1": float(f1.mean()),
            "recall": dict(zip(label_names, recall.tolist(), strict=True)),
            "support": dict(zip(label_names, support.tolist(), strict=True)),
            "confusion": confusion_matrix(references, predictions, labels=classes).tolist(),
        }
