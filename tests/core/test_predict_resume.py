"""`predict --results`: what a kill leaves is taken over, and all ways to do the work give the same rows."""

import json
import shutil
import signal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from face_expression.cli.predict_progress import progress_file
from tests.support.builders import EXAMPLES, calm_photo, happy_photo, save
from tests.support.local_hub import COMMIT, running_hub
from tests.support.picture_tables import picture_table
from tests.support.predicting import PATIENCE_S, in_process, lines, predict, started, wait_for_progress
from tests.support.warm_programs import run_warm

COUNT = 40


@pytest.fixture
def folder(tmp_path) -> Path:
    """Forty pictures: two photos in turn, one of which cannot be read."""
    made = tmp_path / "pictures"
    made.mkdir()
    save(happy_photo(), tmp_path / "happy.jpg")
    save(calm_photo(), tmp_path / "calm.jpg")
    for number in range(COUNT):
        shutil.copy(tmp_path / ("calm.jpg" if number % 2 else "happy.jpg"), made / f"{number:02d}.jpg")
    (made / "05.jpg").write_bytes(b"no picture")
    return made


# Kills its own process after so many records.
KILLED = """
import os, signal, sys
from face_expression.__main__ import app
from face_expression.cli.predict_progress import Progress

add, left = Progress.add, 10

def add_or_die(self, number, record):
    global left
    add(self, number, record)
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

Progress.add = add_or_die
app(sys.argv[1:])
"""


def killed_midway(folder: Path, results: Path, *options) -> set[str]:
    """Kill a run once ten pictures are done; the names of those."""
    program = run_warm("-c", KILLED, "predict", folder, "--results", results, "--detector", "haar", *options)
    assert program.returncode == -signal.SIGKILL, program.stderr
    assert not results.exists()
    done = progress_file(results).read_bytes().splitlines(keepends=True)[1:]
    names = {Path(json.loads(line.partition(b"\t")[2])["path"]).name for line in done}
    assert len(names) == 10
    return names


@pytest.mark.parametrize(("ending", "workers"), [("jsonl", 1), ("csv", 2), ("parquet", 2)])
def test_a_second_run_resumes_where_a_kill_left_the_first(folder, tmp_path, caplog, ending, workers):
    caplog.set_level("INFO")
    unbroken, results = tmp_path / f"unbroken.{ending}", tmp_path / "out" / f"faces.{ending}"
    assert in_process(folder, "--results", unbroken).exit_code == 1
    assert not progress_file(unbroken).exists()
    done = killed_midway(folder, results, "--workers", workers)
    for name in done:  # What is done is not read again.
        (folder / name).write_bytes(b"")
    assert in_process(folder, "--results", results).exit_code == 1
    assert f"resuming: {len(done)} of {COUNT} pictures are done already" in caplog.text
    assert [file.name for file in results.parent.iterdir()] == [results.name]
    if ending == "parquet":
        assert pq.read_table(results).equals(pq.read_table(unbroken))
    else:
        assert results.read_bytes() == unbroken.read_bytes()


def test_a_record_that_was_cut_off_is_made_again(folder, tmp_path):
    results = tmp_path / "faces.jsonl"
    killed_midway(folder, results)
    file = progress_file(results)
    whole = file.read_bytes()
    file.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 20])
    in_process(folder, "--results", results)
    assert [Path(line["path"]).name for line in lines(results.read_text())] == sorted(
        picture.name for picture in folder.iterdir()
    )


def test_pictures_that_came_and_went_meanwhile(folder, tmp_path):
    results = tmp_path / "faces.jsonl"
    done = killed_midway(folder, results)
    shutil.copy(folder / "00.jpg", folder / "00a.jpg")
    (folder / "02.jpg").unlink()
    assert "02.jpg" in done
    in_process(folder, "--results", results)
    assert in_process(folder, "--results", tmp_path / "anew.jsonl").exit_code == 1
    assert results.read_bytes() == (tmp_path / "anew.jsonl").read_bytes()


def test_an_annotated_copy_that_is_missing_is_made(folder, tmp_path):
    results, copies = tmp_path / "faces.jsonl", tmp_path / "copies"
    killed_midway(folder, results, "--output", copies)
    (copies / "00.jpg.jpg").unlink()
    in_process(folder, "--results", results, "--output", copies)
    assert len(list(copies.iterdir())) == COUNT - 1 and len(lines(results.read_text())) == COUNT


def test_another_model_or_detector_does_not_resume(folder, tmp_path):
    results = tmp_path / "faces.jsonl"
    killed_midway(folder, results)
    before = progress_file(results).read_bytes()
    refused = in_process(folder, "--results", results, "--detector", "yunet")
    assert refused.exit_code == 2 and "delete the file to begin anew" in " ".join(refused.stderr.split())
    assert progress_file(results).read_bytes() == before and not results.exists()


