"""What is searched for: phrasings of each expression, varied by words of age, gender and region.

There are far more queries than anybody asks, so their order matters: wherever a search is stopped, every expression
was asked for equally often, and every age, gender, region and phrasing about equally often.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from face_expression.errors import DataError
from face_expression.io.yaml_file import read_yaml

HOUSE_QUERIES = Path(__file__).parent / "queries.yaml"
_BETWEEN_WORDS, _IS = "; ", "="
First = TypeVar("First")
Second = TypeVar("Second")


@dataclass(frozen=True)
class Query:
    """One search.

    `label`: the expression it is meant to find.
    `group`: its words of age, gender and region, as in `age=elderly; gender=female; region=Japan`; empty without.
    """

    text: str
    label: str
    group: str


@dataclass(frozen=True)
class _Words:
    """Words put into a query, and what they are called in its group."""

    text: str = ""
    group: str = ""

    def __add__(self, other: "_Words") -> "_Words":
        return _Words(
            " ".join(filter(None, (self.text, other.text))),
            _BETWEEN_WORDS.join(filter(None, (self.group, other.group))),
        )


def read_queries(path: Path | None, labels: Sequence[str]) -> list[Query]:
    """Read a query file and put its queries in a fair order.

    One query for each label, all with the same group, then one for each with the next group, and so on; a group of no
    words comes first. A label that has fewer phrasings than others is left out once it has no more.

    Args:
        path: a YAML file as `queries.yaml` beside this module explains it, or None for that one.
        labels: the expressions to search for; others in the file are left out.

    Raises:
        DataError: if the file cannot be read or has a mistake, or knows no phrasing of a label.
    """
    path = path or HOUSE_QUERIES
    file = _read(path)
    if missing := [label for label in labels if label not in file.phrasings]:
        known = ", ".join(file.phrasings)
        raise DataError(f"{path} has no phrasings of {', '.join(missing)}; add some, or ask for labels among: {known}")
    groups = file.groups()
    turns = {label: all_pairs(groups, file.phrasings[label]) for label in labels}
    longest = max(map(len, turns.values()), default=0)
    return [
        Query(" ".join(filter(None, (group.text, phrasing))), label, group.group)
        for turn in range(longest)
        for label, pairs in turns.items()
        for group, phrasing in pairs[turn : turn + 1]
    ]


def group_words(group: str | None) -> dict[str, str]:
    """The words of a group by what they are about: {"age": "elderly", "gender": "female"}.

    A part without a kind is found under "words".
    """
    parts = [part.partition(_IS) for part in (group or "").split(_BETWEEN_WORDS) if part]
    return {(kind if found else "words"): (word if found else kind) for kind, found, word in parts}


def all_pairs(first: Sequence[First], second: Sequence[Second]) -> list[tuple[First, Second]]:
    """Every pair, ordered so that any start has all of `first` about equally often, and all of `second`.

    Both go round and round; when they would begin to repeat themselves, `second` skips one.
    """
    if not first or not second:
        return []
    lap = math.lcm(len(first), len(second))
    return [
        (first[turn % len(first)], second[(turn + turn // lap) % len(second)])
        for turn in range(len(first) * len(second))
    ]


def _as_name(text: str) -> str:
    if _IS in text or _BETWEEN_WORDS.strip() in text:
        raise ValueError(f"a name must not contain {_IS} or {_BETWEEN_WORDS.strip()}")
    return text


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Name = Annotated[Text, AfterValidator(_as_name)]


class _QueryFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    phrasings: Annotated[dict[Name, Annotated[list[Text], Field(min_length=1)]], Field(min_length=1)]
    people: dict[Name, Annotated[dict[Name, Text], Field(min_length=1)]] = {}
    regions: dict[Name, Text] = {}

    @model_validator(mode="after")
    def check_no_duplicates(self) -> "_QueryFile":
        phrasings = [phrasing.casefold() for some in self.phrasings.values() for phrasing in some]
        people = [words.casefold() for genders in self.people.values() for words in genders.values()]
        regions = [words.casefold() for words in self.regions.values()]
        for texts in (phrasings, people, regions):
            if twice := [text for text, times in Counter(texts).items() if times > 1]:
                raise ValueError(f"“{twice[0]}” occurs twice; the same words would find the same pictures")
        return self

    @model_validator(mode="after")
    def check_that_ages_have_the_same_genders(self) -> "_QueryFile":
        if len({frozenset(genders) for genders in self.people.values()}) > 1:
            raise ValueError("people: give every age words for the same genders")
        return self

    def groups(self) -> list[_Words]:
        """All combinations of age, gender and region, after one of no words."""
        genders = next(iter(self.people.values()), {})
        people = [
            _Words(self.people[age][gender], f"age{_IS}{age}{_BETWEEN_WORDS}gender{_IS}{gender}")
            for age, gender in all_pairs(list(self.people), list(genders))
        ]
        regions = [_Words(words, f"region{_IS}{name}") for name, words in self.regions.items()]
        nothing = _Words()
        pairs = all_pairs(people or [nothing], regions or [nothing])
        return [nothing, *(words for words in (person + region for person, region in pairs) if words != nothing)]


def _read(path: Path) -> _QueryFile:
    try:
        return _QueryFile.model_validate(read_yaml(path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ": ".join(str(part) for part in first["loc"] if part != "[key]")
        message = first["msg"].removeprefix("Value error, ")
        raise DataError(f"{path}: {place + ': ' if place else ''}{message}") from error
    except ValueError as error:
        raise DataError(str(error)) from error
