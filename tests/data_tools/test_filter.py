"""Files become images of one face each, or rows that say why not."""

import os
import resource
import signal
import time
import zlib
from hashlib import sha256

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageOps

from data_tools.filter.face_filter import Judge
from data_tools.filter.step import filter_images
from data_tools.settings import FilterSettings
from data_tools.work.denylist import Denylist, deny
from data_tools.work.manifest import Manifest, opened
from face_expression import read_picture
from face_expression.errors import BundleError, DataError
from face_expression.hub.download import DETECTOR_VARIABLE
from face_expression.io.files import store
from tests.support.builders import REPOSITORY, calm_photo, scene
from tests.support.filtering import HAPPY, SEVERAL, SEVERAL_OUTCOMES, SMALLER, TWO, encoded, filtered, outcomes, put
from tests.support.warm_programs import DATA, start_warm


def brightness(picture, shape) -> np.ndarray:
    """Grey pixels in the size of another picture."""
    return cv2.resize(np.asarray(Image.fromarray(picture).convert("L"), np.float32), shape[1::-1])


def animated(file_format) -> bytes:
    frames = [Image.fromarray(np.roll(HAPPY, shift, axis=1)) for shift in (0, 9, 18)]
    return encoded(frames[0], file_format, save_all=True, append_images=frames[1:], duration=100)


def phone_jpeg() -> bytes:
    """Two sizes in one file."""
    image = Image.fromarray(HAPPY)
    return encoded(image, "MPO", save_all=True, append_images=[image.resize((64, 64))])


