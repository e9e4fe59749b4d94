"""A set of addresses is fetched again from a web where some pictures have changed since."""

import io

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import HfApi
from PIL import Image

from data_tools.collect.step import fetch_found
from data_tools.dataset.materialize import Materialized, materialize, reject_changed, rows_to_fetch
from data_tools.dataset.publish import publish
from data_tools.filter.step import filter_images
from data_tools.settings import FetchSettings, FilterSettings, PublishSettings
from data_tools.work.denylist import deny
from data_tools.work.manifest import opened
from face_expression.errors import DataError
from face_expression.hub.download import DETECTOR_VARIABLE
from tests.support.builders import calm_photo, happy_photo
from tests.support.local_web import running_web
from tests.support.work_folders import kept_row, make_work, rows_of


@pytest.fixture(autouse=True)
def nothing_is_cached(monkeypatch, tmp_path):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def as_jpeg(picture, *, turned=0, quality=95):
    file = io.BytesIO()
    Image.fromarray(picture).rotate(turned, Image.Resampling.BICUBIC).save(file, "JPEG", quality=quality)
    return file.getvalue()


PICTURES = {
    "/same.jpg": as_jpeg(happy_photo()),
    "/alike.jpg": as_jpeg(calm_photo()),
    "/changed.jpg": as_jpeg(happy_photo(), turned=14),
    "/gone.jpg": as_jpeg(calm_photo(), turned=14),
    "/denied.jpg": as_jpeg(happy_photo(), turned=-14),
    "/closed.jpg": as_jpeg(calm_photo(), turned=-14),
}


def fetch_and_filter(manifest, web):
    fetch_found(manifest, FetchSettings(allow_addresses=web.addresses, attempts=1))
    filter_images(manifest, FilterSettings(min_face_px=30), workers=1)


def publish_to(work, folder, **settings):
    with opened(work) as manifest:
        publish(manifest, PublishSettings(to=folder, **settings), api=HfApi())


def test_what_is_still_the_same_comes_back_with_label_and_split(tmp_path, monkeypatch, yunet_weights):
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    with running_web() as web:
        web.files |= PICTURES
        urls = {path: web.site(1 if path == "/closed.jpg" else 0) + path for path in PICTURES}
        with opened(tmp_path / "first", create=True) as manifest:
            manifest.add({"url": url, "source": "list:all.csv", "query_label": "happy"} for url in urls.values())
            fetch_and_filter(manifest, web)
            assert manifest.count("status = 'kept'") == 6, manifest.counts("status", "rejection_reason", "detail")
            manifest.update({"url": url, "split": "train"} for url in urls.values())
            manifest.update([{"url": urls["/alike.jpg"], "label": "neutral", "split": "test"}])
            first = rows_of(manifest)
        publish_to(tmp_path / "first", tmp_path / "addresses", urls_only=True)
        web.files["/alike.jpg"] = as_jpeg(calm_photo(), quality=70)
        web.files["/changed.jpg"] = PICTURES["/gone.jpg"]
        del web.files["/gone.jpg"]
        web.robots[1] = "User-agent: *\nDisallow: /\n"
        with opened(tmp_path / "second", create=True) as manifest:
            deny(manifest.folder, [("url", urls["/denied.jpg"])], why="asked")
            assert manifest.add(rows_to_fetch(str(tmp_path / "addresses"))) == 6
            fetch_and_filter(manifest, web)
            assert reject_changed(manifest) == Materialized(same=1, alike=1, changed=1, missing=3)
            assert reject_changed(manifest) == Materialized(same=1, alike=1, changed=1, missing=3)
            second = rows_of(manifest)
            images = [path.stem for path in (tmp_path / "second" / "images").rglob("*.jpg")]
        publish_to(tmp_path / "second", tmp_path / "pictures")
    outcomes = {path: (second[url]["status"], second[url]["rejection_reason"]) for path, url in urls.items()}
    assert outcomes == {
        "/same.jpg": ("kept", None),
        "/alike.jpg": ("kept", None),
        "/changed.jpg": ("rejected", "changed"),
        "/gone.jpg": ("failed", "http_status"),
        "/denied.jpg": ("rejected", "denylisted"),
        "/closed.jpg": ("opted_out", "robots_txt"),
    }
    before, after = first[urls["/same.jpg"]], second[urls["/same.jpg"]]
    for name in ("image_sha256", "content_sha256", "phash", "face_box", "query_label", "split", "label"):
        assert after[name] == before[name], name
    assert {second[urls[path]]["image_sha256"] for path in ("/same.jpg", "/alike.jpg")} == set(images)
    loaded = datasets.load_dataset(str(tmp_path / "pictures"))
    assert [(row["label"], row["reviewed"]) for row in loaded["train"]] == [(3, False)]
    assert [(row["label"], row["reviewed"]) for row in loaded["test"]] == [(6, True)]
    assert np.asarray(loaded["train"][0]["image"]).shape[2] == 3


