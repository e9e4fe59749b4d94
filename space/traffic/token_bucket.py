"""How often something may happen, for each of many keys."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable


class TokenBuckets:
    """A token bucket for each key: it fills with `per_s` tokens a second, and holds `most`.

    Only the `most_keys` last used keys are remembered, so memory does not grow with the number of clients.
    """

    def __init__(
        self, per_s: float, most: float, *, most_keys: int = 10_000, clock_s: Callable[[], float] = time.monotonic
    ):
        self.per_s = per_s
        self.most = most
        self._most_keys = most_keys
        self._clock_s = clock_s
        self._lock = threading.Lock()
        # For each key: how many tokens it had, and when.
        self._tokens: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, amount: float = 1.0) -> float:
        """Take tokens; returns 0, or the seconds until there are enough, and takes none then."""
        now_s = self._clock_s()
        with self._lock:
            tokens = self._tokens_at(key, now_s)
            enough = tokens >= amount
            self._put(key, tokens - amount if enough else tokens, now_s)
        return 0.0 if enough else (amount - tokens) / self.per_s

    def charge(self, key: str, amount: float) -> None:
        """Take tokens that were spent already, or all that there are."""
        now_s = self._clock_s()
        with self._lock:
            self._put(key, max(self._tokens_at(key, now_s) - amount, 0.0), now_s)

    def wait_s(self, key: str, amount: float = 1.0) -> float:
        """The seconds until there are so many tokens, of which none is taken; 0 if there are."""
        with self._lock:
            return max(amount - self._tokens_at(key, self._clock_s()), 0.0) / self.per_s

    def _tokens_at(self, key: str, now_s: float) -> float:
        tokens, then_s = self._tokens.get(key, (self.most, now_s))
        return min(self.most, tokens + max(now_s - then_s, 0.0) * self.per_s)

    def _put(self, key: str, tokens: float, now_s: float) -> None:
        self._tokens[key] = tokens, now_s
        self._tokens.move_to_end(key)
        if len(self._tokens) > self._most_keys:
            self._tokens.popitem(last=False)
