"""How many requests each client may send, whatever they are for."""

import time
from collections.abc import Callable

from space.limits import Limits
from space.traffic.token_bucket import TokenBuckets

# So many seconds' worth of requests at once: a page that is opened asks for a hundred files.
BURST_S = 6


class RequestBudget:
    """Requests of each client; one that is refused counts as many, so that who goes on soon has none left.

    `late_s`: who has none left is refused after such a time, so that what is sent one after the other is held up.
    """

    def __init__(self, limits: Limits, *, clock_s: Callable[[], float] = time.monotonic):
        self.late_s = limits.late_s
        self._of_a_refusal = limits.requests_of_a_refusal
        self._requests = TokenBuckets(limits.requests_a_second, BURST_S * limits.requests_a_second, clock_s=clock_s)

    def take(self, client: str) -> float:
        """Count a request; returns 0, or the seconds until there is one again."""
        return self._requests.take(client)

    def charge_refusal(self, client: str) -> None:
        """Count a request that was refused."""
        self._requests.charge(client, self._of_a_refusal)

    def wait_s(self, client: str) -> float:
        """Seconds until a client has a request again; 0 if it has one."""
        return self._requests.wait_s(client)
