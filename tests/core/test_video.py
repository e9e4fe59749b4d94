"""Videos and cameras: files made here go through the public door, and what comes out is played in a browser."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import pytest
from PIL import Image

from face_expression import annotate
from face_expression.cli.camera_window import DesktopError, show_camera
from face_expression.hub.download import DETECTOR_VARIABLE
from face_expression.output.records import face_columns, face_rows
from face_expression.video.labelled_file import label_file
from face_expression.video.labelled_frames import label_video
from face_expression.video.reader import VideoError, read_header, read_video
from face_expression.video.writer import annotated_video
from tests.support.builders import calm_face, happy_face, moving, save, scene
from tests.support.fake_screen import FakeScreen
from tests.support.programs import run_command
from tests.support.videos import decoded, plain, tone_from, write_video
from tests.support.warm_programs import start_warm

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def sound_packets(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def run(*arguments, **environment) -> subprocess.CompletedProcess:
    return run_command("video", *arguments, **environment)


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


VARYING_S = (0.0, 0.04, 0.2, 0.24, 1.0, 1.033, 2.0, 2.04)


@pytest.fixture(scope="module")
def two_people():
    """Eight frames in which somebody happy moves and somebody calm joins."""
    return [
        scene([(happy_face(), 30 + 4 * index, 60, 220), *([(calm_face(), 360, 90, 240)] if index >= 3 else [])])
        for index in range(len(VARYING_S))
    ]


@pytest.fixture(scope="module")
def lossless(two_people, tmp_path_factory):
    """They come at times that are far from regular, and with a tone."""
    path = tmp_path_factory.mktemp("lossless") / "two people ü.mov"
    return write_video(path, two_people, VARYING_S, codec="png", sound="aac")


def test_every_frame_comes_at_its_own_time_with_what_track_says(lossless, two_people, pipeline):
    frames = list(label_video(pipeline, lossless))
    state = None
    for frame, picture, time_s in zip(frames, two_people, VARYING_S, strict=True):
        faces, state = pipeline.track(picture, state, time_s)
        assert np.array_equal(frame.picture, picture) and frame.time_s == pytest.approx(time_s, abs=1e-6)
        assert frame.analysed and [face.box for face in frame.faces] == [face.box for face in faces]
        for face, expected in zip(frame.faces, faces, strict=True):
            assert face.track_id == expected.track_id and face.label == expected.label
            assert np.allclose(face.probabilities, expected.probabilities, atol=1e-5)
    assert {face.track_id for face in frames[-1].faces} == {1, 2}


def test_frames_between_keep_the_last_faces_and_give_no_rows(lossless, two_people, haar_pipeline):
    frames = list(label_video(haar_pipeline, lossless, every=3))
    assert [frame.analysed for frame in frames] == [index % 3 == 0 for index in range(8)]
    assert frames[4].faces == frames[3].faces and np.array_equal(frames[4].picture, two_people[4])
    assert face_rows(frames[4]) == [] and len(face_rows(frames[3])) == len(frames[3].faces) > 0
    with pytest.raises(ValueError, match="at least 1"):
        list(label_video(haar_pipeline, lossless, every=0))


def test_the_command_writes_a_table_and_a_copy(lossless, two_people, yunet_pipeline, yunet_weights, tmp_path):
    output, table = tmp_path / "deeper" / "copy.mp4", tmp_path / "faces.csv"
    table.write_text("from another day")
    result = run(lossless, "--output", output, "--csv", table, **{DETECTOR_VARIABLE: str(yunet_weights)})
    assert result.returncode == 0, result.stderr
    assert result.stdout == "" and "8 frames" in result.stderr
    with table.open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == face_columns(yunet_pipeline.label_names) and header[:3] == ["time_s", "frame", "track_id"]
    expected, state = [], None
    for index, (picture, time_s) in enumerate(zip(two_people, VARYING_S, strict=True)):
        faces, state = yunet_pipeline.track(picture, state, time_s)
        expected += [(index, time_s, face) for face in faces]
    assert len(rows) == len(expected) > 8
    for row, (index, time_s, face) in zip(rows, expected, strict=True):
        values = dict(zip(header, row, strict=True))
        assert float(values["time_s"]) == pytest.approx(time_s, abs=0.001) and int(values["frame"]) == index
        assert [float(values[side]) for side in ("x0", "y0", "x1", "y1")] == pytest.approx(face.box, abs=0.06)
        names = yunet_pipeline.label_names
        assert [float(values[name]) for name in names] == pytest.approx(list(face.probabilities), abs=1e-3)
        assert (int(values["track_id"]), values["label"]) == (face.track_id, face.label)
        assert values["reliable"] == str(face.reliable).lower() and values["reasons"] == "; ".join(face.reasons)
    shown = decoded(output)
    assert [time_s for time_s, _ in shown] == pytest.approx(VARYING_S, abs=0.001)
    faces, _ = yunet_pipeline.track(two_people[0], None, 0.0)
    drawn = annotate(two_people[0], faces, yunet_pipeline.label_names).astype(int)
    marked = np.abs(drawn - two_people[0]).max(axis=2) > 60
    assert (
        np.abs(shown[0][1] - drawn)[marked].mean() < 20 < np.abs(shown[0][1].astype(int) - two_people[0])[marked].mean()
    )
    assert sound_packets(output) == sound_packets(lossless)
    assert files_in(tmp_path) == {"deeper", "faces.csv"} and files_in(output.parent) == {"copy.mp4"}


def test_a_browser_plays_the_copy(playwright, browser_path, haar_pipeline, tmp_path):
    pictures = [plain(1280, 720, RED if index < 25 else BLUE) for index in range(50)]
    source = write_video(tmp_path / "in.webm", pictures, codec="libvpx", sound="libopus")
    label_file(haar_pipeline, source, output=tmp_path / "out.mp4", every=25)
    head = (tmp_path / "out.mp4").read_bytes()[:4096]
    assert b"moov" in head and b"mdat" not in head[: head.index(b"moov")]
    browser = playwright.chromium.launch(
        executable_path=browser_path,
        args=["--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"],
    )
    try:
        page = browser.new_page()
        (tmp_path / "page.html").write_text("<!doctype html><video src=out.mp4></video>")
        page.goto((tmp_path / "page.html").as_uri())
        played = page.evaluate(
            """async () => {
                const video = document.querySelector("video");
                await video.play();
                await new Promise((done, failed) => {
                    video.onended = done;
                    video.onerror = () => failed(new Error(video.error.message));
                    setTimeout(() => failed(new Error("it does not end")), 15000);
                });
                return {
                    size: [video.videoWidth, video.videoHeight],
                    duration: video.duration,
                    frames: video.getVideoPlaybackQuality().totalVideoFrames,
                    soundBytes: video.webkitAudioDecodedByteCount,
                };
            }"""
        )
        page.evaluate("document.querySelector('video').currentTime = 0.5")
        page.wait_for_function("!document.querySelector('video').seeking")
        picture = tmp_path / "seen.png"
        page.locator("video").screenshot(path=picture)
    finally:
        browser.close()
    assert played["size"] == [1280, 720]
    assert played["duration"] == pytest.approx(2.0, abs=0.03)
    assert played["frames"] >= 10 and played["soundBytes"] > 5000
    seen = np.asarray(Image.open(picture).convert("RGB"))
    middle = seen[seen.shape[0] // 2, seen.shape[1] // 4].astype(int)
    assert np.abs(middle - RED).max() < 16


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.ts", "aac"), ("a.mkv", "libmp3lame")])
def test_sound_that_browsers_play_is_copied(tmp_path, haar_pipeline, name, codec):
    source = write_video(tmp_path / name, [plain()] * 50, sound=codec)
    label_file(haar_pipeline, source, output=tmp_path / "out.mp4", every=50)
    copied, original = sound_packets(tmp_path / "out.mp4"), sound_packets(source)
    assert len(copied) == len(original) > 40
    headers = 7 if name.endswith(".ts") else 0
    assert copied == [packet[headers:] for packet in original]


@pytest.mark.parametrize(("name", "codec"), [("a.webm", "libopus"), ("a.avi", "ac3"), ("a.mkv", "flac")])
def test_other_sound_becomes_aac_and_sounds_the_same(tmp_path, haar_pipeline, name, codec):
    video_codec = {".webm": "libvpx", ".avi": "mpeg4"}.get(Path(name).suffix, "libx264")
    source = write_video(tmp_path / name, [plain()] * 50, codec=video_codec, sound=codec)
    label_file(haar_pipeline, source, output=tmp_path / "out.mp4", every=50)
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.audio[0].codec_context.name == "aac"
        wave = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert len(wave) == pytest.approx(2 * 48_000, abs=2500)
    spectrum = np.abs(np.fft.rfft(wave[24_000:72_000]))
    assert spectrum.argmax() == pytest.approx(440, abs=2)


# Seen upright, the red corner is at the place named.
TURNED = [
    (None, "top left"),
    ((0, 1, 0, -1, 0, 0), "top right"),
    ((-1, 0, 0, 0, -1, 0), "bottom right"),
    ((0, -1, 0, 1, 0, 0), "bottom left"),
    ((-1, 0, 0, 0, 1, 0), "top right"),
]


@pytest.mark.parametrize(("matrix", "corner"), TURNED)
def test_rotated_videos_come_upright(tmp_path, haar_pipeline, matrix, corner):
    picture = plain(96, 64)
    picture[:24, :24] = RED
    source = write_video(tmp_path / "phone.mp4", [picture] * 3, matrix=matrix)
    label_file(haar_pipeline, source, output=tmp_path / "out.mp4")
    for upright in (next(read_video(source)).pixels, decoded(tmp_path / "out.mp4")[0][1]):
        assert upright.shape == ((96, 64, 3) if matrix and matrix[0] == 0 else (64, 96, 3))
        red = {
            f"{vertical} {horizontal}"
            for vertical, row in (("top", 8), ("bottom", -8))
            for horizontal, column in (("left", 8), ("right", -8))
            if upright[row, column, 0] > 200 and upright[row, column, 1] < 60
        }
        assert red == {corner}
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert next(container.decode(video=0)).rotation == 0


def test_pixels_that_are_not_square_are_made_so(tmp_path):
    source = tmp_path / "wide.mp4"
    with av.open(str(source), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(4, 3)
        container.mux(stream.encode(av.VideoFrame.from_ndarray(plain(), "rgb24")))
        container.mux(stream.encode(None))
    assert next(read_video(source)).pixels.shape == (48, 85, 3)


@pytest.mark.parametrize(
    ("size", "written"),
    [
        ((1, 1), (2, 2)),
        ((33, 51), (32, 52)),
        ((641, 481), (640, 480)),
        ((3000, 20), (1920, 12)),
        ((3840, 2160), (1920, 1080)),
        ((2160, 3840), (1080, 1920)),
    ],
)
def test_any_size_can_be_written(tmp_path, haar_pipeline, size, written):
    source = write_video(tmp_path / "in.mov", [plain(*size, GREEN)] * 2, codec="png")
    label_file(haar_pipeline, source, output=tmp_path / "out.mp4", every=2)
    shown = decoded(tmp_path / "out.mp4")
    assert len(shown) == 2 and shown[0][1].shape == (written[1], written[0], 3)
    assert np.abs(shown[0][1][written[1] // 2, written[0] // 2].astype(int) - GREEN).max() < 16


def test_faces_of_a_large_picture_are_drawn_where_they_are(tmp_path, haar_pipeline):
    large = cv2.resize(scene([(happy_face(), 140, 60, 360)]), (3840, 2880), interpolation=cv2.INTER_CUBIC)
    source = write_video(tmp_path / "in.mov", [large], codec="png")
    (frame,) = label_video(haar_pipeline, source)
    (face,) = frame.faces
    assert face.box[2] - face.box[0] > 900
    with annotated_video(tmp_path / "out.mp4", haar_pipeline.label_names) as copy:
        copy.write(frame)
    ((_, shown),) = decoded(tmp_path / "out.mp4")
    unmarked = cv2.resize(large, (1920, 1440), interpolation=cv2.INTER_AREA).astype(int)
    changed = np.abs(shown - unmarked).max(axis=2) > 60
    x0, y0, _, y1 = (round(value / 2) for value in face.box)
    assert changed[y0 + 60 : y1 - 10, x0 - 4 : x0 + 4].any(axis=1).mean() > 0.9
    assert not changed[:, : x0 - 20].any()


def test_files_put_together_go_on_in_time_and_in_one_size(tmp_path, haar_pipeline):
    """A recorder's files joined end to end: the clock starts anew and the size changes."""
    first = write_video(tmp_path / "1.ts", [plain(96, 64, RED)] * 60, sound="aac")
    second = write_video(tmp_path / "2.ts", [plain(64, 96, BLUE)] * 40, sound="aac")
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() + second.read_bytes())
    label_file(haar_pipeline, joined, output=tmp_path / "out.mp4", every=100)
    times_s = [time_s for time_s, _ in decoded(tmp_path / "out.mp4")]
    steps_s = np.diff(times_s)
    assert len(times_s) >= 98 and (steps_s > 0).all() and steps_s.max() < 0.2
    assert 3.8 < times_s[-1] < 4.2
    last = decoded(tmp_path / "out.mp4")[-1][1].astype(int)
    assert last.shape == (64, 96, 3) and len(sound_packets(tmp_path / "out.mp4")) == len(sound_packets(joined))
    assert np.abs(last[32, 48] - BLUE).max() < 16 and last[32, 4].max() < 16


