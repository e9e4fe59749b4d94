"""Where in a frame faces are searched for, and which of the faces found are one: pure geometry.

A detector finds faces of about 15 px and more. So a photo is searched at every scale for which it has pixels, and a
video at a coarse one in each frame and in tiles of the finer ones in turn.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from face_expression.boxes import Box, box_area, iou_matrix
from face_expression.model.config import HaarSettings, YuNetSettings


@dataclass(frozen=True)
class Detection:
    """One face: `box` xyxy in pixels of the frame, `score` in [0, 1], five landmarks (x, y) or None.

    `turn_deg`: how far the face was found turned in the picture's plane, clockwise as seen; 0 if it stands upright.
    """

    box: Box
    score: float
    landmarks: tuple[tuple[float, float], ...] | None
    turn_deg: float = 0.0


@dataclass(frozen=True)
class Known:
    """A face of earlier frames: where to search for it, how it was turned, and whether that was checked lately."""

    box: Box
    turn_deg: float
    is_turn_fresh: bool


@dataclass(frozen=True)
class View:
    """A part of the frame to search: `box` in whole pixels of the frame, `wh` its size in pixels when it is searched.

    `turn_deg` (0, 90, 180 or 270): a face turned so far clockwise stands upright in the view.
    """

    box: tuple[int, int, int, int]
    wh: tuple[int, int]
    turn_deg: int = 0

    @property
    def scale(self) -> float:
        """Pixels searched for each pixel of the frame along a side."""
        return max(self.wh[0] / (self.box[2] - self.box[0]), self.wh[1] / (self.box[3] - self.box[1]))

    @property
    def area(self) -> int:
        """In pixels searched."""
        return self.wh[0] * self.wh[1]


def whole_view(width: int, height: int, long_side_px: float) -> View:
    """All of a frame, its longer side brought to so many pixels."""
    scale = long_side_px / max(width, height)
    return View((0, 0, width, height), (max(1, round(width * scale)), max(1, round(height * scale))))


def tile_views(width: int, height: int, scale: float, tile_wh: tuple[int, int], overlap_px: int) -> list[View]:
    """A frame at one scale in tiles.

    Args:
        width: of the frame in pixels.
        height: of the frame in pixels.
        scale: pixels searched for each pixel of the frame along a side.
        tile_wh: the largest tile, in pixels searched.
        overlap_px: faces up to this size, in pixels searched, lie whole in a tile.
    """
    spans = []
    for side, tile in ((width, tile_wh[0]), (height, tile_wh[1])):
        full = side * scale
        count = max(1, math.ceil((full - overlap_px) / (tile - overlap_px)))
        length = min(side, math.ceil(tile / scale))
        starts = [round(index * (side - length) / max(count - 1, 1)) for index in range(count)]
        spans.append([(start, start + length) for start in starts])
    return [
        View((x0, y0, x1, y1), (max(1, round((x1 - x0) * scale)), max(1, round((y1 - y0) * scale))))
        for y0, y1 in spans[1]
        for x0, x1 in spans[0]
    ]


def photo_views(width: int, height: int, settings: YuNetSettings) -> list[list[View]]:
    """What a photo is searched in: for each scale the views, the coarsest first."""
    long_side = max(width, height)
    first, *finer = settings.scales_px
    views = [[whole_view(width, height, first)]]
    views += [[whole_view(width, height, px)] for px in finer if px < long_side]
    tile_px = settings.scales_px[-1]
    px = 2 * tile_px
    while px < long_side:
        views.append(_tiles(width, height, px / long_side, (tile_px, tile_px), settings))
        px *= 2
    return views


def finest_views(width: int, height: int, searched: Sequence[View], settings: YuNetSettings) -> list[View]:
    """The views at the scale after that of `searched`, up to the frame's own pixels; none if that is hardly finer."""
    scale = searched[0].scale
    finer = min(1.0, 2 * scale)
    if finer < settings.finer_factor * scale:
        return []
    tile_px = settings.scales_px[-1]
    return _tiles(width, height, finer, (tile_px, tile_px), settings)


