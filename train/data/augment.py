"""What training varies: where the crop is cut, its light, what a camera does to it, its mirror image, a blotted patch.

Erasing: Zhong et al., "Random Erasing Data Augmentation", AAAI 2020.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from face_expression.errors import required
from face_expression.model.preprocess import CropRegion


@dataclass(frozen=True)
class Augmentation:
    """Ranges of each variation, uniform within them, and how often each is applied.

    Lengths are fractions of the crop's side or pixels of the crop; grey levels are of 0..255.
    """

    max_angle_deg: float = 15.0
    max_shift: float = 0.08
    zoom: tuple[float, float] = (0.86, 1.2)
    max_contrast: float = 0.4
    max_brightness: float = 35.0
    flip_probability: float = 0.5
    gamma_probability: float = 0.2
    max_log2_gamma: float = 1.0
    side_light_probability: float = 0.2
    max_side_light_stops: float = 3.0
    low_light_probability: float = 0.1
    max_low_light_stops: float = 2.5
    blur_probability: float = 0.15
    max_blur_px: float = 1.2
    downscale_probability: float = 0.15
    min_downscaled: float = 0.4
    noise_probability: float = 0.2
    max_noise: float = 8.0
    jpeg_probability: float = 0.15
    jpeg_quality: tuple[int, int] = (15, 70)
    erase_probability: float = 0.5
    max_erased_side: float = 0.4


def jitter_region(region: CropRegion, augmentation: Augmentation, rng: np.random.Generator) -> CropRegion:
    """Turn, shift (as a fraction of the side) and zoom the region that is about to be cut."""
    shift_x, shift_y = rng.uniform(-1, 1, 2) * augmentation.max_shift * region.side_px
    return replace(
        region,
        center_x=region.center_x + shift_x,
        center_y=region.center_y + shift_y,
        side_px=region.side_px * rng.uniform(*augmentation.zoom),
        angle_deg=region.angle_deg + rng.uniform(-1, 1) * augmentation.max_angle_deg,
    )


def augment_crop(crop: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Vary the light, then what a camera makes of it, then mirror; uint8 in, uint8 of the same shape out."""
    varied = vary_camera(vary_light(crop, augmentation, rng), augmentation, rng)
    return varied[:, ::-1] if rng.random() < augmentation.flip_probability else varied


def vary_light(crop: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Contrast about the mean and brightness always; gamma, light from one side and too little light sometimes."""
    contrast = 1 + rng.uniform(-1, 1) * augmentation.max_contrast
    brightness = rng.uniform(-1, 1) * augmentation.max_brightness
    mean = crop.mean()
    light = np.clip((crop - mean) * contrast + mean + brightness, 0, 255).astype(np.float32)
    if rng.random() < augmentation.gamma_probability:
        light = change_gamma(light, 2.0 ** (rng.uniform(-1, 1) * augmentation.max_log2_gamma))
    if rng.random() < augmentation.side_light_probability:
        stops = rng.uniform(0, augmentation.max_side_light_stops)
        light = light_from_side(light, stops, rng.uniform(0, 360), hard=rng.random() < 0.3)
    if rng.random() < augmentation.low_light_probability:
        light = light * np.float32(2.0 ** -rng.uniform(0, augmentation.max_low_light_stops))
    return light.astype(np.uint8)


def vary_camera(crop: np.ndarray, augmentation: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """Blur, few pixels, noise and compression, each sometimes."""
    if rng.random() < augmentation.blur_probability:
        crop = cv2.GaussianBlur(crop, (0, 0), rng.uniform(0.3, augmentation.max_blur_px))
    if rng.random() < augmentation.downscale_probability:
        crop = downscale(crop, rng.uniform(augmentation.min_downscaled, 1))
    if rng.random() < augmentation.noise_probability:
        crop = add_noise(crop, rng.uniform(0, augmentation.max_noise), rng)
    if rng.random() < augmentation.jpeg_probability:
        crop = compress(crop, int(rng.integers(*augmentation.jpeg_quality, endpoint=True)))
    return crop


def change_gamma(crop: np.ndarray, gamma: float) -> np.ndarray:
    """Raise a crop (0..255) to a power: float32; above 1 darkens the middle tones."""
    return np.float32(255) * (np.asarray(crop, np.float32) / np.float32(255)) ** np.float32(gamma)


def light_from_side(crop: np.ndarray, stops: float, direction_deg: float, *, hard: bool = False) -> np.ndarray:
    """Darken a crop (0..255) towards one side by up to `stops` halvings of the light: float32.

    `hard` makes it a shadow with an edge through the middle instead of an even fall.
    """
    size = crop.shape[0]
    axis = np.linspace(-1, 1, size, dtype=np.float32)
    angle = np.deg2rad(direction_deg)
    along = np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None]
    shade = 1 / (1 + np.exp(-12 * along)) if hard else np.clip((along + 1) / 2, 0, 1)
    factor = np.exp2(-stops * shade).astype(np.float32)
    return np.asarray(crop, np.float32) * (factor if crop.ndim == 2 else factor[..., None])


def downscale(crop: np.ndarray, fraction: float) -> np.ndarray:
    """Bring a crop to a fraction of its size and back."""
    side = max(2, round(crop.shape[0] * fraction))
    small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def add_noise(crop: np.ndarray, deviation: float, rng: np.random.Generator) -> np.ndarray:
    """Add normal noise of a standard deviation in grey levels."""
    return np.clip(crop + rng.normal(0, deviation, crop.shape), 0, 255).astype(np.uint8)


def compress(crop: np.ndarray, quality: int) -> np.ndarray:
    """Write a crop as JPEG of a quality (1 to 100) and read it back."""
    _, encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return required(cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED))


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
