"""The pictures that all tools are given, and how their answers are scored."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import datasets
import numpy as np
from scipy.stats import mannwhitneyu

from face_expression.errors import required
from face_expression.io.evenly import evenly
from face_expression.labels import LABEL_NAMES
from train.data.dataset import decode, load_split
from train.data.photographs import read_photographs
from train.evaluate.protocols import Metrics, Truth, read_truth

HAPPY = LABEL_NAMES.index("happy")
METRICS_FOLDER = Path(__file__).parents[2] / "train" / "metrics"


@dataclass(frozen=True)
class Answers:
    """What a tool says of N pictures: `probabilities` (N, 7), NaN where it finds no face, and `ms` (N,)."""

    probabilities: np.ndarray
    ms: np.ndarray


@dataclass(frozen=True)
class Pictures:
    """Test rows of FER+, GENKI-4K's development rows and London's people, and what is known of them.

    `smiles` (G,) bool; `pairs` (P, 2): for each person, the numbers of the neutral and of the smiling photo.
    """

    ferplus: list[np.ndarray]
    genki: list[np.ndarray]
    london: list[np.ndarray]
    truth: Truth
    smiles: np.ndarray
    pairs: np.ndarray

    def sets(self) -> list[tuple[str, list[np.ndarray]]]:
        """How each is given to the tools."""
        return [("crop", self.ferplus), ("crop", self.genki), ("photo", self.london)]


def read_pictures(ferplus: str, faces: Path, limit: int | None, people: int | None) -> Pictures:
    """Read all, or so many crops of each set and so many people, evenly spread."""

    def some(rows: datasets.Dataset) -> datasets.Dataset:
        return rows.select(evenly(len(rows), min(limit or len(rows), len(rows))))

    test = some(load_split(ferplus, "test"))
    genki = read_photographs(faces / "genki.parquet")
    genki = some(genki.select(np.flatnonzero(np.array(genki["split"]) == "development")))
    london = read_photographs(faces / "london.parquet")
    of_person: dict[str, dict[str, int]] = {}
    for number, (person, expression) in enumerate(zip(london["face_id"], london["expression"], strict=True)):
        of_person.setdefault(person, {})[expression] = number
    pairs = np.array([[both["neutral"], both["smiling"]] for both in of_person.values() if len(both) == 2])
    pairs = pairs[evenly(len(pairs), min(people or len(pairs), len(pairs)))]
    london, pairs = london.select(pairs.ravel()), np.arange(pairs.size).reshape(-1, 2)
    return Pictures(
        _decoded(test),
        _decoded(genki),
        _decoded(london),
        read_truth(test, LABEL_NAMES),
        np.array(genki["smile"]) == 1,
        pairs,
    )


def _decoded(rows: datasets.Dataset) -> list[np.ndarray]:
    pictures = (decode(image) for image in rows["image"])
    return [picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2) for picture in pictures]


def write_work(pictures: Pictures, folder: Path) -> Path:
    """The file of work that an adapter takes, and the pixels beside it."""
    sets = []
    for number, (mode, of_set) in enumerate(pictures.sets()):
        with (folder / f"{number}.rgb").open("wb") as file:
            for picture in of_set:
                file.write(picture.tobytes())
        sizes = [[picture.shape[1], picture.shape[0]] for picture in of_set]
        sets.append({"mode": mode, "pixels": f"{number}.rgb", "sizes": sizes})
    work = folder / "work.json"
    work.write_text(json.dumps({"sets": sets}))
    return work


def read_answers(lines: Sequence[str], pictures: Pictures) -> list[Answers]:
    """What an adapter printed after "ready", by set.

    Raises:
        ValueError: if it is not one answer for each picture.
    """
    answers, begin = [], 0
    for _, of_set in pictures.sets():
        found = [json.loads(line) for line in lines[begin : begin + len(of_set)]]
        if len(found) != len(of_set):
            raise ValueError(f"{len(lines)} answers")
        begin += len(of_set)
        values = np.array([row["probabilities"] or [np.nan] * len(LABEL_NAMES) for row in found], np.float64)
        total = values.sum(1, keepdims=True)
        # Rounded answers may be all 0 or not sum to 1.
        values = np.where(total > 0, values / np.where(total > 0, total, 1), np.where(np.isnan(total), np.nan, 1 / 7))
        answers.append(Answers(values, np.array([row["ms"] for row in found])))
    return answers


def scores(answers: list[Answers], pictures: Pictures) -> dict[str, float]:
    """All figures of one tool."""
    on_ferplus, on_genki, on_london = answers
    truth, metrics = pictures.truth, Metrics(METRICS_FOLDER, LABEL_NAMES)
    majority, voted = truth.label >= 0, truth.shares.sum(1) > 0
    of_majority = metrics.of_probabilities(on_ferplus.probabilities[majority], truth.label[majority])
    own = required(truth.own_label)
    happy = on_genki.probabilities[:, HAPPY]
    auc = mannwhitneyu(happy[pictures.smiles], happy[~pictures.smiles]).statistic
    neutral, smiling = (on_london.probabilities[pictures.pairs[:, side]] for side in (0, 1))
    # A face that is not found is no right answer.
    right = np.nan_to_num(smiling[:, HAPPY], nan=-1) > np.nan_to_num(neutral[:, HAPPY], nan=2)
    return {
        "ferplus_majority_7": of_majority["accuracy"],
        "fer2013": float(np.mean(on_ferplus.probabilities.argmax(1)[own >= 0] == own[own >= 0])),
        "genki_auc": float(auc / (pictures.smiles.sum() * (~pictures.smiles).sum())),
        "london_pairs": float(right.mean()),
        "london_found": float(np.mean(~np.isnan(on_london.probabilities[:, 0]))),
        "majority_ece": of_majority["label_ece"],
        "vote_ece": metrics.of_shares(on_ferplus.probabilities[voted], truth.shares[voted])["vote_ece"],
        "crop_ms": float(np.median(on_ferplus.ms)),
        "photo_ms": float(np.median(on_london.ms)),
    }


def counts(pictures: Pictures) -> dict[str, int]:
    """The n of each figure."""
    truth = pictures.truth
    return {
        "ferplus-majority-7": int((truth.label >= 0).sum()),
        "fer2013": int((required(truth.own_label) >= 0).sum()),
        "ferplus-votes": int((truth.shares.sum(1) > 0).sum()),
        "genki": len(pictures.genki),
        "london": len(pictures.pairs),
    }
