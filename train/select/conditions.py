"""Which faces of a split are the darkest, the most blurred and the most turned."""

import cv2
import datasets
import numpy as np
from tqdm import tqdm

from face_expression import Pipeline
from face_expression.model.config import Preprocessing
from face_expression.quality import measure_turn
from train.data.dataset import crop_of_row, decode
from train.evaluate.end_to_end import paste


def most_affected_tenths(rows: datasets.Dataset, preprocessing: Preprocessing, app: Pipeline) -> dict[str, np.ndarray]:
    """(N,) bool for "darkest", "most blurred" and "most turned", each true for a tenth of the rows.

    Darkness is the mean of the crop; blur the variance of its Laplacian after its contrast was levelled; how far a face
    is turned is measured where the detector finds its landmarks, and faces without are left out of the last.
    """
    greys = [_grey(crop_of_row(row, preprocessing)) for row in rows]
    brightness = np.array([grey.mean() for grey in greys])
    sharpness = np.array([cv2.Laplacian(grey / max(float(grey.std()), 1.0), cv2.CV_32F).var() for grey in greys])
    tenths = {"darkest": _lowest_tenth(brightness), "most blurred": _lowest_tenth(sharpness)}
    turns = np.full(len(rows), np.nan)
    for number, row in enumerate(tqdm(rows, unit="face", desc="how far faces are turned", leave=False)):
        detections = app.detector.detect(paste(decode(row["image"])))
        if detections and detections[0].landmarks is not None:
            turns[number] = measure_turn(detections[0].landmarks)
    if np.isfinite(turns).any():
        tenths["most turned"] = _lowest_tenth(np.where(np.isfinite(turns), -turns, np.inf))
    return tenths


def _grey(crop: np.ndarray) -> np.ndarray:
    return (crop if crop.ndim == 2 else crop.mean(2)).astype(np.float32)


def _lowest_tenth(values: np.ndarray) -> np.ndarray:
    chosen = np.zeros(len(values), bool)
    chosen[np.argsort(values, kind="stable")[: max(1, len(values) // 10)]] = True
    return chosen & np.isfinite(values)
