"""`predict` on folders: several processes, tables, and whatever is wrong with a file, a folder or a process."""

import csv
import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import psutil
import pyarrow.parquet as pq
import pytest

from face_expression.cli.worker_pool import TaskFault, WorkersError, shared_out
from face_expression.labels import LABEL_NAMES
from tests.support.builders import EXAMPLES, REPOSITORY, calm_face, calm_photo, happy_face, happy_photo, save
from tests.support.predicting import PATIENCE_S, in_process, lines, predict, started, wait_for_progress
from tests.support.programs import run_program
from tests.support.warm_programs import WarmProgram


def workers_of(program: WarmProgram) -> list[psutil.Process]:
    return [child for child in psutil.Process(program.pid).children() if "spawn_main" in " ".join(child.cmdline())]


def require_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=PATIENCE_S)
    assert not alive


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """Twenty faces of two people in turn, and an empty file among them."""
    folder, calm = tmp_path_factory.mktemp("many"), cv2.resize(calm_face(), (200, 200))
    for number in range(20):
        save(calm if number % 2 else happy_face(), folder / f"{number:02d}.jpg")
    (folder / "05.jpg").write_bytes(b"")
    return folder


def test_several_processes_give_what_one_gives_in_the_same_order(many):
    one, three = predict(many, "--workers", 1), predict(many, "--workers", 3)
    assert one.returncode == three.returncode == 1
    assert lines(one.stdout) == lines(three.stdout)
    assert [Path(line["path"]).name for line in lines(three.stdout)] == sorted(file.name for file in many.iterdir())
    assert [number for number, line in enumerate(lines(three.stdout)) if "error" in line] == [5]


def test_a_killed_process_costs_one_picture_at_most(many):
    """It costs none if it was between two pictures, or had not begun."""
    program = started(*[many] * 8, "--workers", 2)
    first = program.stdout.readline()
    workers_of(program)[0].kill()
    rest, _ = program.communicate(timeout=PATIENCE_S)
    found = lines(first + rest)
    assert program.returncode == 1 and len(found) == 160
    killed = [line for line in found if "SIGKILL" in line.get("error", "")]
    others = [line for line in found if "error" in line and line not in killed]
    assert len(killed) <= 1
    assert {(Path(line["path"]).name, line["error"]) for line in others} == {("05.jpg", "the file is empty")}
    names = [line["path"] for line in found]
    assert names == sorted(set(names)) * 8


def test_ctrl_c_ends_at_once_and_keeps_what_is_done(many, tmp_path):
    program = started(*[many] * 20, "--workers", 2)
    first = program.stdout.readline()
    workers = workers_of(program)
    program.send_signal(signal.SIGINT)
    rest, errors = program.communicate(timeout=PATIENCE_S)
    found = lines(first + rest)
    assert program.returncode == 130 and 0 < len(found) < 400
    assert f"stopped; {len(found)} of 400 pictures are done" in errors and "Traceback" not in errors
    require_gone(workers)


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_leaves_a_table_of_what_is_done(many, tmp_path, workers):
    program = started(*[many] * 20, "--workers", workers, "--results", tmp_path / "faces.csv")
    wait_for_progress(tmp_path / "faces.csv", 1)
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=PATIENCE_S)
    assert program.returncode == 130
    assert sorted(file.name for file in tmp_path.iterdir()) == ["faces.csv", "faces.csv.progress"]
    rows = list(csv.DictReader((tmp_path / "faces.csv").open(encoding="utf-8")))
    assert rows[0]["label"] == "happy" and 0 < len(rows) < 400


def test_processes_end_when_the_program_is_killed(many):
    program = started(*[many] * 20, "--workers", 2)
    program.stdout.readline()
    workers = workers_of(program)
    assert len(workers) == 2
    program.kill()
    program.communicate(timeout=PATIENCE_S)
    require_gone(workers)


def make_work():
    def work(task):
        if task == "die":
            os.kill(os.getpid(), signal.SIGSEGV)
        if task == "hang":
            time.sleep(1000)
        if task == "raise":
            raise ValueError("what this task is")
        return task.upper()

    return work


