"""What training minimises: cross-entropy to vote distributions, with a second head and with rare classes in mind."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch


def soft_cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy to (N, C) targets whose row sums are the rows' weights, averaged over the weights."""
    return -(targets * logits.float().log_softmax(1)).sum() / targets.sum().clamp_min(1e-6)


Imbalance = Literal["none", "class-weights", "logit-adjustment"]


@dataclass(frozen=True)
class Loss:
    """Cross-entropy of the first `classes` outputs, and of the second as many, weighted, where there are those.

    `imbalance` says what is done for rare classes. "class-weights" weighs each class by the inverse of its share.
    "logit-adjustment" adds the logarithm of the shares to the logits while training (Menon et al., "Long-Tail Learning
    via Logit Adjustment", ICLR 2021). Both make rare classes likelier than the annotators do, so the bars no longer say
    how many people would agree.
    """

    classes: int
    label_weight: float
    imbalance: Imbalance = "none"
    shares: tuple[float, ...] = ()

    def __call__(self, outputs, labels: torch.Tensor, num_items_in_batch: int | None = None) -> torch.Tensor:
        """The loss of one batch; `labels` is (N, classes) or (N, 2 x classes)."""
        logits, targets = outputs.logits[:, : self.classes], labels[:, : self.classes]
        if self.imbalance != "none":
            shares = torch.tensor(self.shares, device=logits.device)
            if self.imbalance == "class-weights":
                targets = targets / (self.classes * shares)
            else:
                logits = logits + shares.log()
        loss = soft_cross_entropy(logits, targets)
        if labels.shape[1] > self.classes:
            second = soft_cross_entropy(outputs.logits[:, self.classes :], labels[:, self.classes :])
            loss = loss + self.label_weight * second
        return loss

    def scores(self, prediction) -> dict[str, float]:
        """Of the rows that have a target: how often the most probable class is its largest; for each head."""
        scores = {}
        for name, first in (("agreement", 0), ("own_label_accuracy", self.classes)):
            targets = prediction.label_ids[:, first : first + self.classes]
            if targets.shape[1]:
                chosen = targets.sum(1) > 0
                logits = prediction.predictions[chosen, first : first + self.classes]
                scores[name] = float(np.mean(logits.argmax(1) == targets[chosen].argmax(1)))
        return scores
