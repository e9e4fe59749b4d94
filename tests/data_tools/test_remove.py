"""Pictures are taken down from a work folder and from everywhere it was published, whatever goes wrong on the way."""

import io
import json

import datasets
import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi
from PIL import Image, ImageOps

from data_tools.dataset.publish import publish
from data_tools.settings import PublishSettings
from data_tools.takedown.clean import clean_published
from data_tools.takedown.requests import checked, read_requests
from data_tools.takedown.step import Removal, places_to_clean, remove
from data_tools.work.denylist import deny, read_denylist
from data_tools.work.manifest import opened
from data_tools.work.schema import Status
from face_expression.errors import ExpectedError
from tests.support.local_hub import OWNER, WRITER
from tests.support.work_folders import add_rows, kept_row, make_work, rows_of

REPO = f"{OWNER}/expressions"
KEY = f"datasets/{REPO}"
FIRST = "https://pictures1.example.com/1.jpg"

pytestmark = pytest.mark.usefixtures("nobody_waits_and_nothing_is_cached")


@pytest.fixture
def work(tmp_path):
    return make_work(tmp_path / "work")


def api_of(hub, token=WRITER):
    return HfApi(endpoint=hub.endpoint, token=token)


def rows_before(work):
    with opened(work) as manifest:
        return rows_of(manifest)


def take_down(work, *requests, **options):
    with opened(work) as manifest:
        return remove(manifest, list(requests), why="asked by mail", **options)


def clean(work, hub, **options):
    with opened(work) as manifest:
        return clean_published(manifest, api=api_of(hub), **options)


def files_of(work):
    return {path.name for part in ("raw", "images") for path in (work / part).rglob("*") if path.is_file()}


def differing(phash, bits):
    return f"{int(phash, 16) ^ (2**bits - 1):016x}"


REQUESTS = {
    "fetched file": lambda row: ("sha256", row["content_sha256"]),
    "kept file": lambda row: ("sha256", row["image_sha256"]),
    "picture": lambda row: ("phash", row["phash"]),
    "picture like it": lambda row: ("phash", differing(row["phash"], 6)),
    "its mirror image": lambda row: ("phash", row["phash_mirrored"]),
    "address": lambda row: ("url", row["url"]),
    "address after redirects": lambda row: ("url", row["final_url"]),
    "page": lambda row: ("url", row["page_url"]),
}


def test_nothing_asked_changes_nothing(work):
    before = rows_before(work)
    assert take_down(work) == Removal((), (), ())
    assert rows_before(work) == before


@pytest.mark.parametrize("kind", REQUESTS)
def test_one_picture_is_taken_down(work, kind):
    before = rows_before(work)
    row, files = before[FIRST], files_of(work)
    request = REQUESTS[kind](row)
    assert take_down(work, request, dry_run=True) == Removal((FIRST,), (), ())
    assert (rows_before(work), files_of(work), read_denylist(work).sha256) == (before, files, frozenset())
    assert take_down(work, request) == Removal((FIRST,), (), ())
    after = rows_before(work)
    assert {url for url in before if after[url] != before[url]} == {FIRST}
    assert (after[FIRST]["status"], after[FIRST]["rejection_reason"]) == ("removed", "takedown")
    for name in ("split", "label", "title", "page_url", "final_url", "phash", "face_box", "landmarks", "image_sha256"):
        assert after[FIRST][name] is None, name
    assert (after[FIRST]["query"], after[FIRST]["content_sha256"]) == (row["query"], row["content_sha256"])
    assert files - files_of(work) == {row["content_sha256"], f"{row['image_sha256']}.jpg"}
    denied = read_denylist(work)
    assert denied.forbids_content(row["content_sha256"]) and denied.forbids_content(row["image_sha256"])
    assert denied.forbids_phash(row["phash"]) and request[1] in getattr(denied, request[0])
    lines = (work / "denylist.jsonl").read_text().splitlines()
    assert {json.loads(line)["why"] for line in lines} == {"asked by mail"}
    # Once more is no harm, and notes nothing twice.
    assert take_down(work, request).urls == ()
    assert (work / "denylist.jsonl").read_text().splitlines() == lines


