"""What is suggested for an expression: a line, something to do, and music, from one reviewed file."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    NonNegativeFloat,
    StringConstraints,
    ValidationError,
    model_validator,
)

from face_expression.io.yaml_file import read_yaml
from face_expression.model.config import Fraction
from face_expression.pipeline import Face

HOUSE_SUGGESTIONS = Path(__file__).parent / "suggestions.yaml"
# The page shows none of the last few again, so there must be more than these.
MIN_ENTRIES = 8

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]
# Words without signs that mean something in an address.
SearchWords = Annotated[str, StringConstraints(strip_whitespace=True, max_length=60, pattern=r"^[\w '-]+$")]
LinkTemplate = Annotated[str, StringConstraints(pattern=r"^https://[^\s{}]+\{search\}[^\s{}]*$")]


@dataclass(frozen=True)
class Suggestion:
    """What is shown: `looks` is how the label reads after "Your expression looks"; `link` searches for `music`."""

    looks: str
    line: str
    activity: str
    music: str
    link: str
    music_place: str

    def as_html(self) -> str:
        """Paragraphs in which every text is escaped; the link opens a new tab and says so."""
        looks, line, activity, music, link, place = map(
            html.escape, (self.looks, self.line, self.activity, self.music, self.link, self.music_place)
        )
        return (
            f"<p><strong>Your expression looks {looks}.</strong> {line}</p>"
            f"<p>Something to do: {activity}</p>"
            f'<p>Music: <a href="{link}" target="_blank" rel="noopener noreferrer">{music}'
            f" (opens a new tab: {place} search)</a></p>"
        )


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Entries(_Settings):
    """What may be suggested for one label."""

    looks: Text
    lines: tuple[Text, ...] = Field(min_length=MIN_ENTRIES)
    activities: tuple[Text, ...] = Field(min_length=MIN_ENTRIES)
    music: tuple[SearchWords, ...] = Field(min_length=MIN_ENTRIES)


class Suggestions(_Settings):
    """All that a file as `suggestions.yaml` says, which explains it."""

    confident_from: Fraction
    stable_s: NonNegativeFloat
    change_every_s: NonNegativeFloat
    music_link: LinkTemplate
    music_place: Text
    expressions: dict[Text, Entries]

    @model_validator(mode="after")
    def _no_text_occurs_twice(self) -> "Suggestions":
        label_of = {}
        for label, entries in self.expressions.items():
            for text in map(str.casefold, (*entries.lines, *entries.activities, *entries.music)):
                if text in label_of:
                    raise ValueError(f"“{text}” occurs twice: under {label_of[text]} and {label}")
                label_of[text] = label
        return self

    def suggest(self, faces: Sequence[Face], random: Random) -> Suggestion | None:
        """Suggest something for a photo.

        Args:
            faces: the largest first; the first reliable one counts.
            random: chooses among the entries.

        Returns:
            None if that face is not confident enough, its label has no entries, or no face is reliable.
        """
        face = next((face for face in faces if face.reliable), None)
        if face is None or not face.confidence >= self.confident_from or face.label not in self.expressions:
            return None
        entries = self.expressions[face.label]
        line, activity, music = map(random.choice, (entries.lines, entries.activities, entries.music))
        return Suggestion(entries.looks, line, activity, music, self._link(music), self.music_place)

    def as_json(self) -> dict[str, Any]:
        """What the live view reads: the same, with a `link` for each `search` instead of `music_link`."""
        fields = self.model_dump(mode="json", exclude={"music_link"})
        for entries in fields["expressions"].values():
            entries["music"] = [{"search": search, "link": self._link(search)} for search in entries["music"]]
        return fields

    def _link(self, search: str) -> str:
        return str(HttpUrl(self.music_link.replace("{search}", search)))


def load_suggestions(path: Path = HOUSE_SUGGESTIONS) -> Suggestions:
    """Read suggestions and check them.

    Raises:
        ValueError: if the file cannot be read or has a mistake; the message names the file, the place and the mistake.
    """
    content = read_yaml(path)
    try:
        return Suggestions.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ": ".join(str(part) for part in first["loc"] if part != "[key]")
        message = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"{path}: {place + ': ' if place else ''}{message}") from error
