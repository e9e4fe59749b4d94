import asyncio
import json
import math
import os
import time
from functools import partial

import cv2
import numpy as np
import pytest

from benchmarks import collecting, latency, predict_folder
from benchmarks.live import __main__ as live
from benchmarks.live import browser as live_browser
from benchmarks.live import camera as live_camera
from benchmarks.live import crowd as live_crowd
from benchmarks.live import minutes as live_minutes
from benchmarks.live import rest as live_rest
from benchmarks.live import visitors as live_visitors
from benchmarks.live.figures import Answered, Recording, Shown
from benchmarks.personal import points_gained
from benchmarks.support.slow_link import slow_link
from face_expression.hub.download import DETECTOR_VARIABLE
from face_expression.personal.head import CORRECTIONS_PRIOR, KeptFaces


@pytest.fixture
def few_faces(monkeypatch):
    monkeypatch.setattr(latency, "PLACES", {faces: latency.PLACES[faces] for faces in (0, 1)})
    threads = cv2.getNumThreads()
    yield
    cv2.setNumThreads(threads)


def test_latency_measures_every_step(tmp_path, capsys, few_faces):
    latency.main(repeats=10, output=tmp_path / "latency.json", detector="haar")
    rows = json.loads((tmp_path / "latency.json").read_text())["data"]["rows"]
    assert [(row["threads"], row["faces"]) for row in rows] == [(1, 0), (1, 1), (2, 0), (2, 1)]
    assert all(set(row) == {"threads", "faces", "detect", "crop", "classify", "analyze", "track"} for row in rows)
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(rows)
    assert f"{rows[1]['analyze']['p50_ms']:.1f} / {rows[1]['analyze']['p95_ms']:.1f}" in table[3]


def test_a_frame_in_which_a_face_is_missed_is_not_timed(tmp_path, monkeypatch, few_faces):
    monkeypatch.setattr(latency, "PLACES", {2: latency.PLACES[1]})
    with pytest.raises(SystemExit, match="found 1 faces in the frame of 2"):
        latency.main(repeats=10, output=tmp_path / "latency.json", detector="haar")


def test_a_detector_that_does_not_exist_is_an_error(tmp_path, few_faces):
    with pytest.raises(SystemExit, match="mtcnn"):
        latency.main(repeats=10, output=tmp_path / "latency.json", detector="mtcnn")


def test_collecting_measures_fetching_and_filtering(tmp_path, capsys):
    collecting.main(addresses=30, filtered=8, detector="haar", output=tmp_path / "collecting.json")
    report = json.loads((tmp_path / "collecting.json").read_text())["data"]
    assert report["images_per_s"] > 0 and report["filtered_per_s"] > 0
    assert 0 < report["first_mib"] <= report["last_mib"]
    assert f"| {report['images_per_s']:.0f} | {report['filtered_per_s']:.0f} |" in capsys.readouterr().out


