"""Which images of one split occur in another one, pixel for pixel or nearly.

Two images are near duplicates if, both averaged down to 16 x 16 grey pixels, they correlate by more than 0.95, as they
are or with one of them mirrored: another size, crop, watermark, compression, brightness or contrast of the same
picture. (Of some inspected FER2013 pairs, all above 0.96 showed the same picture; many below 0.94 did not.)
"""

import hashlib

import cv2
import datasets
import numpy as np
from tqdm import tqdm

from train.data.dataset import decode

SIDE_PX = 16
MIN_CORRELATION = 0.95
_ROWS_AT_ONCE = 256
_MIN_NORM = 1e-3


def find_duplicates(rows: datasets.Dataset, others: datasets.Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Which of `rows` occur in `others`: (N,) bool pixel for pixel, and (N,) bool those or nearly."""
    digests, thumbnails = _fingerprints(rows, "looking for duplicates")
    other_digests, other_thumbnails = _fingerprints(others, "looking for duplicates in the other split")
    seen = set(other_digests)
    exact = np.array([digest in seen for digest in digests], bool)
    return exact, exact | (_largest_correlation(thumbnails, other_thumbnails) > MIN_CORRELATION)


def _largest_correlation(thumbnails: np.ndarray, others: np.ndarray) -> np.ndarray:
    """(N, S, S) and (M, S, S) -> (N,): with any of the others, mirrored or not."""
    columns = others.reshape(len(others), -1).T
    largest = []
    for start in range(0, len(thumbnails), _ROWS_AT_ONCE):
        part = thumbnails[start : start + _ROWS_AT_ONCE]
        views = (part, part[:, :, ::-1])
        largest.append(np.max([(view.reshape(len(part), -1) @ columns).max(1) for view in views], axis=0))
    return np.concatenate(largest)


def _fingerprints(rows: datasets.Dataset, doing: str) -> tuple[list[bytes], np.ndarray]:
    """Each image's sha256 of shape and pixels, and (N, S, S) float32 thumbnails of mean 0 and norm 1 (0 if flat)."""
    digests, thumbnails = [], []
    for image in tqdm(rows["image"], unit="face", desc=doing, leave=False):
        pixels = decode(image)
        digests.append(hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest())
        grey = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey.astype(np.float32), (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA)
        small -= small.mean()
        norm = np.linalg.norm(small)
        thumbnails.append(small / norm if norm > _MIN_NORM else np.zeros_like(small))
    return digests, np.stack(thumbnails)
