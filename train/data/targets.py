"""Annotations of faces, as soft labels, one-hot labels and majorities."""

from dataclasses import dataclass

import numpy as np

from face_expression.labels import LABEL_NAMES

MIN_VOTE_SHARE = 0.5


@dataclass(frozen=True)
class Targets:
    """The annotations of N faces in C classes.

    `label` (N,) int64: the data set's own label, -1 where it has none.
    `votes` (N, tags >= C) float64: counts, all 0 where nobody voted, or None if the data set has no votes.
    """

    label: np.ndarray
    votes: np.ndarray | None
    classes: int = len(LABEL_NAMES)

    def soft(self) -> np.ndarray:
        """(N, C) float32 targets; a row's sum is its weight in the loss, 0 for a row that is left out.

        With votes, the weight is the share of the row's votes that fell on the classes, and a row under half is left
        out; without, each row is its own label with weight 1.
        """
        if self.votes is None:
            return self.own_labels()
        shares = self.votes[:, : self.classes] / np.maximum(self.votes.sum(1, keepdims=True), 1)
        return np.where(shares.sum(1, keepdims=True) >= MIN_VOTE_SHARE, shares, 0).astype(np.float32)

    def own_labels(self) -> np.ndarray:
        """(N, C) float32 one-hot rows of the data set's own labels, all 0 where a row has none."""
        return (self.label[:, None] == np.arange(self.classes)).astype(np.float32)

    def majority(self) -> np.ndarray:
        """(N,) int64: the single most-voted of all tags where it is one of the classes, otherwise -1.

        Without votes, the data set's own label.
        """
        if self.votes is None:
            return self.label
        first, second = np.sort(self.votes, axis=1)[:, :-3:-1].T
        winner = self.votes.argmax(1)
        return np.where((first > second) & (winner < self.classes), winner, -1)

    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """(N, C) float64 shares of the votes for the classes, renormalised, and (N,) bool: who has any."""
        if self.votes is None:
            return self.own_labels().astype(np.float64), self.label >= 0
        for_classes = self.votes[:, : self.classes]
        total = for_classes.sum(1, keepdims=True)
        return for_classes / np.maximum(total, 1), total[:, 0] > 0
