"""Addresses are fetched politely, safely and once, and each ends as one row with the right reason."""

import io
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from itertools import count

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from typer.testing import CliRunner

from data_tools.__main__ import app
from data_tools.collect.fetcher import _redirected
from data_tools.collect.robots import refusal_in_headers
from data_tools.collect.sources import Folder, UrlList
from data_tools.collect.step import fetch_found, read_source
from data_tools.collect.url_guard import checked_url, is_public, literal_addresses
from data_tools.settings import FetchSettings
from data_tools.work.denylist import deny
from data_tools.work.manifest import opened
from data_tools.work.schema import Status
from face_expression.errors import DataError
from tests.support.builders import REPOSITORY, happy_photo
from tests.support.collecting import fetched, quick_settings, write_list
from tests.support.local_search import running_search
from tests.support.local_web import running_web
from tests.support.warm_programs import DATA, run_warm, start_warm
from tests.support.work_folders import jpeg


@pytest.fixture
def site():
    with running_web() as served:
        file = io.BytesIO()
        Image.fromarray(happy_photo()).save(file, "JPEG")
        served.files["/face.jpg"] = file.getvalue()
        yield served


def outcome(row):
    return row["status"], row["rejection_reason"]


def test_nothing_to_fetch(tmp_path, site):
    assert fetched(tmp_path, [], quick_settings(site)) == {}
    assert site.asked == {}


def test_a_picture_is_kept_by_its_hash(tmp_path, site):
    url = site.site() + "/face.jpg"
    row = fetched(tmp_path, [url], quick_settings(site, contact="mailto:somebody@example.org"))[url]
    assert outcome(row) == ("fetched", None)
    assert row["http_status"] == 200 and row["final_url"] == url and row["opt_out"] == "none"
    assert row["content_bytes"] == len(site.files["/face.jpg"]) and row["content_type"] == "image/jpeg"
    with opened(tmp_path) as manifest:
        assert manifest.files.raw_path(row["content_sha256"]).read_bytes() == site.files["/face.jpg"]
    (agent,) = site.agents
    assert "LiveEmotionDetector" in agent and "mailto:somebody@example.org" in agent


BAD = [
    ("", "bad_url", None),
    ("/relative", "bad_url", None),
    ("file:///etc/passwd", "bad_url", None),
    ("data:image/png;base64,AAAA", "bad_url", None),
    ("local:secrets/passwd", "bad_url", None),
    ("http://", "bad_url", None),
    ("http:///path", "bad_url", None),
    ("http://[::1", "bad_url", None),
    ("http://user:word@example.org/a", "bad_url", None),
    ("{site}/" + "a" * 10_000, "bad_url", None),
    ("http://nowhere.invalid/a.jpg", "unknown_host", None),
    ("http://127.0.0.9:{port}/face.jpg", "private_address", None),
    ("http://localhost:{port}1/face.jpg", "bad_url", None),
    ("http://localhost:1/face.jpg", "private_address", None),
    ("http://0x7f.9:{port}/face.jpg", "private_address", None),
    ("http://2130706441:{port}/face.jpg", "bad_url", None),
    ("http://[::ffff:127.0.0.9]:{port}/face.jpg", "private_address", None),
    ("http://[::1]:{port}/face.jpg", "private_address", None),
    ("http://169.254.169.254/latest/meta-data/", "private_address", None),
    ("http://[64:ff9b::7f00:1]/a", "private_address", None),
    ("{site}/to?place=http://127.0.0.9:{port}/face.jpg", "private_address", None),
    ("{site}/to?place=file:///etc/passwd", "bad_url", None),
    ("{site}/to?place=http://u:p@example.org/", "bad_url", None),
    ("{site}/loop", "redirects", None),
    ("{site}/status/404", "http_status", 404),
    ("{site}/status/503", "http_status", 503),
    ("{site}/empty", "empty", None),
    ("{site}/short", "short_body", None),
    ("{site}/endless", "too_large", None),
    ("{site}/announced", "too_large", None),
    ("{site}/bomb", "too_large", None),
    ("{site}/packed-endless", "too_large", None),
    ("{site}/packed?as=br", "content_encoding", None),
    ("{site}/packed?as=deflate, gzip", "content_encoding", None),
]


