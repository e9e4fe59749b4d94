"""Ctrl-C that lets a command finish its files."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager

INTERRUPTED = 130  # the exit code of a command that Ctrl-C ended


@contextmanager
def interruption() -> Generator[threading.Event]:
    """Set by the first Ctrl-C, so that files can be finished; the second one interrupts as usual."""
    stop = threading.Event()
    before = signal.getsignal(signal.SIGINT)

    def on_first(*_) -> None:
        stop.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, on_first)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
