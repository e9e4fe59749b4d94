"""How many viewers a server carries, from how long the pictures before took it."""

from collections import deque
from statistics import fmean

# Of the last so many pictures the mean counts, without the slowest of them, so that a few by themselves change nothing.
_REMEMBERED = 64
_WITHOUT = 1 / 8
_KNOWN = 16


class WorkLoad:
    """What pictures cost, and what there is for them.

    Args:
        threads: analyse pictures at the same time.
        share: of their time that analysing may take; the rest is the web server's own.
    """

    def __init__(self, threads: int, share: float):
        self._available = threads * share
        self._taken_s: deque[float] = deque(maxlen=_REMEMBERED)

    def add(self, seconds: float) -> None:
        """Count a picture that took so long on its thread."""
        self._taken_s.append(seconds)

    def carries(self, pictures_per_s: float) -> bool:
        """Whether so many pictures can be analysed; yes, while too few were to know what one takes."""
        if len(self._taken_s) < _KNOWN:
            return True
        counted = sorted(self._taken_s)[: round((1 - _WITHOUT) * len(self._taken_s))]
        return pictures_per_s * fmean(counted) <= self._available