def test_each_bad_address_is_one_row_with_its_reason(tmp_path, site):
    site.files["/good.jpg"] = jpeg(1)
    urls = [url.format(site=site.site(), port=site.port) for url, _, _ in BAD]
    good = [site.site() + "/good.jpg", site.site() + "/packed", site.site() + "/face.jpg?größe=1#oben"]
    rows = fetched(tmp_path, [*urls, *good], quick_settings(site))
    outcomes = {url: (*outcome(rows[url]), rows[url]["http_status"]) for url in urls}
    assert outcomes == {
        url: ("failed", reason, outcomes[url][2] if status is None else status)
        for url, (_, reason, status) in zip(urls, BAD, strict=True)
    }
    assert all(outcome(rows[url]) == ("fetched", None) for url in good)
    assert len({rows[url]["content_sha256"] for url in good[1:]}) == 1
    assert all(rows[url]["detail"] for url in urls)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/b",
        "http://a.example/b?next=%2Fc%2F%3fd",
        "http://a.example/b?a=1&a=2+3&b=%20",
        "http://a.example:81/%2F/b?q=%C3%BC/",
    ],
)
def test_an_address_stays_as_it_was_given(url):
    assert str(checked_url(url)) == url


def test_an_address_with_letters_beyond_ascii_is_quoted():
    assert str(checked_url("http://A.example/ü?q=ü b#c")) == "http://a.example/%C3%BC?q=%C3%BC+b"


def test_a_redirect_stays_as_it_was_given():
    class Answer:
        status = 302
        headers = {"location": "/c?next=%2Fd"}  # noqa: RUF012

    assert str(_redirected(checked_url("http://a.example/b"), Answer)) == "http://a.example/c?next=%2Fd"


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("::ffff:8.8.8.8", True),
        ("::ffff:10.0.0.1", False),
        ("10.0.0.1", False),
        ("100.64.0.1", False),
        ("192.0.0.9", False),
        ("192.88.99.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("64:ff9b::808:808", False),
        ("64:ff9b:1::1", False),
        ("2002:808:808::1", False),
        ("2001::1", False),
        ("fe80::1%eth0", False),
        ("::127.0.0.1", False),
        ("::ffff:0:127.0.0.1", False),
        ("fec0::1", False),
    ],
)
def test_which_addresses_are_public(address, public):
    assert is_public(address) is public


@pytest.mark.parametrize(
    ("host", "addresses"),
    [
        ("example.org", []),
        ("localhost", ["127.0.0.1"]),
        ("a.localhost", ["127.0.0.1"]),
        ("localhost.", ["127.0.0.1"]),
        ("0x7f.1", ["127.0.0.1"]),
        ("2130706433", ["127.0.0.1"]),
        ("::1", ["::1"]),
        ("1.2.3.4", ["1.2.3.4"]),
    ],
)
def test_hosts_that_are_addresses_need_no_name_server(host, addresses):
    assert literal_addresses(host) == addresses


