"""HDR pictures and video (PQ or HLG) -> what an ordinary screen shows, in which faces have their usual brightness.

PQ: SMPTE ST 2084. HLG, and the colours of both: ITU-R BT.2100. White at 203 cd/m2: ITU-R BT.2408. What is brighter
is not cut off but runs softly into white.
"""

from functools import lru_cache

import cv2
import numpy as np

PQ, HLG = 16, 18  # as ITU-T H.273 numbers transfer characteristics
_BT709_PRIMARIES = 1
_WHITE_NITS = 203.0
_BT2020_TO_BT709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
)
_KNEE = 0.75
_BRIGHTEST = 4.0  # times white, where the curve is level


def is_hdr(transfer: int) -> bool:
    """Whether a frame's transfer characteristic is one of HDR."""
    return transfer in (PQ, HLG)


def to_sdr(pixels: np.ndarray, transfer: int, primaries: int) -> np.ndarray:
    """Map the tones of one frame.

    Args:
        pixels: RGB uint16 (H, W, 3), full range.
        transfer: `PQ` or `HLG`.
        primaries: as H.273 numbers them; all but BT.709 are taken for BT.2020.

    Returns:
        RGB uint8 (H, W, 3).
    """
    light = _light_of(transfer)[pixels]
    if primaries != _BT709_PRIMARIES:
        light = cv2.transform(light, _BT2020_TO_BT709)
    steps = np.clip(light * (65535 / _BRIGHTEST), 0, 65535).astype(np.uint16)
    return _shown()[steps]


@lru_cache(maxsize=2)
def _light_of(transfer: int) -> np.ndarray:
    """Each of 65,536 values as light, white being 1: float32."""
    value = np.arange(65536) / 65535
    if transfer == PQ:
        power = value ** (32 / 2523)
        nits = 10_000 * (np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)) ** (16384 / 2610)
    else:
        bright = (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
        nits = 1000 * np.where(value <= 0.5, value**2 / 3, bright) ** 1.2
    return (nits / _WHITE_NITS).astype(np.float32)


@lru_cache(maxsize=1)
def _shown() -> np.ndarray:
    """Light from 0 to `_BRIGHTEST` in 65,536 steps as sRGB: uint8."""
    light = np.arange(65536) * (_BRIGHTEST / 65535)
    soft = _KNEE + (1 - _KNEE) * (1 - np.exp(-(light - _KNEE) / (1 - _KNEE)))
    light = np.where(light < _KNEE, light, soft)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(255 * encoded).astype(np.uint8)
