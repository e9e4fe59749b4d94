"""Frame -> detections by YuNet, the detector that is used unless another is asked for.

Wu, Peng and Yu, "YuNet: A Tiny Millisecond-level Face Detector", Machine Intelligence Research, 2023.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

import cv2
import numpy as np

from face_expression.boxes import Box, box_size
from face_expression.detection.search import (
    Detection,
    Known,
    View,
    best_overlap,
    finest_views,
    is_same_face,
    largest_first,
    lies_in,
    merge,
    photo_views,
    to_frame,
    whole_view,
)
from face_expression.errors import BundleError
from face_expression.model.config import CropRule, CropSettings, YuNetSettings
from face_expression.model.graphs import Graphs, embedded_graphs, giving_memory_back, load_session
from face_expression.model.preprocess import CropRegion, cut_crop, levelling_angle_deg

# YuNet's file of March 2023 says that its input is 640 x 640. Its network takes any size, so the two fixed numbers
# become names of the same length in the file's bytes: fields `dim_value` 640 -> `dim_param` "h" and "w".
_FIXED_SIDES, _FREE_SIDES = bytes.fromhex("0A030880050A03088005"), bytes.fromhex("0A031201680A03120177")


Place = TypeVar("Place", Detection, Known)


class YuNetDetector:
    """YuNet in ONNX Runtime; safe to share between threads.

    Args:
        weights: YuNet's ONNX file.
        settings: how it is run.
        crop: whether eyes are levelled.
        graphs: those of the bundle; by default the embedded ones.
        threads: ONNX Runtime's threads for one call; None takes its default.

    Raises:
        BundleError: if the file is no YuNet.
    """

    name = "yunet"

    def __init__(
        self,
        weights: Path,
        settings: YuNetSettings,
        crop: CropSettings,
        graphs: Graphs | None = None,
        *,
        threads: int | None = None,
    ):
        self._settings = settings
        self._crop = crop
        self._window = crop.model_copy(update={"size_px": settings.window_px, "oversampling": 1})
        self._graphs = graphs or embedded_graphs()
        try:
            content = weights.read_bytes()
        except OSError as error:
            raise BundleError(f"{weights}: cannot be read: {error.strerror}") from error
        self._session = load_session(free_sides(content), str(weights), threads=threads)
        self._outputs = [output.name for output in self._session.get_outputs()]
        self._input = self._session.get_inputs()[0].name
        if "kps_32" not in self._outputs:
            raise BundleError(f"{weights}: this file is no YuNet")

    @property
    def crop_rule(self) -> CropRule:
        """Where the crop lies relative to this detector's boxes."""
        return self._settings.crop

    def detect(self, frame: np.ndarray) -> list[Detection]:
        """Find the faces of a photo at every scale for which it has pixels, the largest first.

        Args:
            frame: RGB uint8 (H, W, 3).
        """
        settings = self._settings
        height, width = frame.shape[:2]
        levels = photo_views(width, height, settings)
        hints = [
            [detection for view in views for detection in self._scan_view(frame, view, settings.hint_score)]
            for views in levels
        ]
        found = [hint for hint in hints[0] if hint.score >= settings.score_threshold]
        for coarser, views, level in zip(hints, levels[1:], hints[1:], strict=False):
            found += [face for face in level if self._is_credible(face, views[0].scale, coarser)]
        found = merge(found, settings)
        finer = finest_views(width, height, levels[-1], settings)
        left = self._places_left(hints[-1], found)
        small = [hint for hint in left if box_size(hint.box) * levels[-1][0].scale <= settings.hint_max_px]
        many = len(small) * settings.window_px**2 > sum(view.area for view in finer) / 2
        # A large face that is hardly seen at the first scales will not be seen at the finest ones of a large photo.
        if finer and (many or (self._doubtful(left) and len(levels) <= len(settings.scales_px))):
            closer = [face for view in finer for face in self._scan_view(frame, view, settings.score_threshold)]
        else:
            closer = [face for hint in small if (face := self._scan_around(frame, hint.box, 0.0))] if finer else []
        found += [face for face in closer if self._is_credible(face, finer[0].scale, hints[-1])]
        found = [self._upright(frame, face) for face in merge(found, settings)]
        doubtful = self._doubtful(self._places_left(hints[0], found))
        if found and len(doubtful) <= settings.max_turned_places:
            turned = [self._upright(frame, hint) for hint in doubtful]
            found += self._not_among(found, [face for face in turned if face.score >= settings.upright_score])
        else:
            for turn_deg in (90, 180, 270):
                found += self._scan_turned(frame, replace(levels[0][0], turn_deg=turn_deg), found)
        return largest_first(merge(found, settings))

    def follow(
        self, frame: np.ndarray, known: Sequence[Known], views: Sequence[View], *, search: bool = True
    ) -> list[Detection]:
        """Find the faces of one frame of a video: the known ones where they were, and others in the whole frame.

        Args:
            frame: RGB uint8 (H, W, 3).
            known: faces of earlier frames.
            views: what else to search (`video_views`).
            search: whether to search the whole frame though each known face is where it was.

        Returns:
            The largest first.
        """
        settings = self._settings
        whole = whole_view(frame.shape[1], frame.shape[0], settings.scales_px[0])
        # A few faces are cheaper to follow than to find, and keep to one scale, so that their boxes do not jump.
        are_few = len(known) * settings.window_px**2 <= whole.area / 2
        again = [self._again(frame, face) for face in known] if are_few else []
        followed = merge([face for face in again if face], settings)
        if are_few and not search and all(again):
            return largest_first(followed)
        hints = self._scan_view(frame, whole, settings.doubtful_score)
        seen = merge([hint for hint in hints if hint.score >= settings.score_threshold], settings)
        found = self._not_among(followed, seen)
        for view in views:
            if view.turn_deg:
                found += self._scan_turned(frame, view, followed + found)
            else:
                closer = self._scan_view(frame, view, settings.score_threshold)
                closer = [face for face in closer if self._is_credible(face, view.scale, hints)]
                found += self._not_among(followed + found, closer)
        for face in [] if are_few else self._not_among(found, known):
            closer = self._scan_around(frame, face.box, face.turn_deg)
            found += self._not_among(found, [closer] if closer else [])
        found = [self._turned_as_before(frame, face, known) for face in merge(found, settings)]
        return largest_first(merge(followed + found, settings))

    def _again(self, frame: np.ndarray, known: Known) -> Detection | None:
        """A known face where it was; None if it is not there."""
        face = self._scan_around(frame, known.box, known.turn_deg)
        return face if face is None or known.turn_deg or known.is_turn_fresh else self._upright(frame, face)

    def _is_credible(self, face: Detection, scale: float, coarser: list[Detection]) -> bool:
        """Whether a face found at a finer scale can be one, by what a coarser scale has seen there.

        A large face leaves a trace at the coarser scale; a small one may not, and must be certain.
        """
        settings = self._settings
        if face.score < settings.score_threshold:
            return False
        traces = [hint.box for hint in self._doubtful(coarser)]
        if best_overlap(face.box, traces)[1] > settings.nms_threshold:
            return True
        return face.score >= settings.small_score_threshold and box_size(face.box) * scale <= settings.window_px

    def _scan_turned(self, frame: np.ndarray, view: View, found: list[Detection]) -> list[Detection]:
        """Faces in a turned view that are not among those found, and certain once they stand upright."""
        tilted = self._not_among(found, self._scan_view(frame, view, self._settings.score_threshold))
        upright = [self._upright(frame, face) for face in tilted]
        return [face for face in upright if face.score >= self._settings.upright_score]

    def _not_among(self, found: list[Detection], others: Sequence[Place]) -> list[Place]:
        return [
            other for other in others if not any(is_same_face(other.box, face.box, self._settings) for face in found)
        ]

    def _places_left(self, hints: list[Detection], found: list[Detection]) -> list[Detection]:
        """The hints, the best first, at which no face was found."""
        settings = self._settings
        left = [
            hint
            for hint in sorted(hints, key=lambda hint: -hint.score)
            if not any(is_same_face(hint.box, face.box, settings, settings.near_iou) for face in found)
        ]
        return left[: settings.max_hints]

    def _doubtful(self, hints: list[Detection]) -> list[Detection]:
        """Of hints, those with a score that is a reason to look closer."""
        return [hint for hint in hints if hint.score >= self._settings.doubtful_score]

    def _turned_as_before(self, frame: np.ndarray, face: Detection, known: Sequence[Known]) -> Detection:
        index, overlap = best_overlap(face.box, [other.box for other in known])
        if overlap > self._settings.nms_threshold:
            before = known[index]
            if before.turn_deg and (again := self._scan_around(frame, face.box, before.turn_deg)):
                return again
            if before.is_turn_fresh:
                return face
        return self._upright(frame, face)

    def _upright(self, frame: np.ndarray, face: Detection) -> Detection:
        """The same face as it is found best when the frame is turned about it; as it is, if it is not found better.

        Every turn is tried for a face that is uncertain as it is, and for a tilted one that which its landmarks say.
        """
        settings = self._settings
        best = face
        if face.score < settings.upright_score:
            turns = np.arange(0, 360, settings.turn_step_deg).tolist()
            tried = [self._scan_around(frame, face.box, face.turn_deg + turn_deg) for turn_deg in turns]
            best = max([face, *(found for found in tried if found)], key=lambda found: found.score)
        turn_deg = levelling_angle_deg(best.landmarks, self._crop)
        if abs(turn_deg) > settings.tilted_deg:
            # Once more about its own middle.
            exact = self._scan_around(frame, best.box, turn_deg)
            best = exact if exact and exact.score >= best.score else best
        return best

    def _scan_around(self, frame: np.ndarray, box: Box, turn_deg: float) -> Detection | None:
        """The face nearest to a box, in a window about it that is turned with it; None if there is none."""
        settings = self._settings
        center_x, center_y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        face_px = max(box_size(box), 1.0)
        side = max(face_px * settings.window_px / settings.window_face_px, 1.0)
        pixels = cut_crop(frame, CropRegion(center_x, center_y, side, turn_deg), self._window, self._graphs)
        scale, middle = side / settings.window_px, settings.window_px / 2
        reach = settings.window_face_px / 2
        near = [
            found
            for found in self._scan(pixels, settings.score_threshold)
            if abs((found.box[0] + found.box[2]) / 2 - middle) <= reach
            and abs((found.box[1] + found.box[3]) / 2 - middle) <= reach
        ]
        if not near:
            return None
        cos, sin = math.cos(math.radians(turn_deg)) * scale, math.sin(math.radians(turn_deg)) * scale

        def point(x: float, y: float) -> tuple[float, float]:
            x, y = x - middle, y - middle
            return center_x + cos * x - sin * y, center_y + sin * x + cos * y

        best = max(near, key=lambda found: found.score)
        x, y = point((best.box[0] + best.box[2]) / 2, (best.box[1] + best.box[3]) / 2)
        half = (best.box[2] - best.box[0]) * scale / 2, (best.box[3] - best.box[1]) * scale / 2
        half_x, half_y = half if abs(math.cos(math.radians(turn_deg))) >= math.sqrt(0.5) else half[::-1]
        turn_deg = (turn_deg + 180) % 360 - 180
        landmarks = best.landmarks and tuple(point(*landmark) for landmark in best.landmarks)
        return Detection((x - half_x, y - half_y, x + half_x, y + half_y), best.score, landmarks, turn_deg)

    def _scan_view(self, frame: np.ndarray, view: View, min_score: float) -> list[Detection]:
        x0, y0, x1, y1 = view.box
        part = frame[y0:y1, x0:x1]
        if view.wh != (x1 - x0, y1 - y0):
            shrinks = view.wh[0] < x1 - x0
            part = cv2.resize(part, view.wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
        if view.turn_deg:
            part = cv2.rotate(part, _ROTATIONS[view.turn_deg])
        found = [to_frame(detection, view) for detection in self._scan(np.ascontiguousarray(part), min_score)]
        return [detection for detection in found if lies_in(detection, view, frame.shape[1], frame.shape[0])]

    def _scan(self, pixels: np.ndarray, min_score: float) -> list[Detection]:
        """The faces in RGB uint8 pixels, in those pixels, the best score first."""
        settings = self._settings
        (planes,) = self._graphs.run(
            "detector_input",
            pixels=pixels,
            min_side=np.array([settings.min_side_px], np.int64),
            multiple=np.array([settings.cell_px], np.int64),
        )
        is_large = planes.shape[2] * planes.shape[3] > _LARGE_PIXELS
        maps = cast(
            "list[np.ndarray]",
            self._session.run(None, {self._input: planes}, giving_memory_back() if is_large else None),
        )
        boxes, landmarks, scores = self._graphs.run(
            "detector_output",
            **dict(zip(self._outputs, maps, strict=True)),
            width=np.array([planes.shape[3]], np.int64),
            min_score=np.array([min_score], np.float32),
            max_overlap=np.array([settings.nms_threshold], np.float32),
            max_faces=np.array([settings.max_faces], np.int64),
        )
        return [
            Detection(tuple(box), score, tuple(zip(points[::2], points[1::2], strict=True)))
            for box, points, score in zip(boxes.tolist(), landmarks.tolist(), scores.tolist(), strict=True)
        ]


# Frames of videos are smaller; of a photo's large views the network would keep 100 MB for ever.
_LARGE_PIXELS = 1_000_000
_ROTATIONS = {90: cv2.ROTATE_90_COUNTERCLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_CLOCKWISE}


def free_sides(weights: bytes) -> bytes:
    """YuNet's file with an input of any height and width, also where it was written for one size."""
    return weights.replace(_FIXED_SIDES, _FREE_SIDES) if weights.count(_FIXED_SIDES) == 1 else weights