def make_unreadable(folder: Path) -> dict[str, tuple[Path, str]]:
    """Files that are no videos, and words of the error for each."""
    good = write_video(folder / "good.mp4", [plain()] * 10)
    with av.open(str(folder / "song.mp3"), "w") as container:
        tone = container.add_stream("libmp3lame", rate=48_000, layout="mono")
        container.mux(tone.encode(tone_from(0, 48_000)))
        container.mux(tone.encode(None))
    with av.open(str(folder / "sound.mp4"), "w") as container:
        tone = container.add_stream("aac", rate=48_000, layout="mono")
        container.mux(tone.encode(tone_from(0, 48_000)))
        container.mux(tone.encode(None))
    (folder / "empty.mp4").touch()
    (folder / "folder.mp4").mkdir()
    (folder / "text.mp4").write_text("hello\n" * 1000)
    (folder / "half.mp4").write_bytes(good.read_bytes()[: good.stat().st_size // 2])
    (folder / "playlist.mp4").write_text("#EXTM3U\n#EXTINF:1,\ngood.mp4\n#EXT-X-ENDLIST\n")
    (folder / "list.mp4").write_text("ffconcat version 1.0\nfile good.mp4\n")
    save(plain(), folder / "picture.jpg")
    no_video = "not a video"
    words = {
        "missing.mp4": "no such file",
        "empty.mp4": "is empty",
        "folder.mp4": "cannot be opened",
        "text.mp4": no_video,
        "half.mp4": "incomplete",
        "playlist.mp4": no_video,
        "list.mp4": no_video,
        "picture.jpg": no_video,
        "song.mp3": no_video,
        "sound.mp4": "holds no video that can be read",
    }
    return {name: (folder / name, message) for name, message in words.items()}


def test_what_is_no_video_is_an_error(tmp_path, haar_pipeline):
    for name, (path, words) in make_unreadable(tmp_path).items():
        with pytest.raises(VideoError, match=words):
            list(read_video(path))
        with pytest.raises(VideoError, match=words):
            label_file(haar_pipeline, path, output=tmp_path / "out.mp4")
        assert not (tmp_path / "out.mp4").exists(), name
    assert not list(tmp_path.glob(".*"))


def test_odd_names_and_notes_are_no_harm(tmp_path):
    named = Path(os.fsdecode(os.fsencode(tmp_path) + b"/concat:a|b \xff.mkv"))
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        container.metadata["title"] = "TITLETITLE"
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(plain(), "rgb24")))
        container.mux(stream.encode(None))
    named.write_bytes((tmp_path / "in.mkv").read_bytes().replace(b"TITLETITLE", b"caf\xe9 \xff\xfe de"))
    assert len(list(read_video(named))) == 1