def on_its_side() -> bytes:
    """Stored lying, with the note that it is to be turned."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "SECRET PLACE"
    return encoded(np.rot90(HAPPY), exif=exif)


def huge_png() -> bytes:
    """30000 x 30000 pixels in a file of some kilobytes that holds only its beginning."""
    small = encoded(np.zeros((1, 1), np.uint8), "PNG")
    header = b"IHDR" + (30000).to_bytes(4, "big") * 2 + b"\x08\x00\x00\x00\x00"
    return small[:12] + header + zlib.crc32(header).to_bytes(4, "big") + small[33:]


def redrawn(times) -> bytes:
    """A progressive JPEG whose last scan comes again and again; each is as much work as the whole picture."""
    whole = encoded(np.zeros((100, 100), np.uint8), progressive=True)
    last = whole.rfind(b"\xff\xda")
    return whole[:-2] + whole[last:-2] * times + whole[-2:]


SIXTEEN_BITS = Image.fromarray((np.asarray(Image.fromarray(HAPPY).convert("L"), np.uint16) * 257).astype(np.uint16))
WITH_ALPHA = Image.fromarray(np.dstack([HAPPY, np.full(HAPPY.shape[:2], 255, np.uint8)]))


@pytest.fixture(scope="module")
def make_judge(yunet_weights, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
        folder = tmp_path_factory.mktemp("judged")
        made = Judge.make(folder, FilterSettings(detector="yunet"), Denylist())

        def judged(content: bytes, denylist: Denylist | None = None):
            name = sha256(content).hexdigest()
            store(content, folder / "raw" / name[:2] / name)
            judge = Judge(folder, made.settings, denylist or Denylist(), made.pipeline, made.detector_sha256)
            row = judge.judge({"url": "u", "content_sha256": name})
            image = row.get("image_sha256")
            files = list((folder / "images").glob(f"*/{image}.*")) if image else []
            return row, read_picture(files[0]) if files else None, files

        yield judged


GOOD = [
    ("JPEG", encoded(HAPPY)),
    ("PNG", encoded(HAPPY, "PNG")),
    ("WEBP", encoded(HAPPY, "WEBP")),
    ("AVIF", encoded(HAPPY, "AVIF")),
    ("JPEG", encoded(Image.fromarray(HAPPY).convert("CMYK"))),
    ("PNG", encoded(SIXTEEN_BITS, "PNG")),
    ("PNG", encoded(Image.fromarray(HAPPY).convert("P", palette=Image.Palette.ADAPTIVE), "PNG")),
    ("PNG", encoded(WITH_ALPHA, "PNG")),
    ("JPEG", encoded(Image.fromarray(HAPPY).convert("L"))),
    ("JPEG", on_its_side()),
    ("JPEG", phone_jpeg()),
]


@pytest.mark.parametrize(("file_format", "content"), GOOD, ids=range(len(GOOD)))
def test_pictures_of_all_kinds_are_read_rightly(make_judge, file_format, content):
    row, image, files = make_judge(content)
    assert row["rejection_reason"] is None, row
    assert (row["format"], row["width"], row["height"]) == (file_format, 512, 512)
    assert row["image_sha256"] == sha256(files[0].read_bytes()).hexdigest()
    # The face lies where it lies in the plain picture, and looks as it looks there.
    plain, plain_image, _ = make_judge(GOOD[0][1])
    assert image.shape[:2] == (row["image_height"], row["image_width"])
    np.testing.assert_allclose(row["face_box"], plain["face_box"], atol=4)
    np.testing.assert_allclose(row["landmarks"], plain["landmarks"], atol=6)
    found, expected = (brightness(picture, plain_image.shape) for picture in (image, plain_image))
    assert abs(found.mean() - expected.mean()) < 5 and np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.9
    with Image.open(files[0]) as kept:
        assert not kept.getexif() and "exif" not in kept.info and "icc_profile" not in kept.info
    assert b"SECRET" not in files[0].read_bytes()


def test_a_kept_image_has_context_and_tells_of_the_face(make_judge):
    row, image, _ = make_judge(GOOD[0][1])
    x0, y0, x1, y1 = row["face_box"]
    box = np.sqrt((x1 - x0) * (y1 - y0))
    assert min(x0, y0, image.shape[1] - x1, image.shape[0] - y1) > 0.3 * box
    eyes, mouth = np.array(row["landmarks"])[:2], np.array(row["landmarks"])[3:]
    assert (eyes[:, 1] < mouth[:, 1].min()).all() and ((eyes > (x0, y0)) & (eyes < (x1, y1))).all()
    assert row["detector"] == "yunet" and len(row["detector_sha256"]) == 64
    assert row["face_px"] == pytest.approx(box, rel=0.1) and 0.6 < row["face_score"] <= 1
    assert row["phash"] != row["phash_mirrored"] and len(row["phash"]) == 16


def dimmed(factor):
    return encoded(np.round(HAPPY * factor).astype(np.uint8), "PNG")


ONE_AND_FAR = scene([(HAPPY[20:220, 125:325], 20, 60, 380), (calm_photo()[20:440, 60:480], 480, 100, 100)])
BAD = [
    ("empty_gif", encoded(np.zeros((9, 9), np.uint8), "GIF"), "format"),
    ("animated GIF", animated("GIF"), "animated"),
    ("animated WebP", animated("WEBP"), "animated"),
    ("animated PNG", animated("PNG"), "animated"),
    ("HTML", b"<!doctype html><html><body>404</body></html>", "not_an_image"),
    ("SVG", b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>', "not_an_image"),
    ("EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not_an_image"),
    ("TIFF", encoded(HAPPY, "TIFF", compression=None), "not_an_image"),
    ("text", b"\xff\xd8", "not_an_image"),
    ("truncated JPEG", encoded(HAPPY)[:20_000], "damaged"),
    ("truncated PNG", encoded(HAPPY, "PNG")[:20_000], "damaged"),
    ("truncated WebP", encoded(HAPPY, "WEBP")[:9_000], "damaged"),
    ("30000 x 30000", huge_png(), "too_many_pixels"),
    ("truncated AVIF", encoded(HAPPY, "AVIF")[:-3000], "damaged"),
    ("PNG with a bad checksum", encoded(HAPPY, "PNG")[:40] + b"!" + encoded(HAPPY, "PNG")[41:], "damaged"),
    ("65500 x 1", encoded(np.zeros((1, 65_500), np.uint8)), "too_many_pixels"),
    ("JPEG drawn a thousand times", redrawn(1000), "damaged"),
    ("blue", encoded(np.full((300, 300, 3), (10, 10, 240), np.uint8)), "placeholder"),
    ("one pixel", encoded(np.zeros((1, 1, 3), np.uint8)), "placeholder"),
    ("grey", encoded(np.full((300, 300, 3), 200, np.uint8)), "placeholder"),
    ("nobody", encoded(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)), "no_face"),
    ("two people", encoded(TWO), "several_faces"),
    ("small", encoded(cv2.resize(HAPPY, (220, 220), interpolation=cv2.INTER_AREA)), "face_too_small"),
    ("dark", dimmed(0.12), "too_dark"),
    ("blurred", encoded(cv2.GaussianBlur(HAPPY, (0, 0), 7)), "blurred"),
]


@pytest.mark.parametrize(("content", "reason"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_each_bad_file_is_a_row_with_its_reason(make_judge, content, reason):
    row, image, _ = make_judge(content)
    assert (row["status"], row["rejection_reason"]) == ("rejected", reason), row
    assert row["detail"] and image is None


def test_a_large_picture_of_one_colour_takes_no_more_memory_than_its_pixels(make_judge):
    content = encoded(np.full((5000, 5000), 90, np.uint8), "PNG", compress_level=1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    row, _, _ = make_judge(content)
    assert row["rejection_reason"] == "placeholder"
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 400


def test_somebody_far_behind_does_not_matter(make_judge):
    row, _, _ = make_judge(encoded(ONE_AND_FAR))
    assert row["rejection_reason"] is None and row["face_px"] > 100


def test_what_was_taken_down_is_not_kept(make_judge):
    row, _, _ = make_judge(GOOD[0][1])
    mirrored = encoded(ImageOps.mirror(Image.fromarray(HAPPY)), quality=60)
    for denylist in (
        Denylist(sha256=frozenset({sha256(mirrored).hexdigest()})),
        Denylist(phash=frozenset({row["phash"]})),
    ):
        again, _, _ = make_judge(mirrored, denylist)
        assert again["rejection_reason"] == "denylisted"
    other, _, _ = make_judge(encoded(calm_photo()), Denylist(phash=frozenset({row["phash"]})))
    assert other["rejection_reason"] is None


def test_nothing_to_filter(tmp_path):
    assert filtered(put(tmp_path, [])) == []


def test_each_picture_is_kept_once(tmp_path):
    rows = filtered(put(tmp_path, SEVERAL))
    assert outcomes(rows) == SEVERAL_OUTCOMES
    assert [row["duplicate_of"] for row in rows[2:5]] == ["http://a/0"] * 3
    # What comes later is held against what is there.
    with opened(tmp_path) as manifest:
        later = encoded(calm_photo(), quality=50)
        store(later, manifest.files.raw_path(sha256(later).hexdigest()))
        manifest.add([{"url": "http://b/", "status": "fetched", "content_sha256": sha256(later).hexdigest()}])
    rows = filtered(tmp_path)
    assert outcomes(rows) == [*SEVERAL_OUTCOMES, "near_duplicate"] and rows[-1]["duplicate_of"] == "http://a/1"


def test_a_picture_that_stands_for_missing_ones_is_not_kept(tmp_path):
    same = encoded(HAPPY)
    folder = put(tmp_path, [encoded(calm_photo()), same])
    assert outcomes(filtered(folder)) == ["kept", "kept"]
    with opened(folder) as manifest:
        name = sha256(same).hexdigest()
        manifest.add({"url": f"http://c/{n}", "status": "fetched", "content_sha256": name} for n in range(499))
    rows = filtered(folder)
    assert outcomes(rows) == ["kept"] + ["placeholder"] * 500
    assert "500 addresses" in rows[-1]["detail"]


def test_an_unavailable_detector_is_an_error_and_no_row_is_lost(tmp_path, monkeypatch):
    folder = put(tmp_path, [encoded(HAPPY)])
    monkeypatch.setenv(DETECTOR_VARIABLE, str(tmp_path / "nowhere.onnx"))
    with opened(folder) as manifest, pytest.raises(BundleError, match="no such file"):
        filter_images(manifest, FilterSettings(detector="yunet"))
    assert outcomes(filtered(folder)) == ["kept"]


def test_what_a_kill_left_half_written_goes(tmp_path):
    folder = put(tmp_path, [encoded(HAPPY)])
    (folder / "images" / "ab").mkdir(parents=True)
    (folder / "images" / "ab" / f"{'ab' * 32}.jpg.123.draft").write_bytes(b"half a face")
    filtered(folder)
    assert not list(folder.glob("images/*/*.draft"))


def test_the_file_of_a_picture_that_was_taken_down_goes_too(tmp_path):
    folder = put(tmp_path, [encoded(HAPPY), encoded(calm_photo())])
    (row, _) = filtered(folder)
    deny(folder, [("phash", row["phash"])], why="asked")
    name = sha256(SMALLER).hexdigest()
    with opened(folder) as manifest:
        store(SMALLER, manifest.files.raw_path(name))
        manifest.add([{"url": "http://c/", "status": "fetched", "content_sha256": name}])
    assert outcomes(filtered(folder)) == ["kept", "kept", "denylisted"]
    with opened(folder) as manifest:
        assert not manifest.files.raw_path(name).exists() and manifest.files.raw_path(row["content_sha256"]).exists()


@pytest.fixture
def in_workers(tmp_path, monkeypatch):
    """Have each worker process run some code first: every process that Python starts reads this file."""

    def run(code: str) -> None:
        (tmp_path / "sitecustomize.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", f"{REPOSITORY}:{tmp_path}")

    return run


DEADLY = """
import io, os
import PIL.Image as image
whole = image.open
def deadly(file, *args, **options):
    if isinstance(file, io.BytesIO) and file.getvalue() == b"this one kills":
        END
    return whole(file, *args, **options)
