"""An event loop in which a client with hundreds of connections does not hold up those who have one."""

import asyncio
import selectors
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, cast

# Connections that may wait to be accepted, and how many of them are accepted in each round of the loop.
_BACKLOG = 1024
ACCEPTED_AT_ONCE = 1
_HUNG_UP_AT_ONCE = 20
# Of one client, in each round.
_SERVED_AT_ONCE = 2


class FairSelector(selectors.DefaultSelector):
    """Reports few of one client's connections that are ready at a time; the others have their turn in later rounds.

    `client_of` names the client of each descriptor that is a visitor's connection; all other descriptors are always
    reported.
    """

    def __init__(self):
        super().__init__()
        self.client_of: dict[int, str] = {}
        self._first = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As `selectors` has it; what is left out is still ready at the next call."""
        ready = super().select(timeout)
        if len(ready) <= _SERVED_AT_ONCE:
            return ready
        # From another place each time, so that each connection has its turn.
        self._first = (self._first + _SERVED_AT_ONCE) % len(ready)
        served: Counter[str] = Counter()
        chosen = []
        for key, events in (*ready[self._first :], *ready[: self._first]):
            client = self.client_of.get(key.fd)
            if client is not None:
                served[client] += 1
            if client is None or served[client] <= _SERVED_AT_ONCE:
                chosen.append((key, events))
        return chosen


class _ListeningSocket(socket.socket):
    """Hangs up on clients that are not admitted before the event loop hears of them, which costs it very little."""

    is_admitted: Callable[[str], bool]

    @classmethod
    def like(cls, listening: socket.socket, is_admitted: Callable[[str], bool]) -> "_ListeningSocket":
        """Listens where the other one does, which can be closed."""
        its = cls(fileno=listening.dup().detach())
        its.is_admitted = is_admitted
        its.setblocking(False)
        return its

    def accept(self) -> tuple[socket.socket, Any]:
        """The next connection of a client that is admitted."""
        for _ in range(_HUNG_UP_AT_ONCE):
            connection, address = super().accept()
            if self.is_admitted(address[0]):
                return connection, address
            connection.close()
        raise BlockingIOError


class _Servers:
    """Several servers as one, as far as uvicorn needs it: one for each address of a name."""

    def __init__(self, servers: Sequence[asyncio.Server]):
        self._servers = servers
        self.sockets = tuple(socket for server in servers for socket in server.sockets)

    def close(self) -> None:
        """Stop listening."""
        for server in self._servers:
            server.close()

    async def wait_closed(self) -> None:
        """Wait until all connections have ended."""
        await asyncio.gather(*(server.wait_closed() for server in self._servers))


class FairLoop(asyncio.SelectorEventLoop):
    """Serves clients in turn, and does other things, too, while hundreds of connections come at once.

    `is_admitted` says of an address whether one more connection of it is taken now.
    """

    def __init__(self, is_admitted: Callable[[str], bool]):
        self.selector = FairSelector()
        self._is_admitted = is_admitted
        super().__init__(self.selector)

    async def create_server(self, protocol_factory, host=None, port=None, **options) -> asyncio.Server:
        """As asyncio does; but `backlog`, which is how many are accepted at once, does not say how many may wait."""
        found = await super().create_server(protocol_factory, host, port, **options)
        sockets = [_ListeningSocket.like(listening, self._is_admitted) for listening in found.sockets]
        found.close()
        options.pop("sock", None)
        servers = []
        for each in sockets:
            servers.append(await super().create_server(protocol_factory, sock=each, **options))
            # asyncio has set it to `backlog`.
            each.listen(_BACKLOG)
        return cast("asyncio.Server", _Servers(servers))