def video_views(width: int, height: int, settings: YuNetSettings) -> list[View]:
    """What a video is searched in from frame to frame, one after the other, beside the coarsest view of each frame.

    Tiles of finer scales, and the whole frame turned.
    """
    whole = whole_view(width, height, settings.scales_px[0])
    turned = [replace(whole, turn_deg=turn_deg) for turn_deg in (90, 180, 270)]
    long_side = max(width, height)
    scales = [min(1.0, px / long_side) for px in settings.scales_px[1:] if px < 2 * long_side]
    scales = [
        scale for scale in dict.fromkeys(scales) if scale * long_side >= settings.finer_factor * settings.scales_px[0]
    ]
    tiles = [_tiles(width, height, scale, settings.video_tile_wh_px, settings) for scale in scales]
    return [view for views in (*tiles, turned) for view in views]


def _tiles(width: int, height: int, scale: float, tile_wh: tuple[int, int], settings: YuNetSettings) -> list[View]:
    return tile_views(width, height, scale, tile_wh, settings.window_px)


def to_frame(detection: Detection, view: View) -> Detection:
    """Carry a detection from the pixels of a view to those of the frame."""
    x0, y0, x1, y1 = view.box
    scale_x, scale_y = (x1 - x0) / view.wh[0], (y1 - y0) / view.wh[1]
    width, height = view.wh

    def point(x: float, y: float) -> tuple[float, float]:
        if view.turn_deg == 90:
            x, y = width - y, x
        elif view.turn_deg == 180:
            x, y = width - x, height - y
        elif view.turn_deg == 270:
            x, y = y, height - x
        return x0 + x * scale_x, y0 + y * scale_y

    ends = [point(*detection.box[:2]), point(*detection.box[2:])]
    (left, right), (top, bottom) = (sorted(values) for values in zip(*ends, strict=True))
    landmarks = detection.landmarks and tuple(point(x, y) for x, y in detection.landmarks)
    return Detection((left, top, right, bottom), detection.score, landmarks, float(view.turn_deg))


def lies_in(detection: Detection, view: View, width: int, height: int) -> bool:
    """Whether a face is seen whole: it does not reach over a side at which the view ends and the frame goes on."""
    x0, y0, x1, y1 = view.box
    left, top, right, bottom = detection.box
    return (
        (x0 == 0 or left >= x0)
        and (y0 == 0 or top >= y0)
        and (x1 == width or right <= x1)
        and (y1 == height or bottom <= y1)
    )


def merge(detections: Sequence[Detection], settings: YuNetSettings | HaarSettings) -> list[Detection]:
    """Of detections that are one face keep the most certain one; the best score first.

    Args:
        detections: of the same frame, in any order.
        settings: `nms_threshold` is the largest IoU of two faces.
    """
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda detection: -detection.score):
        if not any(is_same_face(detection.box, other.box, settings) for other in kept):
            kept.append(detection)
    return kept


def is_same_face(
    first: Box, second: Box, settings: YuNetSettings | HaarSettings, max_overlap: float | None = None
) -> bool:
    """Whether two boxes are of one face: they overlap much, or most of the smaller lies in the larger.

    Args:
        first: xyxy.
        second: xyxy.
        settings: `nms_threshold` is the largest IoU of two faces, `max_inside` the largest share of the smaller.
        max_overlap: another largest IoU.
    """
    max_overlap = settings.nms_threshold if max_overlap is None else max_overlap
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if width <= 0 or height <= 0:
        return False
    smaller, larger = sorted((box_area(first), box_area(second)))
    inside = width * height
    return inside > max_overlap * (smaller + larger - inside) or inside > settings.max_inside * smaller


def best_overlap(box: Box, others: Sequence[Box]) -> tuple[int, float]:
    """The index of the box that overlaps most, and its IoU; (-1, 0.0) without others."""
    if not others:
        return -1, 0.0
    overlaps = iou_matrix(np.array([box]), np.array(others))[0]
    return int(overlaps.argmax()), float(overlaps.max())


def largest_first(detections: list[Detection]) -> list[Detection]:
    """The same detections in the order of their boxes' areas."""
    return sorted(detections, key=lambda detection: -box_area(detection.box))
