"""`python app.py` where it cannot serve: it ends in a sentence, not in a traceback."""

import socket

import pytest

import app
from tests.support.warm_programs import APP, run_warm


@pytest.fixture
def taken_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


@pytest.mark.parametrize("port", ["http", "80.5", "0", "-1", "65536", "\u00b2", " "])
def test_a_wrong_port_is_explained(monkeypatch, port):
    monkeypatch.setenv("PORT", port)
    with pytest.raises(SystemExit, match="PORT must be a number from 1 to 65535") as ended:
        app.main()
    assert repr(port) in str(ended.value)


@pytest.mark.parametrize(
    ("host", "words"), [("no-such-host.invalid", "no-such-host.invalid"), ("203.0.113.7", "203.0.113.7")]
)
def test_a_host_that_is_not_this_machine_is_explained(monkeypatch, taken_port, host, words):
    monkeypatch.setenv("HOST", host)
    monkeypatch.setenv("PORT", str(taken_port))
    with pytest.raises(SystemExit, match="cannot serve") as ended:
        app.main()
    assert words in str(ended.value) and "HOST" in str(ended.value)


def test_a_taken_port_is_explained(taken_port):
    ran = run_warm("-m", "app", modules=APP, environment={"PATH": "", "PORT": str(taken_port)})
    assert ran.returncode == 1
    assert "Traceback" not in ran.stderr
    assert ran.stderr.strip().splitlines()[-1] == (
        f"The app cannot serve on port {taken_port} of 127.0.0.1: Address already in use. Choose another one with PORT."
    )
