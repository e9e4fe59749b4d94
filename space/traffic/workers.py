"""Threads for files, which give way to the live view, and the pixels that may be decoded at once."""

import contextlib
import os
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Done = TypeVar("Done")

# More than the rest of the process has, which need not have 0.
_NICE = 10
_MOST_NICE = 19


class BusyError(ValueError):
    """There is no room now; the message is fit to be shown to who asked."""


class Workers:
    """Threads of lower priority: photos and videos take the time that frames of the live view leave."""

    def __init__(self, threads: int, name: str):
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_give_way)

    def run(self, work: Callable[..., Done], *arguments, **options) -> Done:
        """Do something there, and wait for it."""
        context = copy_context()
        return self._threads.submit(lambda: context.run(work, *arguments, **options)).result()


class PixelBudget:
    """At most `most` pixels of pictures are decoded at once; a larger one waits until it is alone."""

    def __init__(self, most: int, patience_s: float = 60.0):
        self._most = most
        self._patience_s = patience_s
        self._taken = 0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def taken(self, pixels: int) -> Generator[None]:
        """While it lasts, so many pixels are taken.

        Raises:
            BusyError: if there is no room for them for too long.
        """
        pixels = min(pixels, self._most)
        with self._changed:
            if not self._changed.wait_for(lambda: self._taken + pixels <= self._most, self._patience_s):
                raise BusyError("too many large pictures are being read now; try again in a minute")
            self._taken += pixels
        try:
            yield
        finally:
            with self._changed:
                self._taken -= pixels
                self._changed.notify_all()


def _give_way() -> None:
    # On Linux a thread has a priority of its own; elsewhere this would be the whole process's.
    if hasattr(threading, "get_native_id") and os.uname().sysname == "Linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            before = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(before + _NICE, _MOST_NICE))
