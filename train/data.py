"""Data sets of faces: reading them, what their columns mean, and turning rows into crops and targets.

Columns: `image`; `label` (ClassLabel) or `votes` (ten counts in FER+ order, the first seven being our labels) or both;
`face_box` (xyxy in pixels of the image) where the image is not already a crop. The FER+ votes: Barsoum et al.,
"Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution", ICMI 2016.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import torch
from tqdm import tqdm

from face_expression.config import CropRule, CropSettings, InputSettings, Preprocessing
from face_expression.labels import LABEL_NAMES
from face_expression.picture_file import PictureError, read_picture
from face_expression.preprocess import (
    CropRegion,
    cut_crop,
    region_of_detection,
    to_model_input,
    whole_image_region,
)
from train.augment import Augmentation, augment_crop, erase, jitter_region

MIN_VOTE_SHARE = 0.5
VOTE_TAGS = 10


@dataclass(frozen=True)
class Targets:
    """What people said of N faces.

    `label` (N,) int64: the data set's own label, -1 where it has none.
    `votes` (N, 10) float64: counts in FER+ order, all 0 where nobody voted, or None if the data set has no votes.
    """

    label: np.ndarray
    votes: np.ndarray | None

    def soft(self) -> np.ndarray:
        """(N, 7) float32 targets; a row's sum is its weight in the loss, 0 for a row that is left out.

        With votes, the weight is the share of the row's votes that fell on the seven classes, and a row under half is
        left out; without, each row is its own label with weight 1.
        """
        if self.votes is None:
            return self._one_hot().astype(np.float32)
        shares = self.votes[:, : len(LABEL_NAMES)] / np.maximum(self.votes.sum(1, keepdims=True), 1)
        return np.where(shares.sum(1, keepdims=True) >= MIN_VOTE_SHARE, shares, 0).astype(np.float32)

    def majority(self) -> np.ndarray:
        """(N,) int64: the single most-voted of the ten tags where it is one of the seven classes, otherwise -1.

        Without votes, the data set's own label.
        """
        if self.votes is None:
            return self.label
        first, second = np.sort(self.votes, axis=1)[:, :-3:-1].T
        winner = self.votes.argmax(1)
        return np.where((first > second) & (winner < len(LABEL_NAMES)), winner, -1)

    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """(N, 7) float64 shares of the votes for the seven classes, renormalised, and (N,) bool: who has any."""
        if self.votes is None:
            return self._one_hot(), self.label >= 0
        seven = self.votes[:, : len(LABEL_NAMES)]
        total = seven.sum(1, keepdims=True)
        return seven / np.maximum(total, 1), total[:, 0] > 0

    def _one_hot(self) -> np.ndarray:
        return (self.label[:, None] == np.arange(len(LABEL_NAMES))).astype(np.float64)


def data_name(data: str) -> str:
    """How a data set is named in what we write down: a folder's name without where it lies, or the Hub's name."""
    return Path(data).name if Path(data).is_dir() else data


def load_split(data: str, split: str, *, revision: str | None = None) -> datasets.Dataset:
    """Load one split of a folder of Parquet files or of a Hub data set; images stay encoded until they are used.

    Args:
        data: an existing folder, or a Hub repository "user/name".
        split: "train", "validation" or "test".
        revision: commit, tag or branch of a Hub data set.

    Raises:
        SystemExit: with what is wrong, if the split or a column is missing, or labels or votes do not fit.
    """
    try:
        if Path(data).is_dir():
            loaded = datasets.load_dataset("parquet", data_dir=data, split=split)
        else:
            loaded = datasets.load_dataset(data, split=split, revision=revision)
    except (ValueError, OSError, datasets.exceptions.DatasetsError) as error:
        raise SystemExit(f"cannot load the split {split!r} of {data!r}: {error}") from error
    if "image" not in loaded.column_names or not {"label", "votes"} & set(loaded.column_names):
        raise SystemExit(
            f"{data!r} has the columns {loaded.column_names}; it needs 'image' and at least one of 'label' and 'votes'"
        )
    if "label" in loaded.column_names:
        names = getattr(loaded.features["label"], "names", None)
        if names is None or tuple(names) != LABEL_NAMES:
            raise SystemExit(
                f"{data!r}: 'label' must be a ClassLabel of {list(LABEL_NAMES)}, in that order; it is "
                f"{names or loaded.features['label']}"
            )
    loaded = loaded.cast_column("image", datasets.Image(decode=False))
    targets = read_targets(loaded)
    if not targets.shares()[1].any():
        raise SystemExit(f"{data!r}: no row of the split {split!r} has a label or a vote for one of the seven classes")
    return loaded


def read_targets(rows: datasets.Dataset) -> Targets:
    """Collect the labels and votes of a split.

    Raises:
        SystemExit: if a row's votes are not ten counts.
    """
    if "label" in rows.column_names:
        label = np.array([-1 if value is None else value for value in rows["label"]], np.int64)
    else:
        label = np.full(len(rows), -1, np.int64)
    if "votes" not in rows.column_names:
        return Targets(label, None)
    votes = [value or [0] * VOTE_TAGS for value in rows["votes"]]
    for number, row in enumerate(votes):
        if len(row) != VOTE_TAGS or min(row) < 0:
            raise SystemExit(f"row {number}: 'votes' must be {VOTE_TAGS} counts in FER+ order, or null; it is {row}")
    return Targets(label, np.array(votes, np.float64))


def decode(image: dict | None) -> np.ndarray:
    """Decode one encoded image of a data set as the app reads files: uint8 (H, W) if it is grey, else RGB (H, W, 3).

    Raises:
        PictureError: if it cannot be read.
    """
    if image is None:
        raise PictureError("a row has no image")
    return read_picture(io.BytesIO(image["bytes"]) if image["bytes"] else image["path"], keep_grey=True)


def region_of_row(row: dict, image: np.ndarray, rule: CropRule, settings: CropSettings) -> CropRegion:
    """The crop of one row: around its `face_box` if it has one, otherwise all of the image."""
    if row.get("face_box") is None:
        return whole_image_region(image.shape[1], image.shape[0])
    return region_of_detection(tuple(row["face_box"]), None, rule, settings)


def crop_of_row(row: dict, preprocessing: Preprocessing) -> np.ndarray:
    """One row's crop as the app would cut it: uint8 (S, S) or RGB (S, S, 3)."""
    image = decode(row["image"])
    return cut_crop(image, region_of_row(row, image, preprocessing.yunet.crop, preprocessing.crop), preprocessing.crop)


