"""Rows go into train, validation and test: what belongs together stays together, and nothing is ever moved."""

import hashlib
import random
from collections import Counter
from itertools import combinations

import pytest

from data_tools.dataset.split import split
from data_tools.settings import SplitSettings
from data_tools.work.decisions import Decision, decide
from data_tools.work.manifest import opened
from data_tools.work.schema import SPLITS
from face_expression.errors import DataError

DEFAULTS = SplitSettings()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def face(name: str, **columns) -> dict:
    """A kept row that belongs to no other unless given its hashes: its hashes are noise."""
    return {
        "url": f"https://pictures.example/{name}",
        "status": "kept",
        "query_label": "happy",
        "content_sha256": digest(f"content {name}"),
        "image_sha256": digest(f"image {name}"),
        "phash": digest(f"plain {name}")[:16],
        "phash_mirrored": digest(f"mirrored {name}")[:16],
    } | columns


def faces(count: int, prefix: str = "") -> list[dict]:
    return [face(f"{prefix}{number}", query_label=("happy", "sad")[number % 2]) for number in range(count)]


def flip_bits(phash: str, count: int) -> str:
    return f"{int(phash, 16) ^ ((1 << count) - 1):016x}"


def places(manifest) -> dict[str, str | None]:
    return {row["url"]: row["split"] for row in manifest.rows()}


@pytest.fixture
def manifest(tmp_path):
    with opened(tmp_path / "work", create=True) as opened_manifest:
        yield opened_manifest


@pytest.mark.parametrize(
    ("rows", "settings", "message"),
    [
        ([], DEFAULTS, "nothing to split"),
        ([face("a", query_label=None)], DEFAULTS, "nothing to split"),
        ([face("a", status="rejected")], DEFAULTS, "nothing to split"),
        ([face("a")], SplitSettings(validation=0.5, test=0.5), "less than 1"),
    ],
)
def test_what_cannot_be_split_is_an_error(manifest, rows, settings, message):
    manifest.add(rows)
    with pytest.raises(DataError, match=message):
        split(manifest, settings)
    assert set(places(manifest).values()) <= {None}


def test_shares_are_as_wanted_and_do_not_depend_on_the_order_of_arrival(manifest, tmp_path):
    manifest.add(faces(2000))
    summary = split(manifest, SplitSettings(validation=0.1, test=0.2))
    counts = Counter(places(manifest).values())
    assert counts["train"] + counts["validation"] + counts["test"] == 2000
    assert 140 < counts["validation"] < 260 and 340 < counts["test"] < 460
    assert sum(summary.rows.values()) == summary.placed_now == 2000
    with opened(tmp_path / "other", create=True) as other:
        other.add(reversed(faces(2000)))
        split(other, SplitSettings(validation=0.1, test=0.2))
        assert places(other) == places(manifest)


ONE = face("one")
TOGETHER = {
    "page": {"page_url": "https://page.example/"},
    "content": {"content_sha256": ONE["content_sha256"]},
    "look": {"phash": flip_bits(ONE["phash"], DEFAULTS.cluster_bits)},
    "mirrored look": {"phash": flip_bits(ONE["phash_mirrored"], DEFAULTS.cluster_bits)},
    "look of its mirror image": {"phash_mirrored": flip_bits(ONE["phash"], DEFAULTS.cluster_bits)},
}
APART = {
    "no page": {"page_url": None},
    "one bit more": {"phash": flip_bits(ONE["phash"], DEFAULTS.cluster_bits + 1)},
}


@pytest.mark.parametrize("tie", TOGETHER | APART)
def test_what_belongs_together_joins_the_split_of_what_is_there_and_nothing_else_does(tmp_path, tie):
    """Tried with each split, so that chance cannot be taken for a tie."""
    columns = (TOGETHER | APART)[tie]
    joined = []
    for place in SPLITS:
        with opened(tmp_path / place, create=True) as manifest:
            manifest.add([face(name, split=name) for name in SPLITS])
            manifest.add([{**ONE, "page_url": columns.get("page_url"), "split": place}])
            manifest.add([face("two", **columns)])
            split(manifest, DEFAULTS)
            joined.append(places(manifest)["https://pictures.example/two"])
    assert tuple(joined) == SPLITS if tie in TOGETHER else len(set(joined)) == 1


