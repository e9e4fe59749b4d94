"""What was learned about one person, as data: a baseline from a resting face, corrections, and own expressions.

All of it fits into one `personal.json` for one bundle: numbers and names, no picture. The live view makes it
(`web/live/engine/personal.js` reads and writes the same schema), and `load_pipeline(personal=...)` takes it. "Logits"
are those after the bundle's temperature, so that their softmax is the bundle's calibrated answer.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from face_expression.model.config import BundleConfig, Label, Sha256
from face_expression.personal.head import Head, softmax_of

MAX_FILE_BYTES = 4_000_000
MAX_OWN_EXPRESSIONS = 12
NONE_OF_THESE = "none of these"
FORMAT = "live-emotion-detector personal"

# The mean logits, less their mean over the labels, of the faces that most people call neutral: the embedded bundle on
# the validation split of FER+ (`python -m benchmarks.personal choose`).
USUAL_NEUTRAL_LOGITS = {
    "angry": -0.31,
    "disgust": -1.31,
    "fear": -1.86,
    "happy": -0.5,
    "sad": 1.45,
    "surprise": -0.93,
    "neutral": 3.47,
}
_NEUTRAL_STRENGTH = 0.5
_MAX_NEUTRAL_SHIFT = 1.5

Finite = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Count = Annotated[int, Field(ge=0, le=10_000)]


class PersonalError(Exception):
    """A `personal.json` that cannot be used; the message says why and what to do."""


def neutral_shift(logits: np.ndarray, label_names: Sequence[str]) -> np.ndarray:
    """What to add to the logits of a person whose resting face has these, in nats; zero where there is no "neutral".

    It goes half of the way from this face to the resting face of FER+'s people, and never further than 1.5 either way:
    a few seconds also hold the light and the mood of the moment.

    Args:
        logits: (N, C) of N frames of one resting face, N at least 1.
        label_names: C names.

    Returns:
        (C,) float64; 0 for labels that FER+ does not know.

    Raises:
        ValueError: if there is no frame.
    """
    if not len(logits):
        raise ValueError("a baseline needs at least one frame")
    shift = np.zeros(len(label_names))
    if "neutral" not in label_names:
        return shift
    known = [place for place, name in enumerate(label_names) if name in USUAL_NEUTRAL_LOGITS]
    resting = np.asarray(logits, np.float64).mean(axis=0)[known]
    usual = np.array([USUAL_NEUTRAL_LOGITS[label_names[place]] for place in known])
    away = (usual - usual.mean()) - (resting - resting.mean())
    shift[known] = np.clip(_NEUTRAL_STRENGTH * away, -_MAX_NEUTRAL_SHIFT, _MAX_NEUTRAL_SHIFT)
    return shift


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Neutral(_Part):
    """The baseline: `shift` is added to the logits of every face; it comes from so many `frames`."""

    shift: tuple[Finite, ...]
    frames: Count


class HeadNumbers(_Part):
    """A head: a row of weights and a bias for each class."""

    weights: tuple[tuple[Finite, ...], ...]
    bias: tuple[Finite, ...]


class Corrections(_Part):
    """The head that corrections led to: how many faces of each label it was fitted to, and how it does on them.

    `right_before` and `right_after` as in `Check`.
    """

    head: HeadNumbers
    faces: dict[Label, Count]
    right_before: Count
    right_after: Count


class OwnExpressions(_Part):
    """Expressions with names of one's own: the last of `names` is "none of these".

    `right` of the frames that they were learned from are recognised by what was learned from other seconds.
    """

    names: tuple[Label, ...] = Field(min_length=2, max_length=MAX_OWN_EXPRESSIONS + 1)
    head: HeadNumbers
    frames: tuple[Count, ...]
    right: Count


class Personal(_Part):
    """What was learned about one person, for one bundle; it holds no picture.

    The baseline and the corrections shift the bundle's logits; own expressions have probabilities of their own, since
    no votes stand behind them.
    """

    format: Literal["live-emotion-detector personal"] = "live-emotion-detector personal"
    schema_version: Literal[1] = 1
    bundle_sha256: Sha256
    label_names: tuple[Label, ...] = Field(min_length=2, max_length=1000)
    features: Annotated[int, Field(ge=1, le=65_536)]
    neutral: Neutral | None = None
    corrections: Corrections | None = None
    own: OwnExpressions | None = None

    @model_validator(mode="after")
    def _sizes_fit(self) -> "Personal":
        classes = len(self.label_names)
        if self.neutral and len(self.neutral.shift) != classes:
            raise ValueError(f"neutral has {len(self.neutral.shift)} numbers for {classes} labels")
        if self.corrections:
            _require_size(self.corrections.head, classes, self.features, "corrections")
        if self.own:
            _require_size(self.own.head, len(self.own.names), self.features, "own")
            if self.own.names[-1] != NONE_OF_THESE or len(set(self.own.names)) != len(self.own.names):
                raise ValueError(f"own needs different names, the last of them {NONE_OF_THESE!r}")
            if len(self.own.frames) != len(self.own.names):
                raise ValueError("own needs a number of frames for each name")
        return self

    @property
    def changes_answer(self) -> bool:
        """Whether the bundle's own answer is adapted."""
        return self.neutral is not None or self.corrections is not None

    def adapt(self, logits: np.ndarray, features: np.ndarray) -> np.ndarray:
        """The person's logits.

        Args:
            logits: (N, C) the bundle's, after the temperature.
            features: (N, F).

        Returns:
            (N, C) float32.
        """
        adapted = np.asarray(logits, np.float64)
        if self.neutral:
            adapted = adapted + np.array(self.neutral.shift)
        if self.corrections:
            adapted = adapted + _head_of(self.corrections.head).shift(features)
        return adapted.astype(np.float32)

    def own_probabilities(self, features: np.ndarray) -> np.ndarray | None:
        """(N, names) float32, each row summing to 1; None without own expressions."""
        if not self.own:
            return None
        return softmax_of(_head_of(self.own.head).shift(features)).astype(np.float32)