OK, FOUND = b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"
ODD = [
    (b"\0\1\2 no HTTP at all", "connection_failed"),
    (b"HTTP/1.1 65000 Odd\r\nContent-Length: 0\r\n\r\n", "connection_failed"),
    (OK + b"X-Long: " + b"a" * 200_000 + b"\r\n\r\n", "connection_failed"),
    (OK + b"Content-Length: -5\r\n\r\nhello", "connection_failed"),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "short_body"),
    (FOUND + b"\r\n", "http_status"),
    (FOUND + b"Location: http://[::1\r\n\r\n", "bad_url"),
    (FOUND + b"Location: /\xfcber\r\n\r\n", "http_status"),
    ("HTTP/1.1 429 X\r\nContent-Length: 0\r\nRetry-After: ²\r\n\r\n".encode(), "http_status"),
    (b"HTTP/1.1 429 X\r\nRetry-After: Mon, 99 Jan 99999999999 00:00:00 GMT\r\n\r\n", "http_status"),
    (b"HTTP/1.1 103 Early\r\n\r\n" + OK + b"Content-Length: 5\r\n\r\nhello", None),
    (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", None),
    (OK + b"Content-Type: image/\xff\xfe\r\nContent-Length: 5\r\n\r\nhello", None),
    (b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", None),
]


def test_each_odd_answer_is_one_row(tmp_path, site):
    site.raw = {f"/raw/{number}": answer for number, (answer, _) in enumerate(ODD)}
    urls = [site.site() + path for path in site.raw]
    rows = fetched(tmp_path, urls, quick_settings(site, attempts=1))
    assert [outcome(rows[url])[1] for url in urls] == [reason for _, reason in ODD]


def test_two_folders_of_one_name_are_never_taken_for_one(tmp_path):
    for place in ("here", "there", "moved"):
        (tmp_path / place / "faces").mkdir(parents=True)
        (tmp_path / place / "faces" / "1.jpg").write_bytes(jpeg(len(place)))
    (tmp_path / "moved" / "faces" / "2.jpg").write_bytes(jpeg(9))

    def collect(place: str):
        arguments = ["collect", "--work", str(tmp_path / "work"), "--folder", str(tmp_path / place / "faces")]
        return CliRunner().invoke(app, arguments)

    assert collect("here").exit_code == collect("here").exit_code == 0
    refused = collect("there")
    assert refused.exit_code == 1 and "rename one" in str(refused.exception) and "there/faces" in str(refused.exception)
    # The same folder, moved: it is not there any more, and goes on.
    (tmp_path / "here" / "faces").rename(tmp_path / "here" / "old")
    assert collect("moved").exit_code == 0
    with opened(tmp_path / "work") as manifest:
        assert sorted(row["url"] for row in manifest.rows()) == ["local:faces/1.jpg", "local:faces/2.jpg"]


def test_a_folder_is_searched_as_in_every_command(tmp_path, caplog):
    caplog.set_level("INFO")
    folder, elsewhere = tmp_path / "faces", tmp_path / "elsewhere"
    elsewhere.mkdir()
    folder.mkdir()
    (elsewhere / "1.jpg").write_bytes(jpeg(1))
    (folder / "Happy").symlink_to(elsewhere)
    (folder / "round").symlink_to(folder)
    for name in ("2.JFIF", "._2.jpg", "3.heic"):
        (folder / name).write_bytes(jpeg(2))
    with opened(tmp_path / "work", create=True) as manifest:
        assert read_source(manifest, Folder(folder, ("happy",))) == 2
        fetch_found(manifest, FetchSettings(), folders={"faces": folder})
        found = {row["url"]: (row["query_label"], row["status"]) for row in manifest.rows()}
    assert found == {"local:faces/2.JFIF": (None, "fetched"), "local:faces/Happy/1.jpg": ("happy", "fetched")}
    assert "left out: 1 ._*, 1 .heic" in caplog.text
    (folder / "2.JFIF").unlink()
    (folder / "Happy").unlink()
    with pytest.raises(DataError, match="holds no picture"):
        Folder(folder, ())


def test_half_characters_of_any_source_are_taken(tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / os.fsdecode(b"\xff.jpg")).write_bytes(jpeg(0))
    (tmp_path / "a.jsonl").write_text('{"url": "file:\\ud800", "title": "\\udfff"}\n' * 2)
    with opened(tmp_path / "work", create=True) as manifest:
        for source in (UrlList(tmp_path / "a.jsonl"), Folder(folder, ())):
            assert read_source(manifest, source) == 1
        fetch_found(manifest, FetchSettings(), folders={"pictures": folder})
        assert [row["status"] for row in manifest.rows()] == ["failed", "fetched"]


def test_what_may_pass_is_tried_again(tmp_path, site):
    url = site.site() + "/busy-twice"
    row = fetched(tmp_path, [url], quick_settings(site))[url]
    assert outcome(row) == ("fetched", None) and site.asked["/busy-twice"] == 3


def test_a_rate_limiting_host_is_left_alone_until_its_limit_ends(tmp_path, site):
    limited = site.site(1) + "/status/429?after=86400"
    others = [site.site(1) + f"/face.jpg?{number}" for number in range(9)]
    site.files["/face.jpg"] = jpeg(0)
    rows = fetched(tmp_path, [limited, *others], quick_settings(site, connections_per_host=1))
    assert {outcome(row) for row in rows.values()} == {("deferred", "retry_later")}
    assert site.asked["1/status/429"] == 1 and "1/face.jpg" not in site.asked
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert all(abs(row["retry_at"] - tomorrow) < timedelta(minutes=5) for row in rows.values())
    fetched(tmp_path, [], quick_settings(site))
    assert site.asked["1/status/429"] == 1
    with opened(tmp_path) as manifest:
        past = datetime.now(UTC) - timedelta(seconds=1)
        manifest.update({"url": url, "retry_at": past} for url in rows)
    rows = fetched(tmp_path, [], quick_settings(site, connections_per_host=1))
    assert site.asked["1/status/429"] == 2 and outcome(rows[others[0]])[0] == "deferred"


def test_a_rate_limit_holds_though_the_clock_is_set_forward(tmp_path, site, monkeypatch):
    readings = count()

    class Clock(datetime):
        """Set forward by two days once the limit's end is known."""

        @classmethod
        def now(cls, zone=None):
            return datetime.now(zone) + timedelta(days=2 if next(readings) else 0)

    monkeypatch.setattr("data_tools.collect.fetcher.datetime", Clock)
    urls = [site.site(1) + "/status/429?after=86400", *(site.site(1) + f"/face.jpg?{n}" for n in range(9))]
    rows = fetched(tmp_path, urls, quick_settings(site, connections_per_host=1))
    assert {outcome(row) for row in rows.values()} == {("deferred", "retry_later")}
    assert "1/face.jpg" not in site.asked


# Half a megabyte, in which thousands of rules are for thousands of crawlers each.
THOUSANDS = "".join(f"User-agent: a{n}\n" for n in range(8000)) + "User-agent: *\n"
THOUSANDS += "".join(f"Disallow: /{n}\n" for n in range(18_000)) + "Disallow: /face\n"


def test_a_deadline_ends_a_picture_that_goes_on_and_on(tmp_path, site):
    url = site.site() + "/drip"
    row = fetched(tmp_path, [url], quick_settings(site, deadline_s=3.0))[url]
    assert outcome(row) == ("failed", "timeout") and row["detail"] == "not done after 3 s"


@pytest.mark.parametrize(
    ("robots", "path", "expected"),
    [
        (None, "/face.jpg", ("fetched", None)),
        (403, "/face.jpg", ("fetched", None)),
        (500, "/face.jpg", ("deferred", "robots_unreachable")),
        ([503, 404], "/face.jpg", ("fetched", None)),
        ("\ufeffUser-agent: *\nDisallow: /", "/face.jpg", ("opted_out", "robots_txt")),
        ("User-agent: a\nUser-Agent : LIVE*\nDisallow: /", "/face.jpg", ("opted_out", "robots_txt")),
        ("User-agent: *\nDisallow: /b\nUser agent\tlivestock # us?\nDisallow: /", "/face.jpg", ("fetched", None)),
        (THOUSANDS, "/face.jpg", ("opted_out", "robots_txt")),
        ("User-agent: *\nDisallow: /", "/face.jpg", ("opted_out", "robots_txt")),
        ("User-agent: *\nDisallow: /private", "/face.jpg", ("fetched", None)),
        (
            "User-agent: LiveEmotionDetector\nDisallow: /\nUser-agent: *\nAllow: /",
            "/face.jpg",
            ("opted_out", "robots_txt"),
        ),
        ("User-agent: Other\nDisallow: /", "/face.jpg", ("fetched", None)),
        ("User-agent: *\nDisallow: /face", "/to?place=/face.jpg", ("opted_out", "robots_txt")),
        ("User-agent: *\nCrawl-delay: 3600", "/face.jpg", ("deferred", "retry_later")),
    ],
)
def test_robots_txt_is_followed(tmp_path, site, robots, path, expected):
    site.robots[2] = robots
    url = site.site(2) + path
    row = fetched(tmp_path, [url], quick_settings(site))[url]
    assert outcome(row) == expected
    if expected[0] != "fetched":
        assert "2/face.jpg" not in site.asked and row["content_sha256"] is None
    if expected[0] == "opted_out":
        assert row["opt_out"] and "robots.txt" in row["opt_out"]


@pytest.mark.parametrize("place", ["http://127.0.0.9:1/robots.txt", "http://nowhere.invalid/", "file:///etc/passwd"])
def test_a_robots_txt_that_leads_astray_says_nothing_of_the_picture(tmp_path, site, place):
    site.robots_places[1] = place
    url = site.site(1) + "/face.jpg"
    row = fetched(tmp_path, [url], quick_settings(site))[url]
    assert outcome(row) == ("deferred", "robots_unreachable") and "1/face.jpg" not in site.asked


def test_the_reason_for_no_robots_txt_is_not_lost_to_its_deadline(tmp_path, site, monkeypatch):
    monkeypatch.setattr("data_tools.collect.fetcher._ROBOTS_DEADLINE_S", 3.0)
    site.robots[1] = 503
    url = site.site(1) + "/face.jpg"
    row = fetched(tmp_path, [url], quick_settings(site, backoff_s=60.0))[url]
    assert (*outcome(row), row["detail"]) == ("deferred", "robots_unreachable", "robots.txt: status 503")


def test_back_off_between_requests_is_no_part_of_the_deadline(tmp_path, site):
    site.robots[1] = "User-agent: *\nCrawl-delay: 1"
    urls = [site.site(1) + f"/face.jpg?{number}" for number in range(6)]
    rows = fetched(tmp_path, urls, quick_settings(site, deadline_s=3.0))
    assert {outcome(row) for row in rows.values()} == {("fetched", None)}
    at = [when for when, path in site.times if path == "/face.jpg"]
    assert at[-1] - at[0] > 3.0


def test_a_short_rate_limit_holds_for_all_pictures_of_the_host(tmp_path, site):
    urls = [site.site() + "/slow-down", *(site.site() + f"/face.jpg?{number}" for number in range(12))]
    rows = fetched(tmp_path, urls, quick_settings(site, connections_per_host=2))
    assert {outcome(row) for row in rows.values()} == {("fetched", None)}
    asked_at = next(when for when, path in site.times if path == "/slow-down")
    # What was on its way already is not held back.
    assert sum(when - asked_at > 0.8 for when, path in site.times if path == "/face.jpg") >= 8


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("X-Robots-Tag", "noai", "X-Robots-Tag: noai"),
        ("X-Robots-Tag", "max-snippet: 5, NoImageAI", "X-Robots-Tag: noimageai"),
        ("X-Robots-Tag", "unavailable_after: 25 Jun 2010 15:00:00 PST, noml", "X-Robots-Tag: noml"),
        ("X-Robots-Tag", "unavailable_after: Fri, 25 Jun 2010 15:00:00 GMT, noai", "X-Robots-Tag: noai"),
        ("X-Robots-Tag", "LiveEmotionDetector: noindex", "X-Robots-Tag: noindex"),
        ("X-Robots-Tag", "otherbot: noindex, none", None),
        ("X-Robots-Tag", "otherbot: noindex, *: none", "X-Robots-Tag: none"),
        ("X-Robots-Tag", "nofollow, noarchive", None),
        ("tdm-reservation", "1", "tdm-reservation: 1"),
        ("tdm-reservation", "0", None),
    ],
)
def test_opt_out_headers_are_followed(tmp_path, site, name, value, words):
    assert (refusal_in_headers({name.lower(): value}) or None) is None or words
    url = f"{site.site()}/tag?name={name}&value={value}"
    row = fetched(tmp_path, [url], quick_settings(site))[url]
    assert (row["status"] == "opted_out") is (words is not None)
    assert row["opt_out"] == (words or "none")
    assert list(tmp_path.glob("raw/??/*")) == ([] if words else [*tmp_path.glob("raw/??/*")]) and bool(words) is (
        row["content_sha256"] is None
    )


