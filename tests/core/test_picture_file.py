import io
import os
import struct
import threading

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from face_expression import PictureError, encode_jpeg, read_picture
from tests.support.builders import happy_photo, save
from tests.support.odd_pictures import EXIF_ORIENTATION, make_bad_files, rotated_phone_photo


def test_exif_rotation_is_applied(tmp_path):
    rotated_phone_photo(tmp_path / "phone.jpg")
    picture = read_picture(tmp_path / "phone.jpg")
    assert picture.shape == (400, 512, 3)
    assert abs(picture.astype(int) - happy_photo()[:400]).mean() < 4


# A resolution that is no number, after an orientation that is: rewriting this EXIF fails.
ODD_EXIF = (
    b"II*\0"
    + struct.pack("<IH", 8, 2)
    + struct.pack("<HHIHH", EXIF_ORIENTATION, 3, 1, 6, 0)
    + struct.pack("<HHII", 282, 10, 1, 38)
    + bytes(4)
    + struct.pack("<ii", -1, 0)
)
FORMATS_WITH_EXIF = ("JPEG", "PNG", "WEBP", "AVIF")


def encoded(picture: np.ndarray, name: str, exif: bytes = b"") -> bytes:
    if name == "AVIF" and exif:
        # Pillow writes no odd EXIF into it; so a plain one is written over.
        plain = Image.Exif()
        plain[0x0131] = "x" * 200
        written = encoded_by_pillow(picture, name, plain.tobytes())
        place = max(written.find(head) for head in (b"II*\0", b"MM\0*"))
        return written[:place] + exif[:200] + written[place + len(exif[:200]) :]
    return encoded_by_pillow(picture, name, exif)


def encoded_by_pillow(picture: np.ndarray, name: str, exif: bytes = b"") -> bytes:
    file = io.BytesIO()
    options = {"lossless": True} if name == "WEBP" else {"quality": 90}
    Image.fromarray(picture).save(file, name, **options, **({"exif": exif} if exif else {}))
    return file.getvalue()


def test_odd_exif_still_turns_a_picture(tmp_path):
    sideways = np.rot90(happy_photo()[:400]).copy()
    for name in ("JPEG", "PNG", "WEBP"):
        (tmp_path / "odd").write_bytes(encoded(sideways, name, b"Exif\0\0" + ODD_EXIF))
        picture = read_picture(tmp_path / "odd")
        assert picture.shape == (400, 512, 3) and abs(picture.astype(int) - happy_photo()[:400]).mean() < 4


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("kind", ["H", "I"])
def test_all_orientations(byte_order, kind):
    upright = happy_photo()[:64, :96]
    stored = (
        *(upright, upright[:, ::-1], upright[::-1, ::-1], upright[::-1]),
        *(upright.transpose(1, 0, 2), np.rot90(upright), upright[::-1, ::-1].transpose(1, 0, 2), np.rot90(upright, -1)),
    )
    for orientation, picture in enumerate(stored, 1):
        value = struct.pack(byte_order + kind, orientation).ljust(4, b"\0")
        entry = struct.pack(f"{byte_order}HHI", EXIF_ORIENTATION, {"H": 3, "I": 4}[kind], 1) + value
        exif = {"<": b"II*\0", ">": b"MM\0*"}[byte_order] + struct.pack(f"{byte_order}IH", 8, 1) + entry + bytes(4)
        found = read_picture(io.BytesIO(encoded(np.ascontiguousarray(picture), "PNG", exif)))
        np.testing.assert_array_equal(found, upright)


def turned_in_any_way(picture: np.ndarray) -> set[bytes]:
    ways = [np.rot90(side, turns) for side in (picture, picture[:, ::-1]) for turns in range(4)]
    return {np.ascontiguousarray(way).tobytes() for way in ways}