@pytest.mark.parametrize(
    ("host", "numbers"),
    [
        ("pictures1.example.com", range(1, 49, 3)),
        ("example.com", range(49)),
        ("Example.ORG.", range(49)),
        ("https://pictures1.example.com/any", range(1, 49, 3)),
        ("xample.com", ()),
    ],
)
def test_a_host_is_taken_down_with_those_under_it(work, host, numbers):
    requests = checked("host", host)
    gone = take_down(work, *requests)
    kept = {f"https://pictures{number % 3}.example.com/{number}.jpg" for number in numbers}
    assert {url for url in gone.urls if "pictures" in url} == kept
    assert gone.without_match == (() if numbers else tuple(requests))
    assert read_denylist(work).forbids_url(f"https://a.{requests[0][1]}/later.jpg")


def test_an_unknown_address_is_denied_and_reported(work):
    requests = [("sha256", "a" * 64), ("phash", "0" * 16), ("url", "https://example.net/x"), ("url", FIRST)]
    removal = take_down(work, *requests)
    assert removal.urls == (FIRST,) and removal.without_match == tuple(requests[:3])
    denied = read_denylist(work)
    assert "a" * 64 in denied.sha256 and "0" * 16 in denied.phash and denied.forbids_url("https://example.net/x")


def test_the_same_file_and_the_same_picture_go_with_it(work):
    row = rows_before(work)[FIRST]
    same = {"content_sha256": row["content_sha256"], "status": Status.REJECTED, "rejection_reason": "same_content"}
    mirrored = {"phash": differing(row["phash_mirrored"], 5), "phash_mirrored": differing(row["phash"], 5)}
    like = {**mirrored, "status": Status.REJECTED, "content_sha256": "c" * 64}
    other = {"phash": differing(row["phash"], 20), "status": Status.REJECTED, "content_sha256": "e" * 64}
    urls = [f"https://elsewhere.example/{name}" for name in ("same", "like", "other")]
    add_rows(work, *({"url": url, **row} for url, row in zip(urls, (same, like, other), strict=True)))
    assert set(take_down(work, ("url", FIRST)).urls) == {FIRST, *urls[:2]}


def test_a_kill_after_the_denial_loses_nothing(work, hub, tmp_path):
    with opened(work) as manifest:
        publish(manifest, PublishSettings(to=tmp_path / "set"), api=HfApi())
    deny(work, [("url", FIRST)], why="asked")
    assert take_down(work) == Removal((FIRST,), (), (str(tmp_path / "set"),))
    assert FIRST in str(rows_in_folder(tmp_path / "set"))
    clean(work, hub)
    assert FIRST not in str(rows_in_folder(tmp_path / "set"))


