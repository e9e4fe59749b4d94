"""What training varies: where the crop is cut, its light, its mirror image, and a patch that is blotted out.

Erasing: Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.
"""

from dataclasses import dataclass, replace

import numpy as np

from face_expression.preprocess import CropRegion


@dataclass(frozen=True)
class Augmentation:
    """Ranges of each variation; uniform within them."""

    max_angle_deg: float = 12.0
    max_shift: float = 0.08
    max_zoom: float = 0.12
    max_contrast: float = 0.4
    max_brightness: float = 35.0
    flip_probability: float = 0.5
    erase_probability: float = 0.5
    max_erased_side: float = 0.4


def jitter_region(region: CropRegion, augmentation: Augmentation, rng: np.random.Generator) -> CropRegion:
    """Turn, shift (as a fraction of the side) and zoom the region that is about to be cut."""
    shift_x, shift_y = rng.uniform(-1, 1, 2) * augmentation.max_shift * region.side_px
    return replace(
        region,
        center_x=region.center_x + shift_x,
        center_y=region.center_y + shift_y,
        side_px=region.side_px * (1 + rng.uniform(-1, 1) * augmentation.max_zoom),
        angle_deg=region.angle_deg + rng.uniform(-1, 1) * augmentation.max_angle_deg,
    )


def augment_crop(crop: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Change contrast about the crop's mean, add brightness, and mirror; uint8 in, uint8 out."""
    contrast = 1 + rng.uniform(-1, 1) * augmentation.max_contrast
    brightness = rng.uniform(-1, 1) * augmentation.max_brightness
    mean = crop.mean()
    varied = np.clip((crop - mean) * contrast + mean + brightness, 0, 255).astype(np.uint8)
    return varied[:, ::-1] if rng.random() < augmentation.flip_probability else varied


def erase(model_input: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Blot out one rectangle of a (C, P, P) input with its mean value."""
    if rng.random() >= augmentation.erase_probability:
        return model_input
    size = model_input.shape[-1]
    height, width = (rng.uniform(0.1, augmentation.max_erased_side, 2) * size).astype(int)
    top, left = rng.integers(0, size - height + 1), rng.integers(0, size - width + 1)
    erased = model_input.copy()
    erased[:, top : top + height, left : left + width] = model_input.mean()
    return erased
