import json

import cv2
import pytest

from benchmarks import collecting, latency


@pytest.fixture
def few_faces(monkeypatch):
    monkeypatch.setattr(latency, "PLACES", {faces: latency.PLACES[faces] for faces in (0, 1)})
    threads = cv2.getNumThreads()
    yield
    cv2.setNumThreads(threads)


def test_latency_measures_every_step(tmp_path, capsys, few_faces):
    latency.main(repeats=10, output=tmp_path / "latency.json", detector="haar")
    rows = json.loads((tmp_path / "latency.json").read_text())["rows"]
    assert [(row["threads"], row["faces"]) for row in rows] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert all(set(row) == {"threads", "faces", "detect", "crop", "classify", "analyze"} for row in rows)
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(rows)
    assert f"{rows[1]['analyze']['p50_ms']:.1f} / {rows[1]['analyze']['p95_ms']:.1f}" in table[3]


def test_a_frame_in_which_a_face_is_missed_is_not_timed(tmp_path, monkeypatch, few_faces):
    monkeypatch.setattr(latency, "PLACES", {2: latency.PLACES[1]})
    with pytest.raises(SystemExit, match="found 1 faces in the frame of 2"):
        latency.main(repeats=10, output=tmp_path / "latency.json", detector="haar")


def test_a_detector_that_does_not_exist_is_told(tmp_path, few_faces):
    with pytest.raises(SystemExit, match="mtcnn"):
        latency.main(repeats=10, output=tmp_path / "latency.json", detector="mtcnn")


def test_collecting_measures_fetching_and_filtering(tmp_path, capsys):
    collecting.main(addresses=30, filtered=8, detector="haar", output=tmp_path / "collecting.json")
    told = json.loads((tmp_path / "collecting.json").read_text())
    assert told["addresses"] == 30 and told["images_per_s"] > 0 and told["filtered_per_s"] > 0
    assert 0 < told["first_mib"] <= told["last_mib"]
    assert f"| {told['images_per_s']:.0f} | {told['filtered_per_s']:.0f} |" in capsys.readouterr().out
