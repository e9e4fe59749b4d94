"""The report about a work folder: what it counts, which pictures it shows, and that it opens alone and harmlessly."""

import base64
import re
from hashlib import sha256

import cv2
import numpy as np
import pytest
from playwright.sync_api import sync_playwright

from data_tools.report.statistics import STAGES, funnels, kept_faces, word_tables
from data_tools.report.step import write_report
from data_tools.work.denylist import deny
from data_tools.work.manifest import Manifest, opened
from data_tools.work.schema import Reason, Status, explanation, host_of
from face_expression import LABEL_NAMES, encode_jpeg
from face_expression.io.files import store
from tests.support.builders import happy_face

RED, GREEN, BLUE = (200, 30, 30), (30, 160, 30), (30, 30, 200)
ATTACK = "</title></style><script>document.title='hit'</script><img src=x onerror=\"document.title='hit'\">\"'>{{7*7}}"


def plain(colour, *, width=80, height=60) -> bytes:
    return encode_jpeg(np.full((height, width, 3), colour, np.uint8))


def with_face(colour) -> tuple[bytes, list[float]]:
    """A grey picture with a square of a colour, and where it is."""
    picture = np.full((120, 160, 3), 128, np.uint8)
    picture[30:80, 60:110] = colour
    return encode_jpeg(picture, quality=95), [60.0, 30.0, 110.0, 80.0]


def fetched(manifest: Manifest, content: bytes) -> dict:
    """Columns of a row whose bytes were fetched."""
    name = sha256(content).hexdigest()
    store(content, manifest.files.raw_path(name))
    return {"content_sha256": name}


def kept(manifest: Manifest, content: bytes, box: list[float] | None) -> dict:
    """Columns of a row that was kept."""
    name = sha256(content).hexdigest()
    store(content, manifest.folder / "images" / name[:2] / f"{name}.jpg")
    return {"status": Status.KEPT, "image_sha256": name, "face_box": box, **fetched(manifest, content)}


def rejected(manifest: Manifest, content: bytes, reason: Reason) -> dict:
    return {"status": Status.REJECTED, "rejection_reason": reason, **fetched(manifest, content)}


def report(manifest: Manifest) -> str:
    return write_report(manifest, manifest.folder / "report.html").read_text(encoding="utf-8")


def decoded(page: str, before: str) -> list[np.ndarray]:
    """RGB pictures of the data URLs that stand after some words."""
    found = re.findall(before + r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page)
    return [
        cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)[..., ::-1] for text in found
    ]


def samples(page: str) -> list[np.ndarray]:
    return decoded(page, '<img src="')


def sheets(page: str) -> list[np.ndarray]:
    return decoded(page, r"background-image: url\(")