def head_numbers(head: Head) -> HeadNumbers:
    """A head as it is kept in a file, with six digits."""

    def short(values: np.ndarray) -> tuple[float, ...]:
        return tuple(float(f"{value:.6g}") for value in values)

    return HeadNumbers(weights=tuple(map(short, head.weights)), bias=short(head.bias))


def _head_of(numbers: HeadNumbers) -> Head:
    return Head(np.array(numbers.weights, np.float64), np.array(numbers.bias, np.float64))


def _require_size(head: HeadNumbers, classes: int, features: int, name: str) -> None:
    if len(head.weights) != classes or len(head.bias) != classes or {len(row) for row in head.weights} != {features}:
        raise ValueError(f"the head of {name} must have {classes} x {features} weights and {classes} biases")


def read_personal(path: Path, config: BundleConfig, features: int) -> Personal:
    """Read a `personal.json` for a bundle.

    Args:
        path: the file.
        config: the bundle's.
        features: how many features its network gives.

    Raises:
        PersonalError: if the file cannot be read, is too large, damaged, or was made for another bundle.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise PersonalError(f"{path}: cannot be read: {error.strerror or error}") from error
    if len(content) > MAX_FILE_BYTES:
        raise PersonalError(
            f"{path}: larger than {MAX_FILE_BYTES // 1_000_000} MB; it is no personal.json of this program"
        )
    try:
        raw = json.loads(content)
        known = isinstance(raw, dict) and raw.get("format") == FORMAT
        if not known:
            raise PersonalError(f"{path}: not a personal.json of this program")
        if raw.get("schema_version") != 1:
            raise PersonalError(f"{path}: schema version {raw.get('schema_version')}, but this program reads version 1")
        personal = Personal.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise PersonalError(f"{path}: damaged: {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise PersonalError(f"{path}: damaged: not JSON") from error
    if personal.bundle_sha256 != config.model_sha256 or personal.label_names != config.label_names:
        raise PersonalError(
            f"{path}: made for another model (sha256 {personal.bundle_sha256[:12]}...) than the one in use "
            f"({config.model_sha256[:12]}...); make it again with this model, or load that one"
        )
    if personal.features != features:
        raise PersonalError(f"{path}: damaged: {personal.features} features, but the model gives {features}")
    return personal
