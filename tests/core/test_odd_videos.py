"""Videos that players show and that are easily called damaged: repeated pictures, pipes, HDR; and HDR pictures."""

import csv
import io
import struct
import subprocess
import sys
import zlib
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from face_expression import read_picture
from face_expression.io.tone_mapping import to_sdr
from face_expression.video.reader import read_video
from tests.support.builders import REPOSITORY, SUPPORT, happy_photo
from tests.support.programs import run_command

PATIENCE_S = 60
# FFmpeg's test picture, 5 frames/s for two seconds; each fifth frame is new, the others are empty packets of Theora.
REPEATS = SUPPORT / "media" / "steps.ogv"


def test_an_empty_packet_is_the_same_picture_again():
    with av.open(str(REPEATS)) as container:
        assert sum(packet.size == 0 and packet.pts is not None for packet in container.demux(video=0)) == 8
    shown = list(read_video(REPEATS))
    assert [round(picture.time_s, 3) for picture in shown] == [round(number / 5, 3) for number in range(10)]
    same = [bool((one.pixels == other.pixels).all()) for one, other in pairwise(shown)]
    assert same == [True] * 4 + [False] + [True] * 4


def test_a_healthy_theora_film_is_not_damaged(tmp_path):
    result = run_command("video", REPEATS, "--detector", "haar", "--output", tmp_path / "copy.mp4")
    assert result.returncode == 0 and "10 frames, 2.0 s" in result.stderr
    assert len(list(read_video(tmp_path / "copy.mp4"))) == 10


def piped(content: bytes, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "face_expression", "video", "/dev/stdin", "--detector", "haar"]
    return subprocess.run(
        [*command, *map(str, arguments)], cwd=REPOSITORY, input=content, capture_output=True, timeout=PATIENCE_S
    )


def test_a_video_in_a_pipe(tmp_path):
    path = tmp_path / "clip.mp4"
    write_hdr(path, happy_photo()[:256, 96:352], 16, count=4)
    result = piped(path.read_bytes(), "--output", tmp_path / "copy.mp4", "--csv", tmp_path / "rows.csv")
    assert result.returncode == 0, result.stderr.decode()
    rows = list(csv.DictReader((tmp_path / "rows.csv").open()))
    assert [row["label"] for row in rows] == ["happy"] * 4
    rows = list(csv.DictReader(io.StringIO(piped(path.read_bytes()).stdout.decode())))
    assert [row["frame"] for row in rows] == ["0", "1", "2", "3"]
    for content, words in ((b"", "the file is empty"), (b"no video", "not a video that can be read")):
        result = piped(content)
        assert result.returncode == 1 and words in result.stderr.decode() and "Traceback" not in result.stderr.decode()


def to_light(pixels: np.ndarray) -> np.ndarray:
    value = pixels / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def in_hdr(pixels: np.ndarray, transfer: int) -> np.ndarray:
    """An ordinary picture as HDR carries it, white at 203 cd/m2: RGB uint16 in the colours of BT.2020."""
    to_bt2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
    nits = np.clip(to_light(pixels) @ to_bt2020.T, 0, None) * 203
    if transfer == 16:
        power = (nits / 10_000) ** 0.1593017578125
        value = ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375
    else:
        scene = (nits / 1000) ** (1 / 1.2)
        bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        value = np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)
    return np.round(65535 * value).astype(np.uint16)


def write_hdr(path: Path, picture: np.ndarray, transfer: int, *, count: int = 2) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx265", rate=25, options={"crf": "4", "x265-params": "log-level=error"})
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p10le"
        coder = stream.codec_context
        coder.color_trc, coder.color_primaries, coder.colorspace, coder.color_range = transfer, 9, 9, 1
        coder.time_base = Fraction(1, 25)
        for index in range(count):
            frame = av.VideoFrame.from_ndarray(in_hdr(picture, transfer), "rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_looks_as_on_an_ordinary_screen(tmp_path, transfer, haar_pipeline):
    picture = happy_photo()[:256, 96:352]
    shown = next(read_video(write_hdr(tmp_path / "hdr.mkv", picture, transfer))).pixels
    assert_looks_as(picture, shown)
    assert haar_pipeline.analyze(shown)[0].label == "happy"


def assert_looks_as(picture: np.ndarray, shown: np.ndarray) -> None:
    # Highlights are darkened a little, so that there is room for what is brighter than white.
    mid = (picture.max(axis=2) < 200) & (picture.min(axis=2) > 8)
    difference = shown.astype(int) - cv2.GaussianBlur(picture, (0, 0), 0.7)
    assert abs(difference[mid]).mean() < 8 and abs(difference[mid].mean()) < 4
    assert shown[picture.min(axis=2) > 250].min() > 215


def hdr_avif(picture: np.ndarray, transfer: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray((in_hdr(picture, transfer) >> 8).astype(np.uint8)).save(
        file, "AVIF", quality=100, subsampling="4:4:4"
    )
    before, after = file.getvalue().split(b"colrnclx", 1)
    return before + b"colrnclx" + struct.pack(">HH", 9, transfer) + after[4:]


def hdr_png(picture: np.ndarray, transfer: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray((in_hdr(picture, transfer) >> 8).astype(np.uint8)).save(file, "PNG")
    chunk = b"cICP" + bytes([9, transfer, 0, 1])
    header_end = 8 + 25
    chunk = struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return file.getvalue()[:header_end] + chunk + file.getvalue()[header_end:]


@pytest.mark.parametrize("write", [hdr_avif, hdr_png])
@pytest.mark.parametrize("transfer", [16, 18])
def test_an_hdr_picture_looks_as_on_an_ordinary_screen(write, transfer):
    picture = happy_photo()[:256, 96:352]
    assert_looks_as(picture, read_picture(io.BytesIO(write(picture, transfer))))
    # BT.709, as files say of pictures that are no HDR: nothing is mapped.
    plain = read_picture(io.BytesIO(write(picture, 1)))
    assert abs(plain.astype(int) - (in_hdr(picture, 1) >> 8)).mean() < 3


def test_what_is_brighter_than_white_does_not_wrap():
    ramp = np.repeat(np.linspace(0, 65535, 256).astype(np.uint16)[None, :, None], 3, axis=2).repeat(64, axis=0)
    for transfer in (16, 18):
        shown = to_sdr(ramp, transfer, 9)[0].astype(int)
        assert (np.diff(shown, axis=0) >= -1).all() and shown[0].max() == 0 and shown[-1].min() >= 250
