"""Starts the app as a program of its own, whose packages are imported already, and asks it for pages."""

import os
import subprocess
import time
import urllib.request
from contextlib import contextmanager

from benchmarks.support.processes import ended, free_port
from tests.support.warm_programs import APP, WarmProgram, start_warm

START_LIMIT_S = 90


def wait_for_page(address: str, server: subprocess.Popen | WarmProgram) -> str:
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        assert server.poll() is None, "the app ended"
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def started(folder, home, start=("-m",), **environment):
    """The app of a folder, as a Space starts it: (address, page, its output).

    `start` may be ("-c", `WITH_PATIENCE`), for a Hub of the tests.
    """
    address = f"http://127.0.0.1:{free_port()}"
    log = home / "log"
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "GRADIO_TEMP_DIR": str(home / "files"), **environment}
    environment |= {"PORT": address.rsplit(":", 1)[1], "HF_HUB_DISABLE_XET": "1"}
    with (
        log.open("w") as output,
        start_warm(
            *start, "app", modules=APP, cwd=folder, environment=environment, stdout=subprocess.DEVNULL, stderr=output
        ) as server,
        ended(server),
    ):
        yield address, wait_for_page(f"{address}/", server), log


def read(address):
    with urllib.request.urlopen(address, timeout=60) as answer:
        return answer.read()
