"""Where a command cannot write, it ends in a sentence that names the place it was given, and no draft of its own."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from data_tools.__main__ import app
from tests.support.work_folders import make_work


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    return make_work(tmp_path_factory.mktemp("unusable") / "work", rows=8)


@pytest.mark.parametrize(
    ("command", "option", "name"), [("publish", "--to", "faces"), ("report", "--output", "report.html")]
)
@pytest.mark.parametrize("below", ["", "deeper/"])
def test_the_place_is_named(work, tmp_path, command, option, name, below):
    (tmp_path / "file").write_text("")
    place = tmp_path / "file" / below / name
    ended = CliRunner().invoke(app, [command, "--work", str(work), option, str(place)])
    assert ended.exit_code == 1 and isinstance(ended.exception, SystemExit)
    words = str(ended.exception)
    assert str(tmp_path / "file") in words and "cannot be used" in words
    assert ".draft" not in words and ".part" not in words


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
def test_a_folder_on_which_nothing_can_be_written_is_named(work):
    """`/proc` takes no files, also not of root."""
    ended = CliRunner().invoke(app, ["publish", "--work", str(work), "--to", "/proc/faces"])
    assert str(ended.exception).startswith("/proc/faces cannot be used")