def test_what_was_taken_down_is_not_fetched(tmp_path, site):
    other = site.site(1) + "/face.jpg?b"
    first = fetched(tmp_path, [site.site() + "/face.jpg"], quick_settings(site))
    sha256 = first[site.site() + "/face.jpg"]["content_sha256"]
    deny(tmp_path, [("url", other), ("sha256", sha256)], why="asked for")
    copy, way = site.site(2) + "/face.jpg", f"{site.site(2)}/to?place={other}"
    for raw_file in tmp_path.glob("raw/??/*"):
        raw_file.unlink()
    rows = fetched(tmp_path, [other, copy, way], quick_settings(site))
    assert {outcome(rows[url]) for url in (other, copy, way)} == {("rejected", "denylisted")}
    assert "1/face.jpg" not in site.asked and not list(tmp_path.glob("raw/??/*"))


def test_an_address_is_one_row_in_every_source(tmp_path):
    with opened(tmp_path, create=True) as manifest:
        rows = [{"url": "http://a/1", "query_label": label} for label in ("sad", "happy", "sad", "happy", None)]
        assert manifest.add(rows) == 1 and manifest.add(rows) == 0
        (row,) = manifest.rows()
    assert row["query_label"] == "sad" and row["other_query_labels"] == ["happy"] and row["status"] == Status.FOUND


