"""Pure geometry on boxes written xyxy: (x0, y0, x1, y1), in pixels, edges not centres, as floats."""

import math
from collections.abc import Sequence

import numpy as np

Box = tuple[float, float, float, float]


def xywh_to_xyxy(x: float, y: float, width: float, height: float) -> Box:
    """Turn a corner and a size into two corners."""
    return (float(x), float(y), float(x + width), float(y + height))


def scale_box(box: Box, scale_x: float, scale_y: float) -> Box:
    """Carry a box from one resolution of a frame to another."""
    return (box[0] * scale_x, box[1] * scale_y, box[2] * scale_x, box[3] * scale_y)


def clip_box(box: Box, width: int, height: int) -> Box:
    """The part of a box that lies in a frame."""
    x0, x1 = (min(max(x, 0.0), float(width)) for x in (box[0], box[2]))
    y0, y1 = (min(max(y, 0.0), float(height)) for y in (box[1], box[3]))
    return (x0, y0, x1, y1)


def box_area(box: Box) -> float:
    """Area in square pixels; 0 for a box that is inside out."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def box_of(numbers: Sequence[float]) -> Box:
    """A box from four numbers, xyxy, as files hold it.

    Raises:
        ValueError: if there are not four.
    """
    x0, y0, x1, y1 = numbers
    return x0, y0, x1, y1


def box_size(box: Box) -> float:
    """Side in pixels of the square with a box's area; 0 for a box that is inside out."""
    return math.sqrt(box_area(box))


def iou_matrix(first: np.ndarray | Sequence[Box], second: np.ndarray | Sequence[Box]) -> np.ndarray:
    """Intersection over union of every box of `first` with every box of `second`.

    Args:
        first: (N, 4) xyxy; N may be 0.
        second: (M, 4) xyxy; M may be 0.

    Returns:
        (N, M) float64 in [0, 1]; 0 where both boxes are empty.
    """
    first = np.asarray(first, np.float64).reshape(-1, 1, 4)
    second = np.asarray(second, np.float64).reshape(1, -1, 4)
    overlap_wh = np.clip(
        np.minimum(first[..., 2:], second[..., 2:]) - np.maximum(first[..., :2], second[..., :2]), 0, None
    )
    intersection = overlap_wh.prod(-1)
    area_first = np.clip(first[..., 2:] - first[..., :2], 0, None).prod(-1)
    area_second = np.clip(second[..., 2:] - second[..., :2], 0, None).prod(-1)
    union = area_first + area_second - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)
