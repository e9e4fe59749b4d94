"""What a bundle's `config.json` says about how a frame becomes calibrated probabilities, checked on reading.

The file serves three readers. timm and transformers read its top level (`architecture`, `model_args`, `label_names`,
...); we read `label_names` and the object `face_expression`, which is described here. Every number that changes a
pixel or a probability stands in that object, so that training, evaluation, app and browser cannot drift apart.
"""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from face_expression.errors import BundleError

SCHEMA_VERSION = 2

EMBEDDED_CONFIG = Path(__file__).parent.parent / "bundle" / "config.json"

Fraction = Annotated[float, Field(ge=0, le=1)]
# A damaged or hostile bundle must not make a program fill its memory or never end.
SidePx = Annotated[int, Field(ge=1, le=4096)]
NetworkSidePx = Annotated[int, Field(ge=1, le=1024)]
Factor = Annotated[float, Field(gt=0, le=100)]
Label = Annotated[str, Field(min_length=1, max_length=250)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


_Model = TypeVar("_Model", bound=_Settings)


class CropRule(_Settings):
    """Where the training crop lies relative to one detector's box, in units of sqrt(width x height) of that box."""

    scale: Annotated[float, Field(gt=0, le=10)]
    shift_x: Annotated[float, Field(ge=-5, le=5)]
    shift_y: Annotated[float, Field(ge=-5, le=5)]


class WeightFile(_Settings):
    """One known file of detector weights."""

    name: str
    sha256: Sha256


class YuNetSettings(_Settings):
    """How YuNet is run; `face_expression.detection.search` says where in a frame.

    `files`: the weights that are accepted, by name and sha256. `scales_px`: long sides at which a whole frame is
    searched, each twice the one before; a larger photo is searched in tiles of the last one. `score_threshold`: least
    score of a face; `small_score_threshold`: of a small one of which a coarser scale has seen nothing. A place with a
    score from `hint_score` up that is at most `hint_max_px` wide in the pixels searched may be a face that is too small
    for them: it is searched again at a finer scale. `nms_threshold`: largest overlap (IoU) of two faces.

    A place is searched again in a window of `window_px`, in which a face is about `window_face_px` wide. A face with a
    score below `upright_score` may be turned: it is tried at every `turn_step_deg`, and the best score says how it is.

    `video_tile_wh_px`: size of the tiles in which a video is searched at finer scales, one after the other.
    `finer_factor`: a finer scale is worth a search from this factor on.
    `doubtful_score`: a place with such a score at which no face was found is a reason to look closer, and to turn the
    frame, about each such place if they are at most `max_turned_places`. At most `max_hints` places are searched again
    at a finer scale. A place that overlaps a face by more than `near_iou` is no
    other face's. Of two faces, the less certain one is dropped if more than `max_inside` of the smaller lies in the
    larger. A face that is tilted by more than `tilted_deg` is searched once more with the frame turned.
    `max_faces`: so many with the highest scores are kept. The network takes sides of at least `min_side_px`, in
    multiples of `cell_px`.
    """

    files: tuple[WeightFile, ...] = Field(min_length=1)
    scales_px: tuple[SidePx, ...] = Field(min_length=1, max_length=8)
    score_threshold: Fraction
    small_score_threshold: Fraction
    hint_score: Fraction
    hint_max_px: PositiveFloat
    nms_threshold: Fraction
    window_px: NetworkSidePx
    window_face_px: NetworkSidePx
    upright_score: Fraction
    turn_step_deg: Annotated[float, Field(ge=5, le=360)]
    video_tile_wh_px: tuple[SidePx, SidePx]
    finer_factor: Annotated[float, Field(ge=1, le=2)]
    doubtful_score: Fraction
    max_hints: Annotated[int, Field(ge=1, le=1000)]
    max_turned_places: Annotated[int, Field(ge=0, le=100)]
    near_iou: Fraction
    max_inside: Fraction
    tilted_deg: Annotated[float, Field(ge=0, le=45)]
    max_faces: Annotated[int, Field(ge=1, le=10_000)]
    min_side_px: NetworkSidePx
    cell_px: Annotated[int, Field(ge=1, le=256)]
    crop: CropRule

    @model_validator(mode="after")
    def _searched_in_whole_tiles(self) -> "YuNetSettings":
        if any(finer != 2 * coarser for coarser, finer in itertools.pairwise(self.scales_px)):
            raise ValueError("each of scales_px must be twice the one before")
        if self.window_face_px > self.window_px:
            raise ValueError("window_face_px must not exceed window_px")
        if min(*self.video_tile_wh_px, self.scales_px[-1]) <= self.window_px:
            raise ValueError("tiles must be larger than window_px, by which they overlap")
        return self


class HaarSettings(_Settings):
    """How OpenCV's Haar cascade is run; `cascade` is a file name inside `cv2.data.haarcascades`.

    Faces found at each of `scales_px` (long sides of the frame) are put together; `nms_threshold` is the largest
    overlap (IoU) of two, `max_inside` the largest share of the smaller one that lies in the larger.
    """

    cascade: str
    scales_px: tuple[SidePx, ...] = Field(min_length=1, max_length=8)
    nms_threshold: Fraction
    max_inside: Fraction
    scale_factor: Annotated[float, Field(ge=1.01)]
    min_neighbors: PositiveInt
    min_size_px: PositiveInt
    crop: CropRule


class CropSettings(_Settings):
    """How a crop is cut: its size, how much finer it is sampled, and whether it is turned until the eyes are level.

    The eyes' line is not followed further than `max_levelling_deg` from what eyes and mouth say together, since the
    eyes of a profile fall together. A region of more than `max_shrink` times the crop's side is shrunk first.
    """

    size_px: NetworkSidePx
    oversampling: Literal[1, 2]
    level_eyes: bool
    max_levelling_deg: PositiveFloat
    max_shrink: Annotated[int, Field(ge=1, le=64)]


class ContrastSettings(_Settings):
    """The mean and the standard deviation, of 0..255, to which each crop is brought before anything else.

    A crop flatter than `min_std` is stretched no further than one of `min_std`, so that noise does not become a face.
    """

    mean: Annotated[float, Field(ge=0, le=255)]
    std: PositiveFloat
    min_std: PositiveFloat


class InputSettings(_Settings):
    """How a crop becomes model input: `contrast` if given, (x / 255 - mean) / std, then bilinear to `size_px`."""

    size_px: NetworkSidePx
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
    """Beyond these a crop is not fit to be judged. Units: `face_expression.quality`.

    `light_percent`: the percentiles of brightness that count as shadow, and from the top as highlight.
    """

    min_face_px: PositiveFloat
    min_sharpness: float
    min_highlight: float
    max_shadow: float
    max_turn: PositiveFloat
    min_score: Fraction
    light_percent: Annotated[float, Field(gt=0, lt=50)]


class TrackerSettings(_Settings):
    """How faces are followed from frame to frame.

    `time_constant_s`: after this long, 63 % of a change is shown. `label_margin`: lead in probability that another
    label needs before it is shown. `forget_after_s`: how long a face may be unseen. `min_iou`: least overlap of the
    same face in two frames, of boxes enlarged by `enlarge` on each side (in box sizes) so that quick heads are kept.
    `keep_search_box_iou`: a face is searched for about the same box as before while its own overlaps that much with it,
    so that the box of a face that stands still does too.
    `search_interval_s`: how often the whole frame is searched; in between, a few known faces are searched for where
    they were. `tile_interval_s`: how often a further tile of the frame is searched at a finer scale.
    `turn_interval_s`: how long what is known of a face's turn holds. `classify_interval_s`: how often a face is
    classified in the view on a visitor's device; in between it is only followed.
    `mirror_within_s`: a face whose crop was classified less than this long ago is classified mirrored next; 0 for
    never, as in bundles made before there was this number.
    """

    time_constant_s: PositiveFloat
    label_margin: Fraction
    forget_after_s: PositiveFloat
    min_iou: Fraction
    enlarge: Annotated[float, Field(ge=0)]
    keep_search_box_iou: Fraction
    search_interval_s: Annotated[float, Field(ge=0)]
    tile_interval_s: Annotated[float, Field(ge=0.01)]
    turn_interval_s: PositiveFloat
    classify_interval_s: Annotated[float, Field(ge=0)]
    mirror_within_s: Annotated[float, Field(ge=0)] = 0.0


class Preprocessing(_Settings):
    """Everything between a frame and the model's input."""

    yunet: YuNetSettings
    haar: HaarSettings
    crop: CropSettings
    input: InputSettings
    quality: QualityLimits


class BundleConfig(_Settings):
    """One bundle: labels, preprocessing, tracking, calibration; `training` records how the weights came to be.

    `graphs` has the sha256 of each graph's file by the graph's name.
    """

    schema_version: Literal[2]
    label_names: tuple[Label, ...] = Field(min_length=2, max_length=1000)
    preprocessing: Preprocessing
    tracker: TrackerSettings
    graphs: dict[str, Sha256]
    temperature: Factor
    abstain_below: Fraction
    model_sha256: Sha256
    training: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _labels_are_distinct(self) -> "BundleConfig":
        if len(set(self.label_names)) != len(self.label_names):
            raise ValueError("label_names repeat")
        return self


def read_preprocessing(path: Path) -> Preprocessing:
    """Read the `preprocessing` object of a JSON file, also as it was in schema 1.

    Raises:
        BundleError: if the file is missing, is no JSON, or does not fit the schema.
    """

    def part(raw: dict) -> dict:
        settings = raw["preprocessing"]
        is_old = "border" in settings["crop"]
        return _preprocessing_from_schema_1(settings, _embedded_settings()["preprocessing"]) if is_old else settings

    return _validated(Preprocessing, path, part)


def read_bundle_config(path: Path) -> BundleConfig:
    """Read a bundle's `config.json`; one of an older schema gets what it lacks from the embedded bundle.

    Raises:
        BundleError: if the file is missing, is no JSON, has an unknown schema version, or does not fit the schema.
    """

    def part(raw: dict) -> dict:
        settings = {**raw["face_expression"], "label_names": raw["label_names"]}
        version = settings.get("schema_version")
        if version == 1 and path != EMBEDDED_CONFIG:
            return from_schema_1(settings, _embedded_settings())
        if version != SCHEMA_VERSION:
            raise BundleError(f"{path}: schema version {version}, but this program reads versions 1 and 2")
        return settings

    return _validated(BundleConfig, path, part)


def from_schema_1(old: dict, now: dict) -> dict:
    """Bring settings of schema 1 to schema 2: what was fixed in the program then is taken from `now`.

    Args:
        old: the object `face_expression` of a bundle of schema 1.
        now: that of a bundle of schema 2.

    Raises:
        KeyError: if `old` lacks something.
    """
    return {
        **old,
        "schema_version": SCHEMA_VERSION,
        "tracker": now["tracker"],
        "graphs": now["graphs"],
        "preprocessing": _preprocessing_from_schema_1(old["preprocessing"], now["preprocessing"]),
    }


def _preprocessing_from_schema_1(old: dict, now: dict) -> dict:
    if old["crop"]["border"] != "replicate":
        raise BundleError(f"the border fill {old['crop']['border']!r} is no longer supported; export the model again")
    kept = {name: old["crop"][name] for name in ("size_px", "level_eyes", "max_levelling_deg")}
    return {
        "yunet": {**now["yunet"], "crop": old["yunet"]["crop"]},
        "haar": {**now["haar"], "crop": old["haar"]["crop"]},
        "crop": {**now["crop"], **kept},
        "input": old["input"],
        "quality": {**now["quality"], **old["quality"]},
    }


def _embedded_settings() -> dict:
    return json.loads(EMBEDDED_CONFIG.read_text(encoding="utf-8"))["face_expression"]


def _validated(model: type[_Model], path: Path, part: Callable[[dict], dict]) -> _Model:
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
