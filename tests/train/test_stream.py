"""Real-time quality of the live path: videos whose truth is known, shown to the real pipeline."""

import json
from fractions import Fraction
from itertools import pairwise

import av
import cv2
import datasets
import numpy as np
import pytest
from typer.testing import CliRunner

from face_expression.hub.download import DETECTOR_VARIABLE
from tests.support.builders import calm_face, happy_face, moving, scene, write_y4m
from train.__main__ import app
from train.live.ground_truth import Stretch
from train.live.scores import NOTHING, Viewing, measure_quality, simulate_live

LABELS = ("happy", "sad", "neutral")
NOBODY = scene([])


@pytest.fixture(scope="module", autouse=True)
def with_yunet(yunet_weights):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
        yield


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def write_truth(path, *rows):
    path.write_text("\n".join(["start_s,end_s,label", *rows]) + "\n")
    return path


def evaluate(video, *rows):
    """The figures of a video held against these rows of truth."""
    truth = write_truth(video.with_suffix(".csv"), *rows)
    result = run("evaluate", "--stream", video, "--truth", truth)
    assert result.exit_code == 0, result.output
    return json.loads(video.with_suffix(".stream.json").read_text()), result.stdout


@pytest.fixture(scope="module")
def changing(tmp_path_factory):
    """Six seconds at 20 frames/s: happy, calm, happy, two seconds each."""
    frames = moving(happy_face(), 40) + moving(calm_face(), 40) + moving(happy_face(), 40)
    return write_y4m(tmp_path_factory.mktemp("changing") / "clip.y4m", frames)


@pytest.fixture(scope="module")
def leaving(tmp_path_factory):
    """Three seconds at 20 frames/s: happy, nobody, happy, one second each."""
    frames = moving(happy_face(), 20) + [NOBODY] * 20 + moving(happy_face(), 20)
    return write_y4m(tmp_path_factory.mktemp("leaving") / "clip.y4m", frames)


def test_a_video_whose_labels_change(changing):
    figures, output = evaluate(changing, "0,2,happy", "2,4,neutral", "4,6,happy")
    assert figures["truth"] == {"name": "clip.csv", "stretches": 3, "judged_frames": 120, "judged_s": 6.0}
    assert figures["video"]["frames"] == 120 and figures["video"]["duration_s"] == 6.0
    assert figures["video"]["name"] == "clip.y4m" and str(changing.parent) not in json.dumps(figures)
    assert figures["detector"] == "yunet"
    for label, n in (("happy", 80), ("neutral", 40)):
        assert figures["labels"][label]["n"] == n
        assert figures["labels"][label]["precision"] > 0.75 and figures["labels"][label]["recall"] > 0.75
    assert figures["labels"]["angry"]["n"] == 0 and figures["labels"]["angry"]["recall"] is None
    assert figures["macro"]["labels"] == 2 and figures["macro"]["recall"] > 0.75
    assert figures["any_face"] == {"n": 120, "share": 1.0} and figures["reliable_face"]["share"] > 0.85
    lag = figures["lag"]
    assert lag["n"] == lag["followed"] == 2 and 0.05 <= lag["median_s"] <= lag["worst_s"] < 1.5
    assert figures["flips"]["true_changes"] == 2 and abs(figures["flips"]["per_minute"]) <= 20
    assert [row["label"] for row in figures["over_time"]] == ["happy", "neutral", "happy"]
    assert figures["over_time"][0]["recall"] > figures["over_time"][1]["recall"] > 0.5
    speed = figures["speed"]
    assert speed["n"] == 120 and 0 < speed["latency_p50_ms"] <= speed["latency_p95_ms"] and speed["frames_per_s"] > 0
    assert figures["live"]["n"] == 120 and 0 <= figures["live"]["dropped_share"] < 1
    for words in ("happy", "neutral", "macro", "frames/s", "p95", "dropped", "reliable face", "2 of 2 changes"):
        assert words in output


