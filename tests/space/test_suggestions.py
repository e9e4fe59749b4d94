"""What is suggested for an expression: the reviewed file, and choosing from it."""

import json
import re
from random import Random
from types import SimpleNamespace

import pytest
import yaml

from face_expression import LABEL_NAMES
from space.paths import WEB
from space.suggestions import Suggestion, load_suggestions

# Claims about somebody, orders to look otherwise, and subjects that the file's rules leave out.
BANNED = re.compile(
    r"\b(you feel|you seem|you look|you are (?!welcome)|you're"
    r"|calm down|cheer up|relax|smil\w*|don't|should|must|you need|you have to(?! show)"
    r"|breath\w*|inhale|stand up|jump|walk|run|driv\w+|candle|knife|scissors"
    r"|anxi\w+|depress\w+|stress\w*|therap\w+|symptom|health\w*|medic\w+|doctor"
    r"|diet|food|eat|drink|coffee|tea|wine|beer|smok\w+|drugs?|weight|money|buy|pray\w*|god|beauty|pretty|ugly)\b",
    re.IGNORECASE,
)


def content(**changes) -> dict:
    """What a file of one expression says."""
    happy = {
        "looks": "happy",
        "lines": [f"Line {number}." for number in range(8)],
        "activities": [f"Do {number}." for number in range(8)],
        "music": [f"tune {number}" for number in range(8)],
    }
    link = "https://music.test/find?q={search}"
    numbers = {"confident_from": 0.6, "stable_s": 2, "change_every_s": 10}
    return {**numbers, "music_link": link, "music_place": "Music", "expressions": {"happy": happy}, **changes}


def with_entries(**changes) -> dict:
    return content(expressions={"happy": {**content()["expressions"]["happy"], **changes}})


def write(folder, settings: dict | str):
    path = folder / "some.yaml"
    path.write_text(
        settings if isinstance(settings, str) else yaml.safe_dump(settings, allow_unicode=True), encoding="utf-8"
    )
    return path


def face(label="happy", confidence=0.9, *, reliable=True):
    return SimpleNamespace(label=label, confidence=confidence, reliable=reliable)


def test_the_file_has_enough_for_each_of_our_expressions():
    suggestions = load_suggestions()
    assert set(suggestions.expressions) == set(LABEL_NAMES)
    for entries in suggestions.expressions.values():
        assert min(map(len, (entries.lines, entries.activities, entries.music))) >= 8
        assert entries.looks.islower()
    assert (suggestions.confident_from, suggestions.stable_s, suggestions.change_every_s) == (0.6, 2, 10)


def test_every_entry_keeps_to_the_rules_that_a_program_can_check():
    for label, entries in load_suggestions().expressions.items():
        for text in (*entries.lines, *entries.activities, *entries.music):
            assert not (found := BANNED.search(text)), f"{label}: “{text}” says “{found[0]}”"
        for sentence in (*entries.lines, *entries.activities):
            assert sentence[0].isupper() and sentence.endswith(".") and 15 <= len(sentence) <= 80, sentence
        for search in entries.music:
            assert 8 <= len(search) <= 40 and len(search.split()) >= 2, search


def test_what_the_live_view_reads():
    data = load_suggestions().as_json()
    assert {name: data[name] for name in data if name != "expressions"} == {
        "confident_from": 0.6,
        "stable_s": 2,
        "change_every_s": 10,
        "music_place": "YouTube",
    }
    entries = data["expressions"]["sad"]
    assert list(entries) == ["looks", "lines", "activities", "music"]
    assert entries["music"][0] == {
        "search": "slow cello pieces",
        "link": "https://www.youtube.com/results?search_query=slow%20cello%20pieces",
    }


@pytest.mark.parametrize(
    ("faces", "suggested"),
    [
        ([], False),
        ([face()], True),
        ([face(confidence=0.6)], True),
        ([face(confidence=0.59)], False),
        ([face(reliable=False)], False),
        ([face("sad")], False),
        ([face(reliable=False), face("sad", 0.5, reliable=False), face()], True),
        ([face(confidence=0.5), face()], False),
        ([face("sad"), face()], False),
    ],
)
def test_the_largest_reliable_face_counts(tmp_path, faces, suggested):
    suggestions = load_suggestions(write(tmp_path, content()))
    assert (suggestions.suggest(faces, Random(0)) is not None) == suggested