def belong_together(one: dict, other: dict, bits: int) -> bool:
    """Written down once more, slowly, to hold the fast way against."""

    def near(first: str, second: str) -> bool:
        return (int(first, 16) ^ int(second, 16)).bit_count() <= bits

    return (
        one["content_sha256"] == other["content_sha256"]
        or (one["page_url"] is not None and one["page_url"] == other["page_url"])
        or near(one["phash"], other["phash"])
        or near(one["phash"], other["phash_mirrored"])
        or near(one["phash_mirrored"], other["phash"])
    )


def test_no_two_splits_overlap_as_data_grow_and_nothing_moves(manifest):
    """Five rounds of rows, many of which tie earlier ones together by chance."""
    rng = random.Random(0)
    before: dict[str, str] = {}
    for round_number in range(5):
        new = []
        for number in range(80):
            like = rng.choice(new)["phash"] if new and rng.random() < 0.3 else None
            name = f"{round_number} {number}"
            columns = {"page_url": f"https://page.example/{rng.randrange(400)}" if rng.random() < 0.6 else None}
            if like:
                columns[rng.choice(["phash", "phash_mirrored"])] = flip_bits(like, rng.randrange(12))
            new.append(face(name, **columns))
        manifest.add(new)
        split(manifest, SplitSettings(validation=0.2, test=0.2))
        now = {url: place for url, place in places(manifest).items() if place}
        assert before.items() <= now.items()
        before = now
    rows = [row for row in manifest.rows() if row["split"]]
    for one, other in combinations(rows, 2):
        assert one["split"] == other["split"] or not belong_together(one, other, DEFAULTS.cluster_bits)
    out = manifest.count("rejection_reason = 'between_splits' AND status = 'rejected' AND split IS NULL")
    assert set(before.values()) == set(SPLITS)
    assert out > 0 and out + len(rows) == 400


def test_a_row_that_would_tie_two_splits_together_is_out_and_the_others_stay(manifest):
    manifest.add([face("a", page_url="https://a.example/", split="train"), face("b", split="test"), *faces(20)])
    manifest.add([face("bridge", page_url="https://a.example/", phash=face("b")["phash"])])
    summary = split(manifest, DEFAULTS)
    (bridge,) = manifest.rows("url = ?", ("https://pictures.example/bridge",))
    assert (bridge["status"], bridge["rejection_reason"], bridge["split"]) == ("rejected", "between_splits", None)
    assert summary.between_splits == 1 and "1 row(s) are rejected" in str(summary)
    there = places(manifest)
    assert there["https://pictures.example/a"] == "train" and there["https://pictures.example/b"] == "test"
    assert split(manifest, DEFAULTS).placed_now == 0
    assert places(manifest) == there


@pytest.mark.parametrize("tie", TOGETHER)
@pytest.mark.parametrize("status", ["kept", "rejected"])
def test_an_overlap_that_is_there_already_stops_everything(manifest, tie, status):
    columns = TOGETHER[tie]
    manifest.add([{**ONE, "split": "train", "page_url": columns.get("page_url")}])
    manifest.add([face("two", split="test", status=status, **columns), *faces(5)])
    before = list(manifest.rows())
    with pytest.raises(DataError, match=r"example/one \(train\) and .*/two \(test\)") as stopped:
        split(manifest, DEFAULTS)
    assert "belong together" in str(stopped.value)
    assert list(manifest.rows()) == before
    manifest.update([{"url": "https://pictures.example/two", "status": "removed"}])
    assert split(manifest, DEFAULTS).placed_now == 5


