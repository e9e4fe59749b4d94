"""Data sets of faces: reading them, what their columns mean, and turning rows into crops and targets.

Columns: `image`; `label` (ClassLabel) or `votes` (counts; as many first ones as there are classes belong to the classes
in their order, any others say "none of these") or both; `face_box` (xyxy in pixels of the image) where the image is not
already a crop, with `landmarks` and `detector` as data_tools gives them. A folder or zip of class folders gives `image`
and `label`. A data set whose names are our seven classes in another order is brought into ours; other names are used as
they are.

FER+ has ten votes, the first seven being our classes: Barsoum et al., "Training Deep Networks for Facial Expression
Recognition with Crowd-Sourced Label Distribution", ICMI 2016.
"""

import io
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets.exceptions import DatasetsError
from huggingface_hub.errors import HTTPError
from tqdm import tqdm

from face_expression.errors import DataError
from face_expression.io.images import PictureError, read_picture
from face_expression.io.split_files import escaped, parquet_files
from face_expression.labels import LABEL_NAMES
from face_expression.model.config import Preprocessing
from face_expression.model.preprocess import (
    CropRegion,
    cut_crop,
    region_of_detection,
    to_model_inputs,
    whole_image_region,
)
from train.data.augment import Augmentation, augment_crop, erase, jitter_region
from train.data.class_folders import read_class_folders
from train.data.targets import Targets
from train.data.zip_dataset import read_zip_split

_MAX_LISTED_PROBLEMS = 3


def data_name(data: str) -> str:
    """How a data set is named in what we write down: a folder's or zip's name without where it lies, or the Hub's."""
    return Path(data).name if Path(data).is_dir() or is_zip(data) else data


def is_zip(data: str) -> bool:
    """Whether a data set is named as a zip file."""
    return Path(data).suffix.lower() == ".zip" and not Path(data).is_dir()


def load_split(data: str, split: str, *, revision: str | None = None) -> datasets.Dataset:
    """Load one split of a folder, of a zip or of a Hub data set; images stay encoded until they are used.

    Args:
        data: a folder of Parquet files, a folder or a zip of class folders (with `train`, `validation` and `test` above
            them), or a Hub repository "user/name".
        split: "train", "validation" or "test".
        revision: commit, tag or branch of a Hub data set.

    Raises:
        DataError: with what is wrong, if the split or a column is missing, or labels or votes do not fit.
    """
    folder = Path(data)
    try:
        if is_zip(data):
            loaded = read_zip_split(folder, split)
        elif not folder.is_dir():
            loaded = datasets.load_dataset(data, split=split, revision=revision)
        elif files := parquet_files(folder):
            of_split = {split: escaped(files.get(split, ()))}
            if not of_split[split]:
                raise ValueError(f"it holds no Parquet files of it, such as {split}.parquet")
            loaded = datasets.load_dataset("parquet", data_files=of_split, split=split)
        else:
            loaded = read_class_folders(folder, split)
    except (ValueError, OSError, HTTPError, DatasetsError) as error:
        raise DataError(f"cannot load the split {split!r} of {data!r}: {error}{_advice(split)}") from error
    if "image" not in loaded.column_names or not {"label", "votes"} & set(loaded.column_names):
        raise DataError(
            f"{data!r} has the columns {loaded.column_names}; it needs 'image' and at least one of 'label' and 'votes'"
        )
    loaded = loaded.cast_column("image", datasets.Image(decode=False))
    if not folder.is_dir():
        _require_bytes(loaded, data)
    if "label" in loaded.column_names:
        loaded = _in_our_order(loaded, data)
    if not read_targets(loaded).shares()[1].any():
        raise DataError(f"{data!r}: no row of the split {split!r} has a label or a vote for one of its classes")
    return loaded


def _require_bytes(rows: datasets.Dataset, data: str) -> None:
    """Check that a data set from elsewhere brings its pictures, and does not name files of this machine."""

    def only_named(images: pa.StructArray) -> int:
        named = pc.and_(pc.is_null(pc.struct_field(images, "bytes")), pc.is_valid(pc.struct_field(images, "path")))
        return pc.sum(named).as_py() or 0

    if count := sum(only_named(images) for images in rows.data.column("image").chunks):
        raise DataError(
            f"{data!r} has {count} row(s) with the path of a picture and no picture; files of this machine are read "
            "for a local folder only"
        )


