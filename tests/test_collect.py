"""Addresses are fetched politely, safely and once, and each ends as one row with the right reason."""

import csv
import io
import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from data_tools.addresses import is_public, literal_addresses
from data_tools.collect import fetch_found, read_source
from data_tools.denylist import deny
from data_tools.engines import Engine
from data_tools.manifest import SCHEMA, Status, opened
from data_tools.opt_out import refusal_in_headers
from data_tools.settings import FetchSettings
from data_tools.sources import Folder, UrlList
from tests.builders import REPOSITORY, happy_photo
from tests.local_web import running_web


def jpeg(seed: int = 0) -> bytes:
    """A small picture, another one for each seed."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 40, 3), np.uint8)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def site():
    with running_web() as served:
        file = io.BytesIO()
        Image.fromarray(happy_photo()).save(file, "JPEG")
        served.files["/face.jpg"] = file.getvalue()
        yield served


def settings(site, **more):
    quick = {"deadline_s": 3.0, "backoff_s": 0.01, "max_bytes": 1_000_000}
    return FetchSettings(**{**quick, "allow_addresses": site.addresses, **more})


def fetched(folder, urls, fetch_settings, **more):
    """The rows after fetching, by their urls."""
    with opened(folder, create=True) as manifest:
        manifest.add({"url": url, "source": "list:a.csv"} for url in urls)
        fetch_found(manifest, fetch_settings, **more)
        rows = list(manifest.rows())
    written = pq.read_table(folder / "manifest.parquet")
    assert written.schema.equals(SCHEMA) and written["url"].to_pylist() == [row["url"] for row in rows]
    drafts = folder / "raw" / "drafts"
    assert not drafts.exists() or not list(drafts.iterdir())
    return {row["url"]: row for row in rows}


def outcome(row):
    return row["status"], row["rejection_reason"]


def test_nothing_to_fetch(tmp_path, site):
    assert fetched(tmp_path, [], settings(site)) == {}
    assert site.asked == {}


def test_a_picture_is_kept_by_its_hash(tmp_path, site):
    url = site.site() + "/face.jpg"
    row = fetched(tmp_path, [url], settings(site, contact="mailto:somebody@example.org"))[url]
    assert outcome(row) == ("fetched", None)
    assert row["http_status"] == 200 and row["final_url"] == url and row["opt_out"] == "none"
    assert row["content_bytes"] == len(site.files["/face.jpg"]) and row["content_type"] == "image/jpeg"
    with opened(tmp_path) as manifest:
        assert manifest.raw_file(row["content_sha256"]).read_bytes() == site.files["/face.jpg"]
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
    ("{site}/drip", "timeout", None),
    ("{site}/bomb", "too_large", None),
    ("{site}/packed?as=br", "content_encoding", None),
    ("{site}/packed?as=deflate, gzip", "content_encoding", None),
]


def test_each_bad_address_is_one_row_with_its_reason(tmp_path, site):
    site.files["/good.jpg"] = jpeg(1)
    urls = [url.format(site=site.site(), port=site.port) for url, _, _ in BAD]
    good = [site.site() + "/good.jpg", site.site() + "/packed", site.site() + "/face.jpg?größe=1#oben"]
    rows = fetched(tmp_path, [*urls, *good], settings(site))
    told = {url: (*outcome(rows[url]), rows[url]["http_status"]) for url in urls}
    assert told == {
        url: ("failed", reason, told[url][2] if status is None else status)
        for url, (_, reason, status) in zip(urls, BAD, strict=True)
    }
    assert all(outcome(rows[url]) == ("fetched", None) for url in good)
    assert len({rows[url]["content_sha256"] for url in good[1:]}) == 1
    assert all(rows[url]["detail"] for url in urls)


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
        ("224.0.0.1", False),
        ("0.0.0.0", False),
        ("64:ff9b::808:808", False),
        ("64:ff9b:1::1", False),
        ("2002:808:808::1", False),
        ("2001::1", False),
        ("fe80::1%eth0", False),
        ("::127.0.0.1", False),
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
        ("0x7f.1", ["127.0.0.1"]),
        ("2130706433", ["127.0.0.1"]),
        ("::1", ["::1"]),
        ("1.2.3.4", ["1.2.3.4"]),
    ],
)
def test_hosts_that_are_addresses_need_no_name_server(host, addresses):
    assert literal_addresses(host) == addresses


def test_what_may_pass_is_tried_again(tmp_path, site):
    url = site.site() + "/busy-twice"
    row = fetched(tmp_path, [url], settings(site))[url]
    assert outcome(row) == ("fetched", None) and site.asked["/busy-twice"] == 3


def test_a_host_that_asks_for_patience_is_left_alone_until_then(tmp_path, site):
    patient = site.site(1) + "/status/429?after=86400"
    others = [site.site(1) + f"/face.jpg?{number}" for number in range(9)]
    site.files["/face.jpg"] = jpeg()
    rows = fetched(tmp_path, [patient, *others], settings(site, connections_per_host=1))
    assert {outcome(row) for row in rows.values()} == {("deferred", "retry_later")}
    assert site.asked["1/status/429"] == 1 and "1/face.jpg" not in site.asked
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    assert all(abs(row["retry_at"] - tomorrow) < timedelta(minutes=5) for row in rows.values())
    fetched(tmp_path, [], settings(site))
    assert site.asked["1/status/429"] == 1
    with opened(tmp_path) as manifest:
        past = datetime.now(UTC) - timedelta(seconds=1)
        manifest.update({"url": url, "retry_at": past} for url in rows)
    rows = fetched(tmp_path, [], settings(site, connections_per_host=1))
    assert site.asked["1/status/429"] == 2 and outcome(rows[others[0]])[0] == "deferred"


@pytest.mark.parametrize(
    ("robots", "path", "expected"),
    [
        (None, "/face.jpg", ("fetched", None)),
        (403, "/face.jpg", ("fetched", None)),
        (500, "/face.jpg", ("deferred", "robots_unreachable")),
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
    row = fetched(tmp_path, [url], settings(site))[url]
    assert outcome(row) == expected
    if expected[0] != "fetched":
        assert "2/face.jpg" not in site.asked and row["content_sha256"] is None
    if expected[0] == "opted_out":
        assert row["opt_out"] and "robots.txt" in row["opt_out"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("X-Robots-Tag", "noai", "X-Robots-Tag: noai"),
        ("X-Robots-Tag", "max-snippet: 5, NoImageAI", "X-Robots-Tag: noimageai"),
        ("X-Robots-Tag", "unavailable_after: 25 Jun 2010 15:00:00 PST, noml", "X-Robots-Tag: noml"),
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
    row = fetched(tmp_path, [url], settings(site))[url]
    assert (row["status"] == "opted_out") is (words is not None)
    assert row["opt_out"] == (words or "none")
    assert list(tmp_path.glob("raw/??/*")) == ([] if words else [*tmp_path.glob("raw/??/*")]) and bool(words) is (
        row["content_sha256"] is None
    )


def test_what_was_taken_down_is_not_fetched(tmp_path, site):
    tmp_path.mkdir(exist_ok=True)
    other = site.site(1) + "/face.jpg?b"
    first = fetched(tmp_path, [site.site() + "/face.jpg"], settings(site))
    sha256 = first[site.site() + "/face.jpg"]["content_sha256"]
    deny(tmp_path, [("url", other), ("sha256", sha256)], why="asked for")
    copy = site.site(2) + "/face.jpg"
    rows = fetched(tmp_path, [other, copy], settings(site))
    assert outcome(rows[other]) == outcome(rows[copy]) == ("rejected", "denylisted")
    assert "1/face.jpg" not in site.asked


def test_an_address_is_one_row_whoever_found_it(tmp_path):
    with opened(tmp_path, create=True) as manifest:
        rows = [{"url": "http://a/1", "query_label": label} for label in ("sad", "happy", "sad", "happy", None)]
        assert manifest.add(rows) == 1 and manifest.add(rows) == 0
        (row,) = manifest.rows()
    assert row["query_label"] == "sad" and row["other_query_labels"] == ["happy"] and row["status"] == Status.FOUND


def write_list(path, rows):
    if path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["url", "label"])
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


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
    ],
)
def test_a_list_that_cannot_be_read_is_told(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_text(content)
    with opened(tmp_path / "work", create=True) as manifest, pytest.raises(SystemExit, match=words):
        read_source(manifest, UrlList(tmp_path / name))


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
        assert all(manifest.raw_file(row["content_sha256"]).is_file() for row in rows.values())
    assert {url: row["query_label"] for url, row in rows.items()} == {
        "local:my pictures/a%231.jpg": None,
        "local:my pictures/happy/%C3%BC%20b.jpg": "happy",
        "local:my pictures/train/sad/c.JPG": "sad",
    }
    assert str(tmp_path) not in (tmp_path / "work" / "manifest.parquet").read_bytes().decode("latin-1")


def test_ray_gives_the_same_rows(tmp_path, site):
    for number in range(12):
        site.files[f"/{number}.jpg"] = jpeg(number)
    urls = [site.site(number % 4) + f"/{number}.jpg" for number in range(12)]
    urls += [site.site() + "/status/404", "file:///etc/passwd", site.site(1) + "/tag?name=X-Robots-Tag&value=noai"]
    here = fetched(tmp_path / "here", urls, settings(site))
    there = fetched(tmp_path / "there", urls, settings(site), engine=Engine.RAY)
    for rows in (here, there):
        for row in rows.values():
            assert row.pop("found_at") and row.pop("fetched_at")
    assert here == there
    assert len(list((tmp_path / "there").glob("raw/??/*"))) == 12


COLLECT = [sys.executable, "-m", "data_tools", "collect"]


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_goes_on_without_fetching_twice(tmp_path, site, ending):
    count = 600
    for number in range(count):
        site.files[f"/{number}.jpg"] = jpeg(number)
    path = write_list(tmp_path / "a.csv", [{"url": site.site(n % 4) + f"/{n}.jpg"} for n in range(count)])
    allowed = [part for address in site.addresses for part in ("--allow-address", address)]
    command = [*COLLECT, "--work", str(tmp_path / "work"), "--list", str(path), *allowed, "--connections", "4"]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while sum(site.asked.values()) < 100:
            assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
            time.sleep(0.005)
        process.send_signal(ending)
        _, error = process.communicate(timeout=60)
    assert process.returncode == (-ending if ending == signal.SIGKILL else 130), error
    before = site.asked.total()
    assert before < count
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with opened(tmp_path / "work") as manifest:
        assert manifest.counts("status") == {("fetched",): count}
    # What was on its way when the end came, and only that, is asked for again.
    again = [path for path, times in site.asked.items() if times > 1 and not path.endswith("/robots.txt")]
    assert len(again) <= 4 and not list((tmp_path / "work" / "raw" / "drafts").iterdir())


def test_two_commands_do_not_work_in_one_folder(tmp_path):
    with opened(tmp_path, create=True):
        other = opened(tmp_path)
        with pytest.raises(SystemExit, match="another command is at work"):
            other.__enter__()


def test_a_full_disk_is_told_and_nothing_is_torn(tmp_path, site):
    site.files["/small.jpg"], site.files["/large.jpg"] = jpeg(), b"x" * 700_000
    path = write_list(tmp_path / "a.csv", [{"url": site.site() + name} for name in ("/small.jpg", "/large.jpg")])
    allowed = [part for address in site.addresses for part in ("--allow-address", address)]
    command = [*COLLECT, "--work", str(tmp_path / "work"), "--list", str(path), *allowed, "--connections", "1"]
    # No file may grow beyond 500 kB, which the program meets as it meets a disk without room.
    limited = ["bash", "-c", 'ulimit -f 500; exec "$0" "$@"', *command]
    done = subprocess.run(limited, cwd=REPOSITORY, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "make room, and run the same command again" in done.stderr, done.stderr
    with opened(tmp_path / "work") as manifest:
        assert [row["status"] for row in manifest.rows()] == ["fetched", "found"]
    assert subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=60).returncode == 0
    with opened(tmp_path / "work") as manifest:
        assert manifest.counts("status") == {("fetched",): 2}
    assert site.asked["/small.jpg"] == 1
