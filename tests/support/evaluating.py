"""Small data sets for `python -m train evaluate`, a bundle to write into, and the command itself."""

import json
import shutil
from pathlib import Path

import cv2
import datasets
import numpy as np
from typer.testing import CliRunner

from face_expression import LABEL_NAMES
from face_expression.hub.download import EMBEDDED_BUNDLE
from tests.support.builders import calm_face, happy_face
from train.__main__ import app

HAPPY, NEUTRAL = LABEL_NAMES.index("happy"), LABEL_NAMES.index("neutral")


ROWS = 24


def picture(face: np.ndarray, *, shift: int = 0, brightness: float = 1.0) -> np.ndarray:
    """A grey square of 96 px around a face, moved and made brighter or darker."""
    grey = cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (96, 96), interpolation=cv2.INTER_AREA)
    return np.clip(np.roll(grey, shift, axis=1) * brightness, 0, 255).astype(np.uint8)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 48), np.uint8)


def ballot(label: int, count: int = 8) -> list[int]:
    """Ten votes: `count` for a label, the rest for the next one."""
    votes = [0] * 10
    votes[label] += count
    votes[(label + 1) % 7] += 10 - count
    return votes


def example_rows() -> dict:
    """8 rows of a smile, 8 of a calm face, the others of noise that no detector takes for a face."""
    faces = [picture(happy_face(), shift=n) for n in range(-4, 4)] + [
        picture(calm_face(), shift=n) for n in range(-4, 4)
    ]
    label = [HAPPY] * 8 + [NEUTRAL] * 8 + [n % 7 for n in range(ROWS - 16)]
    return {
        "image": faces + [noise(seed) for seed in range(ROWS - 16)],
        "label": label,
        "votes": [ballot(value, 6 + n % 4) for n, value in enumerate(label)],
        "query_group": ["photo"] * 16 + ["noise"] * (ROWS - 20) + [None] * 4,
        "fer2013_row": list(range(ROWS)),
    }


def write(folder: Path, *, votes: bool = True, names: tuple[str, ...] = LABEL_NAMES) -> Path:
    """A data set with `example_rows`; its training split holds three of them, one pixel for pixel, two nearly."""
    tested = example_rows()
    shown = [tested["image"][0], tested["image"][9][:, ::-1], (tested["image"][18] * 0.6).astype(np.uint8)]
    columns = {name: tested[name] for name in ("image", "label", "votes", "query_group", "fer2013_row")}
    small = {
        "image": [*shown, *(noise(100 + n) for n in range(7))],
        "label": [0, 1, 2, 3, 4, 5, 6, 0, 1, 2],
        "votes": [ballot(n % 7) for n in range(10)],
        "query_group": ["noise"] * 10,
        "fer2013_row": list(range(10)),
    }
    features = {
        "image": datasets.Image(),
        "label": datasets.ClassLabel(names=list(names)),
        "votes": datasets.List(datasets.Value("int8")),
        "query_group": datasets.Value("string"),
        "fer2013_row": datasets.Value("int32"),
    }
    if not votes:
        del columns["votes"], small["votes"], features["votes"]
    folder.mkdir(parents=True)
    for split, rows in {"train": small, "validation": small, "test": columns}.items():
        datasets.Dataset.from_dict(rows, features=datasets.Features(features)).to_parquet(folder / f"{split}.parquet")
    return folder


def copy_bundle(folder: Path, names: tuple[str, ...] = LABEL_NAMES) -> Path:
    shutil.copytree(EMBEDDED_BUNDLE, folder)
    (folder / "metrics.json").unlink(missing_ok=True)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"label_names": list(names)}))
    return folder


def evaluate(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])