def test_a_truth_that_is_wrong_is_noticed(changing):
    figures, _ = evaluate(changing, "0,2,neutral", "2,4,happy", "4,6,neutral")
    assert figures["labels"]["happy"]["precision"] < 0.3 and figures["labels"]["neutral"]["recall"] < 0.3
    assert figures["over_time"][0]["precision"] == 0.0


def test_nothing_flickers_on_a_frozen_picture(tmp_path):
    video = write_y4m(tmp_path / "frozen.y4m", [moving(happy_face(), 1)[0]] * 30)
    figures, output = evaluate(video, "0,1.5,happy")
    assert figures["flips"] == {"shown_changes": 0, "true_changes": 0, "judged_s": 1.5, "per_minute": 0.0}
    assert figures["lag"] == {"n": 0, "followed": 0, "median_s": None, "worst_s": None}
    assert figures["labels"]["happy"] == {"n": 30, "shown": 30, "precision": 1.0, "recall": 1.0}
    assert "0 of 0 changes" in output


def test_frames_without_a_face_are_misses_and_no_predictions(leaving):
    figures, _ = evaluate(leaving, "0,3,happy")
    happy = figures["labels"]["happy"]
    assert happy["n"] == 60 and happy["shown"] <= 40
    assert happy["recall"] == pytest.approx(2 / 3, abs=0.05) and happy["precision"] > 0.95
    for name in ("any_face", "reliable_face"):
        assert figures[name]["n"] == 60 and figures[name]["share"] == pytest.approx(2 / 3, abs=0.05)


def test_frames_outside_the_truth_are_not_evaluated(leaving):
    figures, _ = evaluate(leaving, "0,1,happy", "2,3,happy")
    assert figures["truth"]["judged_frames"] == 40 and figures["truth"]["judged_s"] == 2.0
    assert figures["any_face"] == {"n": 40, "share": 1.0}
    assert figures["flips"]["true_changes"] == 0 and figures["lag"]["n"] == 0


def test_a_face_that_is_not_reliable_shows_no_label(tmp_path):
    sharp = moving(happy_face(), 10)
    blurred = [cv2.GaussianBlur(frame, (0, 0), 6) for frame in sharp]
    figures, _ = evaluate(write_y4m(tmp_path / "blurred.y4m", sharp + blurred), "0,1,happy")
    assert figures["any_face"] == {"n": 20, "share": 1.0} and figures["reliable_face"] == {"n": 20, "share": 0.5}
    assert figures["labels"]["happy"] == {"n": 20, "shown": 10, "precision": 1.0, "recall": 0.5}


def test_the_largest_face_is_the_one_that_counts(tmp_path):
    frame = scene([(calm_face(), 10, 150, 200), (happy_face(), 250, 60, 380)])
    figures, _ = evaluate(write_y4m(tmp_path / "two.y4m", [frame] * 10), "0,0.5,happy")
    assert figures["labels"]["happy"] == {"n": 10, "shown": 10, "precision": 1.0, "recall": 1.0}


def test_the_output_can_be_chosen_and_spreadsheet_files_are_read(leaving, tmp_path):
    truth = tmp_path / "truth.csv"
    truth.write_bytes(b"\xef\xbb\xbflabel,start_s,end_s,note\r\n happy ,0,0.5,first\r\n\r\n")
    result = run("evaluate", "--stream", leaving, "--truth", truth, "--output", tmp_path / "figures.json")
    assert result.exit_code == 0, result.output
    assert json.loads((tmp_path / "figures.json").read_text())["truth"]["judged_frames"] == 10


def make_viewing(shown, *, latency_s=0.01, frames_per_s=10):
    count = len(shown)
    return Viewing(
        times_s=np.arange(count) / frames_per_s,
        latency_s=np.full(count, latency_s),
        has_face=np.ones(count, bool),
        shown=np.array(shown),
        end_s=count / frames_per_s,
    )


