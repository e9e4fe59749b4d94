"""A training set whose random choices can be made again, whatever was drawn before them."""

from typing import Any, Protocol

import numpy as np
import torch


class _Items(Protocol):
    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> dict[str, np.ndarray]: ...


class SeededItems:
    """Items that depend on seed, epoch and number alone, so that a resumed run sees what an unbroken one would.

    Loaders prepare a batch ahead of the one that is learned, and in several processes: what they would draw from one
    generator in turn cannot be known from a checkpoint.

    Args:
        items: draw from torch's generator of the CPU; they are left alone with it.
        seed: of the run.
    """

    def __init__(self, items: _Items, seed: int):
        self._items = items
        self._seed = seed
        # Worker processes that outlive an epoch see the next one, too.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch begins, before its first item is asked for."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, Any]:
        seed = np.random.SeedSequence((self._seed, int(self._epoch), index)).generate_state(1, np.uint64)[0]
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(int(seed >> np.uint64(1)))
            return self._items[index]
