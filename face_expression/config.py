"""What a bundle's `config.json` says about how a frame becomes calibrated probabilities, checked on reading.

The file serves three readers. timm and transformers read its top level (`architecture`, `model_args`, `label_names`,
...); we read `label_names` and the object `face_expression`, which is described here. Every number that changes a
pixel or a probability stands in that object, so that training, evaluation, app and browser cannot drift apart.
"""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

SCHEMA_VERSION = 1

Fraction = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class BundleError(Exception):
    """A bundle, or detector weights, that cannot be used; the message says why and what to do."""


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CropRule(_Settings):
    """Where the training crop lies relative to one detector's box, in units of sqrt(width x height) of that box."""

    scale: PositiveFloat
    shift_x: float
    shift_y: float


class WeightFile(_Settings):
    """One known file of detector weights."""

    name: str
    sha256: Sha256


class YuNetSettings(_Settings):
    """How YuNet is run. `files` are tried in order in the Hub repository `repo_id`."""

    repo_id: str
    files: tuple[WeightFile, ...] = Field(min_length=1)
    long_side_px: PositiveInt
    retry_long_side_px: PositiveInt
    score_threshold: Fraction
    nms_threshold: Fraction
    crop: CropRule


class HaarSettings(_Settings):
    """How OpenCV's Haar cascade is run; `cascade` is a file name inside `cv2.data.haarcascades`."""

    cascade: str
    long_side_px: PositiveInt
    retry_long_side_px: PositiveInt
    scale_factor: Annotated[float, Field(gt=1)]
    min_neighbors: PositiveInt
    min_size_px: PositiveInt
    crop: CropRule


class CropSettings(_Settings):
    """How a crop is cut: its size, what fills it beyond the frame, whether the eyes' line is levelled.

    A region is sampled on a grid that is an integer number of times finer than the crop, `max_oversampling` at most; a
    still larger one is shrunk first. An eyes' line steeper than `max_levelling_deg` is not levelled.
    """

    size_px: PositiveInt
    border: Literal["replicate", "reflect_101"]
    level_eyes: bool
    max_levelling_deg: PositiveFloat
    max_oversampling: PositiveInt


class ContrastSettings(_Settings):
    """The mean and the standard deviation, of 0..255, to which each crop is brought before anything else.

    A crop flatter than `min_std` is stretched no further than one of `min_std`, so that noise does not become a face.
    """

    mean: Annotated[float, Field(ge=0, le=255)]
    std: PositiveFloat
    min_std: PositiveFloat


class InputSettings(_Settings):
    """How a crop becomes model input: `contrast` if given, (x / 255 - mean) / std, then bilinear to `size_px`."""

    size_px: PositiveInt
    channels: Literal[1, 3]
    grey_weights: tuple[float, float, float]
    mean: tuple[float, ...]
    std: tuple[PositiveFloat, ...]
    resize: Literal["bilinear"]
    contrast: ContrastSettings | None = None

    @model_validator(mode="after")
    def _one_value_per_channel(self) -> "InputSettings":
        if not len(self.mean) == len(self.std) == self.channels:
            raise ValueError(f"mean and std need {self.channels} values each")
        return self


class QualityLimits(_Settings):
    """Beyond these a crop is not fit to be judged. Units: `face_expression.quality`."""

    min_face_px: PositiveFloat
    min_sharpness: float
    min_highlight: float
    max_shadow: float
    max_turn: PositiveFloat


class Preprocessing(_Settings):
    """Everything between a frame and the model's input."""

    yunet: YuNetSettings
    haar: HaarSettings
    crop: CropSettings
    input: InputSettings
    quality: QualityLimits


class BundleConfig(_Settings):
    """One bundle: labels, preprocessing, calibration; `training` only tells how the weights came to be."""

    schema_version: Literal[1]
    label_names: tuple[str, ...] = Field(min_length=2)
    preprocessing: Preprocessing
    temperature: PositiveFloat
    abstain_below: Fraction
    model_sha256: Sha256
    training: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "BundleConfig":
        if len(set(self.label_names)) != len(self.label_names):
            raise ValueError("label_names repeat")
        return self


def read_preprocessing(path: Path) -> Preprocessing:
    """Read the `preprocessing` object of a JSON file.

    Raises:
        BundleError: if the file is missing, is no JSON, or does not fit the schema.
    """
    return _validated(Preprocessing, path, lambda raw: raw["preprocessing"])


def read_bundle_config(path: Path) -> BundleConfig:
    """Read a bundle's `config.json`.

    Raises:
        BundleError: if the file is missing, is no JSON, has another schema version, or does not fit the schema.
    """

    def ours(raw: dict) -> dict:
        version = raw["face_expression"].get("schema_version")
        if version != SCHEMA_VERSION:
            raise BundleError(f"{path}: schema version {version}, but this program reads version {SCHEMA_VERSION}")
        return {**raw["face_expression"], "label_names": raw["label_names"]}

    return _validated(BundleConfig, path, ours)


def _validated(model: type[_Settings], path: Path, part) -> _Settings:
    try:
        return model.model_validate(part(json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"{path}: cannot be read: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise BundleError(f"{path}: not a bundle of this project (missing: {error})") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(step) for step in first["loc"])
        raise BundleError(f"{path}: {where}: {first['msg']}") from error
