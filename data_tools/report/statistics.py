"""What is counted of a manifest for the report: funnels, classes, groups and hosts."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from data_tools.collect.queries import group_words
from data_tools.work.manifest import Manifest
from data_tools.work.schema import SPLITS, UNKNOWN, Reason, Row, Stage, Status, host_of, last_stage
from face_expression import LABEL_NAMES

STAGES = ("found", "fetched", "a picture", "one face", "good", "unique", "kept")
_MOST_WORDS = 40


@dataclass(frozen=True)
class Funnel:
    """How many rows of a kind passed each of the `STAGES`."""

    name: str
    passed: tuple[int, ...]


@dataclass(frozen=True)
class Face:
    """What is counted of a row that was kept.

    `measures`: the quality columns, `fetched_px` and `image_px` (root of width x height), as far as they are known.
    """

    url: str
    host: str
    label: str
    asked_for: str | None
    reviewed: bool
    split: str | None
    words: dict[str, str]
    license_requested: str
    measures: dict[str, float]


@dataclass(frozen=True)
class WordTable:
    """How many kept faces were found with each word of a kind, class by class in the order of the classes.

    `without`: faces for which no word of this kind was asked. `left_out`: words too rare to be listed.
    """

    kind: str
    rows: tuple[tuple[str, tuple[int, ...]], ...]
    without: int
    left_out: int


def funnels(manifest: Manifest) -> tuple[dict[str, Funnel], dict[str, Funnel]]:
    """A funnel for each expression searched for, and one for each source, by their names."""
    last_passed = _last_passed(manifest)
    return _funnels(last_passed, 0), _funnels(last_passed, 1)


def _funnels(last_passed: Counter[tuple[str | None, str | None, int]], part: int) -> dict[str, Funnel]:
    passed: dict[str, list[int]] = {}
    for (label, source, last), count in last_passed.items():
        stages = passed.setdefault((label, source)[part] or UNKNOWN, [0] * len(STAGES))
        for stage in range(last + 1):
            stages[stage] += count
    return {name: Funnel(name, tuple(stages)) for name, stages in passed.items()}


def _last_passed(manifest: Manifest) -> Counter[tuple[str | None, str | None, int]]:
    """How many rows of each expression searched for and each source passed which stage last."""
    last_passed: Counter[tuple[str | None, str | None, int]] = Counter()
    no_copies = f"rejection_reason IS NOT '{Reason.SAME_CONTENT}'"
    for was_fetched, where in ((False, "content_sha256 IS NULL"), (True, "content_sha256 IS NOT NULL")):
        columns = ("query_label", "source", "status", "rejection_reason")
        found = manifest.counts(*columns, where=f"{where} AND {no_copies}")
        for (label, source, status, reason), count in found.items():
            last_passed[label, source, _stage(status, reason, was_fetched=was_fetched)] += count
    for row in manifest.rows("rejection_reason = ?", (Reason.SAME_CONTENT,)):
        first = next(manifest.rows("url = ?", (row["duplicate_of"],)), row)
        stage = _stage(first["status"], first["rejection_reason"], was_fetched=True)
        last_passed[row["query_label"], row["source"], min(stage, Stage.GOOD)] += 1
    return last_passed


def _stage(status: str, reason: str | None, *, was_fetched: bool) -> Stage:
    """Of copies no more is known than of the first, since they are rejected before anything is analysed."""
    if status == Status.KEPT:
        return Stage.KEPT
    return last_stage(reason) if was_fetched else Stage.FOUND


def kept_faces(manifest: Manifest) -> list[Face]:
    """The rows that were kept, in the order in which they were found."""
    return [_face(row) for row in manifest.rows("status = ?", (Status.KEPT,))]


def _root_of_area(width: int | None, height: int | None) -> float | None:
    return math.sqrt(width * height) if width and height else None


def _face(row: Row) -> Face:
    measures = {
        "face_px": row["face_px"],
        "sharpness": row["sharpness"],
        "highlight": row["highlight"],
        "shadow": row["shadow"],
        "turn": row["turn"],
        "fetched_px": _root_of_area(row["width"], row["height"]),
        "image_px": _root_of_area(row["image_width"], row["image_height"]),
    }
    return Face(
        url=row["url"],
        host=host_of(row["url"]),
        label=row["label"] or row["query_label"] or UNKNOWN,
        asked_for=row["query_label"],
        reviewed=row["label"] is not None,
        split=row["split"],
        words=group_words(row["query_group"]),
        license_requested=row["license_requested"] or "none",
        measures={name: value for name, value in measures.items() if value is not None and math.isfinite(value)},
    )


def in_label_order(labels: Iterable[str]) -> list[str]:
    """Ours in our order, then others by name, and last those that are not known."""
    ours = {label: place for place, label in enumerate(LABEL_NAMES)}
    return sorted(labels, key=lambda label: (label == UNKNOWN, ours.get(label, len(ours)), label))


def balance(faces: list[Face], labels: list[str]) -> dict[str, list[int]]:
    """Of each class, how many faces are in each of the `SPLITS`, and last how many in none of them."""
    found = Counter((face.label, face.split if face.split in SPLITS else None) for face in faces)
    return {label: [found[label, split] for split in (*SPLITS, None)] for label in labels}


def word_tables(faces: list[Face], labels: list[str]) -> list[WordTable]:
    """One table for each kind of word, such as age or region; the most frequent words first."""
    tables = []
    for kind in dict.fromkeys(kind for face in faces for kind in face.words):
        found = Counter((face.words[kind], face.label) for face in faces if kind in face.words)
        words = Counter(face.words[kind] for face in faces if kind in face.words)
        rows = tuple(
            (word, tuple(found[word, label] for label in labels)) for word, _ in words.most_common(_MOST_WORDS)
        )
        tables.append(WordTable(kind, rows, without=len(faces) - words.total(), left_out=len(words) - len(rows)))
    return tables
