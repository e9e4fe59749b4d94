"""Frame -> detections, by YuNet or, where its weights cannot be had, by OpenCV's Haar cascade.

YuNet: Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research, 2023.
Haar cascade: Viola and Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", CVPR 2001.
"""

import math
import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from face_expression.boxes import Box, box_area, scale_box, xywh_to_xyxy
from face_expression.config import BundleError, CropRule, HaarSettings, YuNetSettings

_MAX_DETECTIONS = 500
# OpenCV 4.14 reads memory it never wrote when YuNet's coarsest map (1/32 of the frame) is one cell wide or high.
_MIN_YUNET_SIDE_PX = 64


@dataclass(frozen=True)
class Detection:
    """One face: `box` xyxy in pixels of the frame, `score` in [0, 1], five landmarks (x, y) or None."""

    box: Box
    score: float
    landmarks: tuple[tuple[float, float], ...] | None


class YuNetDetector:
    """YuNet through `cv2.FaceDetectorYN`; safe to share between threads, one frame at a time.

    Raises:
        BundleError: if OpenCV cannot load the weights.
    """

    name = "yunet"

    def __init__(self, weights: Path, settings: YuNetSettings):
        self._settings = settings
        self._lock = threading.Lock()
        try:
            self._net = cv2.FaceDetectorYN.create(
                str(weights), "", (320, 320), settings.score_threshold, settings.nms_threshold, _MAX_DETECTIONS
            )
        except cv2.error as error:
            raise BundleError(f"{weights}: OpenCV cannot load these YuNet weights: {error}") from error

    @property
    def crop_rule(self) -> CropRule:
        """Where the crop lies relative to this detector's boxes."""
        return self._settings.crop

    def detect(self, frame: np.ndarray) -> list[Detection]:
        """Find faces, the largest first.

        Args:
            frame: RGB uint8 (H, W, 3).
        """
        return _detect_with_retry(self._detect_at, frame, self._settings)

    def _detect_at(self, scaled: np.ndarray, scale_x: float, scale_y: float) -> list[Detection]:
        missing_rows, missing_columns = (max(0, _MIN_YUNET_SIDE_PX - side) for side in scaled.shape[:2])
        if missing_rows or missing_columns:
            scaled = cv2.copyMakeBorder(scaled, 0, missing_rows, 0, missing_columns, cv2.BORDER_CONSTANT)
        with self._lock:
            self._net.setInputSize((scaled.shape[1], scaled.shape[0]))
            _, rows = self._net.detect(cv2.cvtColor(scaled, cv2.COLOR_RGB2BGR))
        detections = []
        for row in () if rows is None else rows.astype(float):
            points = row[4:14].reshape(5, 2) * (scale_x, scale_y)
            detections.append(
                Detection(
                    box=scale_box(xywh_to_xyxy(*row[:4]), scale_x, scale_y),
                    score=float(row[14]),
                    landmarks=tuple((float(x), float(y)) for x, y in points),
                )
            )
        return detections


class HaarDetector:
    """OpenCV's frontal-face cascade; no landmarks, no download; safe to share between threads."""

    name = "haar"

    def __init__(self, settings: HaarSettings):
        self._settings = settings
        self._lock = threading.Lock()
        path = str(Path(cv2.data.haarcascades) / settings.cascade)
        self._cascade = cv2.CascadeClassifier(path)
        if self._cascade.empty():
            raise BundleError(f"{path}: OpenCV cannot load this cascade; opencv-python-headless below 5 ships it")

    @property
    def crop_rule(self) -> CropRule:
        """Where the crop lies relative to this detector's boxes."""
        return self._settings.crop

    def detect(self, frame: np.ndarray) -> list[Detection]:
        """Find faces, the largest first. `score` is the logistic of the cascade's last stage weight.

        Args:
            frame: RGB uint8 (H, W, 3).
        """
        return _detect_with_retry(self._detect_at, frame, self._settings)

    def _detect_at(self, scaled: np.ndarray, scale_x: float, scale_y: float) -> list[Detection]:
        settings = self._settings
        with self._lock:
            rectangles, _, weights = self._cascade.detectMultiScale3(
                cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY),
                scaleFactor=settings.scale_factor,
                minNeighbors=settings.min_neighbors,
                minSize=(settings.min_size_px, settings.min_size_px),
                outputRejectLevels=True,
            )
        return [
            Detection(
                box=scale_box(xywh_to_xyxy(*rectangle), scale_x, scale_y),
                score=1.0 / (1.0 + math.exp(-float(weight))),
                landmarks=None,
            )
            for rectangle, weight in zip(rectangles, np.ravel(weights), strict=True)
        ]


Detector = YuNetDetector | HaarDetector


def _detect_with_retry(detect_at, frame: np.ndarray, settings: YuNetSettings | HaarSettings) -> list[Detection]:
    for long_side_px in (settings.long_side_px, settings.retry_long_side_px):
        scaled = _scale_to_long_side(frame, long_side_px)
        scale_x, scale_y = frame.shape[1] / scaled.shape[1], frame.shape[0] / scaled.shape[0]
        if detections := detect_at(scaled, scale_x, scale_y):
            return sorted(detections, key=lambda detection: -box_area(detection.box))
    return []


def _scale_to_long_side(frame: np.ndarray, long_side_px: int) -> np.ndarray:
    height, width = frame.shape[:2]
    scale = long_side_px / max(height, width)
    if scale == 1:
        return frame
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(frame, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