def test_limits_for_servers(tmp_path, haar_pipeline):
    source = write_video(tmp_path / "in.mp4", [plain()] * 50)
    no_length = write_video(tmp_path / "in.ts", [plain()] * 50)
    assert read_header(source).length_s == pytest.approx(2.0, abs=0.01) and read_header(source).pictures == 50
    assert len(list(label_video(haar_pipeline, source, every=50, max_s=2.1, max_pixels=64 * 48))) == 50
    with pytest.raises(VideoError, match="longer than 1 s"):
        next(label_video(haar_pipeline, source, max_s=1))
    with pytest.raises(VideoError, match="longer than 1 s"):
        list(label_video(haar_pipeline, no_length, every=50, max_s=1))
    with pytest.raises(VideoError, match="64 x 48"):
        next(label_video(haar_pipeline, source, max_pixels=64 * 48 - 1))


def noise(count: int) -> list[np.ndarray]:
    """Pictures that compress badly, so that a part of the file is a part of the video."""
    random = np.random.default_rng(0)
    return [random.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(count)]


def test_of_a_truncated_video_the_good_part_is_kept(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", noise(100), sound="aac", options={"movflags": "+faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    written = "--output", tmp_path / "out.mp4", "--csv", tmp_path / "out.csv"
    result = run(cut, *written, "--every", 100, "--detector", "haar")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    assert "should last 4.0 s, but can be read up to 2." in result.stderr and "out.mp4" in result.stderr
    times_s = [time_s for time_s, _ in decoded(tmp_path / "out.mp4")]
    assert 50 <= len(times_s) <= 70 and times_s[-1] == pytest.approx((len(times_s) - 1) / 25, abs=0.001)
    assert len(sound_packets(tmp_path / "out.mp4")) == pytest.approx(len(times_s) / 25 * 48_000 / 1024, abs=4)
    assert (tmp_path / "out.csv").read_text().startswith("time_s,frame,track_id,x0,")


def test_damage_in_the_middle_is_reported_and_the_rest_is_read(tmp_path):
    source = write_video(tmp_path / "in.mov", noise(20), codec="png")
    with av.open(str(source)) as container:
        place = [packet.pos for packet in container.demux(video=0) if packet.size][10]
    content = bytearray(source.read_bytes())
    content[place : place + 2000] = bytes(2000)
    source.write_bytes(content)
    times_s = []
    with pytest.raises(VideoError, match=r"damaged from 0\.4 s"):
        for picture in read_video(source):
            times_s.append(picture.time_s)
    assert len(times_s) == 19 and times_s[-1] == pytest.approx(19 / 25)


def test_memory_does_not_grow_with_the_length(tmp_path, haar_pipeline):
    pictures = (plain(1280, 720) for _ in range(400))
    source = write_video(tmp_path / "in.mp4", pictures, codec="mpeg4", sound="aac")
    process, used = psutil.Process(), []

    def note_memory(_) -> bool:
        used.append(process.memory_info().rss)
        return True

    done = label_file(haar_pipeline, source, output=tmp_path / "out.mp4", every=200, go_on=note_memory)
    assert done.frames == 400 and done.problem is None
    assert max(used[100:]) - used[99] < 30 * 1280 * 720 * 3


def test_ctrl_c_leaves_a_video_that_plays(tmp_path):
    source = write_video(tmp_path / "in.mp4", (plain(320, 240) for _ in range(1000)), codec="mpeg4", sound="aac")
    (tmp_path / "out").mkdir()
    written = ["--output", tmp_path / "out" / "copy.mp4", "--csv", tmp_path / "out" / "a.csv"]
    process = start_warm("-m", "face_expression", "video", source, "--detector", "haar", *written)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in (tmp_path / "out").glob(".*.mp4.*")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=60)[1]
    assert process.returncode == 130 and "stopped at" in output and "Traceback" not in output
    assert files_in(tmp_path / "out") == {"copy.mp4", "a.csv"}
    assert 0 < len(decoded(tmp_path / "out" / "copy.mp4")) < 1000