def never_ready():
    os._exit(3)


def shared(*tasks, **options):
    return dict(shared_out(tasks, make_work, workers=2, **{"deadline_s": 20, **options}))


def test_whatever_becomes_of_a_process_every_task_is_answered():
    assert shared() == {}
    letters = "abcdefghij"
    assert list(shared(*letters).values()) and sorted(shared(*letters).values()) == list(letters.upper())
    found = shared("a", "die", "b", "die", "raise", "c", "d", "e")
    assert [found[number] for number in (0, 2, 5, 6, 7)] == list("ABCDE")
    assert all("SIGSEGV" in found[number].message for number in (1, 3))
    assert found[4] == TaskFault("ValueError('what this task is')")


def test_a_process_that_hangs_is_ended():
    found = shared("a", "hang", "b", "c", deadline_s=3)
    assert (found[0], found[2], found[3]) == ("A", "B", "C") and found[1] == TaskFault("it took longer than 3 s")


class Clock:
    """The pool's `time`, whose clock a test can put forward: time in which the program did not run."""

    def __init__(self):
        self._ahead_s, self._read = 0.0, 0
        self.is_over = False

    def monotonic(self) -> float:
        self._read += 1
        return time.monotonic() + self._ahead_s

    def forward(self, seconds: float) -> None:
        self._ahead_s += seconds

    def wait_until_read_again(self) -> None:
        """Until the program has acted on the time, or does not ask for it any more."""
        enough = self._read + 20
        for _ in range(100 * PATIENCE_S):
            if self._read >= enough or self.is_over:
                return
            time.sleep(0.01)


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr("face_expression.cli.worker_pool.time", made := Clock())
    return made


def make_waiting_work():
    def work(task):
        """Say that it began, and go on when a file is there."""
        begun, go_on = map(Path, task)
        begun.touch()
        while not go_on.exists():
            time.sleep(0.01)
        return "done"

    return work


def test_a_consumer_that_takes_its_time_costs_no_task(tmp_path, clock):
    """As `predict ... | less` does."""
    begun, go_on = tmp_path / "begun", tmp_path / "go on"
    answers = shared_out([(begun, tmp_path), (begun, go_on)], make_waiting_work, workers=1, deadline_s=100)
    assert next(answers) == (0, "done")
    clock.forward(1000)
    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(lambda: (clock.wait_until_read_again(), go_on.touch()))
        answer = next(answers)
        clock.is_over = True
    assert answer == (1, "done")


def test_a_program_that_is_stopped_and_continued_costs_no_task(tmp_path, clock):
    """As Ctrl-Z and `fg` do with it and its processes."""
    begun, go_on = tmp_path / "begun", tmp_path / "go on"

    def stop_and_continue() -> None:
        while not begun.exists():
            time.sleep(0.01)
        clock.forward(1000)
        clock.wait_until_read_again()
        go_on.touch()

    with ThreadPoolExecutor(1) as elsewhere:
        elsewhere.submit(stop_and_continue)
        found = list(shared_out([(begun, go_on)], make_waiting_work, workers=1, deadline_s=100))
        clock.is_over = True
    assert found == [(0, "done")]


def test_processes_that_never_get_ready_end_the_work():
    with pytest.raises(WorkersError, match="ended before they were ready"):
        list(shared_out("ab", never_ready, workers=2, deadline_s=20))


def test_stopped_work_ends_though_a_process_hangs():
    stop = threading.Event()
    answers = shared_out(["a", "hang", "hang", "b"], make_work, workers=2, deadline_s=1000, stop=stop)
    assert next(answers) == (0, "A")
    stop.set()
    assert all(number == 3 for number, _ in answers)


END_AMID_ANSWERS = """
import functools, os, time
from face_expression.cli.worker_pool import shared_out
answers = shared_out("a" * 400, functools.partial(getattr, str, "upper"), workers=4, deadline_s=60)
for _ in range(100):
    next(answers)
time.sleep(0.5)  # each process waits for a task now, and not all that it sent is read
os._exit(0)
"""


def test_processes_whose_program_is_gone_print_nothing():
    result = run_program("-c", END_AMID_ANSWERS)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.fixture
