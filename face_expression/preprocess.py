"""Frame + detection -> crop -> model input: one way for training, evaluation, app and command line.

A crop is first cut at the resolution the model was trained on (`crop.size_px`, 48 for FER2013) and only then enlarged
to the network's input, so that a sharp photograph and a small training image reach the network equally sharp.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from face_expression.boxes import Box, box_size
from face_expression.config import ContrastSettings, CropRule, CropSettings, InputSettings

_BORDERS = {"replicate": cv2.BORDER_REPLICATE, "reflect_101": cv2.BORDER_REFLECT_101}


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
    """Slope of the line from the first eye to the second, in degrees, positive clockwise as seen.

    0 if there are no landmarks, eyes are not to be levelled, or the line is steeper than `max_levelling_deg`, which is
    taken for a mistake of the detector (the eyes of a profile fall together).
    """
    if landmarks is None or not settings.level_eyes:
        return 0.0
    (x0, y0), (x1, y1) = landmarks[0], landmarks[1]
    angle = math.degrees(math.atan2(y1 - y0, x1 - x0))
    return angle if abs(angle) <= settings.max_levelling_deg else 0.0


def whole_image_region(width: int, height: int) -> CropRegion:
    """The region of an image that is already a crop: the smallest square around all of it."""
    return CropRegion(width / 2, height / 2, float(max(width, height)), 0.0)


def cut_crop(frame: np.ndarray, region: CropRegion, settings: CropSettings) -> np.ndarray:
    """Cut a region out of a frame.

    A region larger than the crop is sampled on a finer grid and averaged, so that nothing aliases; the region of an
    image of exactly the crop's size gives that image back unchanged.

    Args:
        frame: uint8 (H, W) or (H, W, 3).
        region: what to cut; it may reach beyond the frame.
        settings: size and border fill.

    Returns:
        uint8 (S, S) or (S, S, 3), S = `settings.size_px`.
    """
    oversampling = min(max(1, math.ceil(region.side_px / settings.size_px - 1e-6)), settings.max_oversampling)
    grid_px = settings.size_px * oversampling
    step = region.side_px / grid_px
    cos, sin = math.cos(math.radians(region.angle_deg)) * step, math.sin(math.radians(region.angle_deg)) * step
    first = (grid_px - 1) / 2
    grid_to_frame = np.array(
        [
            [cos, -sin, region.center_x - 0.5 - cos * first + sin * first],
            [sin, cos, region.center_y - 0.5 - sin * first - cos * first],
        ]
    )
    part, grid_to_part = _part_of_frame(frame, region, grid_to_frame, shrink=math.ceil(step))
    crop = cv2.warpAffine(
        part,
        grid_to_part,
        (grid_px, grid_px),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=_BORDERS[settings.border],
    )
    if oversampling == 1:
        return crop
    return cv2.resize(crop, (settings.size_px, settings.size_px), interpolation=cv2.INTER_AREA)


def _part_of_frame(
    frame: np.ndarray, region: CropRegion, grid_to_frame: np.ndarray, *, shrink: int
) -> tuple[np.ndarray, np.ndarray]:
    """The part of a frame that a region needs, `shrink` times smaller, and the way from the grid into it.

    `cv2.warpAffine` takes no picture with a side of 32,767 px or more, and would skip pixels of a large region.
    """
    reach = region.side_px * math.sqrt(0.5) + 2 * shrink + 2
    height, width = frame.shape[:2]
    left, right = (round(min(max(x, 0), width - 1)) for x in (region.center_x - reach, region.center_x + reach))
    top, bottom = (round(min(max(y, 0), height - 1)) for y in (region.center_y - reach, region.center_y + reach))
    part = frame[top : bottom + 1, left : right + 1]
    grid_to_part = grid_to_frame - np.array([[0, 0, left], [0, 0, top]])
    if shrink > 1:
        size = max(1, round(part.shape[1] / shrink)), max(1, round(part.shape[0] / shrink))
        scale = np.array([[size[0] / part.shape[1]], [size[1] / part.shape[0]]])
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        grid_to_part = grid_to_part * scale
        grid_to_part[:, 2:] += (scale - 1) / 2
    return part, grid_to_part


def to_grey(crop: np.ndarray, settings: InputSettings) -> np.ndarray:
    """Brightness of a crop: float32 (S, S) in 0..255."""
    if crop.ndim == 2:
        return crop.astype(np.float32)
    return crop.astype(np.float32) @ np.asarray(settings.grey_weights, np.float32)


def to_model_input(crop: np.ndarray, settings: InputSettings) -> np.ndarray:
    """Normalise a crop and enlarge it to the network's input.

    Args:
        crop: uint8 (S, S) or (S, S, 3), RGB.
        settings: channels, contrast, mean, std and input size.

    Returns:
        float32 (channels, P, P), P = `settings.size_px`.
    """
    if settings.channels == 1:
        planes = to_grey(crop, settings)[..., None]
    else:
        planes = (crop if crop.ndim == 3 else np.repeat(crop[..., None], 3, axis=2)).astype(np.float32)
    if settings.contrast is not None:
        planes = level_contrast(planes, settings.contrast)
    planes = (planes / 255.0 - np.asarray(settings.mean, np.float32)) / np.asarray(settings.std, np.float32)
    resized = cv2.resize(planes, (settings.size_px, settings.size_px), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(resized.reshape(settings.size_px, settings.size_px, -1).transpose(2, 0, 1))


def level_contrast(planes: np.ndarray, settings: ContrastSettings) -> np.ndarray:
    """Bring a crop to the same brightness and contrast as all others, whatever light it was taken in.

    Args:
        planes: float32 (S, S, channels) in 0..255; all channels are changed alike.
        settings: the mean and standard deviation wanted.

    Returns:
        float32 of the same shape, in 0..255.
    """
    gain = settings.std / max(float(planes.std()), settings.min_std)
    return np.clip((planes - planes.mean()) * np.float32(gain) + np.float32(settings.mean), 0, 255)