def test_rows_are_added_with_the_note_of_them_or_not_at_all(tmp_path):
    def cut_off():
        yield {"url": "http://a/1"}
        raise KeyboardInterrupt

    with opened(tmp_path, create=True) as manifest:
        with pytest.raises(KeyboardInterrupt):
            manifest.add(cut_off(), note="page 1")
        assert manifest.count() == 0 and manifest.recall("page 1") is None
        manifest.add([{"url": "http://a/1"}, {"url": "http://a/1"}], note="page 1")
        assert manifest.recall("page 1") == {"rows": 2, "new": 1}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_list_of_addresses_is_read(tmp_path, suffix):
    rows = [{"url": "http://a/1", "label": "sad"}, {"url": " http://a/2 ", "label": None}, {"url": "", "label": "x"}]
    path = write_list(tmp_path / f"faces{suffix}", rows)
    with opened(tmp_path / "work", create=True) as manifest:
        assert read_source(manifest, UrlList(path)) == 2
        found = [(row["url"], row["query_label"], row["source"]) for row in manifest.rows()]
    source = f"list:faces{suffix}"
    assert found == [("http://a/1", "sad", source), ("http://a/2", None, source)]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", "", "a .csv, .jsonl or .parquet file"),
        ("a.csv", None, "no such file"),
        ("a.csv", "address\nhttp://a/\n", "needs a column 'url'"),
        ("a.jsonl", "{\n", "line 1: no JSON"),
        ("a.jsonl", "[1]\n", "needs an object with 'url'"),
        ("a.csv", b"url\nhttp://a/\xff\n", "cannot be read"),
        ("a.csv", "url\n" + "a" * 200_000, "cannot be read"),
        ("a.parquet", "no Parquet", "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_read_is_an_error(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with opened(tmp_path / "work", create=True) as manifest, pytest.raises(DataError, match=words):
        read_source(manifest, UrlList(tmp_path / name))


def test_a_small_list_that_unpacks_into_gigabytes_is_refused(tmp_path):
    """2,000 rows of one text of a megabyte: two gigabytes in a file of a few kilobytes."""
    dictionary = pa.DictionaryArray.from_arrays(pa.array([0] * 2000, pa.int32()), [f"http://a/{'a' * 1_000_000}"])
    path = tmp_path / "bomb.parquet"
    pq.write_table(pa.table({"url": dictionary}), path, compression="zstd")
    assert path.stat().st_size < 10_000
    before = pa.total_allocated_bytes()
    with (
        opened(tmp_path / "work", create=True) as manifest,
        pytest.raises(DataError, match="too long for what it names"),
    ):
        read_source(manifest, UrlList(path))
    assert pa.total_allocated_bytes() - before < 10_000_000


def test_a_list_whose_addresses_are_categories_is_read(tmp_path):
    """Each part of such a column carries the texts of the whole file."""
    urls = [f"http://a/{number:06d}{'b' * 150}" for number in range(40_000)]
    pq.write_table(pa.table({"url": pa.array(urls).dictionary_encode()}), tmp_path / "faces.parquet")
    with opened(tmp_path / "work", create=True) as manifest:
        assert read_source(manifest, UrlList(tmp_path / "faces.parquet")) == 40_000


def test_a_folder_is_read_and_class_folders_are_labels(tmp_path):
    pictures = tmp_path / "my pictures"
    for number, name in enumerate(("a#1.jpg", "happy/ü b.jpg", "train/sad/c.JPG", "notes.txt")):
        (pictures / name).parent.mkdir(parents=True, exist_ok=True)
        (pictures / name).write_bytes(jpeg(number))
    source = Folder(pictures, ("happy", "sad"))
    with opened(tmp_path / "work", create=True) as manifest:
        assert read_source(manifest, source) == 3
        fetch_found(manifest, FetchSettings(), folders={"my pictures": pictures})
        rows = {row["url"]: row for row in manifest.rows()}
        assert all(manifest.files.raw_path(row["content_sha256"]).is_file() for row in rows.values())
    assert {url: row["query_label"] for url, row in rows.items()} == {
        "local:my pictures/a%231.jpg": None,
        "local:my pictures/happy/%C3%BC%20b.jpg": "happy",
        "local:my pictures/train/sad/c.JPG": "sad",
    }
    assert str(tmp_path) not in (tmp_path / "work" / "manifest.parquet").read_bytes().decode("latin-1")


def test_a_failure_that_may_have_passed_is_tried_again_if_asked_for(tmp_path, site):
    urls = [site.site(1) + path for path in ("/status/429", "/status/404", "/face.jpg")]
    for again, asked in ((False, [1, 1, 1]), (False, [1, 1, 1]), (True, [2, 1, 1])):
        fetched(tmp_path, urls, quick_settings(site, attempts=1), again=again)
        assert [site.asked["1" + url.removeprefix(site.site(1))] for url in urls] == asked


COLLECT = ["-m", "data_tools", "collect"]


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_without_fetching_twice(tmp_path, site, ending):
    count = 600
    for number in range(count):
        site.files[f"/{number}.jpg"] = jpeg(number)
    path = write_list(tmp_path / "a.csv", [{"url": site.site(n % 4) + f"/{n}.jpg"} for n in range(count)])
    allowed = [part for address in site.addresses for part in ("--allow-address", address)]
    command = [*COLLECT, "--work", str(tmp_path / "work"), "--list", str(path), *allowed, "--connections", "4"]
    with start_warm(*command, modules=DATA) as process:
        deadline = time.monotonic() + 60
        while sum(site.asked.values()) < 100:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(ending)
        _, error = process.communicate(timeout=60)
    assert process.returncode == (-ending if ending == signal.SIGKILL else 130), error
    before = site.asked.total()
    assert before < count
    done = run_warm(*command, modules=DATA)
    assert done.returncode == 0, done.stderr
    with opened(tmp_path / "work") as manifest:
        assert manifest.counts("status") == {("fetched",): count}
    # What was on its way when the end came, and only that, is asked for again.
    again = [path for path, times in site.asked.items() if times > 1 and not path.endswith("/robots.txt")]
    assert len(again) <= 4 and not list((tmp_path / "work" / "raw" / "drafts").iterdir())


def test_a_proxy_is_no_way_into_a_private_network(tmp_path, site):
    with running_search(tmp_path) as search:
        search.web_port = site.port
        private = [search.proxy + "/face.jpg", site.site() + "/face.jpg", "http://localhost./face.jpg"]
        public = "http://faces.example/face.jpg"
        rows = fetched(
            tmp_path / "work", [*private, public], quick_settings(site, proxy=search.proxy, allow_addresses=())
        )
    assert {outcome(rows[url]) for url in private} == {("failed", "private_address")}
    assert outcome(rows[public]) == ("fetched", None) and site.asked["/face.jpg"] == 1


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("--ca", "nowhere.pem", "does not point to a file"),
        ("--ca", "README.md", "no PEM file of certificates"),
        ("--proxy", "localhost:3128", "http://HOST:PORT"),
        ("--proxy", "socks5://localhost:3128", "http://HOST:PORT"),
        ("--proxy", "http://localhost:99999", "out of range"),
        ("--proxy", "http://nowhere.invalid:3128", "cannot be found"),
        ("--allow-address", "localhost:80", "is not IP:PORT"),
        ("--contact", "two\nlines", "one line of text"),
        ("--work", "README.md", "cannot be a work folder"),
    ],
)
def test_a_setting_out_of_range_is_an_error(tmp_path, monkeypatch, setting, value, words):
    monkeypatch.chdir(REPOSITORY)
    path = write_list(tmp_path / "a.csv", [{"url": "http://127.0.0.1:1/a"}])
    command = ["collect", "--work", str(tmp_path / "work"), "--list", str(path), setting, value]
    done = CliRunner().invoke(app, command, env={"COLUMNS": "200"})
    assert done.exit_code != 0 and isinstance(done.exception, SystemExit)
    assert words in done.output + str(done.exception)


