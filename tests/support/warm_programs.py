"""Starts this project's programs in processes of their own without waiting for their imports.

They are forked from a process that has imported what they need and has done nothing else (`fork_server.py`), so each is
as alone as one that is started by hand, and can be killed. Where a process cannot be forked safely, it is started.
"""

import atexit
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

from tests.support.builders import REPOSITORY

PATIENCE_S = 240
# What is imported before a program of this project is asked for.
CORE = ("face_expression.__main__", "face_expression.cli.predict_job", "face_expression.video.labelled_frames")
DATA = ("data_tools.__main__", "data_tools.run", "data_tools.report.step", "data_tools.takedown.step", "datasets")
# Of the app, the packages only: it is also started from copies of this project, with their own modules.
APP = ("gradio", "uvicorn", "onnxruntime", "cv2", "av", "platformdirs", "yaml", "huggingface_hub.hf_api", "typer")
# Of training, the packages only: a program itself finds out which of our modules it needs.
TRAIN = (
    *("torch", "torchvision", "timm", "transformers.trainer", "transformers.models.timm_wrapper.modeling_timm_wrapper"),
    *("accelerate", "datasets", "evaluate", "safetensors.torch", "onnx", "onnxruntime", "onnxscript"),
    *("scipy.optimize", "matplotlib.pyplot", "cv2", "av"),
)


class WarmProgram:
    """A program that runs, with what tests need of `subprocess.Popen`; its streams are text."""

    def __init__(self, connection: socket.socket, stdout: IO[str] | None, stderr: IO[str] | None):
        self.returncode: int | None = None
        self.stdout, self.stderr = stdout, stderr
        self._connection, self._lines = connection, b""
        line = self._next_line(PATIENCE_S)
        if line is None:
            raise ChildProcessError(f"the process that forks programs did not answer within {PATIENCE_S} s")
        # Never 0: a signal to that would be to this process and its whole group.
        self.pid = int(line)

    def __enter__(self):
        return self

    def __exit__(self, *error) -> None:
        self.kill()
        self.wait()
        for stream in (self.stdout, self.stderr):
            if stream is not None:
                stream.close()
        self._connection.close()

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """The exit status, negative for a signal, or None while the program runs."""
        if self.returncode is None and (line := self._next_line(0)):
            self.returncode = int(line)
        return self.returncode

    def wait(self, timeout: float = PATIENCE_S) -> int:
        if self.returncode is None:
            line = self._next_line(timeout)
            if line is None:
                self.kill()
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self.returncode = int(line)
        return self.returncode

    def communicate(self, timeout: float = PATIENCE_S) -> tuple[str | None, str | None]:
        """Read both streams to their ends, and wait."""
        with ThreadPoolExecutor(2) as pool:
            reading = [None if stream is None else pool.submit(stream.read) for stream in (self.stdout, self.stderr)]
            try:
                texts = [None if text is None else text.result(timeout) for text in reading]
            except TimeoutError as error:
                self.kill()
                raise subprocess.TimeoutExpired(str(self.pid), timeout) from error
        self.wait(timeout)
        return texts[0], texts[1]

    def _next_line(self, timeout: float) -> bytes | None:
        until = time.monotonic() + timeout
        while b"\n" not in self._lines:
            ready, _, _ = select.select([self._connection], [], [], max(until - time.monotonic(), 0))
            if not ready:
                return None
            received = self._connection.recv(100)
            if not received:
                raise ChildProcessError("the process that forks programs is gone")
            self._lines += received
        line, _, self._lines = self._lines.partition(b"\n")
        return line


def start_warm(
    *arguments: object,
    modules: tuple[str, ...] = CORE,
    cwd: Path = REPOSITORY,
    environment: Mapping[str, str] | None = None,
    new_session: bool = False,
    stdout: int | IO | None = subprocess.PIPE,
    stderr: int | IO | None = subprocess.PIPE,
) -> WarmProgram | subprocess.Popen[str]:
    """Start Python with these arguments, of which the first is `-m` or `-c`.

    Args:
        arguments: those of `python`.
        modules: what is imported beforehand; each set of them is imported once by a process of tests.
        cwd: its folder.
        environment: all variables; default: those of the tests.
        new_session: as for `subprocess.Popen`.
        stdout: PIPE, DEVNULL or an open file.
        stderr: the same.
    """
    environment = dict(os.environ if environment is None else environment)
    words = [str(argument) for argument in arguments]
    if sys.platform != "linux":
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            text=True,
            start_new_session=new_session,
        )
    connection = _connect(modules)
    request = {"arguments": words, "environment": environment, "folder": str(cwd), "new_session": new_session}
    with Path(os.devnull).open("r+b") as nothing:
        ours, theirs, opened = [], [nothing.fileno()], []
        for stream in (stdout, stderr):
            if stream == subprocess.PIPE:
                reading, writing = os.pipe()
                ours.append(os.fdopen(reading, encoding="utf-8", errors="surrogateescape"))
                opened.append(writing)
                theirs.append(writing)
            else:
                ours.append(None)
                theirs.append(nothing.fileno() if stream in (None, subprocess.DEVNULL) else stream.fileno())
        message = json.dumps(request).encode() + b"\n"
        sent = socket.send_fds(connection, [message], theirs)
        connection.sendall(message[sent:])
        for end in opened:
            os.close(end)
    return WarmProgram(connection, *ours)


def run_warm(*arguments: object, patience_s: float = PATIENCE_S, **options) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments to its end; `options` are those of `start_warm`."""
    with start_warm(*arguments, **options) as program:
        stdout, stderr = program.communicate(timeout=patience_s)
        return subprocess.CompletedProcess(arguments, program.returncode, stdout, stderr)


@cache
def _server(modules: tuple[str, ...]) -> tuple[subprocess.Popen, Path]:
    folder = Path(tempfile.mkdtemp(prefix="fork-server-"))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.fork_server", str(folder / "socket"), *modules],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
            "MPLCONFIGDIR": str(folder),
            "ORT_DISABLE_TELEMETRY": "1",
        },
        start_new_session=True,
    )

    def end() -> None:
        process.stdin.close()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    return process, folder / "socket"


def _connect(modules: tuple[str, ...]) -> socket.socket:
    process, place = _server(modules)
    until = time.monotonic() + PATIENCE_S
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(place))
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            assert process.poll() is None and time.monotonic() < until, "the process that forks programs did not start"
            time.sleep(0.02)
        else:
            return connection