def test_a_set_of_addresses_has_no_picture_and_no_local_file(tmp_path):
    work = make_work(tmp_path / "work", rows=8)
    with opened(work) as manifest:
        manifest.add([kept_row(work, 20, url="local:mine/a.jpg"), kept_row(work, 21, url="local:mine/b.jpg")])
        contents = publish(manifest, PublishSettings(to=tmp_path / "set", urls_only=True), api=HfApi()).contents
        kept = rows_of(manifest)
    assert contents.rows.total() == 8 and contents.left_out == {"no address on the web": 2}
    table = pq.read_table(tmp_path / "set" / "data" / "train-00000-of-00001.parquet")
    assert not {"image", "title", "face_box", "landmarks"} & set(table.column_names)
    for row in table.to_pylist():
        assert row["content_sha256"] == kept[row["url"]]["content_sha256"]
    rows = list(rows_to_fetch(str(tmp_path / "set")))
    assert [row["url"] for row in rows] == table["url"].to_pylist()
    assert {(row["split"], row["label"], row["source"]) for row in rows} == {("train", None, "list:set")}
    assert "materialize" in (tmp_path / "set" / "README.md").read_text()


def test_only_local_pictures_make_no_set_of_addresses(tmp_path):
    work = make_work(tmp_path / "work", rows=0)
    with opened(work) as manifest:
        manifest.add([kept_row(work, 20, url="local:mine/a.jpg")])
    with pytest.raises(DataError, match="nothing to publish; 1 are ready, but no address on the web"):
        publish_to(work, tmp_path / "set", urls_only=True)


def other_column(table):
    return table.drop_columns("phash")


def local_address(table):
    return table.set_column(table.column_names.index("url"), "url", [["file:///etc/passwd"] * len(table)])


def strange_hash(table):
    return table.set_column(table.column_names.index("phash"), "phash", [["zz"] * len(table)])


def no_label_names(table):
    return table.replace_schema_metadata(None).set_column(0, "label", pa.array([1] * len(table)))


@pytest.mark.parametrize("change", [None, other_column, local_address, strange_hash, no_label_names])
def test_another_data_set_is_not_fetched(tmp_path, change):
    folder = tmp_path / "set"
    if change is not None:
        publish_to(make_work(tmp_path / "work", rows=3), folder, urls_only=True)
        path = folder / "data" / "train-00000-of-00001.parquet"
        pq.write_table(change(pq.read_table(path)), path)
    else:
        folder.mkdir()
    with pytest.raises(DataError, match=r"cannot load|was not made by|no web address, or hashes"):
        list(rows_to_fetch(str(folder)))


def test_run_again_it_retries_what_failed_for_a_while(tmp_path, monkeypatch, yunet_weights):
    monkeypatch.setenv(DETECTOR_VARIABLE, str(yunet_weights))
    with running_web() as web:
        web.files |= {"/busy-twice": PICTURES["/same.jpg"], "/face.jpg": PICTURES["/same.jpg"]}
        with opened(tmp_path / "first", create=True) as manifest:
            url = web.site() + "/busy-twice"
            manifest.add([{"url": url, "source": "list:all.csv", "query_label": "happy"}])
            fetch_and_filter(manifest, web)
            manifest.update([{"url": url, "split": "train"}])
        publish_to(tmp_path / "first", tmp_path / "addresses", urls_only=True)
        # The site is busy once more, and then it serves the picture.
        del web.files["/busy-twice"]
        settings = FetchSettings(allow_addresses=web.addresses, attempts=1)
        for status in ("failed", "kept"):
            with opened(tmp_path / "second", create=True) as manifest:
                materialize(manifest, str(tmp_path / "addresses"), settings)
                assert rows_of(manifest)[url]["status"] == status
