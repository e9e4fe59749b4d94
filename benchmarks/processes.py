"""What benchmarks and tests need to start programs as processes of their own, and to end them."""

import contextlib
import socket
import subprocess
from collections.abc import Generator
from typing import Protocol

PATIENCE_S = 20


class Process(Protocol):
    """What `subprocess.Popen` and what is like it have."""

    def terminate(self) -> None:
        """Send SIGTERM."""

    def kill(self) -> None:
        """Send SIGKILL."""

    def wait(self, timeout: float = ...) -> int:
        """Wait for the end; `subprocess.TimeoutExpired` after so many seconds."""
        ...


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def ended(process: Process) -> Generator[None]:
    """Terminate a process after the block, and kill it if it has not ended 20 s later."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
