"""A work folder is published to a folder and to a Hub that refuses, breaks off or lies, and loaded back from both."""

import hashlib
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard, HfApi
from markdown_it import MarkdownIt
from PIL import Image, PngImagePlugin

from data_tools.dataset.card import MARKER
from data_tools.dataset.parquet import DESCRIPTIONS
from data_tools.dataset.publish import publish
from data_tools.settings import PublishSettings
from data_tools.work.denylist import deny
from data_tools.work.manifest import opened
from face_expression.errors import ExpectedError
from face_expression.io.files import replacing_folder
from face_expression.labels import LABEL_NAMES
from face_expression.model.config import read_preprocessing
from tests.support.local_hub import OWNER, READER, WRITER
from tests.support.warm_programs import DATA, run_warm
from tests.support.work_folders import FETCHED_AT, add_rows, jpeg, kept_row, make_work, rows_of
from train.__main__ import PREPROCESSING
from train.data.dataset import load_split, read_crops

REPO = f"{OWNER}/expressions"
KEY = f"datasets/{REPO}"
SHARDS = {f"data/{split}-00000-of-00001.parquet" for split in ("train", "validation", "test")}

pytestmark = pytest.mark.usefixtures("nobody_waits_and_nothing_is_cached")


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A work folder that nobody changes."""
    return make_work(tmp_path_factory.mktemp("work") / "work")


@pytest.fixture
def own_work(tmp_path):
    """A smaller one, to be changed."""
    return make_work(tmp_path / "work", rows=8)


def to_folder(work, folder, **settings):
    with opened(work) as manifest:
        return publish(manifest, PublishSettings(to=folder, **settings), api=HfApi())


def to_hub(work, hub, *, token=WRITER, **settings):
    with opened(work) as manifest:
        api = HfApi(endpoint=hub.endpoint, token=token)
        return publish(manifest, PublishSettings(**{"repo": REPO, **settings}), api=api)


def names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def contents(hub, commit=-1):
    return {path: file.content for path, file in hub.repositories[KEY].commits[commit].files.items()}


def rows_in(folder):
    return [row for path in sorted(folder.rglob("*.parquet")) for row in pq.read_table(path).to_pylist()]


@pytest.mark.parametrize("unusable", [None, {"label": None, "query_label": None}, {"split": None}, {"status": "found"}])
def test_nothing_to_publish_is_an_error_and_no_folder_is_made(tmp_path, unusable):
    work = make_work(tmp_path / "work", rows=0)
    if unusable:
        add_rows(work, kept_row(work, 1, **unusable))
    with pytest.raises(ExpectedError, match="nothing to publish"):
        to_folder(work, tmp_path / "set")
    assert list(tmp_path.iterdir()) == [work]


@pytest.mark.parametrize("shard_bytes", [1, 30_000, 300_000_000])
def test_a_folder_is_loaded_back_as_it_was_kept(work, tmp_path, shard_bytes):
    published = to_folder(work, tmp_path / "set", shard_bytes=shard_bytes)
    shards = sorted((tmp_path / "set" / "data").glob("train-*"))
    assert {1: 35, 300_000_000: 1}.get(shard_bytes, len(shards)) == len(shards)
    assert [path.name for path in shards] == [
        f"train-{number:05}-of-{len(shards):05}.parquet" for number in range(len(shards))
    ]
    if shard_bytes == 30_000:
        assert 1 < len(shards) < 35
    with opened(work) as manifest:
        kept = rows_of(manifest)
    for arguments in ({"path": str(tmp_path / "set")}, {"path": "parquet", "data_dir": str(tmp_path / "set")}):
        loaded = datasets.load_dataset(**arguments)
        assert {split: len(rows) for split, rows in loaded.items()} == {"train": 35, "validation": 7, "test": 7}
        for split, rows in loaded.items():
            assert rows.features["image"] == datasets.Image()
            assert rows.features["label"] == datasets.ClassLabel(names=list(LABEL_NAMES))
            assert set(rows.column_names) <= DESCRIPTIONS.keys()
            for row in rows:
                was = kept[row["url"]]
                assert was["split"] == split and LABEL_NAMES[row["label"]] == was["query_label"]
                assert row["image"].size == (was["image_width"], was["image_height"]) and row["image"].mode == "RGB"
                assert (row["fetched_at"], row["reviewed"]) == (FETCHED_AT, False)
                for name in set(rows.column_names) - {"image", "label", "reviewed"}:
                    assert row[name] == was[name], name
    assert published.contents.rows.total() == 49 and published.commit is None


def test_training_reads_the_folder(work, tmp_path):
    to_folder(work, tmp_path / "set")
    for split, count in (("train", 35), ("validation", 7), ("test", 7)):
        rows = load_split(str(tmp_path / "set"), split)
        crops = read_crops(rows, read_preprocessing(PREPROCESSING))
        assert len(crops) == count and {crop.shape for crop in crops} == {(48, 48, 3)}


def test_a_reviewers_label_counts_and_labels_may_be_others(own_work, tmp_path):
    with opened(own_work) as manifest:
        manifest.update([{"url": row["url"], "split": "train", "label": "bored"} for row in manifest.rows("rowid < 3")])
        manifest.update([{"url": row["url"], "split": "test"} for row in manifest.rows("rowid BETWEEN 3 AND 4")])
    to_folder(own_work, tmp_path / "set")
    loaded = datasets.load_dataset(str(tmp_path / "set"))
    label = loaded["train"].features["label"]
    # Nobody shows disgust any more.
    assert label.names == ["angry", "bored", "fear", "happy", "neutral", "sad", "surprise"]
    published = [(label.int2str(row["label"]), row["reviewed"]) for row in loaded["train"]]
    assert published == [
        ("bored", True),
        ("bored", True),
        *((name, False) for name in ("sad", "surprise", "neutral", "angry")),
    ]
    # A split without rows has no file: `datasets` could not load it.
    assert set(loaded) == {"train", "test"}


def test_what_was_taken_down_is_never_written(own_work, tmp_path):
    with opened(own_work) as manifest:
        rows = list(manifest.rows("status = 'kept'"))
    denied = [("url", rows[0]["page_url"]), ("phash", rows[1]["phash_mirrored"]), ("sha256", rows[2]["image_sha256"])]
    deny(own_work, [*denied, ("host", "pictures0.example.com")], why="asked")
    published = to_folder(own_work, tmp_path / "set")
    written = {row["url"] for row in rows_in(tmp_path / "set")}
    assert written == {row["url"] for row in rows[3:] if "pictures0" not in row["url"]} and len(written) == 3
    assert published.contents.left_out == {"taken down": 5}


def with_exif(kind):
    exif = Image.Exif()
    exif[0x010E] = "made at home"
    exif.get_ifd(0x8825)[1] = "N"
    if kind == "JPEG":
        options = {"exif": exif, "comment": b"a comment", "icc_profile": b"a profile", "xmp": b"<x:xmpmeta/>"}
        return jpeg(1, **options)
    if kind == "trailing":
        return jpeg(1) + b"a thumbnail"
    file, text = io.BytesIO(), PngImagePlugin.PngInfo()
    text.add_text("Author", "somebody")
    Image.open(io.BytesIO(jpeg(1))).save(file, "PNG", exif=exif, pnginfo=text, icc_profile=b"a profile")
    return file.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "trailing"])
def test_no_metadata_is_published(own_work, tmp_path, kind):
    before = with_exif(kind)
    add_rows(own_work, kept_row(own_work, 90, before, url="https://example.com/exif", split="test"))
    to_folder(own_work, tmp_path / "set")
    row = next(row for row in rows_in(tmp_path / "set") if row["url"] == "https://example.com/exif")
    after = row["image"]["bytes"]
    picture = Image.open(io.BytesIO(after))
    picture.load()
    assert not picture.getexif() and not {"comment", "icc_profile", "xmp", "Author", "exif"} & picture.info.keys()
    for part in (b"made at home", b"a comment", b"a profile", b"xmpmeta", b"somebody", b"a thumbnail"):
        assert part not in after
    difference = np.abs(np.asarray(picture, int) - np.asarray(Image.open(io.BytesIO(before)), int))
    assert difference.mean() < (1e-9 if kind == "PNG" else 2)
    # The work folder has the same clean file under the same name, and the old one no more.
    with opened(own_work) as manifest:
        known = rows_of(manifest)["https://example.com/exif"]["image_sha256"]
        assert known == row["image_sha256"] == hashlib.sha256(after).hexdigest()
        assert manifest.files.find_image(known).read_bytes() == after
    assert not list(own_work.rglob(f"*{hashlib.sha256(before).hexdigest()}*.jpg"))


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(b"other bytes"), "was changed"),
    ],
)
def test_a_work_folder_with_a_bad_image_leaves_what_was_published(own_work, tmp_path, harm, words):
    to_folder(own_work, tmp_path / "set")
    before = {name: (tmp_path / "set" / name).read_bytes() for name in names(tmp_path / "set")}
    with opened(own_work) as manifest:
        harm(manifest.files.find_image(next(manifest.rows("status = 'kept'"))["image_sha256"]))
    with pytest.raises(ExpectedError, match=words):
        to_folder(own_work, tmp_path / "set")
    assert {name: (tmp_path / "set" / name).read_bytes() for name in names(tmp_path / "set")} == before
    assert {path.name for path in tmp_path.iterdir()} == {"work", "set"}


def test_a_folder_is_replaced_as_a_whole_even_after_a_kill(own_work, tmp_path):
    folder = tmp_path / "set"
    to_folder(own_work, folder, shard_bytes=1)
    assert len(names(folder)) == 9
    # A kill between the two renames, and one while the draft was written.
    folder.rename(tmp_path / ".set.old")
    (tmp_path / ".set.draft" / "data").mkdir(parents=True)
    to_folder(own_work, folder)
    assert names(folder) == {"README.md", "data/train-00000-of-00001.parquet"}
    assert {path.name for path in tmp_path.iterdir()} == {"work", "set"}


def test_two_publications_into_one_folder_wait_for_each_other(own_work, tmp_path):
    folder = tmp_path / "set"
    with ThreadPoolExecutor(1) as pool:
        with replacing_folder(folder) as draft:
            second = pool.submit(to_folder, own_work, folder)
            # It must not end before this one, nor take its draft.
            with pytest.raises(TimeoutError):
                second.result(timeout=1)
            (draft / "README.md").write_text(MARKER)
        second.result(timeout=60)
    assert names(folder) == {"README.md", "data/train-00000-of-00001.parquet"}
    assert {path.name for path in tmp_path.iterdir()} == {"work", "set"}


def with_a_strangers_file(folder):
    (folder / "notes.txt").write_text("mine")


def with_a_strangers_card(folder):
    (folder / "README.md").write_text("# Mine")


def as_a_file(folder):
    folder.write_text("mine")


@pytest.mark.parametrize("occupy", [with_a_strangers_file, with_a_strangers_card, as_a_file])
def test_a_strangers_folder_is_not_overwritten(own_work, tmp_path, occupy):
    folder = tmp_path / "set"
    if occupy is not as_a_file:
        folder.mkdir()
    occupy(folder)
    with pytest.raises(ExpectedError, match=r"is a file|is not an earlier publication"):
        to_folder(own_work, folder)
    assert "mine" in (folder if folder.is_file() else next(folder.iterdir())).read_text().lower()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "either --repo USER/NAME or --to FOLDER"),
        ({"repo": REPO, "to": "set"}, "either --repo USER/NAME or --to FOLDER"),
        ({"repo": "faces"}, "USER/NAME"),
        ({"repo": REPO, "public": True}, "copyright.*privacy.*--acknowledge-pixels"),
        ({"to": "set", "public": True}, "--acknowledge-pixels"),
    ],
)
def test_missing_or_contradictory_settings_are_refused(own_work, hub, settings, words):
    with opened(own_work) as manifest, pytest.raises(ExpectedError, match=words):
        publish(manifest, PublishSettings(**settings), api=HfApi(endpoint=hub.endpoint, token=WRITER))
    assert hub.repositories == {} and hub.requests == []


LOAD = """
import datasets, json, sys
from PIL import Image
loaded = datasets.load_dataset(sys.argv[1])
print(json.dumps({
    split: [[row["url"], rows.features["label"].int2str(row["label"]), *row["image"].size] for row in rows]
    for split, rows in loaded.items()
}))
"""


def test_the_hub_has_it_private_and_gated_in_one_commit(work, hub, tmp_path):
    published = to_hub(work, hub)
    repository = hub.repositories[KEY]
    assert (repository.private, repository.gated) == (True, "manual") and published.private
    assert [commit.title for commit in repository.commits] == ["initial commit", "Publish 49 rows"]
    assert published.commit == f"{hub.endpoint}/{KEY}/commit/{repository.commits[-1].oid}"
    assert contents(hub).keys() == SHARDS | {"README.md", ".gitattributes"}
    home = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.endpoint, "HF_TOKEN": WRITER}
    done = run_warm("-c", LOAD, REPO, modules=DATA, environment={**os.environ, **home, "HF_HUB_OFFLINE": "0"})
    assert done.returncode == 0, done.stderr
    with opened(work) as manifest:
        kept = [
            (row["split"], [row["url"], row["query_label"], row["image_width"], row["image_height"]])
            for row in manifest.rows("status = 'kept'")
        ]
    expected = {split: [row for of, row in kept if of == split] for split in ("train", "validation", "test")}
    assert json.loads(done.stdout) == expected


def test_the_same_again_changes_nothing(own_work, hub):
    first, second = to_hub(own_work, hub), to_hub(own_work, hub)
    assert first.commit == second.commit and len(hub.repositories[KEY].commits) == 2


def test_shards_of_before_go_in_the_same_commit(own_work, hub):
    to_hub(own_work, hub, shard_bytes=1)
    assert len(contents(hub)) == 10
    to_hub(own_work, hub)
    assert contents(hub).keys() == {"README.md", ".gitattributes", "data/train-00000-of-00001.parquet"}
    assert len(hub.repositories[KEY].commits) == 3


@pytest.mark.parametrize("pixels", [True, False])
def test_public_is_public_and_only_when_asked_for(own_work, hub, pixels):
    openly = {"public": True, **({"acknowledge_pixels": True} if pixels else {"urls_only": True})}
    to_hub(own_work, hub, **openly)
    repository = hub.repositories[KEY]
    assert (repository.private, repository.gated) == (False, False)
    before = contents(hub)
    with pytest.raises(ExpectedError, match="is public"):
        to_hub(own_work, hub, shard_bytes=1)
    assert contents(hub) == before and not repository.gated
    assert to_hub(own_work, hub, **openly).private is False


def test_an_existing_repository_stays_private_and_is_gated(own_work, hub):
    HfApi(endpoint=hub.endpoint, token=WRITER).create_repo(REPO, private=True, repo_type="dataset")
    assert to_hub(own_work, hub, urls_only=True, public=True).private
    assert hub.repositories[KEY].gated is False
    to_hub(own_work, hub)
    assert (hub.repositories[KEY].private, hub.repositories[KEY].gated) == (True, "manual")


def test_trouble_that_passes_ends_in_one_complete_commit(own_work, hub):
    """`tests/core/test_hub_upload.py` has all other kinds of trouble."""
    hub.fault, hub.faults_left = "cut commit", 1
    published = to_hub(own_work, hub)
    assert hub.faults_left == 0 and len(hub.repositories[KEY].commits) == 2
    assert published.commit.endswith(hub.repositories[KEY].commits[-1].oid)
    assert contents(hub).keys() == {"README.md", ".gitattributes", "data/train-00000-of-00001.parquet"}


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("cut upload", "busy or out of reach"),
        ("corrupt upload", "gives other bytes than were sent for data/train"),
    ],
)
def test_trouble_that_stays_leaves_what_was_there(own_work, hub, fault, words):
    to_hub(own_work, hub, shard_bytes=1)
    before = contents(hub)
    add_rows(own_work, kept_row(own_work, 20))
    hub.fault = fault
    with pytest.raises(ExpectedError, match=words):
        to_hub(own_work, hub)
    assert contents(hub) == before and not (own_work / "publish.draft").exists()
    if fault != "corrupt upload":
        hub.fault = None
        to_hub(own_work, hub)
        assert len(contents(hub)) == 3


def test_missing_write_access_is_an_error_and_nothing_is_made(own_work, hub):
    with pytest.raises(ExpectedError, match="no right to write"):
        to_hub(own_work, hub, token=READER)
    assert hub.repositories == {}


def card_of(folder):
    return DatasetCard((folder / "README.md").read_text(encoding="utf-8"))


def test_the_card_tells_what_is_in_it(work, tmp_path):
    with opened(work) as manifest:
        before = manifest.counts("status", "rejection_reason")
    to_folder(work, tmp_path / "set", name="Faces: of many # people", contact="takedown@example.org")
    card = card_of(tmp_path / "set")
    metadata = card.data.to_dict()
    assert (metadata["license"], metadata["pretty_name"]) == ("other", "Faces: of many # people")
    assert metadata["task_categories"] == ["image-classification"] and metadata["size_categories"] == ["n<1K"]
    assert metadata["configs"] == [
        {
            "config_name": "default",
            "data_files": [
                {"split": split, "path": f"data/{split}-*.parquet"} for split in ("train", "validation", "test")
            ],
        }
    ]
    assert "people at work or in education" in str(metadata["extra_gated_fields"])
    for part in (
        "| happy | 5 | 1 | 1 | 7 |",
        "| all | 35 | 7 | 7 | 49 |",
        "0 of 49 labels were chosen",
        "| pictures0.example.com | 17 |",
        "duckduckgo (49)",
        "yunet (49)",
        "Share (49)",
        "Article 5(1)(f)",
        "takedown&#64;example.org",
        *(f"| `{name}` | {DESCRIPTIONS[name]} |" for name in ("image", "label", "phash", "opt_out")),
    ):
        assert part in card.text, part
    rendered = MarkdownIt("commonmark").enable("table").render(card.text)
    for (status, reason), count in before.items():
        assert f"<td>{status}</td>\n<td>{reason or ''}</td>" in rendered
        assert f">{count}</td>" in rendered


NASTY = "<script>alert(1)</script> | [x](javascript:1) **b** `c` https://evil.example ![](http://e/x.png)\n\n# H\u202e"


def test_nothing_from_outside_becomes_markup_in_the_card(own_work, tmp_path):
    add_rows(
        own_work,
        kept_row(
            own_work,
            30,
            url="https://<img src=x onerror=alert(1)>|a`b*c*.example.com/x.jpg",
            query_group=f"age: {NASTY}",
            source=NASTY,
            license_requested=NASTY,
            detector=NASTY,
            query_label=NASTY,
            title=NASTY,
            query=NASTY,
        ),
    )
    to_folder(own_work, tmp_path / "set", name=f"{NASTY}\n---\nlicense: mit", contact=NASTY)
    card = card_of(tmp_path / "set")
    assert card.data.license == "other" and card.data.pretty_name.startswith(NASTY)
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    rendered = parser.render(card.text)
    for markup in ("<script", "<img", "<b>", "onerror=alert(1)>", "<a ", "<em>c", "\u202e"):
        assert markup not in rendered.replace("<em>looks\nlike</em>", ""), markup
    tokens = parser.parse(card.text)
    columns = [sum(token.type == "td_open" for token in row) for row in rows_of_tables(tokens)]
    assert set(columns) <= {2, 3, 4}
    assert [token.tag for token in tokens if token.type == "heading_open"].count("h1") == 1


def rows_of_tables(tokens):
    rows = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif rows:
            rows[-1].append(token)
    return [row for row in rows if any(token.type == "td_open" for token in row)]


def test_folders_of_one_name_are_not_taken_for_each_other(tmp_path):
    def loaded(folder):
        return sum(len(rows) for rows in datasets.load_dataset(str(folder)).values())

    works = [make_work(tmp_path / f"work{rows}", rows=rows) for rows in (40, 41)]
    here, there = tmp_path / "here" / "faces", tmp_path / "there" / "faces"
    fewer, more = (sum(to_folder(*place).contents.rows.values()) for place in zip(works, (here, there), strict=True))
    assert (loaded(here), loaded(there)) == (fewer, more) and fewer < more
    to_folder(works[1], here)
    assert loaded(here) == more
