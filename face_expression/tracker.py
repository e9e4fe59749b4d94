"""Who is who from frame to frame, and what is shown for each: state goes in, state comes out.

Probabilities are smoothed exponentially with a time constant in seconds, so that the result does not depend on the
frame rate; the label shown changes only when another one leads by a margin.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from face_expression.boxes import Box, iou_matrix
from face_expression.config import TrackerSettings


@dataclass(frozen=True, eq=False)
class Track:
    """One person in view: `probabilities` (C,) float32 smoothed, `shown` the index of the label shown.

    `search_box`: the box about which it is searched for next, that of this frame or of an earlier one.
    `turn_deg`: how far the face is turned in the picture's plane, clockwise as seen, as it was found at `turn_seen_s`.
    """

    track_id: int
    box: Box
    search_box: Box
    probabilities: np.ndarray
    shown: int
    seen_s: float
    turn_deg: float = 0.0
    turn_seen_s: float = -math.inf


@dataclass(frozen=True)
class TrackerState:
    """Everything that is remembered between two frames of one viewer.

    `next_view` is the place in `video_views` of the next view to search; all that were due by `searched_s` have been.
    `whole_searched_s`: when the whole frame was last searched.
    """

    tracks: tuple[Track, ...] = field(default=())
    next_id: int = 1
    next_view: int = 0
    searched_s: float | None = None
    whole_searched_s: float = -math.inf


def update_tracks(
    state: TrackerState,
    boxes: list[Box],
    probabilities: Sequence[np.ndarray],
    time_s: float,
    settings: TrackerSettings,
    turns_deg: Sequence[float] | None = None,
) -> tuple[list[Track], TrackerState]:
    """Take one frame's faces in.

    Args:
        state: what the last call returned, or `TrackerState()`.
        boxes: N boxes.
        probabilities: N times (C,) float32, of this frame alone.
        time_s: when the frame was taken, on any clock. A time before the last one counts as the same moment.
        settings: how faces are followed.
        turns_deg: N turns of the faces in the picture's plane; upright by default.

    Returns:
        The track of each box, in the order of the boxes, and the state for the next call.

    Raises:
        ValueError: if `time_s` is not finite.
    """
    require_time(time_s)
    time_s = max([time_s, *(track.seen_s for track in state.tracks)])
    known = [track for track in state.tracks if time_s - track.seen_s <= settings.forget_after_s]
    matches = _match(known, boxes, settings)
    next_id = state.next_id
    current = []
    for index, box in enumerate(boxes):
        turn_deg = turns_deg[index] if turns_deg else 0.0
        if index in matches:
            current.append(_follow(known[matches[index]], box, probabilities[index], turn_deg, time_s, settings))
        else:
            row = probabilities[index]
            current.append(Track(next_id, box, box, row, int(row.argmax()), time_s, turn_deg, time_s))
            next_id += 1
    unseen = [track for position, track in enumerate(known) if position not in matches.values()]
    return current, replace(state, tracks=(*current, *unseen), next_id=next_id)


def require_time(time_s: float) -> None:
    """Check that a time is finite.

    Raises:
        ValueError: if it is not.
    """
    if not math.isfinite(time_s):
        raise ValueError(f"time_s must be finite, got {time_s}")


def _follow(
    track: Track, box: Box, row: np.ndarray, turn_deg: float, time_s: float, settings: TrackerSettings
) -> Track:
    share = 1 - math.exp(-(time_s - track.seen_s) / settings.time_constant_s)
    smoothed = (track.probabilities + np.float32(share) * (row - track.probabilities)).astype(np.float32)
    leader = int(smoothed.argmax())
    leads = smoothed[leader] - smoothed[track.shown] > settings.label_margin
    stays = iou_matrix([track.search_box], [box])[0, 0] >= settings.keep_search_box_iou
    search_box = track.search_box if stays else box
    turn_seen_s = track.turn_seen_s if is_turn_fresh(track, time_s, settings) else time_s
    shown = leader if leads else track.shown
    return Track(track.track_id, box, search_box, smoothed, shown, time_s, turn_deg, turn_seen_s)


def is_turn_fresh(track: Track, time_s: float, settings: TrackerSettings) -> bool:
    """Whether a face's turn was found so lately that it need not be found anew."""
    return time_s - track.turn_seen_s < settings.turn_interval_s


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