def test_what_is_there_is_replaced_only_by_something_whole(tmp_path, haar_pipeline):
    source = write_video(tmp_path / "in.mp4", [plain()] * 10)
    output = tmp_path / "out.mp4"
    output.write_bytes(b"old")

    def fail(_):
        raise RuntimeError("a fault of ours")

    with pytest.raises(RuntimeError):
        label_file(haar_pipeline, source, output=output, go_on=fail)
    assert output.read_bytes() == b"old" and files_in(tmp_path) == {"in.mp4", "out.mp4"}
    label_file(haar_pipeline, source, output=output)
    assert len(decoded(output)) == 10 and files_in(tmp_path) == {"in.mp4", "out.mp4"}


def test_rows_go_to_standard_output_where_nothing_else_is_asked_for(lossless):
    result = run(lossless, "--detector", "haar", "--every", 4)
    assert result.returncode == 0, result.stderr
    rows = list(csv.DictReader(result.stdout.splitlines()))
    assert {row["frame"] for row in rows} == {"0", "4"} and rows[0]["label"] == "happy"


@pytest.mark.parametrize(
    ("arguments", "words", "code"),
    [
        (["in.mp4", "--output", "in.mp4"], "is read from", 2),
        (["in.mp4", "--csv", "./in.mp4"], "is read from", 2),
        (["in.mp4", "--output", "out.avi"], "must end in .mp4", 2),
        (["in.mp4", "--every", "0"], "should be greater than or equal to 1", 2),
        (["0", "--csv", "a.csv"], "a camera is only shown", 2),
        (["in.mp4", "--output", "in.mp4/out.mp4"], "cannot be written", 1),
        (["missing.mp4"], "there is no such file", 1),
    ],
)
def test_wrong_settings_are_errors(tmp_path, arguments, words, code):
    write_video(tmp_path / "in.mp4", [plain()])
    placed = [str(tmp_path / word) if "." in word and not word.startswith("-") else word for word in arguments]
    result = run(*placed, "--detector", "haar")
    assert result.returncode == code and "Traceback" not in result.stderr
    assert words in " ".join(result.stderr.replace("│", " ").split())
    assert len(files_in(tmp_path)) == 1