def test_a_folder_is_measured_with_speed_and_memory(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    predict_folder.main(pictures=6, files=2, workers=[1, 2], output=tmp_path / "predict.json")
    on_record = json.loads((tmp_path / "predict.json").read_text())
    speed, memory = on_record["tables"]["speed"], on_record["tables"]["memory"]
    assert [row[0] for row in speed["rows"]] == [row[0] for row in memory["rows"]] == ["1", "2"]
    assert all(float(cell) > 0 for row in speed["rows"] for cell in row[1:2])
    assert all(float(cell) > 10 for row in memory["rows"] for cell in row[1:])
    assert on_record["data"]["2"][-1]["pictures"] == 6
    assert "| processes | whole command s | pictures/s |" in capsys.readouterr().out


def shown_every(ms: int, numbers) -> tuple[Shown, ...]:
    return tuple(Shown(number, place * ms, place * ms + 2, place * ms + 10) for place, number in enumerate(numbers))


def answered(*rows: tuple[float, str | None]) -> tuple[Answered, ...]:
    return tuple(Answered(taken, 20, taken + 30, label) for taken, label in rows)


@pytest.mark.parametrize(
    ("frames", "answers", "latencies", "flips"),
    [
        ((), (), [], 0),
        (shown_every(40, [0, 1, 2]), answered((10, "a"), (55, "a")), [38, 43], 0),
        # What was taken before any frame was seen is about none of them.
        (shown_every(40, [0, 1, 2]), answered((9, "a"), (49, "b"), (50, "a")), [77, 38], 2),
        (shown_every(40, [0, 1, 2]), answered((10, "a"), (50, None), (90, "a")), [38, 38, 38], 2),
    ],
)
def test_an_answer_is_about_the_newest_frame_that_the_page_could_take(frames, answers, latencies, flips):
    recording = Recording(2.0, frames, answers)
    assert recording.latencies_ms() == latencies and recording.flips() == flips
    assert recording.rate() == len(answers) / 2 and recording.camera_rate() == len(frames) / 2


def test_the_lag_is_counted_from_the_other_face_to_its_label():
    frames = shown_every(100, range(20))
    label = {0: "a", 1: "b", 2: "a", 3: "b"}
    answers = answered((10, "a"), (510, "a"), (610, "c"), (710, "b"), (1010, "b"), (1110, "b"), (1510, "b"))
    # Shown after 238 ms, then never, and of the last change nothing can be said.
    assert Recording(2.0, frames, answers).lags_ms(lambda number: label[number // 5]) == [238, 500]
    assert Recording(0.5, frames[:5], answers[:1]).lags_ms(lambda number: label[number // 5]) == []


def test_what_the_page_wrote_down_is_cleared_of_repeated_and_unreadable_frames():
    frames = [{"number": number, "captured": None, "presented": at, "seen": at} for at, number in enumerate("aab?b")]
    frames[3]["number"] = None
    answers = [{"taken": 1, "took": 2, "drawn": drawn, "label": "happy"} for drawn in (4, None)]
    recording = Recording.of_page({"began": 0, "ended": 500, "frames": frames, "answers": answers})
    assert [(frame.number, frame.seen_ms) for frame in recording.frames] == [("a", 0), ("b", 2)]
    assert (recording.seconds, len(recording.answers), recording.camera_delays_ms()) == (0.5, 1, [])


@pytest.mark.parametrize(
    ("row", "figure", "met"),
    [
        (live.Row("server", "speed", 19.99, "frames/s", 20, at_least=True, digits=1), "19.9 frames/s", False),
        (live.Row("server", "speed", 20.0, "frames/s", 20, at_least=True, digits=1), "20.0 frames/s", True),
        (live.Row("server", "latency", 60.01, "ms", 60), "61 ms", False),
        (live.Row("server", "latency", 59.2, "ms", 60), "60 ms", True),
        (live.Row("server", "latency", 59.2, "ms"), "60 ms", None),
        (live.Row("server", "latency", math.nan, "ms", 60), "none", False),
    ],
)
def test_no_figure_is_rounded_in_our_favour(row, figure, met):
    assert row.shown() == figure and row.met() is met
    assert figure in row.cells() and ("**no**" in row.cells()) is (met is False)


def number_of(frame: np.ndarray) -> int | None:
    """What `draw_number` has drawn into a frame, read as `page.js` does."""
    side = live_camera.BLOCK_PX
    lit = frame[-side // 2, side // 2 :: side].mean(axis=1) > 127
    bits, inverted = np.split(lit, 2)
    return int(bits @ 2 ** np.arange(len(bits))) if (bits != inverted).all() else None


def test_the_number_of_each_frame_can_be_read_in_the_video(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (3, 480, 640, 3), np.uint8)
    path = live_camera.write_camera(tmp_path / "camera.y4m", [*noise, *live_camera.still_face(live_camera.CALM, 2)])
    video = cv2.VideoCapture(str(path))
    assert [number_of(video.read()[1]) for _ in range(5)] == [0, 1, 2, 3, 4]
    assert not video.read()[0]
    for number in (0, 1, 682, 1023):
        live_camera.draw_number(noise[0], number)
        assert number_of(noise[0]) == number
    noise[0, -live_camera.BLOCK_PX :] = 0
    assert number_of(noise[0]) is None


def test_a_still_face_differs_in_its_noise_alone():
    first, second = live_camera.still_face(live_camera.HAPPY, 2)
    noise = (first.astype(int) - second)[:60, :60]
    assert 6 < noise.std() < 11 and abs(noise.mean()) < 8


def test_a_slow_link_changes_no_byte_and_takes_its_time():
    sent = os.urandom(100_000)

    async def echo(reader, writer):
        while chunk := await reader.read(65_536):
            writer.write(chunk)
        writer.close()

    async def talk(port: int) -> tuple[bytes, float, float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.perf_counter()
        writer.write(b"x")
        await reader.readexactly(1)
        first_after = time.perf_counter() - began
        writer.write(sent)
        writer.write_eof()
        received = await reader.read(-1)
        writer.close()
        return received, first_after, time.perf_counter() - began

    async def conversation():
        echoing = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = echoing.sockets[0].getsockname()[1]
        async with slow_link(port, round_trip_s=0.1, up_bits_per_s=4e6) as slow:
            both = await asyncio.gather(talk(slow), talk(slow))
        echoing.close()
        return both

    both = asyncio.run(asyncio.wait_for(conversation(), 20))
    assert all(received == sent and first_after >= 0.1 for received, first_after, _ in both)
    # Both share what the line lets through.
    assert max(taken for *_, taken in both) >= 0.2 + 2 * 8 * len(sent) / 4e6


def test_a_closed_end_is_felt_at_the_other_end_of_the_slow_link():
    async def conversation() -> bytes:
        closing = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        async with slow_link(closing.sockets[0].getsockname()[1]) as slow:
            closing.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", slow)
            writer.write(b"anybody there?")
            return await reader.read(-1)

    assert asyncio.run(asyncio.wait_for(conversation(), 20)) == b""


def test_without_a_browser_the_live_benchmark_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(live_browser, "BROWSERS", ("no-such-browser",))
    with pytest.raises(SystemExit, match="no Chromium found"):
        live.main()


def test_the_live_benchmark_measures_every_row(
    tmp_path, monkeypatch, capsys, browser_path, yunet_weights, installed_web
):
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    monkeypatch.setattr(live_browser, "WARM_UP_ANSWERS", 3)
    monkeypatch.setattr(live_camera, "FRAMES_A_FACE", 30)
    monkeypatch.setattr(live, "NOISY_FRAMES", 10)
    # The files of the engine on the device take seconds otherwise.
    monkeypatch.setattr(live, "slow_link", partial(slow_link, down_bits_per_s=1e9))
    live.main(seconds=2.2, still_seconds=1, output=tmp_path / "live.json")
    report = json.loads((tmp_path / "live.json").read_text())["data"]
    figures = {(row["engine"], row["measure"]): row["value"] for row in report["rows"]}
    table = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(table) == 2 + len(figures) == 2 + len(report["rows"])
    for engine in ("server", "device"):
        mine = {measure: value for (owner, measure), value in figures.items() if owner == engine}
        assert len(mine) == {"server": 20, "device": 15}[engine]
        assert all(value is not None and math.isfinite(value) and value >= 0 for value in mine.values())
        assert 0 < mine["frames processed"] <= 31 and 0 < mine["frames processed behind a slow line"] <= 31
        assert mine["latency, p50"] <= mine["latency, p95"] and mine["of it in the engine, p50"] < mine["latency, p95"]
        assert mine["flips on a still happy face"] == mine["flips on a still neutral face"] == 0
    assert figures["server", "latency behind a slow line, p50"] > 80
    assert figures["server", "four visitors at once: labels that belong to another"] == 0
    assert min(figures["server", f"four visitors at once: the {who}"] for who in ("browser", "slowest program")) > 0


def test_the_long_run_of_the_live_benchmark_watches_memory_and_files(
    tmp_path, monkeypatch, browser_path, yunet_weights, installed_web
):
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    monkeypatch.setattr(live_minutes, "SECONDS_AFTERWARDS", 1)
    live.main(long=True, minutes=0.1, output=tmp_path / "long.json")
    report = json.loads((tmp_path / "long.json").read_text())["data"]
    figures = {(row["engine"], row["measure"]): row["value"] for row in report["rows"]}
    assert [len(report["memory_mib"][engine]) for engine in ("server", "device")] == [10, 10]
    assert figures["server", "files written by the server after 0.1 minutes"] == 0
    for engine in ("server", "device"):
        assert 0.1 < figures[engine, "the page's JavaScript after 0.1 minutes"] < 10
        assert 0 < figures[engine, "the page's process, once memory is short"] < 10
        assert figures[engine, "frames processed after 0.1 minutes"] > 0


def test_the_live_benchmark_measures_what_rest_takes(
    tmp_path, monkeypatch, capsys, browser_path, yunet_weights, installed_web
):
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    monkeypatch.setattr(live_browser, "WARM_UP_ANSWERS", 3)
    monkeypatch.setattr(live_rest, "SETTLED_S", 1)
    live.main(rest=True, seconds=1, output=tmp_path / "rest.json")
    report = json.loads((tmp_path / "rest.json").read_text())["data"]
    shares = [row["value"] for row in report["rows"]]
    assert len(shares) == 6
    assert all(0 <= page <= browser for page, browser in zip(shares[::2], shares[1::2], strict=True))
    assert shares[0] > 0 and "nobody in view: the page's process" in capsys.readouterr().out


def test_points_are_counted_on_the_faces_that_were_not_kept():
    """Faces called sad that are neutral: twelve teach the rest, none teach nothing, and one cannot be checked."""
    rng = np.random.default_rng(0)
    faces = KeptFaces(np.tile([0.0, 1.2, 1.0], (20, 1)), 1 + 0.1 * rng.random((20, 8)), np.full(20, 2), np.arange(20))

    def gained(count: int, *, checked: bool) -> float:
        kept, asked = faces.select(np.arange(count)), faces.select(np.arange(count, 20))
        return points_gained(kept, asked, CORRECTIONS_PRIOR, checked=checked).mean()

    assert [gained(count, checked=True) for count in (0, 1, 12)] == [0, 0, 1]
    assert [gained(count, checked=False) for count in (0, 12)] == [0, 1]


def test_a_crowd_is_summed_up_over_those_who_were_served(tmp_path):
    served = [live_visitors.Visit(2.0, [100.0] * 20), live_visitors.Visit(2.0, [200.0] * 10)]
    row = live_crowd.figures_of([*served, live_visitors.Visit(refused="the server is busy")])
    assert (row["visitors"], row["served"], row["refused"]) == (3, 2, 1)
    assert (row["slowest_per_s"], row["all_per_s"], row["p95_ms"]) == (5.0, 15.0, 200.0)
    assert live_crowd.most_carried([row], cores=1) == 15 / 8
    live_crowd.draw([row], tmp_path / "crowd.svg")
    assert "visitors served" in (tmp_path / "crowd.svg").read_text()
    assert math.isnan(live_crowd.figures_of([live_visitors.Visit(refused="busy")])["slowest_per_s"])