def test_figures_worked_out_by_hand():
    # Ten frames a second: happy for 1 s, sad for 1 s, and a third second in which the truth is not known.
    shown = [0, 0, 0, 2, 0, 0, NOTHING, 0, 0, 0] + [0, 0, 0, 1, 1, NOTHING, 1, 1, 0, 1] + [2] * 10
    stretches = [Stretch(0, 1, "happy", 2), Stretch(1, 2, "sad", 3)]
    figures = measure_quality(make_viewing(shown), stretches, LABELS)
    assert figures["labels"] == {
        "happy": {"n": 10, "shown": 12, "precision": 8 / 12, "recall": 0.8},
        "sad": {"n": 10, "shown": 5, "precision": 1.0, "recall": 0.5},
        "neutral": {"n": 0, "shown": 1, "precision": 0.0, "recall": None},
    }
    assert figures["macro"] == pytest.approx({"labels": 2, "precision": (8 / 12 + 1) / 2, "recall": 0.65})
    assert figures["reliable_face"] == {"n": 20, "share": 0.9}
    assert figures["flips"] == pytest.approx(
        {"shown_changes": 5, "true_changes": 1, "judged_s": 2.0, "per_minute": 4 / 2 * 60}
    )
    assert figures["lag"] == pytest.approx({"n": 1, "followed": 1, "median_s": 0.3, "worst_s": 0.3})
    assert [row["recall"] for row in figures["over_time"]] == [0.8, 0.5]
    assert [row["precision"] for row in figures["over_time"]] == [8 / 9, 5 / 9]


def test_a_change_that_is_never_shown_is_not_followed():
    stretches = [Stretch(0, 1, "happy", 2), Stretch(1, 2, "sad", 3), Stretch(2, 3, "happy", 4)]
    figures = measure_quality(make_viewing([0] * 30), stretches, LABELS)
    assert figures["lag"] == {"n": 2, "followed": 1, "median_s": 0.0, "worst_s": 0.0}
    assert figures["labels"]["sad"] == {"n": 10, "shown": 0, "precision": None, "recall": 0.0}
    assert figures["macro"]["precision"] == pytest.approx((20 / 30 + 0) / 2)
    assert figures["flips"]["per_minute"] == pytest.approx(-40)


@pytest.mark.parametrize(
    ("latency_s", "dropped", "frames_per_s"), [(0.01, 0, 10), (0.09, 0, 10), (0.14, 5, 5), (0.24, 6, 4), (5.0, 9, 1)]
)
def test_a_slow_machine_drops_frames(latency_s, dropped, frames_per_s):
    figures = simulate_live(make_viewing([0] * 10, latency_s=latency_s))
    assert figures["n"] == 10 and figures["dropped"] == dropped
    assert figures["dropped_share"] == pytest.approx(dropped / 10)
    assert figures["frames_per_s"] == pytest.approx(frames_per_s)


def write_mkv(path, frames, stamps):
    """A lossless video whose frames carry these timestamps, in twentieths of a second."""
    height, width = frames[0].shape[:2]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=20)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv444p"
        for pixels, stamp in zip(frames, stamps, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 20)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def test_a_frame_rate_that_varies(tmp_path):
    stamps = [*range(10), *range(10, 40, 3)]
    video = write_mkv(tmp_path / "varying.mkv", moving(happy_face(), 20), stamps)
    figures, _ = evaluate(video, "1,1.9,happy")
    assert figures["video"]["frames"] == 20
    assert figures["truth"]["judged_frames"] == 6 and figures["labels"]["happy"]["recall"] == 1.0