def mixed(tmp_path) -> Path:
    """A photo, a file that is none, and a photo with nobody on it; their names begin as formulas do."""
    save(happy_photo(), tmp_path / "=1+2.jpg")
    (tmp_path / "bad.jpg").write_text("no picture")
    save(happy_photo()[:100, :100], tmp_path / "nobody.png")
    return tmp_path


def test_a_table_has_a_row_for_each_face_and_for_what_has_none(mixed):
    result = in_process("--format", "csv", *sorted(mixed.iterdir()))
    assert result.exit_code == 1
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert list(rows[0]) == [
        *("path", "error", "width", "height", "face", "x0", "y0", "x1", "y1", "score"),
        *LABEL_NAMES,
        *("label", "confidence", "reliable", "reasons"),
    ]
    face, bad, nobody = rows
    assert (face["label"], face["face"], face["width"], face["reliable"]) == ("happy", "1", "512", "true")
    assert face["confidence"] == face["happy"] and float(face["x0"]) < float(face["x1"])
    assert "not a picture" in bad["error"] and bad["width"] == bad["label"] == ""
    assert nobody["error"] == nobody["face"] == "" and nobody["width"] == "100"


def test_no_cell_is_a_formula(mixed, monkeypatch):
    monkeypatch.chdir(mixed)
    for name in ("=1+2.jpg", "+1.jpg", "-1.jpg", "@sum.jpg", "\t=1.jpg"):
        (mixed / "=1+2.jpg").rename(mixed / name)
        result = in_process("--format", "csv", "--", name)
        (row,) = csv.DictReader(io.StringIO(result.stdout, newline=""))
        assert row["path"] == f"'{name}" and row["label"] == "happy"
        (mixed / name).rename(mixed / "=1+2.jpg")


def test_parquet_says_the_same_with_types(mixed, tmp_path):
    result = in_process(mixed, "--results", tmp_path / "new" / "faces.parquet")
    assert result.exit_code == 1 and result.stdout == ""
    face, bad, nobody = pq.read_table(tmp_path / "new" / "faces.parquet").to_pylist()
    assert face["path"].endswith("/=1+2.jpg") and face["label"] == "happy" and face["reliable"] is True
    assert face["confidence"] == face["happy"] and face["face"] == 1 and face["reasons"] == []
    assert bad["label"] is None and "not a picture" in bad["error"] and nobody["width"] == 100
    assert list(tmp_path.glob("new/*")) == [tmp_path / "new" / "faces.parquet"]


def test_names_that_are_no_unicode_are_in_every_table(tmp_path):
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xc3\xbc.png")
    Path(odd).write_bytes((EXAMPLES / "astronaut.jpg").read_bytes())
    result = predict(odd, "--format", "csv", PYTHONIOENCODING="ascii:strict")
    assert result.returncode == 0 and r"\xff" in result.stdout
    assert predict(odd, "--results", tmp_path / "faces.parquet").returncode == 0
    assert pq.read_table(tmp_path / "faces.parquet")["path"][0].as_py().endswith(r"/\xffü.png")


def test_parquet_without_its_package_or_file_is_explained(mixed, monkeypatch, tmp_path):
    assert "needs a file" in in_process(mixed, "--format", "parquet").stderr
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = in_process(mixed, "--format", "parquet", "--results", tmp_path / "faces")
    assert result.exit_code == 2 and "pip install pyarrow" in result.stderr and not (tmp_path / "faces").exists()


