"""Data set -> a video of its faces whose labels change at known times, with its truth, for `evaluate --stream`."""

import csv
import math
import tempfile
from pathlib import Path

import cv2
import datasets
import numpy as np
from tqdm import tqdm

from face_expression.errors import DataError
from face_expression.hub.download import open_bundle
from train.data.dataset import crop_of_row, label_names_of, load_split, read_targets, require_readable
from train.live.ground_truth import TRUTH_COLUMNS

CODECS = {".mp4": "mp4v", ".avi": "MJPG"}
FRAME_WH = (640, 480)
FACE_PX = 260
FRAMES_PER_S = 25
PEOPLE_PER_SEGMENT = 3


def make_stream(
    *,
    data: str,
    revision: str | None,
    split: str,
    bundle: Path,
    output: Path,
    seconds_per_label: float,
    rounds: int,
    seed: int,
) -> Path:
    """Make a video of a data set's faces whose labels change at known times, and its truth beside it.

    For each label of the bundle that the split has, some people with that majority label are shown one after the other,
    each as one still picture that moves a little before a blurred background. Nobody is left out for being hard to
    detect or to classify. Such a video shows real people: do not publish it.

    Args:
        data: as in `load_split`.
        revision: as in `load_split`.
        split: as in `load_split`.
        bundle: the bundle whose labels and crop size are used.
        output: video to write, .mp4 or .avi; the truth gets its name with .csv.
        seconds_per_label: how long a label holds.
        rounds: how often each label comes up, with other people each time as far as there are any.
        seed: of the choice of people, the order of labels and the background.

    Returns:
        The truth file.

    Raises:
        DataError: if the data or the bundle cannot be used, fewer than two labels have faces, or the video cannot be
            written.
    """
    if output.suffix.lower() not in CODECS:
        raise DataError(f"{output}: the video's name must end in {' or '.join(CODECS)}")
    if not output.parent.is_dir():
        raise DataError(f"{output.parent}: no such folder; make it, or choose another --output")
    config = open_bundle(bundle, "shown in a video").config
    rows = load_split(data, split, revision=revision)
    require_readable(rows, split)
    rng = np.random.default_rng(seed)
    people = _people_by_label(rows, config.label_names, rng)
    order = _order_of_labels(list(people), rounds, rng)
    frames_each = round(seconds_per_label * FRAMES_PER_S)
    shown = [row for place, label in enumerate(order) for row in _rows_shown(people[label], order[:place].count(label))]
    crops = [crop_of_row(rows[row], config.preprocessing) for row in shown]
    parts = np.array_split(np.arange(frames_each), PEOPLE_PER_SEGMENT)
    faces = [crop for index, crop in enumerate(crops) for _ in parts[index % PEOPLE_PER_SEGMENT]]
    truth = output.with_suffix(".csv")
    with tempfile.TemporaryDirectory(dir=output.parent) as folder:
        video = Path(folder) / output.name
        _write_video(video, faces, rng)
        video.replace(output)
    _write_truth(truth, order, frames_each / FRAMES_PER_S)
    return truth


def _people_by_label(
    rows: datasets.Dataset, label_names: tuple[str, ...], rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Label -> its rows in random order, for the bundle's labels that have any."""
    majority = read_targets(rows).majority()
    found = label_names_of(rows)
    people = {
        name: rng.permutation(np.flatnonzero(majority == found.index(name))) for name in label_names if name in found
    }
    people = {name: chosen for name, chosen in people.items() if len(chosen)}
    if len(people) < 2:
        raise DataError(f"the split has faces for {list(people)} only; a change needs two of {', '.join(label_names)}")
    return people


def _order_of_labels(names: list[str], rounds: int, rng: np.random.Generator) -> list[str]:
    """Each label once a round, never the same one twice in a row."""
    order: list[str] = []
    for _ in range(rounds):
        following = [str(name) for name in rng.permutation(names)]
        if order and following[0] == order[-1]:
            following.append(following.pop(0))
        order += following
    return order


def _rows_shown(people: np.ndarray, earlier: int) -> list[int]:
    """The rows of one segment, after `earlier` segments of the same label; from the start again where they run out."""
    first = earlier * PEOPLE_PER_SEGMENT
    return np.take(people, range(first, first + PEOPLE_PER_SEGMENT), mode="wrap").tolist()


def _write_truth(path: Path, order: list[str], seconds_each: float) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(TRUTH_COLUMNS)
        for place, label in enumerate(order):
            writer.writerow((round(place * seconds_each, 3), round((place + 1) * seconds_each, 3), label))


def _write_video(path: Path, faces: list[np.ndarray], rng: np.random.Generator) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*CODECS[path.suffix.lower()]), FRAMES_PER_S, FRAME_WH)
    if not writer.isOpened():
        raise DataError(f"this OpenCV cannot write {path.suffix} files; choose another of {', '.join(CODECS)}")
    background = _make_background(rng)
    try:
        for index, face in enumerate(tqdm(faces, unit="frame", desc="making the video", leave=False)):
            frame = _paste_moving(background, face, index / FRAMES_PER_S)
            writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    finally:
        writer.release()


def _make_background(rng: np.random.Generator) -> np.ndarray:
    """Something like a room out of focus: RGB uint8 of FRAME_WH."""
    blots = rng.integers(70, 160, (4, 6, 1)) + rng.integers(-8, 9, (4, 6, 3))
    return cv2.resize(blots.astype(np.uint8), FRAME_WH, interpolation=cv2.INTER_CUBIC)


def _paste_moving(background: np.ndarray, face: np.ndarray, time_s: float) -> np.ndarray:
    """A frame with a square crop near its middle that sways, nods and tilts with time; beyond its edge it fades."""
    side, pad = face.shape[0], face.shape[0] // 5
    rgb = cv2.cvtColor(face, cv2.COLOR_GRAY2RGB) if face.ndim == 2 else face
    padded = cv2.copyMakeBorder(rgb, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    ramp = np.pad(np.ones(side, np.float32), pad, "linear_ramp")
    angle_deg = 3 * math.sin(2 * math.pi * time_s / 5.3)
    scale = FACE_PX / side * (1 + 0.04 * math.sin(2 * math.pi * time_s / 3.7))
    sway_px = (30 * math.sin(2 * math.pi * time_s / 6.1), 12 * math.sin(2 * math.pi * time_s / 4.3))
    middle = pad + (side - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), angle_deg, scale)
    matrix[:, 2] += np.array(FRAME_WH) / 2 + sway_px - middle
    moved = cv2.warpAffine(padded, matrix, FRAME_WH, flags=cv2.INTER_CUBIC)
    share = cv2.warpAffine(np.outer(ramp, ramp), matrix, FRAME_WH)[..., None]
    return np.round(share * moved + (1 - share) * background).astype(np.uint8)
