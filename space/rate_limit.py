"""How often one address may ask."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

MINUTE_S = 60.0
# Who has one address of IPv6 has all of such a block.
_BLOCK_BITS = 64


class RateLimit:
    """So many requests a minute for each address, saved up to one minute's worth.

    It remembers the addresses of the last `most_addresses` only: memory does not grow with the number of visitors.
    """

    def __init__(self, a_minute: int, *, most_addresses: int = 10_000, clock_s: Callable[[], float] = time.monotonic):
        self.a_minute = a_minute
        self._most_addresses = most_addresses
        self._clock_s = clock_s
        self._lock = threading.Lock()
        # For each address: how many requests it has left, and when that was so.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def ask(self, address: str) -> float:
        """Count a request, and say for how many seconds it comes too early; 0 if it may go on."""
        key, now_s = _block(address), self._clock_s()
        with self._lock:
            left, then_s = self._left.pop(key, (float(self.a_minute), now_s))
            left = min(self.a_minute, left + (now_s - then_s) * self.a_minute / MINUTE_S)
            self._left[key] = (max(left - 1, 0.0) if left >= 1 else left, now_s)
            if len(self._left) > self._most_addresses:
                self._left.popitem(last=False)
        return 0.0 if left >= 1 else (1 - left) * MINUTE_S / self.a_minute


def _block(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(ip_network((parsed, _BLOCK_BITS), strict=False))
    return str(parsed)
