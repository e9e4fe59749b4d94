"""Metric: how well probabilities say what a group of annotators said."""

import datasets
import evaluate
import numpy as np

_BINS = 15
_TINY = 1e-12


class VoteAgreement(evaluate.Metric):
    """Cross-entropy and KL divergence (in nats) to the annotators' distributions, and the vote-ECE.

    Vote-ECE: for each class, rows are put into 15 equal bins of predicted probability; the mean absolute gap between
    mean probability and mean share of votes, weighted by rows, is averaged over the classes. (Expected calibration
    error of Naeini, Cooper and Hauskrecht, AAAI 2015, taken per class and to soft targets.)
    """

    def _info(self) -> evaluate.MetricInfo:
        row = datasets.Sequence(datasets.Value("float64"))
        return evaluate.MetricInfo(
            description=__doc__,
            citation="",
            inputs_description="predictions: probabilities; references: shares of votes; each row sums to 1",
            features=datasets.Features({"predictions": row, "references": row}),
        )

    def _compute(self, predictions, references):
        predictions, references = np.asarray(predictions, np.float64), np.asarray(references, np.float64)
        cross_entropy = -(references * np.log(np.maximum(predictions, _TINY))).sum(1).mean()
        entropy = -(references * np.log(np.maximum(references, _TINY))).sum(1).mean()
        bins = np.minimum((predictions * _BINS).astype(int), _BINS - 1)
        gaps = []
        for column in range(predictions.shape[1]):
            difference = predictions[:, column] - references[:, column]
            gaps.append(np.abs(np.bincount(bins[:, column], weights=difference, minlength=_BINS)).sum())
        return {
            "n": len(predictions),
            "cross_entropy": float(cross_entropy),
            "kl_divergence": float(cross_entropy - entropy),
            "vote_ece": float(np.mean(gaps) / len(predictions)),
        }
