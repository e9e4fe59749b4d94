"""The whole way of the app, detector included, on the images of a data set.

An image that is already a crop is enlarged and pasted into a plain grey frame; an image with a `face_box` is a frame
as it is, and the face meant is the one that the detector finds there.
"""

from pathlib import Path

import cv2
import datasets
import numpy as np
from tqdm import tqdm

from face_expression import Face, Pipeline, load_pipeline
from face_expression.boxes import iou_matrix
from train.data.dataset import decode

FRAME_WIDTH_PX, FRAME_HEIGHT_PX = 640, 480
FACE_PX = 192
GREY = 128
MIN_IOU = 0.3
MISSED = -1


def load_app(bundle: Path) -> Pipeline:
    """The app's pipeline with this bundle.

    Raises:
        DataError: if the bundle or YuNet's weights cannot be used.
    """
    return load_pipeline(str(bundle))


def analyze_rows(pipeline: Pipeline, rows: datasets.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """What the app says of every row.

    Returns:
        (N,) int64 label indices, MISSED where the detector did not find the face; and (N,) bool, whether the app gives
        an answer rather than "not sure".
    """
    predicted, reliable = np.full(len(rows), MISSED), np.zeros(len(rows), bool)
    for number, row in enumerate(tqdm(rows, unit="face", desc="full path", leave=False)):
        if face := _face_meant(pipeline, row):
            predicted[number] = pipeline.label_names.index(face.label)
            reliable[number] = face.reliable
    return predicted, reliable


def paste(image: np.ndarray) -> np.ndarray:
    """An image, its longer side brought to FACE_PX, in the middle of a grey frame: RGB uint8 (480, 640, 3)."""
    scale = FACE_PX / max(image.shape[:2])
    width, height = (max(1, round(side * scale)) for side in image.shape[1::-1])
    interpolation = cv2.INTER_LINEAR if scale > 1 else cv2.INTER_AREA
    resized = cv2.resize(_rgb(image), (width, height), interpolation=interpolation)
    frame = np.full((FRAME_HEIGHT_PX, FRAME_WIDTH_PX, 3), GREY, np.uint8)
    left, top = (FRAME_WIDTH_PX - width) // 2, (FRAME_HEIGHT_PX - height) // 2
    frame[top : top + height, left : left + width] = resized
    return frame


def _face_meant(pipeline: Pipeline, row: dict) -> Face | None:
    image, box = decode(row["image"]), row.get("face_box")
    if box is None:
        return next(iter(pipeline.analyze(paste(image))), None)
    faces = pipeline.analyze(_rgb(image))
    if not faces:
        return None
    overlaps = iou_matrix(np.array([box]), np.array([face.box for face in faces]))[0]
    return faces[int(overlaps.argmax())] if overlaps.max() >= MIN_IOU else None


def _rgb(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)