def test_a_suggestion_is_chosen_by_chance_from_all_entries(tmp_path):
    settings = with_entries(music=["Dvořák's d-minor", *(f"tune {number}" for number in range(7))])
    suggestions = load_suggestions(write(tmp_path, settings))
    chance = Random(0)
    drawn = [suggestions.suggest([face()], chance) for _ in range(200)]
    entries = settings["expressions"]["happy"]
    for one, several in (("line", "lines"), ("activity", "activities"), ("music", "music")):
        assert {getattr(suggestion, one) for suggestion in drawn} == set(entries[several])
    links = {suggestion.music: suggestion.link for suggestion in drawn}
    assert links["tune 3"] == "https://music.test/find?q=tune%203"
    assert links["Dvořák's d-minor"] == "https://music.test/find?q=Dvo%C5%99%C3%A1k%27s%20d-minor"


def test_no_text_becomes_html():
    nasty = '<img src=x onerror="alert(1)"> & "'
    html = Suggestion(*[nasty] * 6).as_html()
    assert "<img" not in html and '"alert' not in html and html.count("&lt;img src=x") == 6
    assert 'target="_blank" rel="noopener noreferrer"' in html


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ("", "valid dictionary"),
        ("confident_from: [", "not YAML"),
        ("expressions: !!python/name:os.system", "not YAML"),
        ("stable_s: 2\nstable_s: 3", "“stable_s” is given twice"),
        ("expressions:\n  happy:\n    looks: x\n  happy:\n    looks: y", "“happy” is given twice"),
        ({"confident_from": 0.6}, "stable_s: Field required"),
        (content(confident_from=60), "confident_from: .*less than or equal to 1"),
        (content(stable_s=-1), "stable_s: .*greater than or equal to 0"),
        (content(music_link="https://music.test/find"), "music_link: .*pattern"),
        (content(music_link="javascript:alert('{search}')"), "music_link: .*pattern"),
        (content(colour="red"), "colour: Extra inputs"),
        (content(expressions={"happy": {"looks": "happy"}}), "expressions: happy: lines: Field required"),
        (with_entries(lines=["Line."]), "expressions: happy: lines: .*at least 8 items"),
        (with_entries(lines=[]), "expressions: happy: lines: .*at least 8 items"),
        (with_entries(activities="Do it."), "expressions: happy: activities: .*valid tuple"),
        (with_entries(activities=[*"abcdefg", " "]), "expressions: happy: activities: 7: .*at least 1 char"),
        (with_entries(lines=[*"abcdefg", 8]), "expressions: happy: lines: 7: .*valid string"),
        (with_entries(lines=[*"abcdefg", "x" * 121]), "expressions: happy: lines: 7: .*at most 120 char"),
        (with_entries(lines=[*"abcdefg", "A"]), "“a” occurs twice: under happy and happy"),
        (with_entries(music=[*"abcdefg", "rock & roll"]), "expressions: happy: music: 7: .*pattern"),
        (with_entries(mood=["x"]), "expressions: happy: mood: Extra inputs"),
        (
            content(expressions={"happy": content()["expressions"]["happy"], "sad": content()["expressions"]["happy"]}),
            "“line 0.” occurs twice: under happy and sad",
        ),
    ],
)
def test_a_mistake_in_a_file_is_reported(tmp_path, settings, complaint):
    path = write(tmp_path, settings)
    with pytest.raises(ValueError, match=complaint) as caught:
        load_suggestions(path)
    assert str(caught.value).startswith(str(path))


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00\x80")
    for name in ("none.yaml", "binary.yaml"):
        with pytest.raises(ValueError, match=rf"{name} cannot be read"):
            load_suggestions(tmp_path / name)


def test_every_suggestion_has_its_german():
    table = (WEB / "live" / "texts_de.js").read_text(encoding="utf-8")
    entries = [text for entry in load_suggestions().expressions.values() for text in (*entry.lines, *entry.activities)]
    assert [text for text in entries if f"  {json.dumps(text, ensure_ascii=False)}:" not in table] == []
