"""What the tests' own way to start programs does when that fails."""

import socket

import pytest

from tests.support.warm_programs import WarmProgram


def test_a_program_that_never_starts_is_an_error(monkeypatch):
    """It has no process number, and a signal to the process 0 goes to the tests themselves."""
    monkeypatch.setattr("tests.support.warm_programs.PATIENCE_S", 0)
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ChildProcessError, match="did not answer"):
        WarmProgram(ours, None, None)