image.open = deadly
"""
AT_EACH_TRY = DEADLY.replace("END", "os._exit(9)")


def test_a_worker_that_dies_takes_only_its_row_with_it(tmp_path, in_workers):
    folder = put(tmp_path, [encoded(HAPPY), b"this one kills", encoded(calm_photo())])
    in_workers(AT_EACH_TRY)
    rows = filtered(folder, workers=2)
    assert outcomes(rows) == ["kept", "internal_error", "kept"]
    assert "died or hung" in rows[1]["detail"]


def test_a_worker_may_die_while_the_manifest_is_written(tmp_path, in_workers, monkeypatch):
    contents = [f"no picture {number}".encode() for number in range(60)]
    contents[30] = b"this one kills"
    folder = put(tmp_path, contents)
    in_workers(AT_EACH_TRY)
    update = Manifest.update

    def slow_update(manifest, rows):
        time.sleep(0.002)
        update(manifest, rows)

    monkeypatch.setattr(Manifest, "update", slow_update)
    found = outcomes(filtered(folder, workers=2))
    assert found[30] == "internal_error" and found.count("not_an_image") == 59


def test_a_worker_killed_at_a_harmless_row_costs_no_row(tmp_path, in_workers):
    """As when memory runs out, since many processes work at once."""
    folder = put(tmp_path, [encoded(HAPPY), b"this one kills", encoded(calm_photo())])
    mark = str(tmp_path / "killed")
    in_workers(DEADLY.replace("END", f"if not os.path.exists({mark!r}): os.mkdir({mark!r}); os._exit(9)"))
    assert outcomes(filtered(folder, workers=2)) == ["kept", "not_an_image", "kept"]


FULL_DISK = """
import errno, pathlib
def full(path, content):
    raise OSError(errno.ENOSPC, "No space left on device", str(path))
