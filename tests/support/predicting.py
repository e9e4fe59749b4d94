"""Runs `python -m face_expression predict`: to its end, in this process, or while a test looks on."""

import json
import os
import time
from pathlib import Path

from typer.testing import CliRunner

from face_expression.__main__ import app
from face_expression.cli.predict_progress import progress_file
from tests.support.programs import run_command
from tests.support.warm_programs import WarmProgram, start_warm

PATIENCE_S = 60


def predict(*arguments, **environment):
    return run_command("predict", *arguments, "--detector", "haar", **environment)


def in_process(*arguments):
    return CliRunner().invoke(app, ["predict", "--detector", "haar", *map(str, arguments)])


def lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def started(*arguments) -> WarmProgram:
    """`predict`, running, with each line written at once."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "HF_HUB_OFFLINE": "1"}
    return start_warm("-m", "face_expression", "predict", *arguments, "--detector", "haar", environment=environment)


def wait_for_progress(results: Path, pictures: int) -> None:
    """Until so many pictures are done."""
    until = time.monotonic() + PATIENCE_S
    file = progress_file(results)
    while not file.is_file() or file.read_bytes().count(b"\n") <= pictures:
        assert time.monotonic() < until
        time.sleep(0.02)