def _advice(split: str) -> str:
    if split != "validation":
        return ""
    return "\na data set needs a validation split: models, temperatures and thresholds are chosen on it, never on test"


def _in_our_order(rows: datasets.Dataset, data: str) -> datasets.Dataset:
    names = getattr(rows.features["label"], "names", None)
    if names is None:
        raise DataError(
            f"{data!r}: 'label' must be a ClassLabel, which says what its numbers mean; it is {rows.features['label']}"
        )
    if len(names) < 2:
        raise DataError(f"{data!r} has one class only, {names}; a classifier needs at least two")
    if tuple(names) == LABEL_NAMES or set(names) != set(LABEL_NAMES):
        return rows
    return _in_order(rows, LABEL_NAMES)


def _in_order(rows: datasets.Dataset, label_names: tuple[str, ...]) -> datasets.Dataset:
    return rows.align_labels_with_mapping({name: index for index, name in enumerate(label_names)}, "label")


def in_order_of_model(rows: datasets.Dataset, label_names: tuple[str, ...], data: str) -> datasets.Dataset:
    """Give a split the classes of the model that is gone on from, where it has labels of its own for some of them.

    A data set with classes that the model does not have, or with votes, which have an order of their own, stays as it
    is. A zip of corrections has no such classes.

    Raises:
        DataError: if a zip has.
    """
    names = label_names_of(rows)
    unknown = [name for name in names if name not in label_names]
    if unknown and is_zip(data):
        raise DataError(f"{data!r} has the classes {unknown}, which the model does not know: {list(label_names)}")
    if unknown or names == tuple(label_names) or "votes" in rows.column_names:
        return rows
    return _in_order(rows, label_names)


def label_names_of(rows: datasets.Dataset) -> tuple[str, ...]:
    """The classes of a split in their order; our seven for a data set that has votes and no labels."""
    return tuple(rows.features["label"].names) if "label" in rows.column_names else LABEL_NAMES


def require_labels(rows: datasets.Dataset, label_names: tuple[str, ...], data: str) -> None:
    """Check that a split has the classes that a network or another split has.

    Raises:
        DataError: with both.
    """
    if (names := label_names_of(rows)) != tuple(label_names):
        raise DataError(f"{data!r} has the classes {list(names)}, but {list(label_names)} are expected")


def read_targets(rows: datasets.Dataset) -> Targets:
    """Collect the labels and votes of a split.

    Raises:
        DataError: if a row's votes are not as many counts as the others', or fewer than there are classes.
    """
    names = label_names_of(rows)
    if "label" in rows.column_names:
        label = np.array([-1 if value is None else value for value in rows["label"]], np.int64)
    else:
        label = np.full(len(rows), -1, np.int64)
    if "votes" not in rows.column_names:
        return Targets(label, None, len(names))
    tags = max((len(value) for value in rows["votes"] if value), default=len(names))
    votes = [value or [0] * tags for value in rows["votes"]]
    for number, row in enumerate(votes):
        if len(row) != tags or tags < len(names) or min(row) < 0:
            raise DataError(
                f"row {number}: 'votes' must be {max(tags, len(names))} counts, of which the first {len(names)} are "
                f"for {list(names)}, or null; it is {row}"
            )
    return Targets(label, np.array(votes, np.float64), len(names))


def require_readable(rows: datasets.Dataset, split: str) -> None:
    """Read every image once, so that a broken one is reported now and not in the middle of training.

    Raises:
        DataError: naming the first broken ones.
    """

    def problem(number: int) -> str | None:
        try:
            decode(rows[number]["image"])
        except PictureError as error:
            return f"{_name_of(rows[number]['image'], number)}: {error}"
        return None

    with ThreadPoolExecutor() as pool:
        results = pool.map(problem, range(len(rows)))
        shown = tqdm(results, total=len(rows), unit="face", desc=f"checking {split}", leave=False)
        problems = [text for text in shown if text is not None]
    if problems:
        more = f"\nand {len(problems) - _MAX_LISTED_PROBLEMS} more" if len(problems) > _MAX_LISTED_PROBLEMS else ""
        raise DataError(
            f"{len(problems)} image(s) of the split {split!r} cannot be read; remove or replace them:\n"
            + "\n".join(problems[:_MAX_LISTED_PROBLEMS])
            + more
        )


