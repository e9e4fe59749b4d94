"""The app in a process of its own, so that its memory and its files can be watched."""

import contextlib
import os
import resource
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.support.processes import ended, free_port

REPOSITORY = Path(__file__).parents[2]
PATIENCE_S = 300


@dataclass(frozen=True)
class Server:
    """`folders` are all that it may put temporary files into."""

    port: int
    process: psutil.Process
    log: Path
    folders: tuple[Path, ...]

    @property
    def address(self) -> str:
        """Where its page is."""
        return f"http://127.0.0.1:{self.port}/"

    def output(self) -> str:
        """What it wrote to its terminal."""
        return self.log.read_text(encoding="utf-8", errors="replace").strip()

    def memory_mib(self) -> float:
        """Resident memory."""
        return self.process.memory_info().rss / 2**20

    def cpu_s(self) -> float:
        """The seconds of CPU time that it has taken."""
        times = self.process.cpu_times()
        return times.user + times.system

    def files(self) -> set[Path]:
        """All files in its folders; one that is deleted meanwhile does no harm."""
        return {Path(place) / name for folder in self.folders for place, _, names in os.walk(folder) for name in names}

    def written_bytes(self) -> int | None:
        """What it has caused to be written to any disk since it began, or None where the system does not tell."""
        return self.process.io_counters().write_bytes if hasattr(self.process, "io_counters") else None


def answers(server: Server) -> bool:
    """Whether it serves its page; another program may have taken the port before it could."""
    try:
        listening = {connection.laddr.port for connection in server.process.net_connections("tcp")}
        with urllib.request.urlopen(server.address, timeout=5) as answer:
            return server.port in listening and answer.status == 200
    except (OSError, psutil.NoSuchProcess):
        return False


@contextlib.contextmanager
def running_server(folder: Path, *, descriptors: tuple[int, int] | None = None) -> Generator[Server]:
    """Start `app.py`, wait for it, and stop it afterwards; what it needs is in the given empty folder.

    Args:
        folder: empty; the app's temporary files and its log are put there.
        descriptors: how many it may have open, and may ask for; None leaves what is usual here.

    Raises:
        SystemExit: if it does not start; the message has its output.
    """
    uploads, temporary, log = folder / "gradio", folder / "temporary", folder / "app.log"
    uploads.mkdir(parents=True)
    temporary.mkdir()
    port = free_port()
    places = {"GRADIO_TEMP_DIR": str(uploads), "TMPDIR": str(temporary), "HOST": "127.0.0.1", "PORT": str(port)}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=REPOSITORY,
            env={**os.environ, **places, "PYTHONUNBUFFERED": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    if descriptors is not None:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, descriptors)
    with ended(process):
        server = Server(port, psutil.Process(process.pid), log, (uploads, temporary))
        give_up_at = time.monotonic() + PATIENCE_S
        while not answers(server):
            if process.poll() is not None or time.monotonic() > give_up_at:
                raise SystemExit(f"the app does not start:\n{server.output()}")
            time.sleep(0.2)
        yield server