@pytest.mark.parametrize(
    ("rows", "filled"),
    [
        (faces(1), {"train"}),
        (faces(2), {"train", "validation"}),
        (faces(3), set(SPLITS)),
        (faces(30), set(SPLITS)),
        ([face(str(number), page_url="https://page.example/") for number in range(30)], {"train"}),
    ],
)
def test_few_faces_fill_validation_first_or_a_message_explains_why_not(manifest, rows, filled):
    """Of two groups, neither of which a hash of 0.1 is likely to hit, validation still gets one."""
    manifest.add(rows)
    summary = split(manifest, DEFAULTS)
    assert set(places(manifest).values()) == filled
    assert ("validation is empty" in str(summary)) == ("validation" not in filled)
    assert ("Training needs a validation split" in str(summary)) == ("validation" not in filled)
    before = places(manifest)
    manifest.add(faces(200, "later "))
    split(manifest, DEFAULTS)
    assert before.items() <= places(manifest).items()
    assert set(places(manifest).values()) == set(SPLITS)


@pytest.mark.parametrize("page", range(20))
def test_one_group_never_is_most_of_what_is_measured_on(manifest, page):
    manifest.add([face(f"{page} {number}", page_url=f"https://page.example/{page}") for number in range(60)])
    manifest.add(faces(100))
    split(manifest, SplitSettings(validation=0.3, test=0.3))
    assert manifest.counts("split", where="page_url IS NOT NULL") == {("train",): 60}


def test_decisions_are_applied_first_and_the_table_tells_what_there_is(manifest):
    manifest.add(
        [
            *faces(60),
            face("reject", query_label="sad"),
            face("relabel"),
            face("unnamed", query_label=None),
            face("found", status="found", query_label="disgust"),
        ]
    )
    decide(
        manifest.folder,
        [
            Decision(digest("image reject"), "reject"),
            Decision(digest("image relabel"), "relabel", "sad"),
        ],
    )
    summary = split(manifest, DEFAULTS)
    assert {label: sum(summary.rows[label, name] for name in SPLITS) for label, _ in summary.rows} == {
        "disgust": 0,
        "happy": 30,
        "sad": 31,
    }
    assert places(manifest)["https://pictures.example/reject"] is None
    assert summary.without_label == 1
    text = str(summary)
    lines = [line.split() for line in text.splitlines()]
    assert lines[0] == [*SPLITS, "all"]
    assert lines[1] == ["disgust", "0", "0", "0", "0"]
    assert lines[3][0] == "sad" and lines[3][-1] == "31"
    assert "train has no rows of disgust" in text and "1 kept row(s) have no label" in text
    decide(manifest.folder, [Decision(digest("image reject"), "keep")])
    assert split(manifest, DEFAULTS).placed_now == 1


def test_imbalance_is_the_largest_label_to_the_smallest(manifest):
    manifest.add([face(f"h{number}") for number in range(90)])
    manifest.add([face(f"s{number}", query_label="sad") for number in range(30)])
    (line,) = [line for line in str(split(manifest, DEFAULTS)).splitlines() if line.startswith("largest : smallest")]
    assert line.endswith("3.0 : 1")


def test_a_row_that_comes_back_finds_its_place_kept_free_of_its_like(manifest):
    """While a reviewed-out row is away, a row like it goes where it was, not elsewhere."""
    manifest.add([{**ONE, "split": "test"}, *faces(30)])
    decide(manifest.folder, [Decision(ONE["image_sha256"], "reject")])
    split(manifest, DEFAULTS)
    manifest.add([face("two", phash=ONE["phash"])])
    split(manifest, DEFAULTS)
    assert places(manifest)["https://pictures.example/two"] == "test"
    decide(manifest.folder, [Decision(ONE["image_sha256"], "keep")])
    split(manifest, DEFAULTS)
    assert places(manifest)[ONE["url"]] == "test"