def make_bad_videos(folder):
    """File name -> words that the message must contain."""
    (folder / "text.mp4").write_text("hello" * 100)
    (folder / "empty.mp4").write_bytes(b"")
    writer = cv2.VideoWriter(str(folder / "whole.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 20, (640, 480))
    for frame in moving(happy_face(), 60):
        writer.write(frame)
    writer.release()
    content = (folder / "whole.avi").read_bytes()
    (folder / "cut.avi").write_bytes(content[: len(content) // 2])
    write_y4m(folder / "single.y4m", [NOBODY])
    return {
        "text.mp4": "not a video that can be read",
        "empty.mp4": "the file is empty",
        "single.y4m": "at least two frames",
        "missing.mp4": "there is no such file",
        "cut.avi": "is damaged from",
    }


def test_bad_videos_are_reported(tmp_path):
    truth = write_truth(tmp_path / "truth.csv", "0,0.5,happy")
    for name, words in make_bad_videos(tmp_path).items():
        result = run("evaluate", "--stream", tmp_path / name, "--truth", truth)
        assert result.exit_code == 1 and words in result.output and name in result.output, (name, result.output)
    assert run("evaluate", "--stream", tmp_path / "whole.avi", "--truth", truth).exit_code == 0
    assert [path.name for path in tmp_path.glob("*.json")] == ["whole.stream.json"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "line 1 must name the columns"),
        ("start,end,label\n0,1,happy\n", "missing: ['start_s', 'end_s']"),
        ("start_s,end_s,label\n", "there is no row"),
        ("start_s,end_s,label\n0,1,happy\nsoon,2,happy\n", "line 3: start_s and end_s must be seconds"),
        ("start_s,end_s,label\n0,nan,happy\n", "line 2: needs 0 <= start_s < end_s"),
        ("start_s,end_s,label\n1,1,happy\n", "line 2: needs 0 <= start_s < end_s"),
        ("start_s,end_s,label\n-1,1,happy\n", "line 2: needs 0 <= start_s < end_s"),
        ("start_s,end_s,label\n0,1,glad\n", "line 2: unknown label 'glad'; the bundle knows angry"),
        ("start_s,end_s,label\n0,1\n", "line 2: must have as many fields"),
        ("start_s,end_s,label\n0,1,happy,sad\n", "line 2: must have as many fields"),
        ("start_s,end_s,label\n0,1,happy\n0.9,2,sad\n", "line 3: starts at 0.9 s, before line 2 ends at 1 s"),
        ("start_s,end_s,label\n1,2,happy\n0,1,sad\n", "line 3: starts at 0 s, before line 2"),
        ("start_s,end_s,label\n0,1,happy\n1,60,sad\n", "line 3: ends at 60 s, but the video clip.y4m ends at 3.00 s"),
        ("start_s,end_s,label\n0.01,0.02,happy\n", "line 2: no frame of the video"),
        ("start_s,end_s,label\n3.1,3.4,happy\n", "line 2: no frame of the video"),
        (b"start_s,end_s,label\n0,1,\xff\n", "cannot be read as a CSV file in UTF-8"),
    ],
)
def test_bad_ground_truth_is_reported_with_its_line(leaving, tmp_path, content, words):
    truth = tmp_path / "truth.csv"
    truth.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = run("evaluate", "--stream", leaving, "--truth", truth, "--output", tmp_path / "figures.json")
    assert result.exit_code == 1 and words in result.output, result.output
    assert not (tmp_path / "figures.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--data"),
        (["--stream", "clip.y4m"], "belong together"),
        (["--truth", "truth.csv"], "belong together"),
        (["--stream", "clip.y4m", "--truth", "truth.csv", "--data", "faces"], "leave out --data"),
        (["--stream", "clip.y4m", "--truth", "truth.csv", "--output", "no/such/folder/x.json"], "no such folder"),
        (["--stream", "clip.y4m", "--truth", "no_truth.csv"], "no_truth.csv"),
        (["--stream", "clip.y4m", "--truth", "truth.csv", "--bundle", "no_bundle"], "no_bundle"),
    ],
)
def test_wrong_settings_are_reported(leaving, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(leaving.parent)
    write_truth(leaving.parent / "truth.csv", "0,1,happy")
    result = run("evaluate", *arguments)
    assert result.exit_code != 0 and words in " ".join(result.output.replace("│", " ").split()), result.output


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """A data set of two people, cut as FER2013's images are; the test split has labels, `one` has a single label."""
    folder = tmp_path_factory.mktemp("faces")
    names = ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=names)})
    happy, calm = (
        cv2.resize(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), (48, 48), interpolation=cv2.INTER_AREA)
        for face in (happy_face()[30:170, 30:170], calm_face()[90:350, 80:340])
    )
    for split, rows in {
        "test": [(happy, 3), (calm, 6), (happy, 3), (calm, 6), (happy[:, ::-1], 3)],
        "validation": [(happy, 3), (happy[:, ::-1], 3)],
    }.items():
        columns = {"image": [image for image, _ in rows], "label": [label for _, label in rows]}
        datasets.Dataset.from_dict(columns, features=features).to_parquet(folder / f"{split}.parquet")
    return folder


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_a_made_video_is_evaluated(faces, tmp_path, suffix):
    video = tmp_path / f"made{suffix}"
    options = ["--seconds-per-label", 1, "--rounds", 2]
    result = run("make-stream", "--data", faces, "--output", video, *options)
    assert result.exit_code == 0, result.output
    truth = video.with_suffix(".csv")
    assert sorted(tmp_path.iterdir()) == sorted([video, truth]) and str(truth) in result.stdout
    first, *rows = truth.read_text().split()
    assert first == "start_s,end_s,label" and [row.rsplit(",", 1)[0] for row in rows] == [
        "0.0,1.0",
        "1.0,2.0",
        "2.0,3.0",
        "3.0,4.0",
    ]
    shown = [row.rsplit(",", 1)[1] for row in rows]
    assert set(shown) == {"happy", "neutral"} and all(a != b for a, b in pairwise(shown))
    figures, _ = evaluate(video, *rows)
    assert figures["video"]["frames"] == 100
    assert (figures["video"]["width_px"], figures["video"]["height_px"]) == (640, 480)
    assert figures["any_face"]["share"] > 0.95 and figures["lag"]["n"] == 3
    assert figures["labels"]["happy"]["n"] == figures["labels"]["neutral"]["n"] == 50
    assert figures["labels"]["happy"]["recall"] > 0.5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--output", "made.mkv"], "must end in .mp4 or .avi"),
        (["--output", "no/such/made.mp4"], "no such folder"),
        (["--output", "made.mp4", "--split", "validation"], "faces for ['happy'] only"),
        (["--output", "made.mp4", "--split", "train"], "train"),
        (["--output", "made.mp4", "--bundle", "no_bundle"], "no_bundle"),
    ],
)
def test_no_video_is_left_where_none_can_be_made(faces, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    result = run("make-stream", "--data", faces, *arguments)
    assert result.exit_code == 1 and words in result.output, result.output
    assert list(tmp_path.iterdir()) == []


def test_a_picture_that_cannot_be_read_is_reported(faces, tmp_path):
    whole = datasets.load_dataset("parquet", data_dir=str(faces), split="test")
    rows = whole.cast_column("image", datasets.Image(decode=False)).to_list()
    rows[2]["image"]["bytes"] = b"no picture"
    (tmp_path / "data").mkdir()
    datasets.Dataset.from_list(rows, features=whole.features).to_parquet(tmp_path / "data" / "test.parquet")
    result = run("make-stream", "--data", tmp_path / "data", "--output", tmp_path / "made.mp4")
    assert result.exit_code == 1 and "row 2" in result.output, result.output
    assert not (tmp_path / "made.mp4").exists()


def test_real_faces_from_data_set_to_figures(ferplus, tmp_path):
    video = tmp_path / "made.mp4"
    made = run("make-stream", "--data", ferplus, "--output", video, "--seconds-per-label", 1.2)
    assert made.exit_code == 0, made.output
    rows = video.with_suffix(".csv").read_text().split()[1:]
    figures, _ = evaluate(video, *rows)
    assert figures["macro"]["labels"] == 7 and {row["n"] for row in figures["labels"].values()} == {30}
    assert figures["any_face"]["share"] > 0.85 and figures["reliable_face"]["share"] > 0.3
    assert figures["macro"]["recall"] > 0.2 and figures["lag"]["n"] == 6
