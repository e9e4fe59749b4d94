"""Where each detector's boxes fall on images that are already crops, and how far the faces on them are turned.

The app must cut what the model was trained on. FER2013's images are crops: each is enlarged, pasted into a grey frame,
and found by each detector; the median place of the boxes gives that detector's crop rule. The same on the validation
split gives how far a face may be turned, and how uncertain the detector may be: the percentiles beyond which a face is
unlike nearly all of them.
"""

import json
from pathlib import Path

import cv2
import datasets
import numpy as np
from tqdm import tqdm

from face_expression.boxes import Box, box_size
from face_expression.detection.detector import Detector
from face_expression.detection.haar import HaarDetector
from face_expression.detection.search import Detection
from face_expression.detection.yunet import YuNetDetector
from face_expression.errors import required
from face_expression.hub.download import find_yunet_weights
from face_expression.io.evenly import evenly
from face_expression.io.files import write_json
from face_expression.model.config import read_preprocessing
from face_expression.quality import measure_turn
from train.data.dataset import decode, load_split

FRAME_PX = 320
FACE_PX = 192
GREY = 128
OUTLYING_PERCENT = 1.0


def paste_into_frame(image: np.ndarray) -> np.ndarray:
    """Put a crop, enlarged, into the middle of a grey frame: RGB uint8 (FRAME_PX, FRAME_PX, 3)."""
    enlarged = cv2.resize(image, (FACE_PX, FACE_PX), interpolation=cv2.INTER_LINEAR)
    if enlarged.ndim == 2:
        enlarged = cv2.cvtColor(enlarged, cv2.COLOR_GRAY2RGB)
    frame = np.full((FRAME_PX, FRAME_PX, 3), GREY, np.uint8)
    first = (FRAME_PX - FACE_PX) // 2
    frame[first : first + FACE_PX, first : first + FACE_PX] = enlarged
    return frame


def crop_rule_of_box(box: Box) -> tuple[float, float, float]:
    """(scale, shift_x, shift_y) that lead from this box in a frame of `paste_into_frame` back to the pasted crop."""
    unit = box_size(box)
    return (
        FACE_PX / unit,
        (FRAME_PX / 2 - (box[0] + box[2]) / 2) / unit,
        (FRAME_PX / 2 - (box[1] + box[3]) / 2) / unit,
    )


def measure(*, data: str, revision: str | None, limit: int, preprocessing_file: Path) -> dict:
    """Measure both detectors on the training split, turn and score on validation, and rewrite the file with all.

    Args:
        data: as in `load_split`.
        revision: as in `load_split`.
        limit: how many rows of each split, evenly spread.
        preprocessing_file: a `preprocessing.json`.

    Raises:
        DataError: if YuNet's weights are not found.
    """
    preprocessing = read_preprocessing(preprocessing_file)
    yunet = YuNetDetector(find_yunet_weights(preprocessing.yunet), preprocessing.yunet, preprocessing.crop)
    written = json.loads(preprocessing_file.read_text())
    measured = {}
    train_rows = _spread(load_split(data, "train", revision=revision), limit)
    for detector in (yunet, HaarDetector(preprocessing.haar)):
        figures = _measure_boxes(detector, train_rows)
        scale, shift_x, shift_y = (figures[name]["median"] for name in ("scale", "shift_x", "shift_y"))
        written["preprocessing"][detector.name]["crop"] = {"scale": scale, "shift_x": shift_x, "shift_y": shift_y}
        measured[detector.name] = figures
    found = _find_largest(yunet, _spread(load_split(data, "validation", revision=revision), limit))
    turns = [measure_turn(required(detection.landmarks)) for detection in found]
    scores = [detection.score for detection in found]
    written["preprocessing"]["quality"]["max_turn"] = _percentile(turns, 100 - OUTLYING_PERCENT)
    written["preprocessing"]["quality"]["min_score"] = _percentile(scores, OUTLYING_PERCENT)
    measured["turn and score"] = {"rows": len(found), "outlying_percent": OUTLYING_PERCENT}
    write_json(preprocessing_file, written | {"measured": measured})
    return written["preprocessing"] | {"measured": measured}


def _measure_boxes(detector: Detector, rows: datasets.Dataset) -> dict:
    rules = []
    for image in tqdm(rows["image"], unit="face", desc=detector.name):
        if detections := detector.detect(paste_into_frame(decode(image))):
            rules.append(crop_rule_of_box(detections[0].box))
    columns = zip(("scale", "shift_x", "shift_y"), np.transpose(rules), strict=True)
    return {
        "rows": len(rows),
        "found": len(rules),
        **{
            name: {
                "p25": _percentile(values, 25),
                "median": _percentile(values, 50),
                "p75": _percentile(values, 75),
            }
            for name, values in columns
        },
    }


def _find_largest(detector: YuNetDetector, rows: datasets.Dataset) -> list[Detection]:
    images = tqdm(rows["image"], unit="face", desc="turn and score")
    found = (detector.detect(paste_into_frame(decode(image))) for image in images)
    return [detections[0] for detections in found if detections]


def _percentile(values, percent: float) -> float:
    return round(float(np.percentile(values, percent)), 3)


def _spread(rows: datasets.Dataset, limit: int) -> datasets.Dataset:
    return rows.select(evenly(len(rows), limit))
