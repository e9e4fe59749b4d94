"""Frame -> detections by OpenCV's Haar cascade, where it is asked for.

Viola and Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", CVPR 2001.
"""

import math
import threading
from collections.abc import Sequence
from pathlib import Path

import cv2
import cv2.data
import numpy as np

from face_expression.boxes import scale_box, xywh_to_xyxy
from face_expression.detection.search import Detection, Known, View, largest_first, merge, whole_view
from face_expression.errors import BundleError
from face_expression.model.config import CropRule, HaarSettings


class HaarDetector:
    """OpenCV's frontal-face cascade; no landmarks; safe to share between threads."""

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
        first, *finer = self._settings.scales_px
        height, width = frame.shape[:2]
        found = []
        for long_side_px in (first, *(px for px in finer if px <= max(width, height))):
            found += self._scan(frame, whole_view(width, height, long_side_px))
        return largest_first(merge(found, self._settings))

    def follow(
        self, frame: np.ndarray, known: Sequence[Known], views: Sequence[View], *, search: bool = True
    ) -> list[Detection]:
        """As `detect`; what is known is not used."""
        return self.detect(frame)

    def _scan(self, frame: np.ndarray, view: View) -> list[Detection]:
        settings = self._settings
        shrinks = view.wh[0] < frame.shape[1]
        scaled = cv2.resize(frame, view.wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        with self._lock:
            rectangles, _, weights = self._cascade.detectMultiScale3(
                cv2.cvtColor(scaled, cv2.COLOR_RGB2GRAY),
                scaleFactor=settings.scale_factor,
                minNeighbors=settings.min_neighbors,
                minSize=(settings.min_size_px, settings.min_size_px),
                outputRejectLevels=True,
            )
        scale_x, scale_y = frame.shape[1] / view.wh[0], frame.shape[0] / view.wh[1]
        return [
            Detection(
                box=scale_box(xywh_to_xyxy(*rectangle), scale_x, scale_y),
                score=1.0 / (1.0 + math.exp(-float(weight))),
                landmarks=None,
            )
            for rectangle, weight in zip(rectangles, np.ravel(weights), strict=True)
        ]