SMALL = happy_photo()[60:100, 190:214]
PLAIN = {name: read_picture(io.BytesIO(encoded(SMALL, name))) for name in FORMATS_WITH_EXIF}
ENTRY = st.tuples(
    st.sampled_from([EXIF_ORIENTATION, 282, 283, 296, 0x8769, 0x8825, 0x9286, 0xA005, 700, 1]),
    st.integers(0, 14),
    st.one_of(st.integers(0, 4), st.integers(0, 2**32 - 1)),
    st.binary(min_size=4, max_size=4),
)


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    name=st.sampled_from(FORMATS_WITH_EXIF),
    entries=st.lists(ENTRY, max_size=5),
    order=st.sampled_from("<>"),
    tail=st.binary(max_size=40),
    cut=st.one_of(st.none(), st.integers(0, 60)),
)
def test_no_metadata_speaks_against_pixels(name, entries, order, tail, cut):
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}IH", 8, len(entries))
    exif = head + b"".join(struct.pack(f"{order}HHI", *entry[:3]) + entry[3] for entry in entries) + tail
    content = encoded(SMALL, name, (b"Exif\0\0" if name == "JPEG" else b"") + exif[:cut] + b"?")
    assert np.ascontiguousarray(read_picture(io.BytesIO(content))).tobytes() in turned_in_any_way(PLAIN[name])


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(marker=st.sampled_from([0xE1, 0xE2, 0xE3, 0xED, 0xFE]), inside=st.binary(max_size=80), after=st.booleans())
def test_no_segment_of_a_jpeg_beside_its_pixels_matters(marker, inside, after):
    header = {0xE1: b"Exif\0\0", 0xE2: b"MPF\0", 0xED: b"Photoshop 3.0\0"}.get(marker, b"")
    segment = bytes([0xFF, marker]) + struct.pack(">H", len(header + inside) + 2) + header + inside
    content = encoded(SMALL, "JPEG")
    place = 20 if after else 2  # of a JFIF header
    content = content[:place] + segment + content[place:]
    assert np.ascontiguousarray(read_picture(io.BytesIO(content))).tobytes() in turned_in_any_way(PLAIN["JPEG"])


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"quality": 20}, {"subsampling": 0}])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_a_jpeg_lacks_its_last_bytes(options, mode):
    for side in (64, 72, 97):
        file = io.BytesIO()
        Image.fromarray(happy_photo()[60 : 60 + side, 190 : 190 + side]).convert(mode).save(file, "JPEG", **options)
        whole = file.getvalue()
        expected = read_picture(io.BytesIO(whole))
        for cut in (1, 2):
            np.testing.assert_array_equal(read_picture(io.BytesIO(whole[:-cut])), expected)
        # A progressive one may be cut between two drawings of the whole picture, and is then taken.
        for cut in (20,) if "progressive" in options else (20, len(whole) // 2):
            with pytest.raises(PictureError, match="damaged or incomplete"):
                read_picture(io.BytesIO(whole[:-cut]))


def test_cameras_of_50_megapixels(tmp_path):
    Image.new("L", (8160, 6144), 99).save(tmp_path / "phone.jpg")
    assert read_picture(tmp_path / "phone.jpg").shape == (6144, 8160, 3)


def test_a_pipe_is_read(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    content = encoded(SMALL, "PNG")
    writer = threading.Thread(target=(tmp_path / "pipe.png").write_bytes, args=(content,))
    writer.start()
    np.testing.assert_array_equal(read_picture(tmp_path / "pipe.png"), SMALL)
    writer.join(timeout=10)


def test_transparency_lies_on_white(tmp_path):
    rgba = np.zeros((4, 6, 4), np.uint8)
    rgba[:, 3:] = (10, 20, 30, 255)
    picture = read_picture(save(rgba, tmp_path / "a.png"))
    assert picture[0, 0].tolist() == [255, 255, 255] and picture[0, 5].tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("name", "picture", "expected"),
    [
        ("grey.png", Image.new("L", (5, 4), 70), (70, 70, 70)),
        ("bits16.png", Image.fromarray(np.full((4, 5), 0x8040, np.uint16)), (128, 128, 128)),
        ("one_bit.png", Image.new("1", (5, 4), 1), (255, 255, 255)),
        ("palette.gif", Image.new("P", (5, 4), 0), (0, 0, 0)),
        ("cmyk.jpg", Image.new("CMYK", (5, 4), (0, 255, 255, 0)), (254, 0, 0)),
        ("color.webp", Image.new("RGB", (5, 4), (9, 9, 9)), (9, 9, 9)),
        ("color.avif", Image.new("RGB", (5, 4), (9, 9, 9)), (9, 9, 9)),
        ("color.bmp", Image.new("RGB", (5, 4), (1, 2, 3)), (1, 2, 3)),
    ],
)
def test_kinds_of_pictures(tmp_path, name, picture, expected):
    picture.save(tmp_path / name)
    pixels = read_picture(tmp_path / name)
    assert pixels.shape == (4, 5, 3) and pixels.dtype == np.uint8
    assert abs(pixels[0, 0].astype(int) - expected).max() <= 3


def test_bad_files_are_answered_in_words(tmp_path):
    for name, words in make_bad_files(tmp_path).items():
        with pytest.raises(PictureError, match=words):
            read_picture(tmp_path / name)


def test_any_cut_of_a_file_is_a_picture_or_a_clear_error(tmp_path):
    path = save(happy_photo()[:64, :64], tmp_path / "whole.png")
    data, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(200):
        spoiled = bytearray(data[: rng.integers(1, len(data) + 1)])
        spoiled[rng.integers(len(spoiled))] ^= 255
        path.write_bytes(spoiled)
        try:
            assert read_picture(path).shape[2] == 3
        except PictureError as error:
            assert str(error)


def test_a_frame_that_no_jpeg_can_hold_is_refused():
    with pytest.raises(ValueError, match="70000 x 1"):
        encode_jpeg(np.zeros((1, 70000, 3), np.uint8))


def test_jpeg_keeps_the_order_of_colours():
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 250
    decoded = cv2.imdecode(np.frombuffer(encode_jpeg(red), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert decoded[8, 8, 0] > 240 and decoded[8, 8, 2] < 10


def of_scans(times: int, size=(480, 640)) -> bytes:
    """A progressive JPEG whose last scan comes so many times more."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    return whole[:-2] + whole[whole.rfind(b"\xff\xda") : -2] * times + whole[-2:]


@pytest.mark.parametrize(
    ("times", "size", "options", "scans"),
    [
        (0, (480, 640), {}, None),
        (50, (480, 640), {}, None),
        (50, (480, 640), {"max_scans": 20}, "more than 20 scans"),
        (200, (480, 640), {}, "more than 100 scans"),
        (40, (5000, 6000), {}, "more than 33 scans"),
    ],
)
def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded(times, size, options, scans, tmp_path):
    content = of_scans(times, size)
    path = tmp_path / "scans.jpg"
    path.write_bytes(content)
    for source in (io.BytesIO(content), path):
        if scans is None:
            assert read_picture(source, **options).shape == (*size, 3)
        else:
            with pytest.raises(PictureError, match=scans):
                read_picture(source, **options)


def test_only_scans_of_the_picture_itself_count():
    scans = of_scans(0)
    # A comment, and a film after the end, as telephones append it.
    comment = b"\xff\xfe" + (2 + 400).to_bytes(2, "big") + b"\xff\xda" * 200
    picture = scans[:2] + comment + scans[2:] + b"\xff\xda" * 5000
    assert read_picture(io.BytesIO(picture)).shape == (480, 640, 3)


def test_a_picture_that_takes_too_long_is_refused():
    with pytest.raises(PictureError, match="too long"):
        read_picture(io.BytesIO(of_scans(0)), deadline_s=-1)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_a_large_picture_is_the_same_as_in_parts(mode):
    """Pictures are converted in bands: each row must be what it is in a picture of its own."""
    random = np.random.default_rng(0)
    base = Image.fromarray(random.integers(0, 256, (1500, 1000, 3), np.uint8))
    if mode == "I;16":
        base = Image.fromarray(random.integers(0, 65536, (1500, 1000)).astype(np.uint16))
    elif mode == "LA":
        base = base.convert("RGBA").convert("LA")
    else:
        base = base.convert(mode)

    def read(picture):
        file = io.BytesIO()
        picture.save(file, "JPEG" if mode == "CMYK" else "PNG", **({"quality": 100} if mode == "CMYK" else {}))
        file.seek(0)
        return read_picture(file)

    if mode != "CMYK":
        whole = read(base)
        for top in (0, 992, 1496):
            assert (whole[top : top + 4] == read(base.crop((0, top, 1000, top + 4)))).all()
    assert read(base).shape == (1500, 1000, 3)