def colour_of(picture: np.ndarray) -> tuple:
    """Which of the test's colours is in the middle."""
    middle = picture[picture.shape[0] // 2, picture.shape[1] // 2].astype(int)
    return min((RED, GREEN, BLUE), key=lambda colour: np.abs(middle - colour).sum())


@pytest.fixture
def manifest(tmp_path):
    with opened(tmp_path / "work", create=True) as empty:
        yield empty


def test_an_empty_folder_has_a_page_that_says_so(manifest):
    page = report(manifest)
    assert page.lstrip().startswith("<!DOCTYPE html>") and "holds no rows yet" in page
    assert 'id="funnel"' not in page


@pytest.mark.parametrize(
    ("status", "reason", "was_fetched", "stage"),
    [
        (Status.FOUND, None, False, "found"),
        (Status.FAILED, Reason.TIMEOUT, False, "found"),
        (Status.OPTED_OUT, Reason.ROBOTS_TXT, False, "found"),
        (Status.REJECTED, Reason.DENYLISTED, False, "found"),
        (Status.REMOVED, Reason.TAKEDOWN, False, "found"),
        (Status.FETCHED, None, True, "fetched"),
        (Status.REJECTED, None, True, "fetched"),
        (Status.REJECTED, Reason.INTERNAL_ERROR, True, "fetched"),
        (Status.REJECTED, Reason.DENYLISTED, True, "fetched"),
        (Status.REJECTED, Reason.NOT_AN_IMAGE, True, "fetched"),
        (Status.REJECTED, Reason.FORMAT, True, "fetched"),
        (Status.REJECTED, Reason.PLACEHOLDER, True, "fetched"),
        (Status.REJECTED, Reason.NO_FACE, True, "a picture"),
        (Status.REJECTED, Reason.SEVERAL_FACES, True, "a picture"),
        (Status.REJECTED, Reason.FACE_TOO_SMALL, True, "one face"),
        (Status.REJECTED, Reason.BLURRED, True, "one face"),
        (Status.REJECTED, Reason.NEAR_DUPLICATE, True, "good"),
        (Status.REJECTED, Reason.REVIEWED_OUT, True, "unique"),
        (Status.REJECTED, Reason.BETWEEN_SPLITS, True, "unique"),
        (Status.KEPT, None, True, "kept"),
        (Status.KEPT, None, False, "kept"),
    ],
)
def test_how_far_a_row_came(manifest, status, reason, was_fetched, stage):
    content = {"content_sha256": "0" * 64} if was_fetched else {}
    row = {"url": "http://a.example/1", "status": status, "rejection_reason": reason, "query_label": "sad", **content}
    manifest.add([row])
    by_label, by_source = funnels(manifest)
    passed = STAGES.index(stage) + 1
    assert by_label["sad"].passed == by_source["not known"].passed == (1,) * passed + (0,) * (len(STAGES) - passed)


@pytest.mark.parametrize(
    ("first", "stage"),
    [
        ({"status": Status.KEPT}, "good"),
        ({"status": Status.REJECTED, "rejection_reason": Reason.NO_FACE}, "a picture"),
        ({"status": Status.REJECTED, "rejection_reason": Reason.REVIEWED_OUT}, "good"),
        ({"status": Status.FETCHED}, "fetched"),
    ],
)
def test_a_copy_came_as_far_as_the_first_but_is_not_unique(manifest, first, stage):
    copy = {"status": Status.REJECTED, "rejection_reason": Reason.SAME_CONTENT, "duplicate_of": "http://a.example/1"}
    manifest.add(
        [
            {"url": "http://a.example/1", "content_sha256": "0" * 64, "query_label": "sad", **first},
            {"url": "http://a.example/2", "content_sha256": "0" * 64, "query_label": "happy", **copy},
        ]
    )
    assert sum(funnels(manifest)[0]["happy"].passed) == STAGES.index(stage) + 1


def test_funnels_are_by_expression_and_by_source(manifest):
    manifest.add(
        {"url": f"http://a.example/{n}", "query_label": label, "source": source, "status": status}
        for n, (label, source, status) in enumerate(
            [("sad", "duckduckgo", "kept"), ("sad", "list:a.csv", "found"), ("happy", "list:a.csv", "kept")]
        )
    )
    by_label, by_source = funnels(manifest)
    assert {name: (funnel.passed[0], funnel.passed[-1]) for name, funnel in by_label.items()} == {
        "sad": (2, 1),
        "happy": (1, 1),
    }
    assert {name: (funnel.passed[0], funnel.passed[-1]) for name, funnel in by_source.items()} == {
        "duckduckgo": (1, 1),
        "list:a.csv": (2, 1),
    }
    page = report(manifest)
    assert "<b>3</b>addresses found" in page and "<b>2</b>kept (66.7%)" in page
    assert page.index("<bdi>happy</bdi>") < page.index("<bdi>sad</bdi>")


def test_every_reason_is_explained():
    explanations = [explanation(Status.REJECTED, reason) for reason in Reason] + [
        explanation(status, None) for status in Status
    ]
    assert all(sentence.endswith(".") for sentence in explanations) and len(set(explanations)) == len(explanations)


def test_rejections_are_counted_and_shown(manifest):
    manifest.add(
        [
            {"url": f"http://a.example/{n}", **rejected(manifest, plain(RED, width=60 + n), Reason.NO_FACE)}
            for n in range(20)
        ]
        + [
            {"url": "http://a.example/damaged", **rejected(manifest, plain(GREEN)[:300], Reason.DAMAGED)},
            {"url": "http://a.example/text", **rejected(manifest, b"<html>", Reason.NOT_AN_IMAGE)},
            {"url": "http://a.example/none", "status": Status.REJECTED, "rejection_reason": Reason.TOO_DARK},
        ]
    )
    page = report(manifest)
    row = re.search(r"<tr><td><bdi><code>no_face</code>.*?</tr>", page).group()
    assert "<td>20</td><td>87.0%</td>" in row and explanation(Status.REJECTED, Reason.NO_FACE) in row
    assert all(f"<code>{name}</code>" in page for name in ("damaged", "not_an_image", "too_dark"))
    shown = samples(page)
    assert len(shown) == 8 and all(colour_of(picture) == RED and max(picture.shape) <= 128 for picture in shown)
    assert len({picture.shape for picture in shown}) > 1, "pictures keep their shape"


def test_what_somebody_asked_not_to_be_used_is_never_shown(manifest):
    denied, near = plain(BLUE, width=81), plain(BLUE, width=82)
    phash = {"phash": "00ff00ff00ff00ff"}
    manifest.add(
        [
            {"url": "http://a.example/1", **rejected(manifest, plain(BLUE, width=83), Reason.TAKEDOWN)},
            {"url": "http://a.example/2", **rejected(manifest, plain(BLUE, width=84), Reason.DENYLISTED)},
            {
                "url": "http://a.example/3",
                **rejected(manifest, plain(BLUE, width=85), Reason.OPT_OUT_HEADER),
                "status": Status.OPTED_OUT,
            },
            {
                "url": "http://a.example/4",
                **rejected(manifest, plain(BLUE, width=86), Reason.TAKEDOWN),
                "status": Status.REMOVED,
            },
            {"url": "http://a.example/5", **rejected(manifest, denied, Reason.NO_FACE)},
            {"url": "http://a.example/6", **rejected(manifest, near, Reason.NEAR_DUPLICATE), **phash},
            {"url": "http://sub.gone.example/7", **rejected(manifest, plain(BLUE, width=87), Reason.NO_FACE)},
            {"url": "http://a.example/8", **kept(manifest, *with_face(BLUE)), "query_label": "sad", **phash},
            {"url": "http://a.example/9", **rejected(manifest, plain(RED), Reason.NO_FACE)},
            {"url": "http://a.example/10", **kept(manifest, *with_face(RED)), "query_label": "sad"},
        ]
    )
    forbidden = [("sha256", sha256(denied).hexdigest()), ("phash", "00ff00ff00ff00fe"), ("host", "gone.example")]
    deny(manifest.folder, forbidden, why="asked")
    page = report(manifest)
    assert [colour_of(picture) for picture in samples(page)] == [RED]
    (sheet,) = sheets(page)
    assert colour_of(sheet[:96, :96]) == RED and "1 of 2; 1 cannot be shown" in page
    assert "http://a.example/8" not in page


def test_opt_outs_are_counted_by_kind(manifest):
    manifest.add([{"url": "http://a.example/0"}])
    assert "None was met." in report(manifest)
    manifest.add(
        {"url": f"http://b.example/{n}", "status": Status.OPTED_OUT, "rejection_reason": reason, "opt_out": words}
        for n, (reason, words) in enumerate(
            [(Reason.ROBOTS_TXT, "Disallow"), (Reason.OPT_OUT_HEADER, "noai"), (Reason.OPT_OUT_HEADER, "noai")]
        )
    )
    table = report(manifest).partition('id="opt-outs"')[2]
    assert re.search(r"<code>opt_out_header</code></bdi></td><td class=\"text\"><bdi>noai</bdi></td><td>2</td>", table)
    assert re.search(r"<code>robots_txt</code></bdi></td><td class=\"text\"><bdi>Disallow</bdi></td><td>1</td>", table)


def test_a_contact_sheet_for_each_class_shows_the_faces_themselves(manifest):
    """The reviewer's label counts; 60 faces at most, the first and the last among them."""
    red, green = kept(manifest, *with_face(RED)), kept(manifest, *with_face(GREEN))
    manifest.add(
        [{"url": f"http://a.example/{n}", **red, "query_label": "sad"} for n in range(70)]
        + [{"url": "http://b.example/1", **green, "query_label": "sad", "label": "happy"}]
        + [{"url": "http://b.example/gone", **green, "image_sha256": "f" * 64, "query_label": "happy"}]
        + [{"url": "http://b.example/nothing", "status": Status.KEPT}]
    )
    page = report(manifest)
    happy, sad = sheets(page)
    assert sad.shape == (6 * 96, 10 * 96, 3) and happy.shape == (96, 10 * 96, 3)
    assert {colour_of(sad[y : y + 96, x : x + 96]) for y in range(0, 576, 96) for x in range(0, 960, 96)} == {RED}
    assert colour_of(happy[:, :96]) == GREEN
    assert np.abs(happy[48, 4].astype(int) - 128).max() < 20, "some of what is around the face"
    assert page.count('<i title="http') == 61
    assert 'title="http://a.example/0"' in page and 'title="http://a.example/69"' in page
    assert "not known</bdi>: the 1 faces that were chosen cannot be shown" in page
    assert "1 of 2; 1 cannot be shown" in page


def test_classes_words_and_hosts_are_counted(manifest):
    manifest.add(
        {"url": url, "status": Status.KEPT, "query_label": label, "query_group": group, "split": split}
        for url, label, group, split in [
            ("http://a.example/1", "sad", "age=elderly; region=Peru", "train"),
            ("http://a.example/2", "sad", "age=child; region=Peru", "test"),
            ("http://b.example/3", "sad", None, None),
            ("local:holiday/happy/4.jpg", "happy", "age=elderly", "train"),
        ]
    )
    faces = kept_faces(manifest)
    age, region = word_tables(faces, ["happy", "sad"])
    assert (age.kind, age.rows, age.without) == ("age", (("elderly", (1, 1)), ("child", (0, 1))), 1)
    assert (region.kind, region.rows, region.without) == ("region", (("Peru", (0, 2)),), 2)
    page = report(manifest)
    assert "The largest class, sad, has 3.0 times as many as the smallest, happy." in page
    assert re.search(r"<tr><td><bdi>sad</bdi></td><td>1</td><td>0</td><td>1</td><td>1</td><td>3</td></tr>", page)
    hosts = page.partition('id="hosts"')[2]
    assert hosts.index("a.example") < hosts.index("b.example") and "local:holiday" in hosts
    assert "not what the people in the pictures are" in page and "Nobody has reviewed a face yet" in page


def test_a_class_of_which_nothing_was_kept_is_listed(manifest):
    manifest.add(
        [
            {"url": "http://a.example/1", "status": Status.KEPT, "query_label": "sad", "label": "fear"},
            {"url": "http://a.example/2", "status": Status.FAILED, "query_label": "bored"},
        ]
    )
    page = report(manifest)
    assert "has none." in page and "<bdi>bored</bdi>: no face was kept." in page
    assert "Of the 1 faces that were reviewed, 0.0% show" in page


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("", "not known"),
        ("http://[::1", "not known"),
        ("javascript:alert(1)", "not known"),
        ("https://Photos.Example:8080/a", "photos.example"),
        ("local:holiday/a/b.jpg", "local:holiday"),
    ],
)
def test_hosts(url, host):
    assert host_of(url) == host


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.5], [0.0, 1000.0]])
def test_histograms_are_of_whatever_was_measured(manifest, values):
    manifest.add(
        {"url": f"http://a.example/{n}", "status": Status.KEPT, "face_px": value, "sharpness": value}
        for n, value in enumerate([*values, None])
    )
    page = report(manifest)
    assert f"Histogram of {len(values)} faces. Sharpness" in page and "Histogram of" in page
    assert page.count('<svg role="img"') == 2


