"""Runs this project's programs as people do, with nothing of this machine's environment but where programs lie."""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support.builders import REPOSITORY
from tests.support.warm_programs import run_warm


def run_program(
    *arguments: object, cwd: Path = REPOSITORY, patience_s: float = 180, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, and with these variables beside PATH and a HOME that is not there."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=patience_s,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
    )


def run_command(
    command: str, *arguments: object, start: tuple[str, ...] = ("-m",), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command of `python -m face_expression` without the Hub, in a process that has its imports already.

    `start` may be ("-c", `WITH_PATIENCE`), for a Hub of the tests.
    """
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "HF_HUB_OFFLINE": "1", **environment}
    return run_warm(*start, "face_expression", command, *arguments, environment=environment)


def predict(*arguments, **environment):
    return run_command("predict", *arguments, **environment)


def lines(result) -> list[dict]:
    return [json.loads(line) for line in result.stdout.splitlines()]
