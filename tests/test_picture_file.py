import io

import cv2
import numpy as np
import pytest
from PIL import Image

from face_expression import PictureError, encode_jpeg, read_picture
from tests.builders import happy_photo, save

EXIF_ORIENTATION = 0x0112


def rotated_phone_photo(path):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = 6
    sideways = Image.fromarray(happy_photo()[:400]).transpose(Image.Transpose.ROTATE_90)
    sideways.save(path, exif=exif, quality=95)


def test_exif_rotation_is_applied(tmp_path):
    rotated_phone_photo(tmp_path / "phone.jpg")
    picture = read_picture(tmp_path / "phone.jpg")
    assert picture.shape == (400, 512, 3)
    assert abs(picture.astype(int) - happy_photo()[:400]).mean() < 4


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


def make_bad_files(folder):
    """Files that people send although they are no pictures: name -> words of the answer."""
    whole = folder / "whole.jpg"
    save(happy_photo(), whole)
    (folder / "truncated.jpg").write_bytes(whole.read_bytes()[:20000])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("I am not a picture")
    (folder / "drawing.jpg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    Image.new("1", (20000, 20000)).save(folder / "huge.png")
    Image.new("1", (10, 40000)).save(folder / "thread.png")
    return {
        "truncated.jpg": "damaged or incomplete",
        "empty.jpg": "the file is empty",
        "text.jpg": "not a picture that can be read",
        "drawing.jpg": "not a picture that can be read",
        "huge.png": "the limit is 50 megapixels",
        "thread.png": "32000 px a side",
        "missing.jpg": "No such file",
        ".": "Is a directory",
    }


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
        (50, (480, 640), {"max_scans": 20}, "60 scans; at most 20"),
        (200, (480, 640), {}, "210 scans; at most 100"),
        (40, (5000, 6000), {}, "50 scans; at most 33"),
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
