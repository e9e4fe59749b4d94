"""The web is searched page by page through the real `ddgs`, and a block is distinguished from an end."""

import pytest

from data_tools.collect.queries import Query
from data_tools.collect.sources import DuckDuckGo, SearchBlocked
from data_tools.collect.step import Search, search_web
from data_tools.work.manifest import opened
from tests.support.local_search import CANARY, found_picture, running_search

SAD, HAPPY = Query("sad face", "sad", ""), Query("happy face old woman", "happy", "age=old; gender=woman")


@pytest.fixture
def engine(tmp_path):
    with running_search(tmp_path) as server:
        server.pages[CANARY] = [[found_picture("canary")]]
        yield server


def source(engine, **more):
    waits = []
    made = DuckDuckGo(proxy=engine.proxy, ca=engine.ca, wait=waits.append, **more)
    return made, waits


def searched(folder, engine, queries, *, per_label=100, **more):
    made, waits = source(engine, **more)
    with opened(folder, create=True) as manifest:
        search = Search(
            made,
            queries,
            per_label=per_label,
            license_requested=more.get("license_image"),
            pause_s=0,
            wait=lambda _: None,
        )
        try:
            search_web(manifest, search)
        finally:
            rows = list(manifest.rows())
    return rows, waits


def test_an_empty_search_is_an_end_and_no_block(engine, tmp_path):
    rows, waits = searched(tmp_path / "w", engine, [SAD])
    assert rows == [] and waits == []
    assert [asked["q"] for asked in engine.asked] == [SAD.text, CANARY]


def test_pages_are_read_until_nothing_new_comes(engine, tmp_path):
    engine.pages[SAD.text] = [
        [found_picture("a"), found_picture("b", page="https://pages.example/b?x=1&y=%2B")],
        [found_picture("b"), found_picture("c")],
        [found_picture("a"), found_picture("c")],
        [found_picture("never")],
    ]
    engine.pages[HAPPY.text] = [[found_picture("d"), found_picture("a")]]
    rows, _ = searched(tmp_path / "w", engine, [SAD, HAPPY], license_image="Share")
    assert [(row["url"].rsplit("/")[-1], row["query_label"], row["rank"]) for row in rows] == [
        ("a.jpg", "sad", 0),
        ("b.jpg", "sad", 1),
        ("c.jpg", "sad", 3),
        ("d.jpg", "happy", 0),
    ]
    assert rows[0]["other_query_labels"] == ["happy"]
    assert {row["license_requested"] for row in rows} == {"Share"} and {row["source"] for row in rows} == {"duckduckgo"}
    assert rows[3]["query_group"] == "age=old; gender=woman" and rows[3]["query"] == HAPPY.text
    assert rows[0]["page_url"] == "https://pages.example/a" and rows[0]["title"] == "Title of a"
    for asked in engine.asked:
        assert "type:photo" in asked["f"] and "license:Share" in asked["f"]
    # Interrupted and run again, what was asked is not asked again.
    before = len(engine.asked)
    again, _ = searched(tmp_path / "w", engine, [SAD, HAPPY], license_image="Share")
    assert again == rows
    assert engine.asked[before:] == []


def test_a_label_that_has_enough_is_not_searched_for(engine, tmp_path):
    engine.pages[SAD.text] = [[found_picture(f"{page}-{n}") for n in range(5)] for page in range(9)]
    rows, _ = searched(tmp_path / "w", engine, [SAD, Query("another sad face", "sad", "")], per_label=8)
    assert len(rows) == 10 and {asked["q"] for asked in engine.asked} == {SAD.text}


def test_a_passing_block_is_waited_for(engine, tmp_path):
    engine.pages[SAD.text] = [[found_picture("a")]]
    engine.refusals = 4
    rows, waits = searched(tmp_path / "w", engine, [SAD], pauses_s=(1.0, 2.0, 3.0))
    assert len(rows) == 1 and waits == [1.0, 2.0]


def test_a_failure_is_no_end(engine, tmp_path):
    engine.pages[SAD.text] = [[found_picture("a")]]
    engine.broken = [SAD.text]
    rows, waits = searched(tmp_path / "w", engine, [SAD], pauses_s=(1.0, 2.0))
    assert len(rows) == 1 and waits == [1.0]


def test_a_search_that_always_fails_ends_while_others_are_answered(engine, tmp_path):
    engine.pages[HAPPY.text] = [[found_picture("a")]]
    engine.broken = [SAD.text] * 3
    rows, waits = searched(tmp_path / "w", engine, [SAD, HAPPY], pauses_s=(1.0, 2.0))
    assert len(rows) == 1 and waits == [1.0, 2.0]


def test_a_lasting_block_is_reported_and_what_was_found_stays(engine, tmp_path):
    engine.pages[SAD.text] = [[found_picture("a")]]
    searched(tmp_path / "w", engine, [SAD])
    engine.refusals = -1
    with pytest.raises(SearchBlocked, match="asked too much"):
        searched(tmp_path / "w", engine, [SAD, HAPPY], pauses_s=(1.0, 2.0))
    engine.refusals = 0
    engine.pages[HAPPY.text] = [[found_picture("b")]]
    rows, _ = searched(tmp_path / "w", engine, [SAD, HAPPY])
    assert [row["query_label"] for row in rows] == ["sad", "happy"]


def test_a_search_engine_out_of_reach_is_not_called_a_rate_limit():
    unreachable = DuckDuckGo(proxy="http://127.0.0.1:9", pauses_s=(0.0,))
    with pytest.raises(SearchBlocked, match=r"cannot be reached: .*refused"):
        unreachable.search(SAD, 0)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("https://img.example/a%20b.jpg", "https://img.example/a+b.jpg"),
        ("https://img.example/%C3%BC.jpg?x=1&y=2", "https://img.example/%C3%BC.jpg?x=1&y=2"),
        ("https://img.example/50%25.jpg", "https://img.example/50%.jpg"),
        ("https://img.example/%23/a.jpg", "https://img.example/%23/a.jpg"),
    ],
)
def test_addresses_are_quoted_again(engine, given, taken):
    engine.pages[SAD.text] = [[found_picture("a", image=given)]]
    (hit,) = source(engine)[0].search(SAD, 0)
    assert hit.url == taken