def read_crops(rows: datasets.Dataset, preprocessing: Preprocessing) -> list[np.ndarray]:
    """Every row's crop, as `crop_of_row`."""
    return [crop_of_row(row, preprocessing) for row in tqdm(rows, unit="face", desc="reading faces", leave=False)]


def stack_inputs(crops: list[np.ndarray], settings: InputSettings) -> np.ndarray:
    """What the network is given for crops of `cut_crop`: (N, channels, P, P) float32."""
    return np.stack([to_model_input(crop, settings) for crop in crops])


class FaceDataset:
    """Rows of one split as `{"pixel_values", "labels"}`; rows with no target are left out.

    Args:
        rows: as `load_split` gives them.
        preprocessing: how crops are cut and normalised, as the app does it.
        augmentation: what to vary, or None for the plain crop.
    """

    def __init__(self, rows: datasets.Dataset, preprocessing: Preprocessing, augmentation: Augmentation | None):
        targets = read_targets(rows).soft()
        self._kept = np.flatnonzero(targets.sum(1) > 0)
        self._targets = targets[self._kept]
        self._rows = rows
        self._preprocessing = preprocessing
        self._augmentation = augmentation

    def __len__(self) -> int:
        return len(self._kept)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        row = self._rows[int(self._kept[index])]
        if self._augmentation is None:
            pixels = to_model_input(crop_of_row(row, self._preprocessing), self._preprocessing.input)
        else:
            pixels = self._varied(row, self._augmentation)
        return {"pixel_values": pixels, "labels": self._targets[index]}

    def _varied(self, row: dict, augmentation: Augmentation) -> np.ndarray:
        settings = self._preprocessing
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        image = decode(row["image"])
        region = jitter_region(region_of_row(row, image, settings.yunet.crop, settings.crop), augmentation, rng)
        crop = augment_crop(cut_crop(image, region, settings.crop), augmentation, rng)
        return erase(to_model_input(crop, settings.input), augmentation, rng)
