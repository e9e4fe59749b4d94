"""(frame, state) -> (faces, state): detector, preprocess, classifier, quality and tracker put together."""

import logging
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from face_expression.boxes import Box, clip_box
from face_expression.detection.detector import Detector
from face_expression.detection.haar import HaarDetector
from face_expression.detection.search import Detection, Known, View, video_views
from face_expression.detection.yunet import YuNetDetector
from face_expression.errors import BundleError
from face_expression.hub.download import (
    EMBEDDED_BUNDLE,
    MODEL_VARIABLE,
    Bundle,
    find_bundle,
    find_yunet_weights,
    open_bundle,
)
from face_expression.labels import shared_lead
from face_expression.model.classifier import Answer, Classifier, softmax
from face_expression.model.config import BundleConfig
from face_expression.model.graphs import Graphs, embedded_graphs
from face_expression.model.preprocess import (
    cut_crop,
    is_grey,
    measure_crops,
    region_of_detection,
    require_rgb,
    to_model_inputs,
    whole_image_region,
)
from face_expression.personal.personal_file import Personal, read_personal
from face_expression.quality import NO_CLEAR_EXPRESSION, measure_quality, quality_reasons
from face_expression.tracker import TrackerState, is_turn_fresh, match_tracks, require_time, update_tracks

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Face:
    """One face and what its expression looks like.

    `box` xyxy in pixels of the frame; `score` the detector's, in [0, 1]; `probabilities` (C,) float32, calibrated, in
    the order of the pipeline's `label_names`; `label` and `confidence` the expression shown and its probability;
    `reliable` is False when there are `reasons` to say "not sure"; `track_id` stays with a person in `track`, and is
    None in `analyze`; `crop` is what the model was shown, before its contrast is levelled: uint8 RGB (S, S, 3).

    `logits` (C,) and `features` (F,) float32 are the bundle's own for `crop`: neither smoothed nor personal, the logits
    after the temperature. `track` shows the model every second crop mirrored; all three are of the last that was not.
    `personal` says whether the probabilities are adapted to one person, and no longer calibrated. `own` has the
    probability of each own expression by these features, if a `personal.json` has any. `between` names the two labels
    that share the lead, where no expression is clear.
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
    logits: np.ndarray | None = None
    features: np.ndarray | None = None
    personal: bool = False
    own: dict[str, float] | None = None
    between: tuple[str, str] | None = None

    @property
    def reliable(self) -> bool:
        """Whether nothing speaks against classifying this face."""
        return not self.reasons


@dataclass(frozen=True)
class PipelineFiles:
    """What a pipeline was loaded from: the bundle's folder, that of its graphs, YuNet's weights and a `personal.json`.

    The last two may be None.
    """

    bundle: Path
    graphs: Path
    yunet: Path | None
    personal: Path | None = None


class Pipeline:
    """Frames in, labelled faces out; safe to share between threads, since all state is passed in and handed back.

    `source` says in plain words which bundle and which detector are in use; `files` are theirs; `personal` adapts the
    answers to one person.
    """

    def __init__(
        self,
        config: BundleConfig,
        detector: Detector,
        classifier: Classifier,
        graphs: Graphs,
        source: str,
        files: PipelineFiles,
        personal: Personal | None = None,
    ):
        self.config = config
        self.detector = detector
        self.classifier = classifier
        self.graphs = graphs
        self.source = source
        self.files = files
        self.personal = personal

    @property
    def label_names(self) -> tuple[str, ...]:
        """The labels, in the order of every face's probabilities."""
        return self.config.label_names

    @property
    def own_names(self) -> tuple[str, ...]:
        """The names of the person's own expressions, the last "none of these"; empty without any."""
        return self.personal.own.names if self.personal and self.personal.own else ()

    def analyze(self, frame: np.ndarray) -> list[Face]:
        """Find and classify the faces of one picture, the largest first.

        Args:
            frame: RGB uint8 (H, W, 3), any size from 1x1 up.

        Raises:
            ValueError: if the frame is anything else; the message says what it got.
        """
        require_rgb(frame)
        return [
            self._face(frame, found, found.probabilities, int(found.probabilities.argmax()), None)
            for found in self._classified(frame, self.detector.detect(frame))
        ]

    def track(
        self,
        frame: np.ndarray,
        state: TrackerState | None,
        time_s: float,
        *,
        search_interval_factor: float = 1.0,
    ) -> tuple[list[Face], TrackerState]:
        """Find, classify and follow the faces of one frame of a video, the largest first.

        The first frame is searched as a photo is. In later ones known faces are searched for where they were; several
        times a second, and when one is lost, the whole frame is searched at a coarse scale, and a further part of it
        at a finer one.

        Args:
            frame: as in `analyze`.
            state: what the last call for this viewer returned, or None at the start.
            time_s: when the frame was taken, in seconds on any clock.
            search_interval_factor: how many times as long as the bundle says it may take until the frame is searched
                for others again. Known faces are followed and classified as before; newcomers are found later.

        Raises:
            ValueError: if the frame is not RGB uint8 (H, W, 3), the time is not finite, or the factor is below 1.
        """
        require_rgb(frame)
        require_time(time_s)
        if not search_interval_factor >= 1:
            raise ValueError(f"search_interval_factor is {search_interval_factor}; it is 1 or more")
        settings = self.config.tracker
        if state is None or state.searched_s is None:
            detections = self.detector.detect(frame)
            state = replace(state or TrackerState(), searched_s=time_s, whole_searched_s=time_s)
        else:
            known = [
                Known(track.search_box, track.turn_deg, is_turn_fresh(track, time_s, settings))
                for track in state.tracks
                if time_s - track.seen_s <= settings.forget_after_s
            ]
            interval_s = settings.search_interval_s * search_interval_factor
            search = not 0 < time_s - state.whole_searched_s < interval_s
            views = []
            if search:
                views, state = self._views_due(frame, state, time_s, search_interval_factor)
                state = replace(state, whole_searched_s=time_s)
            detections = self.detector.follow(frame, known, views, search=search)
        return self._followed(frame, detections, state, time_s)

    def _followed(
        self, frame: np.ndarray, detections: list[Detection], state: TrackerState, time_s: float
    ) -> tuple[list[Face], TrackerState]:
        settings = self.config.tracker
        boxes = [detection.box for detection in detections]
        matching = match_tracks(state, boxes, time_s, settings)
        mirrored = matching.mirrored(settings)
        found = self._classified(frame, detections, mirrored)
        rows, turns_deg = [face.probabilities for face in found], [detection.turn_deg for detection in detections]
        tracks, state = update_tracks(state, boxes, rows, time_s, settings, turns_deg, matching)
        plain = dict(state.plain_answers)
        faces = []
        for track, face, is_mirrored in zip(tracks, found, mirrored, strict=True):
            if not is_mirrored:
                plain[track.track_id] = face.answer
            seen = replace(face, answer=plain[track.track_id])
            faces.append(self._face(frame, seen, track.probabilities, track.shown, track.track_id))
        return faces, replace(state, plain_answers={track.track_id: plain[track.track_id] for track in state.tracks})

    def _views_due(
        self, frame: np.ndarray, state: TrackerState, time_s: float, factor: float
    ) -> tuple[list[View], TrackerState]:
        """The views whose turn has come since the last frame, and the state that notes it; all if time jumped."""
        views = video_views(frame.shape[1], frame.shape[0], self.config.preprocessing.yunet)
        interval_s = self.config.tracker.tile_interval_s * factor
        assert state.searched_s is not None, "the first frame is searched whole"
        since_s = time_s - state.searched_s
        if not 0 <= since_s < len(views) * interval_s:
            return views, replace(state, searched_s=time_s)
        due = math.floor(since_s / interval_s)
        chosen = [views[(state.next_view + step) % len(views)] for step in range(due)]
        next_view, searched_s = (state.next_view + due) % len(views), state.searched_s + due * interval_s
        return chosen, replace(state, next_view=next_view, searched_s=searched_s)

    def classify(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Classify pictures that are already crops of one face each.

        Args:
            crops: uint8 (H, W) or RGB (H, W, 3), any size.

        Returns:
            (N, C) float32, calibrated; with a `personal.json`, the person's.

        Raises:
            ValueError: if a crop is anything else.
        """
        logits, features = self.classifier.calibrated(self.model_inputs(crops))
        return softmax(self._adapted(logits, features))

    def model_inputs(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """What the network is given for crops as in `classify`: (N, channels, P, P) float32."""
        settings = self.config.preprocessing
        cut = []
        for crop in crops:
            if not is_grey(crop):
                require_rgb(crop)
            region = whole_image_region(crop.shape[1], crop.shape[0])
            cut.append(cut_crop(crop, region, settings.crop, self.graphs))
        return to_model_inputs(cut, settings.input, self.graphs)

    def _classified(
        self, frame: np.ndarray, detections: list[Detection], mirrored: Sequence[bool] | None = None
    ) -> list["_Classified"]:
        settings = self.config.preprocessing
        regions = [
            region_of_detection(detection.box, detection.landmarks, self.detector.crop_rule, settings.crop)
            for detection in detections
        ]
        crops = [cut_crop(frame, region, settings.crop, self.graphs) for region in regions]
        shown = [
            crop[:, ::-1] if is_mirrored else crop
            for crop, is_mirrored in zip(crops, mirrored or [False] * len(crops), strict=True)
        ]
        logits, features = self.classifier.calibrated(to_model_inputs(shown, settings.input, self.graphs))
        rows = softmax(self._adapted(logits, features))
        answers = [Answer(*of_face) for of_face in zip(crops, logits, features, strict=True)]
        qualities = measure_quality(detections, crops, settings, self.graphs)
        return [
            _Classified(detection, row, quality_reasons(quality, settings.quality), answer)
            for detection, row, quality, answer in zip(detections, rows, qualities, answers, strict=True)
        ]

    def _adapted(self, logits: np.ndarray, features: np.ndarray) -> np.ndarray:
        return self.personal.adapt(logits, features) if self.personal else logits

    def _own(self, features: np.ndarray) -> dict[str, float] | None:
        rows = self.personal.own_probabilities(features[None]) if self.personal else None
        return None if rows is None else dict(zip(self.own_names, rows[0].tolist(), strict=True))

    def _face(self, frame: np.ndarray, found: "_Classified", row: np.ndarray, shown: int, track_id: int | None) -> Face:
        detection, reasons = found.detection, found.reasons
        confidence = float(row[shown])
        between = None
        if not confidence >= self.config.abstain_below:
            reasons = (*reasons, NO_CLEAR_EXPRESSION)
            between = shared_lead(row.tolist(), self.label_names)
        return Face(
            box=clip_box(detection.box, frame.shape[1], frame.shape[0]),
            score=detection.score,
            landmarks=detection.landmarks,
            probabilities=row,
            label=self.label_names[shown],
            confidence=confidence,
            reasons=reasons,
            track_id=track_id,
            crop=found.answer.crop,
            logits=found.answer.logits,
            features=found.answer.features,
            personal=self.personal is not None and self.personal.changes_answer,
            own=self._own(found.answer.features),
            between=between,
        )


@dataclass(frozen=True, eq=False)
class _Classified:
    """A face of one frame, seen by itself; `reasons` are those of its picture.

    `probabilities` are those of the crop or of its mirror image, and so is `answer`, until `track` has replaced it.
    """

    detection: Detection
    probabilities: np.ndarray
    reasons: tuple[str, ...]
    answer: Answer


def load_pipeline(
    model: str | None = None,
    *,
    detector: str | None = None,
    threads: int | None = None,
    personal: Path | str | None = None,
) -> Pipeline:
    """Load a bundle and a face detector, and say in one log line which.

    With nothing set, no request goes to any network.

    Args:
        model: a bundle's folder, "user/repo" or "user/repo@revision" on the Hub. By default what the environment
            variable FACE_EXPRESSION_MODEL says; if that is unset or cannot be used, the embedded bundle.
        detector: "yunet" (the default) or "haar".
        threads: threads of ONNX Runtime for one call; None takes its default.
        personal: a `personal.json` from the live view, which adapts the answers to one person; made for this bundle.

    Raises:
        PersonalError: if `personal` cannot be read, is damaged, or was made for another bundle.
        BundleError: if `model` was asked for and cannot be used, the embedded bundle is damaged, or YuNet's weights
            cannot be used.
        ValueError: if `detector` is another word.
    """
    if detector not in (None, "yunet", "haar"):
        raise ValueError(f"detector must be 'yunet' or 'haar', got {detector!r}")
    bundle, classifier, graphs = _load_bundle(model, threads)
    settings = bundle.config.preprocessing
    learned = read_personal(Path(personal), bundle.config, classifier.feature_count) if personal is not None else None
    if detector == "haar":
        weights, chosen = None, HaarDetector(settings.haar)
    else:
        weights = find_yunet_weights(settings.yunet, bundle)
        chosen = YuNetDetector(weights, settings.yunet, settings.crop, graphs, threads=threads)
    source = f"model {bundle.source}, face detector {chosen.name}"
    if learned:
        source += f", adapted to one person by {personal}"
    log.info("using %s", source)
    files = PipelineFiles(
        bundle.folder, bundle.graphs_folder, weights, Path(personal) if personal is not None else None
    )
    return Pipeline(bundle.config, chosen, classifier, graphs, source, files, learned)


def _try_out(bundle: Bundle, classifier: Classifier, graphs: Graphs) -> None:
    """Classify one grey crop, so that a bundle that cannot be used fails now and not at each picture.

    Raises:
        BundleError: if that fails, or gives anything but probabilities.
    """
    settings = bundle.config.preprocessing
    crop = np.full((settings.crop.size_px, settings.crop.size_px, 3), 128, np.uint8)
    try:
        (row,) = classifier.probabilities(to_model_inputs([crop], settings.input, graphs))
        measure_crops([crop], settings.input, settings.quality.light_percent, graphs)
    except Exception as error:  # ONNX Runtime's errors share no base class of their own
        raise BundleError(f"{bundle.folder}: its networks cannot be run: {error}") from error
    if not (np.isfinite(row).all() and abs(float(row.sum()) - 1) < 1e-3):
        raise BundleError(f"{bundle.folder}: its network gives {row.tolist()} where probabilities are expected")


def _load_bundle(model: str | None, threads: int | None) -> tuple[Bundle, Classifier, Graphs]:
    def load(bundle: Bundle) -> tuple[Bundle, Classifier, Graphs]:
        classifier = Classifier(bundle.model, bundle.config, threads=threads)
        embedded = bundle.graphs_folder == EMBEDDED_BUNDLE
        graphs = embedded_graphs() if embedded else Graphs(bundle.graphs_folder)
        _try_out(bundle, classifier, graphs)
        return bundle, classifier, graphs

    if wanted := model or os.environ.get(MODEL_VARIABLE):
        try:
            return load(find_bundle(wanted))
        except BundleError as error:
            if model:
                wants = "it must be a bundle's folder or USER/NAME[@REVISION]"
                raise BundleError(f"the model {model!r} cannot be used ({error}); {wants}") from error
            log.warning("the model %s cannot be used, falling back to the embedded model: %s", wanted, error)
    return load(open_bundle(EMBEDDED_BUNDLE, "embedded in this program"))
