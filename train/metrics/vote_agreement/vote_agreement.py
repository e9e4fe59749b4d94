"""Metric: how well probabilities match the votes of a group of annotators."""

import datasets
import evaluate
import numpy as np

from train.metrics.bootstrap import bootstrap_means, centred_interval_95, interval_95
from train.metrics.calibration_bins import gaps_by_bin

_TINY = 1e-12


class VoteAgreement(evaluate.Metric):
    """Cross-entropy and KL divergence (in nats) to the annotators' distributions, and the vote-ECE, with intervals.

    Vote-ECE: for each class, rows are put into 15 equal bins of predicted probability; the absolute gap between mean
    probability and mean share of votes, weighted by rows, is averaged over the classes.
    """

    def _info(self) -> evaluate.MetricInfo:
        row = datasets.Sequence(datasets.Value("float64"))
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions: probabilities; references: shares of votes; each row sums to 1",
            features=datasets.Features({"predictions": row, "references": row}),
        )

    def _compute(self, *, predictions=None, references=None, **_):
        predictions, references = np.asarray(predictions, np.float64), np.asarray(references, np.float64)
        classes = predictions.shape[1]
        cross_entropy = -(references * np.log(np.maximum(predictions, _TINY))).sum(1)
        divergence = cross_entropy + (references * np.log(np.maximum(references, _TINY))).sum(1)
        gaps = np.hstack([gaps_by_bin(predictions[:, column], references[:, column]) for column in range(classes)])
        ece = float(np.abs(gaps.mean(0)).sum() / classes)
        means = bootstrap_means(np.column_stack([cross_entropy, divergence, gaps]))
        return {
            "n": len(predictions),
            "cross_entropy": float(cross_entropy.mean()),
            "cross_entropy_interval_95": interval_95(means[:, 0]),
            "kl_divergence": float(divergence.mean()),
            "kl_divergence_interval_95": interval_95(means[:, 1]),
            "vote_ece": ece,
            "vote_ece_interval_95": centred_interval_95(np.abs(means[:, 2:]).sum(1) / classes, ece),
        }
