"""Photographs beyond the data set: Parquet files with a column `image`, each with one face meant.

The face meant is the one nearest the centre. Where the detector finds none, all of the picture is taken for the face.
"""

from pathlib import Path

import cv2
import datasets
import numpy as np
from datasets.exceptions import DatasetsError
from tqdm import tqdm

from face_expression import Pipeline
from face_expression.errors import DataError
from face_expression.io.images import PictureError
from train.data.dataset import decode


def read_photographs(file: Path) -> datasets.Dataset:
    """Load one Parquet file; images stay encoded until they are used.

    Raises:
        DataError: if it cannot be read or has no column `image`.
    """
    try:
        rows = datasets.load_dataset("parquet", data_files=str(file), split="train")
    except (ValueError, OSError, DatasetsError) as error:
        raise DataError(f"cannot load the photographs in {file}: {error}") from error
    if "image" not in rows.column_names:
        raise DataError(f"{file} has the columns {rows.column_names}; it needs 'image'")
    return rows.cast_column("image", datasets.Image(decode=False))


def find_faces(rows: datasets.Dataset, pipeline: Pipeline, name: str) -> list[dict]:
    """Where the face is that each photograph is about.

    Returns:
        For each row {"face_box", "landmarks", "detector"}; box and landmarks are None where none was found.

    Raises:
        DataError: if a picture cannot be read.
    """
    found = []
    for number, row in enumerate(tqdm(rows, unit="face", desc=f"finding faces of {name}", leave=False)):
        try:
            image = decode(row["image"])
        except PictureError as error:
            raise DataError(f"{name}, row {number}: {error}") from error
        frame = image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
        detection = nearest_the_centre(pipeline.detector.detect(frame), frame.shape[1], frame.shape[0])
        found.append(
            {
                "face_box": None if detection is None else list(detection.box),
                "landmarks": None if detection is None or detection.landmarks is None else list(detection.landmarks),
                "detector": pipeline.detector.name,
            }
        )
    return found


def nearest_the_centre(faces: list, width_px: int, height_px: int):
    """The face, of those with a `box`, whose centre is nearest that of the picture; None if there is no face."""

    def distance(face) -> float:
        x0, y0, x1, y1 = face.box
        return float(np.hypot((x0 + x1 - width_px) / 2, (y0 + y1 - height_px) / 2))

    return min(faces, key=distance, default=None)
