"""How often one client address may ask."""

import time
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from space.traffic.token_bucket import TokenBuckets

MINUTE_S = 60.0
# Who has one address of IPv6 has all of such a block.
_BLOCK_BITS = 64


class RateLimit:
    """So many requests a minute for each client, saved up to one minute's worth."""

    def __init__(self, a_minute: int, *, most_addresses: int = 10_000, clock_s: Callable[[], float] = time.monotonic):
        self.a_minute = a_minute
        self._buckets = TokenBuckets(a_minute / MINUTE_S, a_minute, most_keys=most_addresses, clock_s=clock_s)

    def ask(self, address: str, amount: float = 1.0) -> float:
        """Count a request; returns 0, or for how many seconds it comes too early."""
        return self._buckets.take(client_block(address), amount)


@lru_cache(maxsize=1000)
def client_block(address: str) -> str:
    """What counts as one client: an address of IPv4, or a /64 block of IPv6."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or ip_network((parsed, _BLOCK_BITS), strict=False))
    return str(parsed)