def test_two_commands_do_not_work_in_one_folder(tmp_path):
    with opened(tmp_path, create=True):
        other = opened(tmp_path)
        with pytest.raises(DataError, match="another command is at work"):
            other.__enter__()


# No file may grow beyond 500 kB, which the program meets as it meets a disk without room.
WITHOUT_ROOM = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
sys.argv = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def test_a_full_disk_is_reported_and_nothing_is_torn(tmp_path, site):
    site.files["/small.jpg"], site.files["/large.jpg"] = jpeg(0), b"x" * 700_000
    path = write_list(tmp_path / "a.csv", [{"url": site.site() + name} for name in ("/small.jpg", "/large.jpg")])
    allowed = [part for address in site.addresses for part in ("--allow-address", address)]
    command = [*COLLECT, "--work", str(tmp_path / "work"), "--list", str(path), *allowed, "--connections", "1"]
    done = run_warm("-c", WITHOUT_ROOM, *command[1:], modules=DATA)
    assert done.returncode == 1 and "and run the same command again" in done.stderr, done.stderr
    with opened(tmp_path / "work") as manifest:
        assert [row["status"] for row in manifest.rows()] == ["fetched", "found"]
    assert run_warm(*command, modules=DATA).returncode == 0
    with opened(tmp_path / "work") as manifest:
        assert manifest.counts("status") == {("fetched",): 2}
    assert site.asked["/small.jpg"] == 1