def test_two_runs_do_not_write_one_file(folder, tmp_path):
    results = tmp_path / "faces.jsonl"
    program = started(*[folder] * 20, "--results", results)
    wait_for_progress(results, 1)
    refused = in_process(folder, "--results", results)
    assert refused.exit_code == 2 and "another run is writing it" in " ".join(refused.stderr.split())
    program.kill()
    program.communicate(timeout=PATIENCE_S)


# Data sets


@pytest.fixture
def happy() -> bytes:
    return (EXAMPLES / "astronaut.jpg").read_bytes()


def found(result) -> list[tuple]:
    """Each record's name after the last slash, and its first label or error."""
    records = lines(result.stdout)
    return [(line["path"].split("/")[-1], line.get("error") or line["faces"][0]["label"]) for line in records]


def test_the_rows_of_a_parquet_file(happy, tmp_path):
    file = tmp_path / "faces.parquet"
    pq.write_table(picture_table([happy, b"?", None, happy]), file, row_group_size=3)
    bytes_only = tmp_path / "bytes.parquet"
    pq.write_table(pa.table({"photo": [happy]}), bytes_only)
    result = in_process("--data", file)
    assert result.exit_code == 1
    names, labels = zip(*found(result), strict=True)
    assert names == tuple(f"faces.parquet#{row}" for row in range(4))
    assert labels[0] == labels[3] == "happy" and "not a picture" in labels[1] and labels[2] == "the row has no picture"
    assert found(in_process("--data", bytes_only, "--column", "photo")) == [("bytes.parquet#0", "happy")]
    assert lines(in_process("--data", file, "--workers", 2).stdout) == lines(result.stdout)


def test_a_row_that_names_a_file_of_this_machine_is_not_followed(tmp_path):
    file = tmp_path / "faces.parquet"
    pq.write_table(pa.table({"image": [{"bytes": None, "path": str(EXAMPLES / "astronaut.jpg")}]}), file)
    assert found(in_process("--data", file)) == [
        ("faces.parquet#0", "the row has the path of a picture and no picture")
    ]


def test_many_rows_in_any_order_of_reading(happy, tmp_path):
    """Batches of reading end within row groups, and two processes read by turns."""
    file = tmp_path / "faces.parquet"
    pq.write_table(
        picture_table([str(row).encode() if row % 100 else happy for row in range(301)]), file, row_group_size=150
    )
    one, two = (lines(in_process("--data", file, "--workers", count).stdout) for count in (1, 2))
    assert one == two and [row for row, line in enumerate(one) if "faces" in line] == [0, 100, 200, 300]


def test_a_folder_with_splits_and_one_with_pictures(happy, folder, tmp_path):
    data = tmp_path / "data"
    (data / "test").mkdir(parents=True)
    pq.write_table(picture_table([happy]), data / "train-00000.parquet")
    pq.write_table(picture_table([happy, happy]), data / "test" / "0.parquet")
    assert len(found(in_process("--data", data))) == 3
    assert found(in_process("--data", data, "--split", "test")) == [("0.parquet#0", "happy"), ("0.parquet#1", "happy")]
    assert len(found(in_process("--data", folder))) == COUNT


def test_a_data_set_on_the_hub(happy, tmp_path):
    data = tmp_path / "data"
    (data / "data").mkdir(parents=True)
    pq.write_table(picture_table([happy]), data / "data" / "test-0.parquet")
    pq.write_table(picture_table([b"?"]), data / "data" / "train-0.parquet")
    with running_hub({"datasets/somebody/faces": data}) as hub:
        environment = {"HF_ENDPOINT": hub.endpoint, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1"}
        online = predict("--data", "somebody/faces", "--split", "test", **environment, HF_HUB_OFFLINE="0")
        missing = predict("--data", "somebody/none", **environment, HF_HUB_OFFLINE="0")
        no_split = predict("--data", "somebody/faces", "--split", "validation", **environment, HF_HUB_OFFLINE="0")
    assert online.returncode == 0, online.stderr
    (line,) = lines(online.stdout)
    assert line["path"] == f"hf://datasets/somebody/faces@{COMMIT}/data/test-0.parquet#0"
    assert line["faces"][0]["label"] == "happy"
    again = predict("--data", f"somebody/faces@{COMMIT}", "--split", "test", **environment)
    assert again.stdout == online.stdout
    assert missing.returncode == 2 and "cannot be downloaded" in missing.stderr
    assert no_split.returncode == 2 and "no Parquet files of the split" in " ".join(no_split.stderr.split())


def test_data_that_cannot_be_used_is_a_sentence(happy, tmp_path):
    file = tmp_path / "faces.parquet"
    pq.write_table(picture_table([happy]), file)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for arguments, expected in [
        (("--data", file, "--column", "photo"), "none named 'photo'"),
        (("--data", file, "--split", "test"), "is one file"),
        (("--data", tmp_path / "broken.parquet"), "cannot be read"),
        (("--data", tmp_path / "gone.parquet"), "no such file"),
        (("--data", file, file), "not both"),
        ((), "a data set with --data"),
    ]:
        result = in_process(*arguments)
        assert result.exit_code == 2 and expected in " ".join(result.stderr.replace("│", " ").split()), arguments
