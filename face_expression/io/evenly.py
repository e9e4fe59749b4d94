"""An even choice of so many of a list, the same every time."""

import numpy as np


def evenly(count: int, most: int) -> np.ndarray:
    """Places of at most `most` of `count` things, spread from the first to the last: int64, ascending, each once."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))