def test_the_same_folder_gives_the_same_small_page(manifest):
    content, box = encode_jpeg(happy_face()), [60.0, 40.0, 145.0, 155.0]
    row = kept(manifest, content, box) | {"sharpness": 0.7, "face_px": 120.0, "width": 640, "height": 480}
    manifest.add(
        {"url": f"http://{label}.example/{n}", "query_label": label, "query_group": "age=child", **row}
        for label in LABEL_NAMES
        for n in range(61)
    )
    first = report(manifest)
    assert first == report(manifest)
    assert len(sheets(first)) == 7 and len(first) < 3_000_000


def hostile_rows(manifest: Manifest) -> list[dict]:
    """A row of every status that knows nothing else, and rows whose every word is an attack."""
    columns = "title source query query_label query_group license_requested detail split opt_out"
    attack = dict.fromkeys(columns.split(), ATTACK) | {"page_url": f"http://a.example/{ATTACK}"}
    return [
        *({"url": f"http://[{status}", "status": status} for status in Status),
        {"url": f"http://{ATTACK}/1", **attack, **kept(manifest, *with_face(RED))},
        {"url": f"javascript:{ATTACK}", **attack, **kept(manifest, *with_face(GREEN)), "label": ATTACK},
        {"url": ATTACK, **attack, **rejected(manifest, plain(RED), Reason.NO_FACE), "rejection_reason": ATTACK},
        {"url": "http://a.example/long", "source": "x" * 400, "query_label": "y" * 400, "status": Status.KEPT},
        {"url": "http://a.example/out", **attack, "status": Status.OPTED_OUT, "rejection_reason": ATTACK},
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_opens_alone_and_no_words_of_strangers_run(manifest, browser_path, scheme):
    manifest.add(hostile_rows(manifest))
    path = write_report(manifest, manifest.folder / "report.html")
    # Without the page's own policy, it is the escaping alone that protects.
    unprotected = path.with_name("unprotected.html")
    text, removed = re.subn(r"<meta http-equiv=[^>]*>", "", path.read_text(encoding="utf-8"))
    unprotected.write_text(text, encoding="utf-8")
    assert removed == 1
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
        try:
            for file, width in ((path, 1440), (unprotected, 390)):
                page = browser.new_page(viewport={"width": width, "height": 844}, color_scheme=scheme)
                asked, complaints = [], []
                page.on("request", lambda request, asked=asked: asked.append(request.url))
                page.on("console", lambda message, complaints=complaints: complaints.append(message.text))
                page.goto(file.as_uri())
                assert page.title() == "Collected faces: 4 kept of 14 found"
                assert [url for url in asked if not url.startswith("data:")] == [file.as_uri()] and not complaints
                assert page.locator("script, [onerror], a:not([href^='#'])").count() == 0
                assert page.locator("img").evaluate_all("all => all.every(one => one.naturalWidth > 0)")
                assert page.evaluate("document.documentElement.scrollWidth") <= width
                page_colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
                assert page_colour == {"light": "rgb(255, 255, 255)", "dark": "rgb(21, 23, 26)"}[scheme]
                assert ATTACK in page.locator("#funnel ~ div").all_inner_texts()[0]
        finally:
            browser.close()