def test_without_windows_the_command_says_what_to_install():
    if "NONE" not in cv2.getBuildInformation().split("GUI:")[1][:40]:
        pytest.skip("this OpenCV has windows")
    result = run("0")
    assert result.returncode == 1 and "Traceback" not in result.stderr
    lines = [line.strip() for line in result.stderr.splitlines() if "pip" in line]
    assert [line.split(" -m pip ")[1].split()[0] for line in lines] == ["uninstall", "install"] * 2
    assert '"opencv-python==4.' in lines[1] and '"opencv-python-headless==4.' in lines[3]


@pytest.mark.parametrize(("keys", "closed_after"), [({3: ord("q")}, 99), ({3: 27}, 99), ({}, 3)])
def test_a_camera_is_shown_as_a_mirror_until_somebody_quits(monkeypatch, haar_pipeline, keys, closed_after):
    frames = moving(happy_face(), 10, side=300)
    screen = FakeScreen(monkeypatch, frames, keys, closed_after)
    show_camera(haar_pipeline, 0)
    assert len(screen.shown) == 3 and screen.released and screen.windows == 0
    shown = cv2.cvtColor(screen.shown[0], cv2.COLOR_BGR2RGB)
    ((face,), _) = haar_pipeline.track(frames[0], None, 0.0)
    x0, y0, x1, y1 = face.box
    mirrored = np.ascontiguousarray(frames[0][:, ::-1])
    assert np.array_equal(
        shown, annotate(mirrored, [replace(face, box=(640 - x1, y0, 640 - x0, y1))], haar_pipeline.label_names)
    )


@pytest.mark.parametrize(("opens", "words"), [(True, "gives no more pictures"), (False, "cannot be opened")])
def test_a_camera_that_is_gone_is_an_error(monkeypatch, haar_pipeline, opens, words):
    screen = FakeScreen(monkeypatch, [plain(640, 480)] * 2, opens=opens)
    with pytest.raises(DesktopError, match=words):
        show_camera(haar_pipeline, 0)
    assert screen.released and screen.windows == 0 and len(screen.shown) == (2 if opens else 0)


def test_without_a_screen_the_camera_is_not_opened(monkeypatch, haar_pipeline):
    FakeScreen(monkeypatch, [])
    monkeypatch.delenv("DISPLAY")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    with pytest.raises(DesktopError, match="no screen"):
        show_camera(haar_pipeline, 0)


def test_help_teaches():
    result = run("--help")
    output = " ".join(result.stdout.split())
    assert result.returncode == 0 and "time_s" in output and "Ctrl-C" in output and "H.264" in output
