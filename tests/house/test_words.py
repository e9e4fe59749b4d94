"""Names say what a thing is, read from the sources: a message, a summary, an output; not what was told or said."""

import ast
import re

import pytest

from tests.support.builders import REPOSITORY
from tests.support.sources import sources

PARTS = ("app.py", "benchmarks", "data_tools", "face_expression", "space", "tests", "train")
BANNED = re.compile("told|said", re.IGNORECASE)


def banned_names(source: str) -> set[str]:
    """Identifiers that are banned, also inside f-strings, which the tokenizer of Python 3.11 leaves whole."""
    fields = [
        value
        for node in ast.walk(ast.parse(source))
        if not isinstance(node, ast.Constant)
        for _, field in ast.iter_fields(node)
        for value in (field if isinstance(field, list) else [field])
    ]
    return {name for name in fields if isinstance(name, str) and BANNED.search(name)}


@pytest.mark.parametrize("part", PARTS)
def test_no_name_is_banned(part):
    files = sources(part)
    assert files
    found = {str(file.relative_to(REPOSITORY)): banned_names(file.read_text(encoding="utf-8")) for file in files}
    assert {file: names for file, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "told = 1",
        "def f(*, SAID): ...",
        "def _told_people(): ...",
        "class Told: ...",
        "import a as said",
        "a.told()",
        "f(told=1)",
        "text = f'{a:{said}}'",
        "def f():\n    global said",
        "try: ...\nexcept OSError as told: ...",
        "match a:\n    case {**told}: ...",
    ],
)
def test_a_banned_name_is_found(source):
    assert banned_names(source)


def test_words_in_texts_and_comments_are_no_names():
    assert banned_names("message = 'told'  # said\nf'said {message}'") == set()
