"""What benchmarks and tests need to start programs as processes of their own, and to end them."""

import contextlib
import socket
import subprocess
from collections.abc import Iterator

PATIENCE_S = 20


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def ended(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """Terminate a process after the block, and kill it if it has not ended 20 s later."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