def _name_of(image: dict | None, number: int) -> str:
    """A picture as its owner finds it: by its path, or by its row where it has none."""
    return f"{image['path']} (row {number})" if image and image["path"] else f"row {number}"


def decode(image: dict | None) -> np.ndarray:
    """Decode one encoded image of a data set as the app reads files: uint8 (H, W) if it is grey, else RGB (H, W, 3).

    Raises:
        PictureError: if it cannot be read.
    """
    if image is None:
        raise PictureError("a row has no image")
    return read_picture(image["path"] if image["bytes"] is None else io.BytesIO(image["bytes"]), keep_grey=True)


def region_of_row(row: dict, image: np.ndarray, preprocessing: Preprocessing) -> CropRegion:
    """The crop of one row: around its `face_box` if it has one, otherwise all of the image.

    `landmarks` level the eyes where a row has them, and `detector` says whose box it is: YuNet's, if it says nothing.
    """
    if row.get("face_box") is None:
        return whole_image_region(image.shape[1], image.shape[0])
    rule = preprocessing.haar.crop if row.get("detector") == "haar" else preprocessing.yunet.crop
    return region_of_detection(tuple(row["face_box"]), row.get("landmarks"), rule, preprocessing.crop)


def crop_of_row(row: dict, preprocessing: Preprocessing) -> np.ndarray:
    """One row's crop as the app would cut it: uint8 (S, S) or RGB (S, S, 3)."""
    image = decode(row["image"])
    return cut_crop(image, region_of_row(row, image, preprocessing), preprocessing.crop)


def read_crops(rows: datasets.Dataset, preprocessing: Preprocessing) -> list[np.ndarray]:
    """Every row's crop, as `crop_of_row`.

    Raises:
        DataError: naming the first picture that cannot be read.
    """
    crops = []
    for number, row in enumerate(tqdm(rows, unit="face", desc="reading faces", leave=False)):
        try:
            crops.append(crop_of_row(row, preprocessing))
        except PictureError as error:
            name = _name_of(row["image"], number)
            raise DataError(f"{name}: {error}; remove or replace this picture") from error
    return crops


class FaceDataset:
    """Rows of one split as `{"pixel_values", "labels"}`; rows with no target are left out, `kept` numbers the others.

    Args:
        rows: as `load_split` gives them.
        preprocessing: how crops are cut and normalised, as the app does it.
        augmentation: what to vary, or None for the plain crop.
        label_head: whether the data set's own labels follow the targets, as so many more columns of `labels`.
        targets: (N, C) float32 to learn instead of the votes or labels; as `Targets.soft`.
    """

    def __init__(
        self,
        rows: datasets.Dataset,
        preprocessing: Preprocessing,
        augmentation: Augmentation | None,
        *,
        label_head: bool = False,
        targets: np.ndarray | None = None,
    ):
        read = read_targets(rows)
        targets = read.soft() if targets is None else targets
        if label_head:
            targets = np.concatenate([targets, read.own_labels()], axis=1)
        self.kept = np.flatnonzero(targets.sum(1) > 0)
        self._targets = targets[self.kept]
        self._rows = rows
        self._preprocessing = preprocessing
        self._augmentation = augmentation

    def __len__(self) -> int:
        return len(self.kept)

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        row = self._rows[int(self.kept[index])]
        if self._augmentation is None:
            (pixels,) = to_model_inputs([crop_of_row(row, self._preprocessing)], self._preprocessing.input)
        else:
            pixels = self._varied(row, self._augmentation)
        return {"pixel_values": pixels, "labels": self._targets[index]}

    def _varied(self, row: dict, augmentation: Augmentation) -> np.ndarray:
        settings = self._preprocessing
        rng = np.random.default_rng(int(torch.randint(2**62, ())))
        image = decode(row["image"])
        region = jitter_region(region_of_row(row, image, settings), augmentation, rng)
        crop = augment_crop(cut_crop(image, region, settings.crop), augmentation, rng)
        return erase(to_model_inputs([crop], settings.input)[0], augmentation, rng)
