"""Who is who from frame to frame, and what is shown for each: state goes in, state comes out.

Probabilities are smoothed exponentially with a time constant in seconds, so that the result does not depend on the
frame rate; the label shown changes only when another one leads by a margin.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from face_expression.boxes import Box, iou_matrix


@dataclass(frozen=True)
class TrackerSettings:
    """How faces are followed.

    `time_constant_s`: after this long, 63 % of a change is shown. `label_margin`: lead in probability that another
    label needs before it is shown. `forget_after_s`: how long a face may be unseen. `min_iou`: least overlap of the
    same face in two frames, of boxes enlarged by `enlarge` on each side (in box sizes) so that quick heads are kept.
    """

    time_constant_s: float = 0.25
    label_margin: float = 0.08
    forget_after_s: float = 1.0
    min_iou: float = 0.15
    enlarge: float = 0.25


@dataclass(frozen=True, eq=False)
class Track:
    """One person in view: `probabilities` (C,) float32 smoothed, `shown` the index of the label shown."""

    track_id: int
    box: Box
    probabilities: np.ndarray
    shown: int
    seen_s: float


@dataclass(frozen=True)
class TrackerState:
    """Everything that is remembered between two frames of one viewer."""

    tracks: tuple[Track, ...] = field(default=())
    next_id: int = 1


def update_tracks(
    state: TrackerState,
    boxes: list[Box],
    probabilities: Sequence[np.ndarray],
    time_s: float,
    settings: TrackerSettings,
) -> tuple[list[Track], TrackerState]:
    """Take one frame's faces in.

    Args:
        state: what the last call returned, or `TrackerState()`.
        boxes: N boxes.
        probabilities: N times (C,) float32, of this frame alone.
        time_s: when the frame was taken, on any clock. A time before the last one counts as the same moment.
        settings: how faces are followed.

    Returns:
        The track of each box, in the order of the boxes, and the state for the next call.

    Raises:
        ValueError: if `time_s` is not finite.
    """
    if not math.isfinite(time_s):
        raise ValueError(f"time_s must be finite, got {time_s}")
    time_s = max([time_s, *(track.seen_s for track in state.tracks)])
    known = [track for track in state.tracks if time_s - track.seen_s <= settings.forget_after_s]
    matches = _match(known, boxes, settings)
    next_id = state.next_id
    current = []
    for index, box in enumerate(boxes):
        if index in matches:
            current.append(_follow(known[matches[index]], box, probabilities[index], time_s, settings))
        else:
            row = probabilities[index]
            current.append(Track(next_id, box, row, int(row.argmax()), time_s))
            next_id += 1
    unseen = [track for position, track in enumerate(known) if position not in matches.values()]
    return current, TrackerState((*current, *unseen), next_id)


def _follow(track: Track, box: Box, row: np.ndarray, time_s: float, settings: TrackerSettings) -> Track:
    share = 1 - math.exp(-(time_s - track.seen_s) / settings.time_constant_s)
    smoothed = (track.probabilities + np.float32(share) * (row - track.probabilities)).astype(np.float32)
    leader = int(smoothed.argmax())
    leads = smoothed[leader] - smoothed[track.shown] > settings.label_margin
    return Track(track.track_id, box, smoothed, leader if leads else track.shown, time_s)


def _match(tracks: list[Track], boxes: list[Box], settings: TrackerSettings) -> dict[int, int]:
    """Pair boxes (keys) with tracks (values), best overlap first, each used once."""
    overlap = iou_matrix(
        _enlarged(boxes, settings.enlarge), _enlarged([track.box for track in tracks], settings.enlarge)
    )
    matches: dict[int, int] = {}
    for flat in np.argsort(-overlap, axis=None, kind="stable"):
        box_index, track_index = (int(i) for i in np.unravel_index(flat, overlap.shape))
        if overlap[box_index, track_index] < settings.min_iou:
            break
        if box_index not in matches and track_index not in matches.values():
            matches[box_index] = track_index
    return matches


def _enlarged(boxes: list[Box], share: float) -> np.ndarray:
    array = np.asarray(boxes, np.float64).reshape(-1, 4)
    grow = (array[:, 2:] - array[:, :2]) * share
    return np.concatenate([array[:, :2] - grow, array[:, 2:] + grow], axis=1)
