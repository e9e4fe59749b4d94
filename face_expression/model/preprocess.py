"""Frame + detection -> crop -> model input: one way for training, evaluation, app and command line.

A crop is first cut at the resolution the model was trained on (`crop.size_px`, 48 for FER2013) and only then enlarged
to the network's input, so that a sharp photograph and a small training image reach the network equally sharp.
The pixels go through the bundle's graphs, which the browser runs too.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from face_expression.boxes import Box, box_size
from face_expression.model.config import CropRule, CropSettings, InputSettings
from face_expression.model.graphs import Graphs, embedded_graphs

_BATCH = 256


@dataclass(frozen=True)
class CropRegion:
    """A square of the frame, in pixels, turned clockwise (as seen) by `angle_deg` about its centre."""

    center_x: float
    center_y: float
    side_px: float
    angle_deg: float


def require_rgb(frame: np.ndarray) -> None:
    """Check that `frame` is RGB uint8 (H, W, 3) with at least one pixel.

    Raises:
        ValueError: with what was got instead.
    """
    if not isinstance(frame, np.ndarray):
        raise ValueError(f"expected an RGB uint8 array (H, W, 3), got {type(frame).__name__}")
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or frame.size == 0:
        raise ValueError(f"expected an RGB uint8 array (H, W, 3), got {frame.dtype} {frame.shape}")


def is_grey(crop: object) -> bool:
    """Whether `crop` is a grey uint8 (H, W) with at least one pixel."""
    return isinstance(crop, np.ndarray) and crop.dtype == np.uint8 and crop.ndim == 2 and crop.size > 0


def region_of_detection(
    box: Box, landmarks: tuple[tuple[float, float], ...] | None, rule: CropRule, settings: CropSettings
) -> CropRegion:
    """The crop that belongs to a detector's box, to an eighth of a pixel and of a degree.

    Two builds of a detector place a box some hundred-thousandths of a pixel apart; finer steps than these would let
    that change pixels of the crop.

    Args:
        box: xyxy in pixels of the frame.
        landmarks: five points (the eye left in the picture, the eye right in the picture, nose, mouth corners), or
            None.
        rule: where this detector's boxes lie in the training crops.
        settings: whether the eyes' line is levelled.
    """
    unit = max(box_size(box), 1.0)
    angle = levelling_angle_deg(landmarks, settings)
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    shift_x, shift_y = rule.shift_x * unit, rule.shift_y * unit
    return CropRegion(
        center_x=_to_eighths((box[0] + box[2]) / 2 + cos * shift_x - sin * shift_y),
        center_y=_to_eighths((box[1] + box[3]) / 2 + sin * shift_x + cos * shift_y),
        side_px=_to_eighths(rule.scale * unit),
        angle_deg=_to_eighths(angle),
    )


def _to_eighths(value: float) -> float:
    return round(value * 8) / 8


def levelling_angle_deg(landmarks: tuple[tuple[float, float], ...] | None, settings: CropSettings) -> float:
    """Slope of the line from the first eye to the second, in (-180, 180] degrees, positive clockwise as seen.

    0 if there are no landmarks, or eyes are not to be levelled. Where the line differs by more than
    `max_levelling_deg` from what the way from the eyes to the mouth says, the detector is taken to be wrong about the
    eyes (those of a profile fall together), and that way decides.
    """
    if landmarks is None or not settings.level_eyes:
        return 0.0
    (x0, y0), (x1, y1) = landmarks[0], landmarks[1]
    eyes = math.degrees(math.atan2(y1 - y0, x1 - x0))
    down_x = landmarks[3][0] + landmarks[4][0] - x0 - x1
    down_y = landmarks[3][1] + landmarks[4][1] - y0 - y1
    upright = math.degrees(math.atan2(-down_x, down_y)) if (down_x, down_y) != (0, 0) else 0.0
    difference = (eyes - upright + 180) % 360 - 180
    return eyes if abs(difference) <= settings.max_levelling_deg else upright


def whole_image_region(width: int, height: int) -> CropRegion:
    """The region of an image that is already a crop: the smallest square around all of it."""
    return CropRegion(width / 2, height / 2, float(max(width, height)), 0.0)


def cut_crop(frame: np.ndarray, region: CropRegion, settings: CropSettings, graphs: Graphs | None = None) -> np.ndarray:
    """Cut a region out of a frame.

    A large region is halved first and sampled on a finer grid, so that nothing aliases; the region of an image of
    exactly the crop's size gives that image back unchanged. Beyond the frame, its edge pixels are repeated.

    Args:
        frame: uint8 (H, W) or (H, W, 3).
        region: what to cut; it may reach beyond the frame.
        settings: size and oversampling.
        graphs: those of the bundle; by default the embedded ones.

    Returns:
        uint8 (S, S) or (S, S, 3), S = `settings.size_px`.
    """
    if region.side_px > settings.max_shrink * settings.size_px:
        frame, region = _shrunk(frame, region, settings.max_shrink * settings.size_px)
    grey = frame.ndim == 2
    size = settings.size_px
    halvings = max(0, math.ceil(math.log2(region.side_px / (2 * settings.oversampling * size))))
    part, pads, left, top, width, height = _part_of_frame(frame, region, 2**halvings)
    half = region.side_px / 2
    cos, sin = half * math.cos(math.radians(region.angle_deg)), half * math.sin(math.radians(region.angle_deg))
    to_part = [
        [2 * cos / width, -2 * sin / width, 2 * (region.center_x - left) / width - 1],
        [2 * sin / height, 2 * cos / height, 2 * (region.center_y - top) / height - 1],
    ]
    (crop,) = (graphs or embedded_graphs()).run(
        "crop",
        pixels=part[..., None] if grey else part,
        pads=np.array(pads, np.int64),
        halvings=np.array(halvings, np.int64),
        to_picture=np.array(to_part, np.float32),
        size=np.array([size], np.int64),
        oversampling=np.array([settings.oversampling if region.side_px > size else 1], np.int64),
    )
    return crop[..., 0] if grey else crop


def _shrunk(frame: np.ndarray, region: CropRegion, side_px: float) -> tuple[np.ndarray, CropRegion]:
    """The part of a frame around a very large region, and the region in it, of a side of about `side_px`.

    Faces that fill a large photo would take hundreds of megabytes otherwise.
    """
    factor = region.side_px / side_px
    reach = region.side_px * math.sqrt(0.5) + 2 * factor
    spans = []
    for center, side in ((region.center_x, frame.shape[1]), (region.center_y, frame.shape[0])):
        first = min(max(math.floor(center - reach), 0), side - 1)
        spans.append((first, max(first + 1, min(math.ceil(center + reach), side))))
    (left, right), (top, bottom) = spans
    size = max(1, round((right - left) / factor)), max(1, round((bottom - top) / factor))
    part = cv2.resize(frame[top:bottom, left:right], size, interpolation=cv2.INTER_AREA)
    scale_x, scale_y = size[0] / (right - left), size[1] / (bottom - top)
    center_x, center_y = (region.center_x - left) * scale_x, (region.center_y - top) * scale_y
    return part, replace(region, center_x=center_x, center_y=center_y, side_px=side_px)


def _part_of_frame(
    frame: np.ndarray, region: CropRegion, multiple: int
) -> tuple[np.ndarray, tuple[int, int, int, int], int, int, int, int]:
    """The part of a frame that a region needs, and by how many edge pixels it must grow: top, left, bottom, right.

    Returns:
        The part, the four pads, and left, top, width and height of the grown part, which are multiples of `multiple`.
    """
    reach = region.side_px * math.sqrt(0.5) + 2 * multiple
    first, size, cut, pad = [], [], [], []
    for center, side in ((region.center_x, frame.shape[1]), (region.center_y, frame.shape[0])):
        start = math.floor(center - reach)
        length = math.ceil((math.ceil(center + reach) - start) / multiple) * multiple
        inside = min(max(start, 0), side - 1), min(max(start + length, 1), side)
        first.append(start)
        size.append(length)
        cut.append(slice(inside[0], inside[1]))
        before = max(0, inside[0] - start)
        pad.append((before, length - before - (inside[1] - inside[0])))
    part = np.ascontiguousarray(frame[cut[1], cut[0]])
    return part, (pad[1][0], pad[0][0], pad[1][1], pad[0][1]), *first, *size


def to_model_inputs(crops: Sequence[np.ndarray], settings: InputSettings, graphs: Graphs | None = None) -> np.ndarray:
    """Normalise crops and enlarge them to the network's input.

    Args:
        crops: N crops of one size, uint8 (S, S) or RGB (S, S, 3); N may be 0.
        settings: channels, contrast, mean, std and input size.
        graphs: those of the bundle; by default the embedded ones.

    Returns:
        float32 (N, channels, P, P), P = `settings.size_px`.
    """
    if len(crops) == 0:
        return np.zeros((0, settings.channels, settings.size_px, settings.size_px), np.float32)
    contrast = settings.contrast
    inputs = []
    for stack in _stacks(crops):
        colors = stack.shape[3]
        grey = np.ones((1, 1)) if colors == 1 else np.reshape(settings.grey_weights, (3, 1))
        mix = grey if settings.channels == 1 else np.ones((1, 3)) if colors == 1 else np.eye(3)
        (planes,) = (graphs or embedded_graphs()).run(
            "model_input",
            crops=stack,
            mix=mix.astype(np.float32),
            normalize_contrast=np.array([contrast is not None]),
            contrast_mean=np.array([contrast.mean if contrast else 0], np.float32),
            contrast_std=np.array([contrast.std if contrast else 1], np.float32),
            min_std=np.array([contrast.min_std if contrast else 1], np.float32),
            mean=np.array(settings.mean, np.float32)[:, None],
            std=np.array(settings.std, np.float32)[:, None],
            size=np.array([settings.size_px], np.int64),
        )
        inputs.append(planes)
    return np.concatenate(inputs)


def measure_crops(
    crops: Sequence[np.ndarray], settings: InputSettings, light_percent: float, graphs: Graphs | None = None
) -> np.ndarray:
    """Shadow, highlight and sharpness of crops, as `face_expression.quality.Quality` describes them.

    Args:
        crops: N crops of one size, uint8 (S, S) or RGB (S, S, 3); N may be 0.
        settings: the grey weights.
        light_percent: see `QualityLimits`.
        graphs: those of the bundle; by default the embedded ones.

    Returns:
        float32 (N, 3).
    """
    measured = [np.zeros((0, 3), np.float32)]
    for stack in _stacks(crops):
        weights = np.ones((1, 1)) if stack.shape[3] == 1 else np.reshape(settings.grey_weights, (3, 1))
        columns = (graphs or embedded_graphs()).run(
            "quality",
            crops=stack,
            grey_weights=weights.astype(np.float32),
            percent=np.array([light_percent], np.float32),
        )
        measured.append(np.stack(columns, axis=1))
    return np.concatenate(measured)


def _stacks(crops: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Crops in their order as (N, S, S, 1 or 3), as many together as have as many channels."""
    for _, alike in itertools.groupby(crops, key=lambda crop: crop.ndim):
        stack = np.stack(list(alike))
        for start in range(0, len(stack), _BATCH):
            part = stack[start : start + _BATCH]
            yield part[..., None] if part.ndim == 3 else part
