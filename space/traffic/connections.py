"""Connections to the server: how many there are, and for how long one may say or take nothing.

`ConnectionLimits.protocol` is what uvicorn makes for each connection. None is refused as long as an idle one can be
closed in its place, so that who holds hundreds open and sends nothing keeps nobody out.
"""

import asyncio
import resource
from collections import Counter
from dataclasses import dataclass

from uvicorn.protocols.http.h11_impl import H11Protocol

from space.traffic.rate_limit import client_block

# Descriptors for everything else: files, libraries, the event loop.
_OTHER_DESCRIPTORS = 256
_BACKLOG = 128
# The event loop takes so many rounds from accepting a connection until one that gives way for it is closed, and may
# accept a whole backlog in each.
_ROUNDS = 4


@dataclass(frozen=True)
class ConnectionLimits:
    """`most` connections at once, and seconds until a connection is closed.

    `headers_s` for a whole head of a request; `silent_s` for the next part of a body; `deaf_s` if the other side takes
    nothing of an answer.
    """

    most: int = 1000
    headers_s: float = 10.0
    silent_s: float = 20.0
    deaf_s: float = 30.0

    @classmethod
    def of_this_process(cls) -> "ConnectionLimits":
        """What the descriptors allow that this process may have; asks the system for as many as `most` needs."""
        allowed, at_most = resource.getrlimit(resource.RLIMIT_NOFILE)
        others = _OTHER_DESCRIPTORS + _ROUNDS * _BACKLOG
        wanted = cls.most + others
        if allowed != resource.RLIM_INFINITY and allowed < wanted:
            allowed = wanted if at_most == resource.RLIM_INFINITY else min(wanted, at_most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, at_most))
        most = cls.most if allowed == resource.RLIM_INFINITY else min(cls.most, allowed - others)
        return cls(most=max(most, 8))

    def protocol(self) -> type[H11Protocol]:
        """A protocol for uvicorn whose connections keep these limits."""
        return type("LimitedProtocol", (_LimitedProtocol,), {"limits": self, "clients": {}})

    def uvicorn_options(self) -> dict[str, object]:
        """What `uvicorn.Config` is given."""
        return {
            "http": self.protocol(),
            "backlog": _BACKLOG,
            "timeout_graceful_shutdown": 2,
            "h11_max_incomplete_event_size": 64_000,
        }


class _LimitedProtocol(H11Protocol):
    """One connection."""

    limits: ConnectionLimits
    # The clients of all connections, the longest open first.
    clients: "dict[_LimitedProtocol, str]"
    _timer: asyncio.TimerHandle | None = None
    _deaf: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take a connection, in place of an idle one if there are too many."""
        super().connection_made(transport)
        self.clients[self] = client_block(self.client[0] if self.client else "unknown")
        if len(self.clients) > self.limits.most:
            self._close_an_idle_one()
        self._wait(self.limits.headers_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.clients.pop(self, None)
        self._wait(None)
        if self._deaf is not None:
            self._deaf.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on with a head or a body; half a head is nothing yet."""
        before = self.cycle
        super().data_received(data)
        if self._has_body_to_come():
            self._wait(self.limits.silent_s)
        elif self.cycle is not before:
            self._wait_for_more()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._wait_for_more()

    def pause_writing(self) -> None:
        """The other side takes nothing."""
        super().pause_writing()
        if self._deaf is None:
            self._deaf = self.loop.call_later(self.limits.deaf_s, self._abort)

    def resume_writing(self) -> None:
        """It takes something again."""
        super().resume_writing()
        if self._deaf is not None:
            self._deaf.cancel()
            self._deaf = None

    def _has_body_to_come(self) -> bool:
        return self.cycle is not None and self.cycle.more_body and not self.cycle.response_complete

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def _wait_for_more(self) -> None:
        self._wait(None if self._is_answering() else self.limits.headers_s)

    def _wait(self, patience_s: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if patience_s is None else self.loop.call_later(patience_s, self._abort)

    def _abort(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

    def _close_an_idle_one(self) -> None:
        """Close the longest idle connection of the client with most; or one whose body is to come; or this one."""
        counts = Counter(self.clients.values())
        others = [other for other in self.clients if other is not self and not other._is_answering()]
        victim = max(
            others, key=lambda other: (not other._has_body_to_come(), counts[self.clients[other]]), default=self
        )
        del self.clients[victim]
        victim._abort()
