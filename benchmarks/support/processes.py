"""What benchmarks and tests need to start programs as processes of their own, and to end them."""

import contextlib
import itertools
import os
import secrets
import socket
import subprocess
from collections.abc import Generator
from typing import Protocol

PATIENCE_S = 20
# Linux gives ports from 32768 upwards to whoever asks for any, which may be before a program binds the one it was told.
# Of several processes of tests, each has a range of its own; those of another checkout begin elsewhere in it.
_PORTS_OF_ONE = 1000
_RANGES = 12
_first_port = 20_000 + _PORTS_OF_ONE * (int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _RANGES)
_begin = secrets.randbelow(_PORTS_OF_ONE)
_ports = itertools.cycle([_first_port + (_begin + step) % _PORTS_OF_ONE for step in range(_PORTS_OF_ONE)])


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
    """A port of this machine that nobody uses now, and nobody else here is given soon."""
    for port in itertools.islice(_ports, _PORTS_OF_ONE):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError(f"no port is free of the {_PORTS_OF_ONE} from {_first_port}")


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
