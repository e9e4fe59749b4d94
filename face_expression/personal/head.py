"""A few faces of one person -> a small head beside the bundle's own, and a check of whether it helps.

The answer is adapted by a linear head on the network's features, a multinomial logistic regression with the bundle's
own logits as its offset and a Gaussian prior around zero: without faces it is exactly the bundle, and few faces move
it little. The head is found with the fixed curvature bound of Böhning, "Multinomial logistic regression algorithm",
Annals of the Institute of Statistical Mathematics, 1992, in the dual form, so that the cost depends on the number of
faces and not on that of the features. `web/live/engine/personal_head.js` computes the same numbers; the table
`tests/support/personal_cases.json` holds both to them.

"Logits" here are those after the bundle's temperature, so that their softmax is the bundle's calibrated answer.
"""

from dataclasses import dataclass

import numpy as np

MAX_FACES = 300

_STEPS = 60
_FOLDS = 20


@dataclass(frozen=True)
class Prior:
    """How far a head may move: variances of the weights (on features of length 1) and of the biases."""

    weights: float
    bias: float


# Chosen on the validation split of FER+: `python -m benchmarks.personal choose`. For own expressions, weights of 2 to
# 200 do equally well there, within what its faces can tell.
CORRECTIONS_PRIOR = Prior(weights=1.0, bias=0.3)
OWN_PRIOR = Prior(weights=20.0, bias=1.0)


@dataclass(frozen=True, eq=False)
class KeptFaces:
    """N faces with what somebody calls them.

    `logits` (N, C) the bundle's, after the temperature, or 0 where there is nothing to start from; `features` (N, F);
    `labels` (N,) the index of the right class; `takes` (N,) whole numbers: faces of one moment share one, and are left
    out together when the others are asked about them.
    """

    logits: np.ndarray
    features: np.ndarray
    labels: np.ndarray
    takes: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def select(self, rows: np.ndarray) -> "KeptFaces":
        """Some of them, by a mask or by places."""
        return KeptFaces(self.logits[rows], self.features[rows], self.labels[rows], self.takes[rows])


@dataclass(frozen=True, eq=False)
class Head:
    """What is added to the logits: `weights` (C, F) times the features brought to length 1, plus `bias` (C,)."""

    weights: np.ndarray
    bias: np.ndarray

    def shift(self, features: np.ndarray) -> np.ndarray:
        """(N, C) float64 to add to the logits of faces with these features (N, F)."""
        return unit_length(features) @ self.weights.T + self.bias


@dataclass(frozen=True)
class Check:
    """How a head does on kept faces that it was not fitted to, against the bundle alone.

    `faces` were kept, of which `right_before` were right with the bundle alone and `right_after` with a head fitted to
    the faces of other moments; `right_by_label` has the part of these of each class. The losses are mean negative
    log-likelihoods, in nats.
    """

    faces: int
    right_before: int
    right_after: int
    right_by_label: tuple[int, ...]
    loss_before: float
    loss_after: float

    @property
    def helps(self) -> bool:
        """Whether more faces are right than before; at a tie, whether the right answers got likelier."""
        if self.right_after != self.right_before:
            return self.right_after > self.right_before
        return self.loss_after < self.loss_before


def unit_length(features: np.ndarray) -> np.ndarray:
    """(N, F) float64: each row of features brought to length 1; a row of zeros stays."""
    features = np.asarray(features, np.float64)
    return features / np.maximum(np.sqrt((features * features).sum(axis=1, keepdims=True)), 1e-12)


def fit_head(faces: KeptFaces, prior: Prior) -> Head:
    """The most likely head under the prior; zero without faces. The same faces always give the same head.

    Raises:
        ValueError: if there are more than `MAX_FACES`, or the arrays do not fit each other.
    """
    _require_fitting(faces)
    units = unit_length(faces.features)
    residuals = _fit(_kernel(units, prior), faces)
    return Head(prior.weights * residuals.T @ units, prior.bias * residuals.sum(axis=0))


def check_head(faces: KeptFaces, prior: Prior) -> Check:
    """Ask, for the faces of each take, a head that was fitted to all other takes.

    With more than 20 takes they are left out in 20 parts, so that this takes as long as 20 fits.

    Raises:
        ValueError: as `fit_head`.
    """
    _require_fitting(faces)
    units = unit_length(faces.features)
    kernel = _kernel(units, prior)
    after = np.array(faces.logits, np.float64)
    fold_of_take = {take: place % _FOLDS for place, take in enumerate(dict.fromkeys(faces.takes.tolist()))}
    folds = np.array([fold_of_take[take] for take in faces.takes.tolist()], np.int64)
    for fold in range(min(_FOLDS, len(fold_of_take))):
        left_out, kept = folds == fold, folds != fold
        residuals = _fit(kernel[np.ix_(kept, kept)], faces.select(kept))
        after[left_out] += kernel[np.ix_(left_out, kept)] @ residuals
    right = faces.labels[after.argmax(axis=1) == faces.labels] if len(faces) else faces.labels
    return Check(
        len(faces),
        _right(faces.logits, faces.labels),
        len(right),
        tuple(np.bincount(right, minlength=after.shape[1]).tolist()),
        _loss(faces.logits, faces.labels),
        _loss(after, faces.labels),
    )


def _require_fitting(faces: KeptFaces) -> None:
    if len(faces) > MAX_FACES:
        raise ValueError(f"at most {MAX_FACES} faces can be learned from, got {len(faces)}")
    if not len(faces.logits) == len(faces.features) == len(faces.labels) == len(faces.takes):
        raise ValueError("logits, features, labels and takes must have a row for each face")


def _kernel(units: np.ndarray, prior: Prior) -> np.ndarray:
    return prior.weights * units @ units.T + prior.bias


def _fit(kernel: np.ndarray, faces: KeptFaces) -> np.ndarray:
    """The dual weights (N, C): what is missing from the right answer to certainty, once the head is the best one.

    The curvature of the loss is at most 1/2 for each face. A step goes to the lowest point of the bound that follows,
    `(I + kernel / 2) dual' = kernel / 2 dual + right - probabilities`, which needs one product of matrices.
    """
    adapted = np.array(faces.logits, np.float64)
    right = np.zeros_like(adapted)
    right[np.arange(len(faces)), faces.labels] = 1
    dual = np.zeros_like(adapted)
    damping = np.linalg.inv(np.eye(len(faces)) + kernel / 2)
    for _ in range(_STEPS if len(faces) else 0):
        gap = right - softmax_of(adapted) - dual
        move = damping @ gap
        dual = dual + move
        adapted = adapted + 2 * (gap - move)
    return dual


def softmax_of(logits: np.ndarray) -> np.ndarray:
    """(N, C) probabilities, in the precision of the logits."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _right(logits: np.ndarray, labels: np.ndarray) -> int:
    return int((logits.argmax(axis=1) == labels).sum()) if len(labels) else 0


def _loss(logits: np.ndarray, labels: np.ndarray) -> float:
    if not len(labels):
        return 0.0
    chosen = softmax_of(np.asarray(logits, np.float64))[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(chosen, 1e-12)).mean())