def rows_in_folder(folder):
    return [row for path in sorted(folder.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


def urls_on(hub):
    """Every address in any Parquet file that the Hub still has, in a commit or not."""
    repository = hub.repositories[KEY]
    files = [file.content for commit in repository.commits for file in commit.files.values()]
    tables = [content for content in [*files, *hub.large_files.values()] if content.startswith(b"PAR1")]
    return {url for content in tables for url in pq.read_table(io.BytesIO(content))["url"].to_pylist()}


def to_hub(work, hub, **settings):
    with opened(work) as manifest:
        publish(manifest, PublishSettings(repo=REPO, **settings), api=api_of(hub))


@pytest.mark.parametrize("settings", [{}, {"urls_only": True, "public": True}])
def test_no_commit_of_the_hub_has_it_any_more(work, hub, settings):
    to_hub(work, hub, shard_bytes=1, **settings)
    add_rows(work, kept_row(work, 51))
    to_hub(work, hub, **settings)
    gone = [f"https://pictures{number % 3}.example.com/{number}.jpg" for number in (1, 36, 43)]
    assert urls_on(hub) >= set(gone) and len(hub.repositories[KEY].commits) == 3
    removal = take_down(work, *(("url", url) for url in gone))
    assert (sorted(removal.urls), removal.places) == (sorted(gone), (REPO,))
    assert clean(work, hub) == [REPO]
    repository = hub.repositories[KEY]
    assert len(repository.commits) == 1 and len(urls_on(hub)) == 47 and not urls_on(hub) & set(gone)
    used = {file.lfs_sha256 for file in repository.commits[0].files.values() if file.lfs_sha256}
    assert repository.large_files == used == hub.large_files.keys() and len(used) == 3
    assert repository.private == (not settings)
    assert "| removed | takedown | 3 |" in repository.commits[0].files["README.md"].content.decode()
    # Nothing is left to be done, and publishing again brings nothing back.
    assert clean(work, hub) == []
    to_hub(work, hub, **settings)
    assert not urls_on(hub) & set(gone) and len(repository.commits) == 1


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("unavailable", "busy or out of reach"),
        ("commit unavailable", "busy or out of reach"),
        ("cut upload", "busy or out of reach"),
        ("corrupt", "gives other bytes than were sent"),
        ("squash unavailable", "busy or out of reach"),
        ("deletion unavailable", "busy or out of reach"),
    ],
)
def test_a_hub_out_of_reach_is_reported_and_cleaned_the_next_time(work, hub, fault, words):
    to_hub(work, hub)
    assert take_down(work, ("url", FIRST)).urls == (FIRST,)
    hub.fault = fault
    with pytest.raises(ExpectedError, match=rf"(?s)NOT from everywhere.*{REPO} still has.*{words}.*remove` again"):
        clean(work, hub)
    # Here it is gone all the same.
    assert rows_before(work)[FIRST]["status"] == Status.REMOVED and read_denylist(work).forbids_url(FIRST)
    with opened(work) as manifest:
        assert places_to_clean(manifest) == [REPO]
    hub.fault = None
    assert take_down(work).places == (REPO,)
    assert clean(work, hub) == [REPO]
    assert FIRST not in urls_on(hub) and len(urls_on(hub)) == 48 and len(hub.repositories[KEY].commits) == 1


@pytest.mark.parametrize("fault", ["squash unavailable", "deletion unavailable", "cut commit", "unavailable"])
def test_trouble_that_passes_is_waited_for(work, hub, fault):
    to_hub(work, hub)
    take_down(work, ("url", FIRST))
    hub.fault, hub.faults_left = fault, 1
    assert clean(work, hub) == [REPO] and hub.faults_left == 0
    assert FIRST not in urls_on(hub) and len(hub.repositories[KEY].commits) == 1


def test_a_takedown_works_however_the_repository_was_opened_since(work, hub):
    to_hub(work, hub)
    hub.repositories[KEY].private, hub.repositories[KEY].gated = False, False
    take_down(work, ("url", FIRST))
    assert clean(work, hub) == [REPO] and FIRST not in urls_on(hub)
    assert (hub.repositories[KEY].private, hub.repositories[KEY].gated) == (False, False)


def test_folders_are_written_again_and_what_is_missing_is_asked_for(work, hub, tmp_path):
    here, moved = tmp_path / "set", tmp_path / "moved"
    with opened(work) as manifest:
        for folder in (here, moved):
            publish(manifest, PublishSettings(to=folder), api=HfApi())
    moved.rename(tmp_path / "elsewhere")
    take_down(work, ("url", FIRST))
    with pytest.raises(ExpectedError, match=rf"(?s){moved} still has.*it is not there.*--gone {moved}"):
        clean(work, hub)
    loaded = datasets.load_dataset(str(here))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 34, "validation": 7, "test": 7}
    assert FIRST not in str(rows_in_folder(here))
    with pytest.raises(ExpectedError, match="nothing was published there"):
        clean(work, hub, gone=("elsewhere",))
    (tmp_path / "elsewhere").rename(moved)
    assert clean(work, hub) == [str(moved)] and FIRST not in str(rows_in_folder(moved))


def test_a_repository_that_is_gone_is_cleaned_when_somebody_says_so(work, hub):
    to_hub(work, hub)
    take_down(work, ("url", FIRST))
    stored = hub.repositories.pop(KEY)
    with pytest.raises(ExpectedError, match=f"no such data set for this token.*--gone {REPO}"):
        clean(work, hub)
    assert hub.repositories == {}
    assert clean(work, hub, gone=(REPO,)) == []
    take_down(work, ("url", "https://pictures2.example.com/2.jpg"))
    assert clean(work, hub) == [] and stored.commits


