"""Connections to the server: how many there are, and for how long one may say or take nothing.

`ConnectionLimits.protocol` is what uvicorn makes for each connection. Who holds hundreds open and sends nothing keeps
nobody out: an idle connection is closed for a new one. Who opens hundreds a second is hung up on.
"""

import asyncio
import functools
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol

from space.traffic.event_loop import ACCEPTED_AT_ONCE, FairLoop
from space.traffic.rate_limit import client_block
from space.traffic.request_budget import RequestBudget
from space.traffic.token_bucket import TokenBuckets

# Descriptors for everything else: files, libraries, the event loop.
_OTHER_DESCRIPTORS = 256
# The event loop takes so many rounds from accepting a connection until one that gives way for it is closed, and may
# accept as many in each.
_ROUNDS = 4


@dataclass(frozen=True)
class ConnectionLimits:
    """`most` connections at once, and seconds until a connection is closed.

    `headers_s` for a whole head of a request; `silent_s` for the next part of a body; `deaf_s` if the other side takes
    nothing of an answer. A client may open `new_at_once` connections, and `new_a_second` after that; it has no answer
    to those beyond.
    """

    most: int = 1000
    new_at_once: int = 200
    new_a_second: float = 10.0
    headers_s: float = 10.0
    silent_s: float = 20.0
    deaf_s: float = 30.0

    @classmethod
    def of_this_process(cls) -> "ConnectionLimits":
        """What the descriptors allow that this process may have; asks the system for as many as `most` needs."""
        allowed, at_most = resource.getrlimit(resource.RLIMIT_NOFILE)
        others = _OTHER_DESCRIPTORS + _ROUNDS * ACCEPTED_AT_ONCE
        wanted = cls.most + others
        if allowed != resource.RLIM_INFINITY and allowed < wanted:
            allowed = wanted if at_most == resource.RLIM_INFINITY else min(wanted, at_most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, at_most))
        most = cls.most if allowed == resource.RLIM_INFINITY else min(cls.most, allowed - others)
        return cls(most=max(most, 8))

    def protocol(self, budget: RequestBudget) -> type[H11Protocol]:
        """A protocol for uvicorn whose connections keep these limits, and read nothing of who has no requests left."""
        return type("LimitedProtocol", (_LimitedProtocol,), {"limits": self, "open": _Open(), "budget": budget})

    def uvicorn_options(self, budget: RequestBudget, *, proxies: str | None = None) -> dict[str, object]:
        """What `uvicorn.Config` is given; `proxies` are addresses that name others as clients, as uvicorn has them."""
        proxies = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1") if proxies is None else proxies
        new = TokenBuckets(self.new_a_second, self.new_at_once)

        def is_admitted(address: str) -> bool:
            return _is_proxy(address, proxies) or not new.take(client_block(address))

        return {
            "http": self.protocol(budget),
            "loop": functools.partial(FairLoop, is_admitted),
            "forwarded_allow_ips": proxies,
            "backlog": ACCEPTED_AT_ONCE,
            "timeout_graceful_shutdown": 2,
            "h11_max_incomplete_event_size": 64_000,
        }


class _Open:
    """The open connections of each client, the longest open first."""

    def __init__(self):
        self._of: dict[str, dict[_LimitedProtocol, None]] = {}
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, connection: "_LimitedProtocol") -> None:
        """Count one more."""
        self._of.setdefault(connection.its_client, {})[connection] = None
        self._count += 1

    def discard(self, connection: "_LimitedProtocol") -> None:
        """Count it no more."""
        its = self._of.get(connection.its_client, {})
        if connection in its:
            del its[connection]
            self._count -= 1
            if not its:
                del self._of[connection.its_client]

    def first(self, is_wanted: Callable[["_LimitedProtocol"], bool]) -> "_LimitedProtocol | None":
        """The longest open one that is wanted, of the client with most connections that has one."""
        for its in sorted(self._of.values(), key=len, reverse=True):
            for connection in its:
                if is_wanted(connection):
                    return connection
        return None


class _LimitedProtocol(H11Protocol):
    """One connection."""

    limits: ConnectionLimits
    open: _Open
    budget: RequestBudget
    its_client = ""
    _is_proxy = False
    _descriptor = -1
    _timer: asyncio.TimerHandle | None = None
    _deaf: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Take a connection, in place of an idle one if there are too many."""
        super().connection_made(transport)
        self.its_client = client_block(self.client[0] if self.client else "unknown")
        allowed = self.config.forwarded_allow_ips
        trusted = allowed if isinstance(allowed, str) else tuple(allowed or ())
        self._is_proxy = _is_proxy(self.client[0] if self.client else "", trusted)
        self._descriptor = transport.get_extra_info("socket").fileno()
        # What comes through a proxy is from many clients.
        clients = cast("FairLoop", self.loop).selector.client_of
        if self._is_proxy:
            clients.pop(self._descriptor, None)
        else:
            clients[self._descriptor] = self.its_client
        self.open.add(self)
        if len(self.open) > self.limits.most:
            self._close_an_idle_one()
        self._wait(self.limits.headers_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self.open.discard(self)
        cast("FairLoop", self.loop).selector.client_of.pop(self._descriptor, None)
        self._wait(None)
        if self._deaf is not None:
            self._deaf.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on with a head or a body; half a head is nothing yet."""
        if self._is_between_requests() and not self._is_proxy and self.budget.wait_s(self.its_client):
            # Before anything is read of it. Those behind a proxy are not known yet, and are refused later.
            self._unset_keepalive_if_required()
            self.transport.pause_reading()
            self._wait(self.budget.late_s, self._refuse)
            return
        before, had_body_to_come = self.cycle, self._has_body_to_come()
        super().data_received(data)
        if self._has_body_to_come():
            self._wait(self.limits.silent_s)
        elif had_body_to_come or self.cycle is not before:
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

    def _is_between_requests(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _refuse(self) -> None:
        """Answer a request that was not read, and close."""
        if self.transport.is_closing():
            return
        wait_s = f"{self.budget.wait_s(self.its_client) + 1:.0f}"
        words = f"too many requests; try again in {wait_s} s"
        head = f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {wait_s}\r\nConnection: close\r\n"
        about = f"Content-Type: text/plain; charset=utf-8\r\nContent-Length: {len(words)}\r\n\r\n"
        self.transport.write(f"{head}{about}{words}".encode())
        self.transport.close()

    def _wait_for_more(self) -> None:
        self._wait(None if self._is_answering() else self.limits.headers_s)

    def _wait(self, patience_s: float | None, then: Callable[[], None] | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if patience_s is None else self.loop.call_later(patience_s, then or self._abort)

    def _abort(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

    def _close_an_idle_one(self) -> None:
        """Close the longest idle connection of the client with most; or one whose body is to come; or this one."""
        idle = self.open.first(lambda other: other is not self and other._is_idle())
        victim = idle or self.open.first(lambda other: other is not self and not other._is_answering()) or self
        self.open.discard(victim)
        victim._abort()

    def _is_idle(self) -> bool:
        return not self._is_answering() and not self._has_body_to_come()


@functools.lru_cache(maxsize=1000)
def _is_proxy(address: str, allowed: str | tuple[str, ...]) -> bool:
    """Whether uvicorn believes this address when it names others as the clients of its requests."""
    trusted = allowed if isinstance(allowed, str) else list(allowed)
    return address in ProxyHeadersMiddleware(_no_app, trusted_hosts=trusted).trusted_hosts


async def _no_app(*_) -> None:
    """Nothing is asked of it."""
