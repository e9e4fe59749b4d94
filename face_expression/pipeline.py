"""(frame, state) -> (faces, state): detector, preprocess, classifier, quality and tracker put together."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_expression.boxes import Box
from face_expression.classifier import Classifier
from face_expression.config import BundleConfig, BundleError
from face_expression.detector import Detection, Detector, HaarDetector, YuNetDetector
from face_expression.hub import (
    EMBEDDED_BUNDLE,
    MODEL_VARIABLE,
    Bundle,
    candidate_bundles,
    find_yunet_weights,
    open_bundle,
)
from face_expression.preprocess import cut_crop, region_of_detection, require_rgb, to_model_input, whole_image_region
from face_expression.quality import NO_CLEAR_EXPRESSION, measure_quality, quality_reasons
from face_expression.tracker import TrackerSettings, TrackerState, update_tracks

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Face:
    """One face and what its expression looks like.

    `box` xyxy in pixels of the frame; `score` the detector's, in [0, 1]; `probabilities` (C,) float32, calibrated, in
    the order of the pipeline's `label_names`; `label` and `confidence` the expression shown and its probability;
    `reliable` is False when there are `reasons` to say "not sure"; `track_id` stays with a person in `track`, and is
    None in `analyze`.
    """

    box: Box
    score: float
    landmarks: tuple[tuple[float, float], ...] | None
    probabilities: np.ndarray
    label: str
    confidence: float
    reasons: tuple[str, ...]
    track_id: int | None

    @property
    def reliable(self) -> bool:
        """Whether nothing speaks against judging this face."""
        return not self.reasons


@dataclass(frozen=True)
class PipelineFiles:
    """What a pipeline was loaded from: the bundle's folder, and YuNet's weights, None with another detector."""

    bundle: Path
    yunet: Path | None


class Pipeline:
    """Frames in, labelled faces out; safe to share between threads, since all state is passed in and handed back.

    `source` says in plain words which bundle and which detector are in use; `files` are theirs.
    """

    def __init__(
        self, config: BundleConfig, detector: Detector, classifier: Classifier, source: str, files: PipelineFiles
    ):
        self.config = config
        self.detector = detector
        self.classifier = classifier
        self.source = source
        self.files = files

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, in the order of every face's probabilities."""
        return self.config.label_names

    def analyze(self, frame: np.ndarray) -> list[Face]:
        """Find and judge the faces of one picture, the largest first.

        Args:
            frame: RGB uint8 (H, W, 3), any size from 1x1 up.

        Raises:
            ValueError: if the frame is anything else; the message says what it got.
        """
        detections, probabilities, reasons = self._judge(frame)
        return [
            self._face(detection, row, int(row.argmax()), why, None)
            for detection, row, why in zip(detections, probabilities, reasons, strict=True)
        ]

    def track(self, frame: np.ndarray, state: TrackerState | None, time_s: float) -> tuple[list[Face], TrackerState]:
        """Find, judge and follow the faces of one frame of a video, the largest first.

        Args:
            frame: as in `analyze`.
            state: what the last call for this viewer returned, or None at the start.
            time_s: when the frame was taken, in seconds on any clock.

        Raises:
            ValueError: if the frame is not RGB uint8 (H, W, 3), or the time is not finite.
        """
        detections, probabilities, reasons = self._judge(frame)
        tracks, state = update_tracks(
            state or TrackerState(),
            [detection.box for detection in detections],
            probabilities,
            time_s,
            TrackerSettings(),
        )
        faces = [
            self._face(detection, track.probabilities, track.shown, why, track.track_id)
            for detection, track, why in zip(detections, tracks, reasons, strict=True)
        ]
        return faces, state

    def classify(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Judge pictures that are already crops of one face each.

        Args:
            crops: uint8 (H, W) or RGB (H, W, 3), any size.

        Returns:
            (N, C) float32, calibrated.

        Raises:
            ValueError: if a crop is anything else.
        """
        return self.classifier.probabilities(self.model_inputs(crops))

    def model_inputs(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """What the network is given for crops as in `classify`: (N, channels, P, P) float32."""
        settings = self.config.preprocessing
        inputs = []
        for crop in crops:
            if crop.ndim != 2 or crop.dtype != np.uint8 or crop.size == 0:
                require_rgb(crop)
            region = whole_image_region(crop.shape[1], crop.shape[0])
            inputs.append(to_model_input(cut_crop(crop, region, settings.crop), settings.input))
        return self._stack(inputs)

    def _judge(self, frame: np.ndarray) -> tuple[list[Detection], np.ndarray, list[tuple[str, ...]]]:
        require_rgb(frame)
        settings = self.config.preprocessing
        detections = self.detector.detect(frame)
        inputs, reasons = [], []
        for detection in detections:
            region = region_of_detection(detection.box, detection.landmarks, self.detector.crop_rule, settings.crop)
            crop = cut_crop(frame, region, settings.crop)
            inputs.append(to_model_input(crop, settings.input))
            reasons.append(quality_reasons(measure_quality(detection, crop, settings.input), settings.quality))
        return detections, self.classifier.probabilities(self._stack(inputs)), reasons

    def _stack(self, inputs: list[np.ndarray]) -> np.ndarray:
        size, channels = self.config.preprocessing.input.size_px, self.config.preprocessing.input.channels
        return np.stack(inputs) if inputs else np.zeros((0, channels, size, size), np.float32)

    def _face(
        self, detection: Detection, row: np.ndarray, shown: int, reasons: tuple[str, ...], track_id: int | None
    ) -> Face:
        confidence = float(row[shown])
        if confidence < self.config.abstain_below:
            reasons = (*reasons, NO_CLEAR_EXPRESSION)
        return Face(
            box=detection.box,
            score=detection.score,
            landmarks=detection.landmarks,
            probabilities=row,
            label=self.label_names[shown],
            confidence=confidence,
            reasons=reasons,
            track_id=track_id,
        )


def load_pipeline(model: str | None = None, *, detector: str | None = None, threads: int | None = None) -> Pipeline:
    """Load a bundle and a face detector, and say in one log line which.

    Args:
        model: a bundle's folder, "user/repo" or "user/repo@revision" on the Hub. By default what the environment
            variable FACE_EXPRESSION_MODEL says; if that is unset or cannot be had, the embedded bundle.
        detector: "yunet", "haar", or None for YuNet where its weights can be had and Haar otherwise.
        threads: threads of ONNX Runtime for one call; None takes its default.

    Raises:
        BundleError: if `model` or "yunet" was asked for and cannot be had, the embedded bundle is damaged, or
            FACE_EXPRESSION_DETECTOR names no file.
        ValueError: if `detector` is another word.
    """
    if detector not in (None, "yunet", "haar"):
        raise ValueError(f"detector must be 'yunet', 'haar' or None, got {detector!r}")
    bundle, classifier = _load_classifier(model, threads)
    chosen, weights = _load_detector(bundle.config, detector)
    source = f"model {bundle.source}, face detector {chosen.name}"
    log.info("using %s", source)
    return Pipeline(bundle.config, chosen, classifier, source, PipelineFiles(bundle.folder, weights))


def _load_classifier(model: str | None, threads: int | None) -> tuple[Bundle, Classifier]:
    wanted = model or os.environ.get(MODEL_VARIABLE)
    for bundle in candidate_bundles(wanted) if wanted else ():
        try:
            return bundle, Classifier(bundle.model, bundle.config, threads=threads)
        except BundleError as error:
            log.warning("the model %s cannot be used: %s", bundle.source, error)
    if model:
        raise BundleError(f"the model {model!r} cannot be had; it must be a bundle's folder or USER/NAME[@REVISION]")
    embedded = open_bundle(EMBEDDED_BUNDLE, "embedded in this program")
    return embedded, Classifier(embedded.model, embedded.config, threads=threads)


def _load_detector(config: BundleConfig, detector: str | None) -> tuple[Detector, Path | None]:
    if detector != "haar":
        weights = find_yunet_weights(config.preprocessing.yunet)
        if weights is not None:
            return YuNetDetector(weights, config.preprocessing.yunet), weights
        if detector == "yunet":
            raise BundleError("YuNet's weights cannot be had; set FACE_EXPRESSION_DETECTOR to a local copy")
    return HaarDetector(config.preprocessing.haar), None
