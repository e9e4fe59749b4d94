"""What is drawn in an epoch: the data set's faces, rare ones more often, and photographs without labels among them."""

from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
import torch

from face_expression.errors import DataError, required
from face_expression.model.config import Preprocessing
from train.data.augment import Augmentation
from train.data.dataset import FaceDataset, label_names_of, read_targets
from train.data.photographs import read_photographs
from train.data.targets import Targets
from train.data.teacher import Teacher, blend

RARE_SHARE = 0.05
RARE_VOTES = 2
# Photographs come from all lights and cameras, and Yale's sad faces are missed more the looser the crop.
PHOTO_AUGMENTATION = Augmentation(
    zoom=(0.75, 1.3),
    max_contrast=0.5,
    gamma_probability=0.3,
    side_light_probability=0.3,
    low_light_probability=0.2,
    blur_probability=0.2,
    downscale_probability=0.3,
    noise_probability=0.3,
    jpeg_probability=0.3,
)


@dataclass(frozen=True)
class Extras:
    """What a training learns beside the votes: a teacher's file, photographs without labels, rare faces again.

    `teacher_weight` is the teacher's part of each target; `photo_share` the part of each batch that are photographs;
    `rare_repeats` how often a face is drawn that some took for a rare class.
    """

    teacher: Teacher | None = None
    teacher_weight: float = 0.5
    photos: tuple[Path, ...] = ()
    photo_share: float = 0.25
    rare_repeats: int = 1

    def description(self) -> dict:
        """What a run writes down about it."""
        description: dict[str, object] = {} if self.rare_repeats == 1 else {"rare_repeats": self.rare_repeats}
        if self.teacher is not None:
            description |= {"teacher": self.teacher.description, "teacher_weight": self.teacher_weight}
        if self.photos:
            description |= {"photos": [file.stem for file in self.photos], "photo_share": self.photo_share}
        return description

    def training_set(self, rows: datasets.Dataset, preprocessing: Preprocessing, *, label_head: bool) -> "TrainingSet":
        """What an epoch draws from a split's rows and the photographs.

        Raises:
            DataError: if the teacher's file has other classes or lacks pictures, or there are photographs without one.
        """
        read, targets = read_targets(rows), None
        if self.teacher is not None:
            if self.teacher.label_names != label_names_of(rows):
                raise DataError(f"the data set has other classes than the teacher: {list(self.teacher.label_names)}")
            predictions = self.teacher.probabilities_of(rows["image"], "the split 'train'")
            targets = blend(read, predictions, self.teacher_weight)
        faces = FaceDataset(rows, preprocessing, Augmentation(), label_head=label_head, targets=targets)
        repeats = repeats_of_rare(read, self.rare_repeats)[faces.kept]
        if not self.photos:
            return TrainingSet(faces, repeats)
        if self.teacher is None:
            raise DataError("--photos have no labels; give --teacher, whose predictions are their targets")
        photographs, chances = read_training_photographs(
            list(self.photos), self.teacher, preprocessing, label_head=label_head
        )
        return TrainingSet(faces, repeats, photographs, chances, self.photo_share)


class TrainingSet:
    """Faces, each drawn so many times an epoch, and photographs drawn by chance.

    Args:
        faces: the data set's.
        repeats: (len(faces),) int, how often each is drawn.
        photographs: pictures with targets of their own, or None.
        chances: (len(photographs),) float64 that sum to 1: how likely each is drawn.
        photo_share: the part of what is drawn that are photographs, in [0, 1).
    """

    def __init__(
        self,
        faces: FaceDataset,
        repeats: np.ndarray,
        photographs: FaceDataset | None = None,
        chances: np.ndarray | None = None,
        photo_share: float = 0.0,
    ):
        self._faces = faces
        self._order = np.repeat(np.arange(len(faces)), repeats)
        self._photographs, self._cumulated = photographs, np.cumsum(() if chances is None else chances)
        self.photos_drawn = 0 if photographs is None else round(len(self._order) * photo_share / (1 - photo_share))

    def __len__(self) -> int:
        return len(self._order) + self.photos_drawn

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        if index < len(self._order):
            return self._faces[int(self._order[index])]
        drawn = np.searchsorted(self._cumulated, float(torch.rand((), dtype=torch.float64)))
        photographs = required(self._photographs)
        return photographs[min(int(drawn), len(photographs) - 1)]