pathlib.Path.write_bytes = full
"""


def test_a_full_disk_ends_the_run_and_rejects_nothing(tmp_path, in_workers):
    folder = put(tmp_path, [encoded(HAPPY), encoded(calm_photo())])
    in_workers(FULL_DISK)
    with pytest.raises(DataError, match="No space left on device"):
        filtered(folder)
    with opened(folder) as manifest:
        assert {row["status"] for row in manifest.rows()} == {"fetched"}


FILTER = ["-m", "data_tools", "filter", "--detector", "haar", "--workers", "1"]


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on(tmp_path, ending):
    turned = [Image.fromarray(HAPPY).rotate(angle / 4) for angle in range(40)]
    folder = put(tmp_path, [encoded(picture) for picture in turned])
    with start_warm(*FILTER, "--work", folder, modules=DATA, new_session=True) as process:
        deadline = time.monotonic() + 60
        while len(list(folder.glob("images/*/*.jpg"))) < 5:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        # A terminal sends Ctrl-C to the workers, too.
        os.killpg(process.pid, ending) if ending == signal.SIGINT else process.send_signal(ending)
        _, error = process.communicate(timeout=60)
    assert "Traceback" not in error
    assert process.returncode == (-ending if ending == signal.SIGKILL else 130), error
    rows = filtered(folder, FilterSettings(detector="haar"))
    assert {row["status"] for row in rows} <= {"kept", "rejected"} and outcomes(rows)[0] == "kept"
    alone = put(tmp_path / "alone", [encoded(picture) for picture in turned])
    assert outcomes(filtered(alone, FilterSettings(detector="haar"))) == outcomes(rows)
    assert pq.read_table(folder / "manifest.parquet").num_rows == 40