def test_all_of_a_data_set_may_go(work, hub, tmp_path):
    to_hub(work, hub)
    with opened(work) as manifest:
        publish(manifest, PublishSettings(to=tmp_path / "set"), api=HfApi())
    take_down(work, ("host", "example.com"))
    assert clean(work, hub) == [REPO, str(tmp_path / "set")]
    assert hub.repositories[KEY].commits[-1].files.keys() == {"README.md", ".gitattributes"}
    assert urls_on(hub) == set() and [path.name for path in (tmp_path / "set").iterdir()] == ["README.md", "data"]


def test_no_trace_of_a_title_is_left_in_the_work_folder(work):
    title = "Portrait of Somebody Very Special"
    add_rows(work, kept_row(work, 60, title=title, query=None))

    def holding_it():
        return [path.name for path in work.rglob("*") if path.is_file() and title.encode() in path.read_bytes()]

    assert set(holding_it()) == {"manifest.sqlite", "manifest.parquet"}
    take_down(work, ("url", "https://pictures0.example.com/60.jpg"))
    assert holding_it() == []


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("sha256", f" sha256:{'AB' * 32}\n", [("sha256", "ab" * 32)]),
        ("phash", "00FF" * 4, [("phash", "00ff" * 4)]),
        ("url", " https://e.example/a#b ", [("url", "https://e.example/a#b"), ("url", "https://e.example/a")]),
        ("host", "Bücher.example", [("host", "bücher.example"), ("host", "xn--bcher-kva.example")]),
        ("host", "127.0.0.1:80", [("host", "127.0.0.1")]),
    ],
)
def test_requests_are_read_as_they_are_denied(kind, value, expected):
    assert checked(kind, value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("sha256", ""),
        ("sha256", "ab" * 31),
        ("phash", "g" * 16),
        ("url", "example.com/a.jpg"),
        ("host", ""),
        ("host", "com"),
        ("host", "*.example.com"),
        ("host", "http://["),
        ("name", "somebody"),
    ],
)
def test_what_would_be_denied_in_vain_or_far_too_widely_is_refused(kind, value):
    with pytest.raises(ValueError, match=r"."):
        checked(kind, value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("requests.csv", "\ufeffkind,value,note\nurl,https://e.example/1,x\nhost,e.example,\n"),
        ("requests.jsonl", '{"kind": "url", "value": "https://e.example/1"}\n\n{"kind": "host", "value": "e.example"}'),
    ],
)
def test_requests_of_a_file(tmp_path, name, content):
    (tmp_path / name).write_text(content, encoding="utf-8")
    assert read_requests(tmp_path / name) == [("url", "https://e.example/1"), ("host", "e.example")]
    (tmp_path / name).write_text("")
    assert read_requests(tmp_path / name) == []


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("requests.csv", "kind,value\nhost,example.com\nsha256,x\n", "line 3.*nothing was taken down"),
        ("requests.csv", "address\nhttps://e.example/1\n", "line 2"),
        ("requests.csv", "kind,value\nurl\n", "line 2"),
        ("requests.jsonl", "host,example.com\n", "line 1"),
        ("requests.jsonl", '["host"]\n', "line 1"),
        ("requests.jsonl", '{"kind": "host", "value": null}\n', "line 1"),
        ("requests.jsonl", None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_takes_nothing_down(tmp_path, name, content, words):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ExpectedError, match=words):
        read_requests(tmp_path / name)


def test_a_mirrored_copy_that_comes_later_is_known(work):
    row = rows_before(work)[FIRST]
    with opened(work) as manifest:
        picture = Image.open(manifest.files.find_image(row["image_sha256"]))
        mirrored = io.BytesIO()
        ImageOps.mirror(picture).save(mirrored, "JPEG", quality=80)
    take_down(work, ("url", FIRST))
    copy = kept_row(work, 60, mirrored.getvalue(), url="https://copy.example/1.jpg")
    assert read_denylist(work).forbids(copy)
