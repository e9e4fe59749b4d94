"""Runs `python -m train` in this process, and makes small data sets for it that a network learns in seconds."""

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import datasets
import numpy as np
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from face_expression.labels import LABEL_NAMES
from train.__main__ import app

SMALL = ["--size", "32", "--workers", "0", "--batch-size", "8"]
TINY = ["--model-args", '{"channels": [16, 16, 16, 16], "layers": [1, 1, 1, 1]}', *SMALL]
# For `run_warm("-c", KILLED_AT, STEP, ...)`: a command of `python -m train` that kills its own process at a step.
KILLED_AT = """
import os, signal, sys
from train.__main__ import app
from train.model.callbacks import EmaCallback

update, kill_at = EmaCallback.on_step_end, int(sys.argv[1])

def update_or_die(self, args, state, *others, **more):
    update(self, args, state, *others, **more)
    if state.global_step == kill_at:
        os.kill(os.getpid(), signal.SIGKILL)

EmaCallback.on_step_end = update_or_die
app(sys.argv[2:])
"""
SHADES = {"dark": 30, "middle": 120, "bright": 220}


def train(*arguments: object) -> Result:
    """Run a command of `python -m train`."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def output_of(result: Result) -> str:
    """All that a command printed, as one line; `SystemExit`'s message is printed by Python, not by the command."""
    output = result.output + (str(result.exception) if isinstance(result.exception, SystemExit) else "")
    return " ".join(output.replace("│", " ").split())


def require_success(result: Result) -> Result:
    """Fail with what a command printed unless it ended well."""
    assert result.exit_code == 0, output_of(result)
    return result


def band(label: int, rng: np.random.Generator) -> np.ndarray:
    """The picture of a class, a bright band that lies the lower the later the class: grey uint8 (48, 48)."""
    picture = rng.normal(60, 8, (48, 48))
    picture[3 + 6 * label : 9 + 6 * label] += 130
    return np.clip(picture, 0, 255).astype(np.uint8)


def bands(columns: dict) -> dict:
    """For `parquet`: a bright band at the top for label 0, in the middle for label 3."""
    rng = np.random.default_rng(len(columns["label"]))
    return columns | {"image": [band(label, rng) for label in columns["label"]]}


def flat(shade: int, rng: np.random.Generator, *, color: bool = False) -> np.ndarray:
    """A picture of one brightness, with noise: uint8 (40, 40) or (40, 40, 3)."""
    return np.clip(rng.normal(shade, 6, (40, 40, 3) if color else (40, 40)), 0, 255).astype(np.uint8)


def class_folders(
    folder: Path,
    splits: Sequence[str] = ("train", "validation"),
    shades: Mapping[str, int] = SHADES,
    count: int = 24,
) -> Path:
    """Colour pictures in folders named after what they show."""
    rng = np.random.default_rng(0)
    for split in splits:
        for name, shade in shades.items():
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(flat(shade, rng, color=True)).save(place / f"{number}.png")
    return folder


def parquet(
    folder: Path,
    *,
    count: int = 48,
    names: Sequence[str] = LABEL_NAMES,
    splits: Sequence[str] = ("train", "validation"),
    change: Callable[[dict], dict] = lambda columns: columns,
) -> Path:
    """Faces of labels 0 and 3, which are their shades; their votes are for the class after the label."""
    features = datasets.Features(
        {
            "image": datasets.Image(),
            "label": datasets.ClassLabel(names=list(names)),
            "votes": datasets.List(datasets.Value("int8")),
        }
    )
    folder.mkdir(exist_ok=True)
    for seed, split in enumerate(splits):
        rng = np.random.default_rng(seed)
        labels = (np.arange(count) % 2 * 3).tolist()
        columns = {
            "image": [flat(40 + 50 * label, rng) for label in labels],
            "label": labels,
            "votes": [np.eye(10, dtype=int)[label + 1] * 10 for label in labels],
        }
        rows = datasets.Dataset.from_dict(change(columns), features=features)
        rows.to_parquet(folder / f"{split}.parquet")
    return folder


def png(picture: np.ndarray) -> bytes:
    """A picture as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def photographs(file: Path, pictures: Sequence[np.ndarray], **columns: list) -> Path:
    """Write pictures and columns about them as a Parquet file."""
    rows = datasets.Dataset.from_dict(
        {"image": [{"bytes": png(picture), "path": None} for picture in pictures], **columns}
    )
    rows.cast_column("image", datasets.Image()).to_parquet(file)
    return file
