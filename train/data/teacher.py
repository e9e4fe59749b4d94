"""The averaged predictions that `train teach` wrote, for `finetune --teacher`."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from face_expression.errors import DataError
from face_expression.io.files import sha256_of
from train.data.targets import Targets

METADATA = b"teachers"


@dataclass(frozen=True)
class Teacher:
    """The file, read: `rows` are its rows by `image_sha256`; `description` goes into what a run writes down."""

    label_names: tuple[str, ...]
    rows: dict[str, dict]
    description: dict

    def of(self, images: list[dict], what: str) -> list[dict]:
        """The rows of pictures, in their order.

        Raises:
            DataError: if the file has not all of them.
        """
        keys = [key_of(image) for image in images]
        if missing := sum(key not in self.rows for key in keys):
            raise DataError(f"the teacher's file lacks {missing} of {len(keys)} images of {what}")
        return [self.rows[key] for key in keys]

    def probabilities_of(self, images: list[dict], what: str) -> np.ndarray:
        """(N, C) float32, as `of`."""
        return np.array([row["probabilities"] for row in self.of(images, what)], np.float32)


def key_of(image: dict) -> str:
    """The sha256 of an encoded image of a data set."""
    content = image["bytes"] if image["bytes"] else Path(image["path"]).read_bytes()
    return hashlib.sha256(content).hexdigest()


def blend(targets: Targets, predictions: np.ndarray, weight: float) -> np.ndarray:
    """Soft targets, mixed with the teachers' predictions; rows of weight 0 keep it.

    Args:
        targets: of N rows.
        predictions: (N, C) the teachers' probabilities.
        weight: their part, in [0, 1].

    Returns:
        (N, C) float32, as `Targets.soft`.
    """
    soft = targets.soft()
    return ((1 - weight) * soft + weight * soft.sum(1, keepdims=True) * predictions).astype(np.float32)


def read_teacher(file: Path) -> Teacher:
    """Read what `teach` wrote.

    Raises:
        DataError: if it is no such file.
    """
    try:
        table = pq.read_table(file)
        described = json.loads((table.schema.metadata or {})[METADATA])
        rows = {row["image_sha256"]: row for row in table.to_pylist()}
        names = tuple(described["label_names"])
        return Teacher(names, rows, {"sha256": sha256_of(file), "teachers": described["teachers"]})
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{file} is no file that `train teach` wrote: {error!r}") from error
