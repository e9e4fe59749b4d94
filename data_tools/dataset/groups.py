"""Which faces belong together: same file, same page, or pictures that look alike.

Perceptual hashes are compared all with all, in blocks, so that memory stays bounded however many there are.
"""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from tqdm import tqdm

_PAIRS_AT_ONCE = 1_000_000


@dataclass(frozen=True, eq=False)
class Traits:
    """What ties faces together, of N faces: None stands for what is not known, and ties nothing.

    `phash` and `phash_mirrored`: 16 hexadecimal digits each.
    """

    content_sha256: Sequence[str | None]
    page_url: Sequence[str | None]
    phash: Sequence[str | None]
    phash_mirrored: Sequence[str | None]


def pairs_together(traits: Traits, bits: int) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Pairs of faces that belong together: why, and two (P,) int64 arrays of their numbers, some at a time.

    Of faces with the same file or page, each is paired with the one before it only, which ties them all together.

    Args:
        traits: of N faces.
        bits: pictures look alike if their hashes, one of them mirrored or not, differ in at most so many bits.
    """
    yield "the same file", *_same(traits.content_sha256)
    yield "the same page", *_same(traits.page_url)
    for first, second in _alike(traits, bits):
        yield "pictures that look alike", first, second


def group(traits: Traits, bits: int) -> np.ndarray:
    """Number the groups of faces that belong together directly or through others: (N,) int64."""
    count = len(traits.phash)
    groups = np.arange(count)
    for _, first, second in pairs_together(traits, bits):
        first, second = groups[first], groups[second]
        apart = first != second
        if apart.any():
            ties = (np.ones(apart.sum(), bool), (first[apart], second[apart]))
            groups = connected_components(coo_array(ties, shape=(count, count)), directed=False)[1][groups]
    return groups


def _same(values: Sequence[Hashable | None]) -> tuple[np.ndarray, np.ndarray]:
    last: dict[Hashable, int] = {}
    pairs = []
    for number, value in enumerate(values):
        if value is not None:
            if value in last:
                pairs.append((last[value], number))
            last[value] = number
    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    return first, second


def _alike(traits: Traits, bits: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    known = np.array([number for number, value in enumerate(traits.phash) if value is not None], np.int64)
    plain = np.array([int(traits.phash[number], 16) for number in known], np.uint64)
    mirrored = np.array([int(traits.phash_mirrored[number], 16) for number in known], np.uint64)
    rows = max(1, _PAIRS_AT_ONCE // max(1, len(known)))
    for start in tqdm(range(0, len(known), rows), unit="block", desc="comparing pictures", leave=False):
        these = slice(start, start + rows)
        near = np.zeros((len(plain[these]), len(plain) - start), bool)
        for one, other in ((plain, plain), (plain, mirrored), (mirrored, plain)):
            near |= np.bitwise_count(one[these, None] ^ other[None, start:]) <= bits
        first, second = np.nonzero(np.triu(near, 1))
        yield known[first + start], known[second + start]