def test_results_that_cannot_be_written_are_a_sentence(mixed, caplog):
    assert in_process(mixed, "--results", "/proc/nothing/faces.csv").exit_code == 1
    assert "/proc/nothing/faces.csv: cannot be written" in caplog.text
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    with full.open("w") as stdout:
        arguments = [sys.executable, "-m", "face_expression", "predict", str(mixed), "--detector", "haar"]
        ended = subprocess.run(
            arguments, cwd=REPOSITORY, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=PATIENCE_S
        )
    assert ended.returncode == 1 and "standard output: cannot be written: No space left" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_only_what_a_viewer_opens_is_taken_and_the_rest_counted(tmp_path, caplog):
    caplog.set_level("INFO")
    for name in ("a.jpg", "B.JFIF", "c.jfi", "d.pjpeg", "e.PJP", "._a.jpg", "f.HEIC", "g.heic", "h.txt", "README"):
        (tmp_path / name).write_bytes((EXAMPLES / "astronaut.jpg").read_bytes())
    result = in_process(tmp_path)
    assert [Path(line["path"]).name for line in lines(result.stdout)] == [
        "B.JFIF",
        "a.jpg",
        "c.jfi",
        "d.pjpeg",
        "e.PJP",
    ]
    assert result.exit_code == 0 and all(line["faces"][0]["label"] == "happy" for line in lines(result.stdout))
    assert "left out: 2 .heic, 1 ._*, 1 .txt, 1 no ending" in caplog.text


def test_a_folder_without_pictures_is_a_sentence(tmp_path, caplog):
    caplog.set_level("INFO")
    (tmp_path / "a.HEIC").write_bytes(b"?")
    result = in_process(tmp_path)
    assert result.exit_code == 1 and result.stdout == ""
    assert "left out: 1 .heic" in caplog.text and f"no picture found in {tmp_path}" in caplog.text


def test_links_are_followed_and_those_to_nowhere_are_errors(tmp_path):
    folder, elsewhere = tmp_path / "pictures", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    save(happy_photo(), elsewhere / "happy.jpg")
    save(happy_photo(), folder / "good.jpg")
    (folder / "a.jpg").symlink_to("b.jpg")
    (folder / "b.jpg").symlink_to("a.jpg")
    (folder / "c.jpg").symlink_to("gone.jpg")
    (folder / "linked").symlink_to(elsewhere)
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe.jpg")
    result = in_process(folder, "--output", tmp_path / "out")
    assert result.exit_code == 1
    found = {Path(line["path"]).name: line for line in lines(result.stdout)}
    assert set(found) == {"a.jpg", "b.jpg", "c.jpg", "good.jpg", "happy.jpg", "pipe.jpg"}
    assert {name for name, line in found.items() if "error" not in line} == {"good.jpg", "happy.jpg"}
    assert sorted(path.name for path in (tmp_path / "out").rglob("*.jpg")) == ["good.jpg.jpg", "happy.jpg.jpg"]


@pytest.mark.parametrize("workers", [1, 2])
def test_copies_that_cannot_be_written_are_errors_of_their_pictures(tmp_path, workers):
    folder, out = tmp_path / "pictures", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    for name in ("a" * 251 + ".jpg", "full.jpg", "good.jpg"):
        save(happy_photo(), folder / name)
    (out / "full.jpg.jpg").symlink_to("/dev/full")
    result = in_process(folder, "--output", out, "--workers", workers)
    assert result.exit_code == 1
    long, full, good = lines(result.stdout)
    assert "the annotated copy cannot be written: File name too long" in long["error"]
    assert "No space left on device" in full["error"]
    assert good["faces"] and (out / "good.jpg.jpg").is_file()
    (blocked,) = lines(in_process(folder / "good.jpg", "--output", "/proc/nothing").stdout)
    assert "the annotated copy cannot be written" in blocked["error"]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_picture_in_a_pipe(workers, tmp_path):
    save(calm_photo(), tmp_path / "calm.jpg")
    arguments = ["predict", "/dev/stdin", str(tmp_path / "calm.jpg"), "--detector", "haar", "--workers", str(workers)]
    content = (EXAMPLES / "astronaut.jpg").read_bytes()
    for sent, expected in ((content, "happy"), (b"", "the file is empty")):
        ended = subprocess.run(
            [sys.executable, "-m", "face_expression", *arguments],
            cwd=REPOSITORY,
            input=sent,
            capture_output=True,
            timeout=PATIENCE_S,
        )
        first, second = lines(ended.stdout.decode())
        assert first["path"] == "/dev/stdin" and expected == (first.get("error") or first["faces"][0]["label"])
        assert second["width"] == 512 and ended.returncode == (0 if sent else 1)
