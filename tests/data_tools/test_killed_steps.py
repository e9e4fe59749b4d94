"""Each step may be killed at any moment: the same command goes on, and ends where it would have ended.

`collect`, `filter` and `review`, which work longest, have such tests of their own.
"""

import shutil
import signal

import pyarrow.parquet as pq
import pytest

from data_tools.work.manifest import opened
from tests.support.warm_programs import DATA, run_warm
from tests.support.work_folders import make_work

# Counts what is done with files below a folder, and kills its own process at one of them.
PROGRAM = """
import os, sys

left, folder = int(sys.argv[1]), sys.argv[2]
events = 0

def note(event, arguments):
    global events
    if event == "open" or event.startswith(("os.", "shutil.")):
        if any(str(argument).startswith(folder) for argument in arguments):
            events += 1
            if events == left:
                os.kill(os.getpid(), 9)

from data_tools.__main__ import app

sys.addaudithook(note)
app(sys.argv[3:], standalone_mode=False)
print("EVENTS", events)
"""


def run(place, step, kill_at=0):
    command = [part.format(place=place) for part in step]
    return run_warm("-c", PROGRAM, kill_at, place, *command, "--work", place / "work", modules=DATA)


def outcome(place):
    """Everything that lies there in the end, but for when it was done."""
    rows = pq.read_table(place / "work" / "manifest.parquet").to_pylist()
    for row in rows:
        row.pop("found_at")
    files = sorted(
        path.relative_to(place).as_posix()
        for path in place.rglob("*")
        if path.is_file() and not path.name.startswith(("manifest.sqlite", ".lock"))
    )
    published = sorted((place / "faces").glob("data/*.parquet"))
    return rows, files, [pq.read_table(path).drop_columns(["fetched_at"]).to_pylist() for path in published]


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    folder = tmp_path_factory.mktemp("work") / "work"
    make_work(folder, rows=20)
    with opened(folder) as manifest:
        manifest.update({"url": row["url"], "split": None} for row in list(manifest.rows("split IS NOT NULL")))
    return folder


STEPS = {
    "split": [["split"]],
    "publish": [["split"], ["publish", "--to", "{place}/faces"]],
    "report": [["split"], ["report", "--output", "{place}/report.html"]],
    "remove": [["split"], ["publish", "--to", "{place}/faces"], ["remove", "--host", "pictures1.example.com"]],
}


@pytest.mark.parametrize("name", STEPS)
def test_a_killed_step_goes_on(work, tmp_path, name):
    *before, step = STEPS[name]
    place, prepared = tmp_path / "place", tmp_path / "prepared"
    shutil.copytree(work, place / "work")
    for earlier in before:
        assert run(place, earlier).returncode == 0
    shutil.copytree(place, prepared)
    done = run(place, step)
    assert done.returncode == 0, done.stderr
    events = int(done.stdout.split("EVENTS ")[1])
    expected = outcome(place)
    assert expected != outcome(prepared)
    for kill_at in sorted({max(events // 2, 1), max(events - 2, 1)}):
        shutil.rmtree(place)
        shutil.copytree(prepared, place)
        assert run(place, step, kill_at).returncode == -signal.SIGKILL
        again = run(place, step)
        assert again.returncode == 0, again.stderr
        assert outcome(place) == expected
