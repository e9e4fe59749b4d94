"""Metric: how well probabilities fit one right label a row."""

import datasets
import evaluate
import numpy as np

from train.metrics.bootstrap import bootstrap_means, centred_interval_95, interval_95
from train.metrics.calibration_bins import gaps_by_bin

_TINY = 1e-12


class LabelLikelihood(evaluate.Metric):
    """Loss (negative log-likelihood, in nats) and label ECE, each with its 95 % interval.

    Label ECE: rows are put into 15 equal bins of the largest probability; the absolute gap between mean probability and
    share of right rows, weighted by rows.
    """

    def _info(self) -> evaluate.MetricInfo:
        row = datasets.Sequence(datasets.Value("float64"))
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions: probabilities; references: class indices; label_names: one a column",
            features=datasets.Features({"predictions": row, "references": datasets.Value("int64")}),
        )

    def _compute(self, *, predictions=None, references=None, label_names=(), **_):
        predictions, references = np.asarray(predictions, np.float64), np.asarray(references)
        if predictions.shape[1] != len(label_names):
            raise ValueError(f"{predictions.shape[1]} probabilities a row, but {len(label_names)} label names")
        loss = -np.log(np.maximum(predictions[np.arange(len(references)), references], _TINY))
        gaps = gaps_by_bin(predictions.max(1), predictions.argmax(1) == references)
        ece = float(np.abs(gaps.mean(0)).sum())
        means = bootstrap_means(np.column_stack([loss, gaps]))
        return {
            "loss": float(loss.mean()),
            "loss_interval_95": interval_95(means[:, 0]),
            "label_ece": ece,
            "label_ece_interval_95": centred_interval_95(np.abs(means[:, 1:]).sum(1), ece),
        }
