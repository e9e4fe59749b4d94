"""Whose sessions there are, and which are in use: Gradio keeps the last values of all components for each."""

import contextlib
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Generator

from space.limits import Limits


class Sessions:
    """The sessions of all clients. To be called from one event loop.

    A client that opens too many loses the one that it has not used for longest; where there are too many in all, it is
    the client with most of them. `forget` drops what is kept for a session.
    """

    def __init__(self, limits: Limits, *, forget: Callable[[str], None]):
        self._limits = limits
        self._forget = forget
        self._open: Counter[str] = Counter()
        # Each with its client and when it was last used, the longest unused first.
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()

    def touch(self, session: str, client: str) -> None:
        """Note that a client uses a session."""
        owner, _ = self._known.pop(session, (client, 0.0))
        self._known[session] = owner, time.monotonic()
        owners = Counter(owner for owner, _ in self._known.values())
        if owners[owner] > self._limits.sessions_of_one:
            self._forget_oldest(owner)
        elif len(self._known) > self._limits.most_sessions:
            self._forget_oldest(max(owners, key=lambda name: owners[name]))

    @contextlib.contextmanager
    def opened(self, session: str, client: str) -> Generator[None]:
        """While it lasts, a session is in use, as a page that stays open says."""
        self.touch(session, client)
        self._open[session] += 1
        try:
            yield
        finally:
            self._open[session] -= 1
            self._open += Counter()
            if session in self._known:
                self.touch(session, client)

    def forget(self, session: str) -> None:
        """Drop a session that has ended."""
        self._known.pop(session, None)
        self._forget(session)

    def forget_unused(self, is_busy: Callable[[str], bool]) -> None:
        """Drop the sessions that nobody has used for long, and that are not open or busy."""
        oldest_s = time.monotonic() - self._limits.unread_s
        for session, (_, used_s) in list(self._known.items()):
            if used_s < oldest_s and not self._open[session] and not is_busy(session):
                self.forget(session)

    def _forget_oldest(self, client: str) -> None:
        unused = (session for session, (owner, _) in self._known.items() if owner == client)
        closed = (session for session, (owner, _) in self._known.items() if owner == client and not self._open[session])
        self.forget(next(closed, None) or next(unused))
