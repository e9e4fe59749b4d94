"""`video --events`: one line of JSON for each change of a video or a camera."""

import itertools
import json
from types import SimpleNamespace

import numpy as np
import pytest
from typer.testing import CliRunner

from face_expression.__main__ import app
from tests.support.builders import calm_face, happy_face, moving, scene
from tests.support.fake_screen import FakeScreen
from tests.support.videos import write_video

FRAMES_PER_S = 20


def frames() -> list[np.ndarray]:
    return [scene([])] * 3 + moving(happy_face(), 30) + moving(calm_face(), 40) + [scene([])] * 3


def lines(*arguments: str) -> tuple[int, list[dict], str]:
    result = CliRunner().invoke(app, ["video", *arguments, "--events"])
    return result.exit_code, [json.loads(line) for line in result.stdout.splitlines()], result.stderr


def check(events: list[dict]) -> None:
    looks = [[(face["track_id"], face["label"] if face["reliable"] else None) for face in e["faces"]] for e in events]
    assert looks[0] == [] and looks[1] == [(1, "happy")] and looks[-1] == []
    assert any(look == [(1, "neutral")] for look in looks)
    assert all(one != other for one, other in itertools.pairwise(looks)), "a line is a change"
    assert len(events) < 10
    (face,) = events[1]["faces"]
    assert set(face["probabilities"]) == {"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"}
    assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-3) and len(face["box"]) == 4
    assert {(event["type"], event["version"]) for event in events} == {("face-expression", 1)}
    times = [event["time_s"] for event in events]
    assert times == sorted(times)


def test_a_video_gives_a_line_for_each_change(tmp_path):
    pictures = frames()
    times_s = [index / FRAMES_PER_S for index in range(len(pictures))]
    code, events, _ = lines(str(write_video(tmp_path / "faces.mov", pictures, times_s, codec="png")))
    assert code == 0
    check(events)
    assert 3 / FRAMES_PER_S <= events[1]["time_s"] < 0.5


def test_a_camera_needs_no_window(monkeypatch, caplog):
    screen = FakeScreen(monkeypatch, frames())
    times = iter(range(1000))
    clock = SimpleNamespace(monotonic=lambda: next(times) / FRAMES_PER_S)
    monkeypatch.setattr("face_expression.cli.camera_window.time", clock)
    code, events, _ = lines("0")
    assert code == 1 and "gives no more pictures" in caplog.text
    assert not screen.shown and screen.released
    check(events)


def test_what_does_not_go_together_is_an_error(tmp_path):
    code, events, errors = lines("0", "--csv", str(tmp_path / "faces.csv"))
    assert code == 2 and not events and "--events only prints" in errors
