"""Who is who from frame to frame, and what is shown for each: state goes in, state comes out.

Probabilities are smoothed exponentially with a time constant in seconds, so that the result does not depend on the
frame rate; the label shown changes only when another one leads by a margin.

A face and its mirror image show the same expression, but a network answers them a little differently, and the mean of
both answers is the better one. So a face's crop is classified as it is and mirrored in turn. Each of the two views is
smoothed by itself, and the mean of both is shown: on a still face it stays still, however much they differ, and it
follows a change nearly as quickly as one view that is classified every time. A new face, and one that is classified
more rarely than `mirror_within_s`, is classified as it is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from face_expression.boxes import Box, iou_matrix
from face_expression.model.classifier import Answer
from face_expression.model.config import TrackerSettings

# A mirrored view counts for so many time constants after it was taken.
_MIRRORED_HOLDS = 2


@dataclass(frozen=True, eq=False)
class Smoothed:
    """Probabilities (C,) float32 smoothed over time, and when the last ones were taken in."""

    probabilities: np.ndarray
    taken_s: float


@dataclass(frozen=True, eq=False)
class Track:
    """One person in view: `shown` is the index of the label shown.

    `plain`, `mirrored`: what the crop and its mirror image were classified as, the latter None while it is not used.
    `search_box`: the box about which it is searched for next, that of this frame or of an earlier one.
    `turn_deg`: how far the face is turned in the picture's plane, clockwise as seen, as it was found at `turn_seen_s`.
    """

    track_id: int
    box: Box
    search_box: Box
    plain: Smoothed
    mirrored: Smoothed | None
    shown: int
    seen_s: float
    turn_deg: float = 0.0
    turn_seen_s: float = -math.inf

    @property
    def probabilities(self) -> np.ndarray:
        """(C,) float32, smoothed."""
        if self.mirrored is None:
            return self.plain.probabilities
        return (self.plain.probabilities + self.mirrored.probabilities) / 2


@dataclass(frozen=True)
class TrackerState:
    """Everything that is remembered between two frames of one viewer.

    `next_view` is the place in `video_views` of the next view to search; all that were due by `searched_s` have been.
    `whole_searched_s`: when the whole frame was last searched. `plain_answers` has by the number of a track what the
    network last gave for its crop as it is (`pipeline.py` keeps it).
    """

    tracks: tuple[Track, ...] = ()
    next_id: int = 1
    next_view: int = 0
    searched_s: float | None = None
    whole_searched_s: float = -math.inf
    plain_answers: Mapping[int, Answer] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Matching:
    """Which of one frame's N faces is known: `tracks` has the track of each, None for a new one.

    `now_s` is when the frame was taken, never before the last one. `unseen` are the tracks that no face belongs to and
    that are not yet forgotten.
    """

    now_s: float
    tracks: tuple[Track | None, ...]
    unseen: tuple[Track, ...]

    def mirrored(self, settings: TrackerSettings) -> list[bool]:
        """For each face, whether the mirror image of its crop is to be classified."""
        return [track is not None and _is_mirror_next(track, self.now_s, settings) for track in self.tracks]


def match_tracks(state: TrackerState, boxes: list[Box], time_s: float, settings: TrackerSettings) -> Matching:
    """Find the tracks that one frame's faces belong to.

    Args:
        state: what `update_tracks` returned last, or `TrackerState()`.
        boxes: N boxes.
        time_s: when the frame was taken, on any clock. A time before the last one counts as the same moment.
        settings: how faces are followed.

    Raises:
        ValueError: if `time_s` is not finite.
    """
    require_time(time_s)
    now_s = max([time_s, *(track.seen_s for track in state.tracks)])
    known = [track for track in state.tracks if now_s - track.seen_s <= settings.forget_after_s]
    matches = _match(known, boxes, settings)
    tracks = tuple(known[matches[index]] if index in matches else None for index in range(len(boxes)))
    unseen = tuple(track for position, track in enumerate(known) if position not in matches.values())
    return Matching(now_s, tracks, unseen)


def update_tracks(
    state: TrackerState,
    boxes: list[Box],
    probabilities: Sequence[np.ndarray],
    time_s: float,
    settings: TrackerSettings,
    turns_deg: Sequence[float] | None = None,
    matching: Matching | None = None,
) -> tuple[list[Track], TrackerState]:
    """Take one frame's faces in.

    Args:
        state: what the last call returned, or `TrackerState()`.
        boxes: N boxes.
        probabilities: N times (C,) float32, of this frame alone; of the mirror image where `matching.mirrored` says so.
        time_s: as in `match_tracks`.
        settings: how faces are followed.
        turns_deg: N turns of the faces in the picture's plane; upright by default.
        matching: what `match_tracks` gives for the same arguments, if it is known already.

    Returns:
        The track of each box, in the order of the boxes, and the state for the next call.

    Raises:
        ValueError: if `time_s` is not finite.
    """
    matching = matching or match_tracks(state, boxes, time_s, settings)
    now_s, next_id = matching.now_s, state.next_id
    current = []
    for index, (box, row, known) in enumerate(zip(boxes, probabilities, matching.tracks, strict=True)):
        turn_deg = turns_deg[index] if turns_deg else 0.0
        if known is not None:
            current.append(_follow(known, box, row, turn_deg, now_s, settings))
        else:
            seen = Smoothed(row, now_s)
            current.append(Track(next_id, box, box, seen, None, int(row.argmax()), now_s, turn_deg, now_s))
            next_id += 1
    return current, replace(state, tracks=(*current, *matching.unseen), next_id=next_id)


def require_time(time_s: float) -> None:
    """Check that a time is finite.

    Raises:
        ValueError: if it is not.
    """
    if not math.isfinite(time_s):
        raise ValueError(f"time_s must be finite, got {time_s}")


def _follow(track: Track, box: Box, row: np.ndarray, turn_deg: float, now_s: float, settings: TrackerSettings) -> Track:
    plain, mirrored = _taken_in(track, row, now_s, settings)
    stays = iou_matrix([track.search_box], [box])[0, 0] >= settings.keep_search_box_iou
    followed = replace(
        track,
        box=box,
        search_box=track.search_box if stays else box,
        plain=plain,
        mirrored=mirrored,
        seen_s=now_s,
        turn_deg=turn_deg,
        turn_seen_s=track.turn_seen_s if is_turn_fresh(track, now_s, settings) else now_s,
    )
    smoothed = followed.probabilities
    leader = int(smoothed.argmax())
    leads = smoothed[leader] - smoothed[track.shown] > settings.label_margin
    return replace(followed, shown=leader if leads else track.shown)


def _taken_in(
    track: Track, row: np.ndarray, now_s: float, settings: TrackerSettings
) -> tuple[Smoothed, Smoothed | None]:
    """The track's two views once it is classified again, as it is or mirrored, whichever was its turn."""
    if _is_mirror_next(track, now_s, settings):
        # The first mirror image is smoothed like a later one: as if it had had its turn before.
        first = Smoothed(track.plain.probabilities, 2 * track.plain.taken_s - now_s)
        return track.plain, _smoothed(track.mirrored or first, row, now_s, settings)
    if track.mirrored and now_s - track.mirrored.taken_s > _MIRRORED_HOLDS * settings.time_constant_s:
        return _smoothed(Smoothed(track.probabilities, track.seen_s), row, now_s, settings), None
    return _smoothed(track.plain, row, now_s, settings), track.mirrored


def _smoothed(before: Smoothed, row: np.ndarray, now_s: float, settings: TrackerSettings) -> Smoothed:
    share = 1 - math.exp(-(now_s - before.taken_s) / settings.time_constant_s)
    return Smoothed((before.probabilities + np.float32(share) * (row - before.probabilities)).astype(np.float32), now_s)


def _is_mirror_next(track: Track, now_s: float, settings: TrackerSettings) -> bool:
    was_plain = track.mirrored is None or track.mirrored.taken_s < track.plain.taken_s
    return was_plain and 0 < now_s - track.seen_s < settings.mirror_within_s


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