def repeats_of_rare(targets: Targets, times: int) -> np.ndarray:
    """How often each row is drawn: `times` where two people or more voted for a rare class, or its label is one.

    A class is rare if under 5 % of the weight of all targets is its.

    Returns:
        (N,) int64.
    """
    weight = targets.soft().sum(0)
    rare = np.flatnonzero((weight > 0) & (weight < RARE_SHARE * weight.sum()))
    votes = targets.own_labels() * RARE_VOTES if targets.votes is None else targets.votes
    return np.where((votes[:, rare] >= RARE_VOTES).any(1), times, 1)


def read_training_photographs(
    files: list[Path],
    teacher: Teacher,
    preprocessing: Preprocessing,
    *,
    label_head: bool,
) -> tuple[FaceDataset, np.ndarray]:
    """Photographs with the teachers' targets, and how likely each is drawn.

    Of a file with a column `split`, only the rows "train" are taken. A column `smile` (0 or 1, or null) is a partial
    label: half of the target is the teachers' opinion, half the same opinion once it is known whether the face smiles.

    Raises:
        DataError: if the teacher's file lacks some of them, or there are smiles but no class `happy`.
    """
    parts = [_rows_for_training(file) for file in files]
    rows = datasets.concatenate_datasets([_same_columns(part) for part in parts])
    lines = teacher.of(rows["image"], "the photographs")
    for name in ("face_box", "landmarks", "detector"):
        rows = rows.add_column(name, [face[name] for face in lines])
    predictions = np.array([row["probabilities"] for row in lines], np.float64)
    smiles = rows["smile"]
    targets = with_smiles(predictions, smiles, teacher.label_names).astype(np.float32)
    photographs = FaceDataset(rows, preprocessing, PHOTO_AUGMENTATION, label_head=label_head, targets=targets)
    return photographs, chances_of_drawing(targets)


def with_smiles(predictions: np.ndarray, smiles: list[int | None], label_names: tuple[str, ...]) -> np.ndarray:
    """(N, C) targets: `predictions`, or, where a smile label is known, their mean with those conditioned on it.

    Raises:
        DataError: if a smile is known and there is no class `happy`.
    """
    if all(smile is None for smile in smiles):
        return predictions
    if "happy" not in label_names:
        raise DataError("the photographs have smile labels, but the model has no class 'happy'")
    happy = np.arange(len(label_names)) == label_names.index("happy")
    targets = predictions.copy()
    for number, smile in enumerate(smiles):
        if smile is not None:
            possible = predictions[number] * (happy if smile else ~happy) + 1e-9 * (happy if smile else ~happy)
            targets[number] = (predictions[number] + possible / possible.sum()) / 2
    return targets


def chances_of_drawing(targets: np.ndarray) -> np.ndarray:
    """(N,) chances, in which each class has the square root of the share it has by number, so that none dominates."""
    likeliest = targets.argmax(1)
    counts = np.bincount(likeliest, minlength=targets.shape[1])
    chances = 1 / np.sqrt(counts[likeliest])
    return chances / chances.sum()


def _rows_for_training(file: Path) -> datasets.Dataset:
    rows = read_photographs(file)
    if "split" not in rows.column_names:
        return rows
    return rows.select(np.flatnonzero(np.array(rows["split"]) == "train"))


def _same_columns(rows: datasets.Dataset) -> datasets.Dataset:
    smiles = rows["smile"] if "smile" in rows.column_names else [None] * len(rows)
    plain = rows.select_columns(["image"])
    return plain.add_column("smile", smiles, feature=datasets.Value("int8"))
