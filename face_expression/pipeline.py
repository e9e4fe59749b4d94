"""(frame, state) -> (faces, state): detector, preprocess, classifier, quality and tracker put together."""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from face_expression.boxes import Box
from face_expression.classifier import Classifier
from face_expression.config import BundleConfig, BundleError
from face_expression.detector import Detection, Detector, HaarDetector, YuNetDetector
from face_expression.hub import (
    DEADLINE_S,
    EMBEDDED_BUNDLE,
    MODEL_VARIABLE,
    Bundle,
    find_bundle,
    find_yunet_weights,
    open_bundle,
)
from face_expression.preprocess import (
    cut_crop,
    is_grey,
    region_of_detection,
    require_rgb,
    to_model_input,
    whole_image_region,
)
from face_expression.quality import NO_CLEAR_EXPRESSION, measure_quality, quality_reasons
from face_expression.tracker import TrackerSettings, TrackerState, update_tracks

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Face:
    """One face and what its expression looks like.

    `box` xyxy in pixels of the frame; `score` the detector's, in [0, 1]; `probabilities` (C,) float32, calibrated, in
    the order of the pipeline's `label_names`; `label` and `confidence` the expression shown and its probability;
    `reliable` is False when there are `reasons` to say "not sure"; `track_id` stays with a person in `track`, and is
    None in `analyze`; `crop` is what the model was shown, before its contrast is levelled: uint8 RGB (S, S, 3).
    """

    box: Box
    score: float
    landmarks: tuple[tuple[float, float], ...] | None
    probabilities: np.ndarray
    label: str
    confidence: float
    reasons: tuple[str, ...]
    track_id: int | None
    crop: np.ndarray

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
        return [
            self._face(judged, judged.probabilities, int(judged.probabilities.argmax()), None)
            for judged in self._judge(frame)
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
        found = self._judge(frame)
        tracks, state = update_tracks(
            state or TrackerState(),
            [judged.detection.box for judged in found],
            [judged.probabilities for judged in found],
            time_s,
            TrackerSettings(),
        )
        faces = [
            self._face(judged, track.probabilities, track.shown, track.track_id)
            for judged, track in zip(found, tracks, strict=True)
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
            if not is_grey(crop):
                require_rgb(crop)
            region = whole_image_region(crop.shape[1], crop.shape[0])
            inputs.append(to_model_input(cut_crop(crop, region, settings.crop), settings.input))
        return self._stack(inputs)

    def _judge(self, frame: np.ndarray) -> list["_Judged"]:
        require_rgb(frame)
        settings = self.config.preprocessing
        detections = self.detector.detect(frame)
        regions = [
            region_of_detection(detection.box, detection.landmarks, self.detector.crop_rule, settings.crop)
            for detection in detections
        ]
        crops = [cut_crop(frame, region, settings.crop) for region in regions]
        rows = self.classifier.probabilities(self._stack([to_model_input(crop, settings.input) for crop in crops]))
        return [
            _Judged(
                detection,
                crop,
                row,
                quality_reasons(measure_quality(detection, crop, settings.input), settings.quality),
            )
            for detection, crop, row in zip(detections, crops, rows, strict=True)
        ]

    def _stack(self, inputs: list[np.ndarray]) -> np.ndarray:
        size, channels = self.config.preprocessing.input.size_px, self.config.preprocessing.input.channels
        return np.stack(inputs) if inputs else np.zeros((0, channels, size, size), np.float32)

    def _face(self, judged: "_Judged", row: np.ndarray, shown: int, track_id: int | None) -> Face:
        detection, reasons = judged.detection, judged.reasons
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
            crop=judged.crop,
        )


@dataclass(frozen=True, eq=False)
class _Judged:
    """A face of one frame, seen by itself; `reasons` are those of its picture."""

    detection: Detection
    crop: np.ndarray
    probabilities: np.ndarray
    reasons: tuple[str, ...]


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
    # One deadline for all: a Hub that hangs is not waited for twice.
    until = time.monotonic() + DEADLINE_S
    bundle, classifier = _load_classifier(model, threads, until)
    chosen, weights = _load_detector(bundle, detector, until)
    source = f"model {bundle.source}, face detector {chosen.name}"
    log.info("using %s", source)
    return Pipeline(bundle.config, chosen, classifier, source, PipelineFiles(bundle.folder, weights))


def _load_classifier(model: str | None, threads: int | None, until: float) -> tuple[Bundle, Classifier]:
    if wanted := model or os.environ.get(MODEL_VARIABLE):
        try:
            bundle = find_bundle(wanted, until=until)
            return bundle, Classifier(bundle.model, bundle.config, threads=threads)
        except BundleError as error:
            if model:
                wants = "it must be a bundle's folder or USER/NAME[@REVISION]"
                raise BundleError(f"the model {model!r} cannot be had ({error}); {wants}") from error
            log.warning("the model %s cannot be used, and the embedded one is taken: %s", wanted, error)
    embedded = open_bundle(EMBEDDED_BUNDLE, "embedded in this program")
    return embedded, Classifier(embedded.model, embedded.config, threads=threads)


def _load_detector(bundle: Bundle, detector: str | None, until: float) -> tuple[Detector, Path | None]:
    settings = bundle.config.preprocessing
    if detector != "haar":
        weights = find_yunet_weights(settings.yunet, bundle=bundle, until=until)
        if weights is not None:
            return YuNetDetector(weights, settings.yunet), weights
        if detector == "yunet":
            raise BundleError("YuNet's weights cannot be had; set FACE_EXPRESSION_DETECTOR to a local copy")
    return HaarDetector(settings.haar), None
