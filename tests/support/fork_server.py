"""A Python that has imported what programs need, and forks one of them whenever it is asked: `warm_programs.py` asks.

Started as `python -m tests.support.fork_server SOCKET MODULE...`; it ends when its standard input does. Each connection
to the socket brings one request: a line of JSON, {"arguments": those of `python`, "environment", "folder",
"new_session"}, and the program's three standard streams as file descriptors. The answer is a line with the program's
process number, and another with its exit status once it has ended.
"""

import importlib
import json
import os
import runpy
import select
import socket
import sys

MOST_BYTES = 1_000_000


def next_program(listener: socket.socket) -> dict | None:
    """Wait for requests. In the server, returns None at the end; in each new process, returns what to run there."""
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return None
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            return _start(connection)
        connection.close()
        _forget_ended()


def _forget_ended() -> None:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def _start(connection: socket.socket) -> dict:
    """Fork the program, whose parent stays to report how it ended; returns in the program."""
    message, streams, _, _ = socket.recv_fds(connection, MOST_BYTES, 3)
    while not message.endswith(b"\n"):
        message += connection.recv(MOST_BYTES)
    process = os.fork()
    if process == 0:
        connection.close()
        return {**json.loads(message), "streams": streams}
    for stream in streams:
        os.close(stream)
    try:
        connection.sendall(b"%d\n" % process)
        _, status = os.waitpid(process, 0)
        connection.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    finally:
        os._exit(0)


def become(program: dict) -> None:
    """Take over the environment, the folder and the streams of a program."""
    for number, stream in enumerate(program["streams"]):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(program["environment"])
    if program["new_session"]:
        os.setsid()
    os.chdir(program["folder"])
    sys.path[0] = program["folder"]
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "utf-8:surrogateescape").partition(":")
    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding=encoding, errors=errors or "strict", closefd=False)  # noqa: SIM115
    sys.stdout.reconfigure(write_through=at_once)
    sys.stderr = open(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
    # The Hub's clients read the environment when they are imported.
    for name in ("huggingface_hub.constants", "datasets.config"):
        if name in sys.modules:
            importlib.reload(sys.modules[name])
    if "huggingface_hub.hf_api" in sys.modules:
        sys.modules["huggingface_hub.hf_api"].api.endpoint = sys.modules["huggingface_hub.constants"].ENDPOINT


def run(arguments: list[str]) -> None:
    """As `python` does with these arguments."""
    kind, name, *rest = arguments
    sys.argv = [kind, *rest]
    if kind == "-m":
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    elif kind == "-c":
        exec(compile(name, "<string>", "exec"), sys.modules["__main__"].__dict__ | {"__name__": "__main__"})
    else:
        raise SystemExit(f"{kind}: neither -m nor -c")


def import_all(names: list[str]) -> None:
    """Import modules; those called `__main__` stay to be run."""
    for name in names:
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.endswith(".__main__")]:
        del sys.modules[name]


if __name__ == "__main__":
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        import_all(sys.argv[2:])
        program = next_program(listener)
    if program is not None:
        become(program)
        run(program["arguments"])
