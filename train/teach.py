"""Averaged predictions of several networks, cached in a file for `finetune --teacher`.

Distillation: Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015. The probabilities of all
networks are averaged over three sizes of the crop, each with its mirror image.

The file is Parquet, one row for each different picture: `image_sha256` of its encoded bytes, `probabilities` (C
floats), and, of photographs, `face_box` and `landmarks` (null where no face was found) and `detector`. The schema's
metadata `teachers` holds {"teachers": names, "label_names"} as JSON.
"""

import json
from dataclasses import replace
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from face_expression.errors import DataError
from face_expression.hub.download import EMBEDDED_BUNDLE
from face_expression.model.preprocess import cut_crop, to_model_inputs
from train.data.dataset import decode, label_names_of, load_split, region_of_row
from train.data.photographs import find_faces, read_photographs
from train.data.teacher import METADATA, key_of
from train.evaluate.end_to_end import load_app
from train.model.predictor import Predictor, open_predictor

ZOOMS = (0.92, 1.0, 1.1)
_FACES_AT_ONCE = 256
_SCHEMA = pa.schema(
    {
        "image_sha256": pa.string(),
        "probabilities": pa.list_(pa.float32()),
        "face_box": pa.list_(pa.float64()),
        "landmarks": pa.list_(pa.list_(pa.float64())),
        "detector": pa.string(),
    }
)


def teach(*, teachers: list[Path], data: str, revision: str | None, photos: list[Path], output: Path) -> int:
    """Run the networks and write the file.

    Args:
        teachers: bundles, checkpoints or runs.
        data: as in `load_split`; its train split is used.
        revision: as in `load_split`.
        photos: Parquet files of photographs, used too.
        output: the file.

    Returns:
        The number of different pictures in it.

    Raises:
        DataError: if the networks have other classes than the data or each other.
    """
    predictors = [open_predictor(place) for place in teachers]
    faces = load_split(data, "train", revision=revision)
    for predictor in predictors:
        if predictor.label_names != label_names_of(faces):
            raise DataError(f"{predictor.name} has the classes {list(predictor.label_names)}, the data others")
    sets = [(data, _different(faces.select_columns(["image", *_kept_columns(faces)])))]
    if photos:
        app = load_app(EMBEDDED_BUNDLE)
        for file in photos:
            rows = _different(read_photographs(file).select_columns(["image"]))
            found = find_faces(rows, app, file.stem)
            for name in ("face_box", "landmarks", "detector"):
                rows = rows.add_column(name, [face[name] for face in found])
            sets.append((file.stem, rows))
    lines = {}
    for name, rows in sets:
        for row, probabilities in zip(rows, average_predictions(predictors, rows, name), strict=True):
            lines[key_of(row["image"])] = {"probabilities": probabilities.tolist(), **_face_of(row)}
    table = pa.Table.from_pylist([{"image_sha256": key, **line} for key, line in lines.items()], schema=_SCHEMA)
    metadata = {
        "teachers": [predictor.name for predictor in predictors],
        "label_names": list(predictors[0].label_names),
    }
    pq.write_table(table.replace_schema_metadata({METADATA: json.dumps(metadata)}), output)
    return len(lines)


def average_predictions(predictors: list[Predictor], rows: datasets.Dataset, name: str) -> np.ndarray:
    """(N, C) float32: the average over the networks, the zooms and the mirror images."""
    predictions = []
    with tqdm(total=len(rows), unit="face", desc=f"predicting {name}") as bar:
        for start in range(0, len(rows), _FACES_AT_ONCE):
            chosen = [rows[number] for number in range(start, min(start + _FACES_AT_ONCE, len(rows)))]
            predictions.append(np.mean([_views(predictor, chosen) for predictor in predictors], axis=0))
            bar.update(len(chosen))
    return np.concatenate(predictions)


def _views(predictor: Predictor, rows: list[dict]) -> np.ndarray:
    settings = predictor.preprocessing
    images = [decode(row["image"]) for row in rows]
    regions = [region_of_row(row, image, settings) for row, image in zip(rows, images, strict=True)]
    predictions = []
    for zoom in ZOOMS:
        crops = [
            cut_crop(image, replace(region, side_px=region.side_px * zoom), settings.crop)
            for image, region in zip(images, regions, strict=True)
        ]
        inputs = to_model_inputs(crops, settings.input)
        predictions += [
            predictor.probabilities(inputs),
            predictor.probabilities(np.ascontiguousarray(inputs[..., ::-1])),
        ]
    return np.mean(predictions, axis=0)


def _different(rows: datasets.Dataset) -> datasets.Dataset:
    keys = [key_of(image) for image in rows["image"]]
    return rows.select(sorted({key: number for number, key in reversed(list(enumerate(keys)))}.values()))


def _kept_columns(rows: datasets.Dataset) -> list[str]:
    return [name for name in ("face_box", "landmarks", "detector") if name in rows.column_names]


def _face_of(row: dict) -> dict:
    return {name: row.get(name) for name in ("face_box", "landmarks", "detector")}
