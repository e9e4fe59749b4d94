"""What is searched for: the queries that come along, their order, and files that people write themselves."""

from collections import Counter

import pytest

from data_tools.collect.queries import Query, all_pairs, group_words, read_queries
from face_expression import LABEL_NAMES
from face_expression.errors import DataError

OWN = """
phrasings:
  bored: [bored face, yawning]
  happy: [smiling face]
people:
  old: {f: old woman, m: old man}
regions:
  Peru: from Peru
  Mali: from Mali
"""


def write(tmp_path, text):
    path = tmp_path / "queries.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_every_expression_has_phrasings_of_its_own():
    queries = read_queries(None, LABEL_NAMES)
    plain = Counter(query.label for query in queries if not query.group)
    assert plain.keys() == set(LABEL_NAMES) and min(plain.values()) >= 6
    assert len({query.text.casefold() for query in queries}) == len(queries)
    kinds = {kind for query in queries for kind in group_words(query.group)}
    assert kinds == {"age", "gender", "region"}
    assert len({group_words(query.group).get("region") for query in queries}) >= 24


def test_wherever_a_search_is_stopped_it_was_fair():
    queries = read_queries(None, LABEL_NAMES)
    rounds = [queries[start : start + 7] for start in range(0, 7 * 400, 7)]
    assert all([query.label for query in some] == list(LABEL_NAMES) for some in rounds)
    assert all(len({query.group for query in some}) == 1 for some in rounds)
    for stop in range(1, len(rounds)):
        groups = [group_words(some[0].group) for some in rounds[:stop]]
        for kind, words in (("age", 3), ("gender", 3), ("region", 32)):
            asked = Counter(group[kind] for group in groups if group)
            spread = max(asked.values(), default=0) - (min(asked.values()) if len(asked) == words else 0)
            assert spread <= 2, (stop, kind, asked)


def test_only_the_labels_wanted_are_asked_for():
    assert read_queries(None, ()) == []
    assert {query.label for query in read_queries(None, ("sad",))} == {"sad"}
    assert [query.label for query in read_queries(None, ("sad", "angry"))[:4]] == ["sad", "angry"] * 2


def test_a_file_of_ones_own(tmp_path):
    queries = read_queries(write(tmp_path, OWN), ("happy", "bored"))
    assert queries[:4] == [
        Query("smiling face", "happy", ""),
        Query("bored face", "bored", ""),
        Query("old woman from Peru smiling face", "happy", "age=old; gender=f; region=Peru"),
        Query("old woman from Peru yawning", "bored", "age=old; gender=f; region=Peru"),
    ]
    assert len(queries) == len(set(queries)) == 5 * 1 + 5 * 2
    assert {query.label for query in queries[-5:]} == {"bored"}


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ("", [""]),
        ("people: {old: {f: old woman}}", ["", "age=old; gender=f"]),
        ("regions: {Peru: from Peru}", ["", "region=Peru"]),
    ],
)
def test_people_and_regions_may_be_left_out(tmp_path, groups, expected):
    path = write(tmp_path, f"phrasings: {{bored: [bored face]}}\n{groups}\n")
    assert [query.group for query in read_queries(path, ["bored"])] == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "valid dictionary"),
        ("phrasings: {}", "phrasings: .*at least 1"),
        ("phrasings: {happy: []}", "phrasings: happy: .*at least 1"),
        ("phrasings: {happy: ['  ']}", "phrasings: happy: 0: .*at least 1 char"),
        ("phrasings: {happy: [12]}", "phrasings: happy: 0: .*valid string"),
        ("phrasings: {happy: smile}", "phrasings: happy: .*valid list"),
        ("phrasings: {happy: [smile, Smile ]}", "“smile” occurs twice"),
        ("phrasings: {happy: [smile], sad: [smile]}", "“smile” occurs twice"),
        ("phrasings:\n  happy: [smile]\n  happy: [grin]", "“happy” is given twice"),
        ("phrasings: {happy: [smile]}\nregion: {Peru: from Peru}", "region: Extra inputs"),
        ("phrasings: {happy: [smile]}\nregions: {'a=b': from there}", "must not contain"),
        ("phrasings: {happy: [smile]}\nregions: {'a;b': from there}", "must not contain"),
        ("phrasings: {happy: [smile]}\npeople: {old: {f: x}, young: {m: y}}", "same genders"),
        ("phrasings: {sad: [crying]}", "no phrasings of happy; .* among: sad"),
        ("phrasings: {happy: [smile", "not YAML"),
        ("phrasings: !!python/name:os.system", "not YAML"),
    ],
)
def test_a_mistake_in_a_file_is_an_error(tmp_path, text, complaint):
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=complaint) as caught:
        read_queries(path, ("happy",))
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_queries(tmp_path / "none.yaml", ("happy",))
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(DataError, match="cannot be read"):
        read_queries(tmp_path / "binary.yaml", ("happy",))


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (None, {}),
        ("", {}),
        ("age=elderly; gender=female", {"age": "elderly", "gender": "female"}),
        ("outdoors", {"words": "outdoors"}),
        ("a=b=c", {"a": "b=c"}),
    ],
)
def test_the_words_of_a_group(group, words):
    assert group_words(group) == words


@pytest.mark.parametrize(("first", "second"), [(0, 3), (3, 0), (1, 1), (2, 4), (4, 2), (3, 5), (6, 4), (6, 9)])
def test_pairs_are_all_there_and_any_start_is_balanced(first, second):
    pairs = all_pairs(range(first), range(second))
    assert sorted(pairs) == [(one, other) for one in range(first) for other in range(second)]
    for stop in range(len(pairs)):
        for place, size in ((0, first), (1, second)):
            asked = Counter(pair[place] for pair in pairs[:stop])
            assert max((asked[value] for value in range(size)), default=0) <= min(asked[v] for v in range(size)) + 2
