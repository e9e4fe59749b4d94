"""The frames of a video -> the people in it, and what their expressions looked like over time."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from face_expression import VideoFrame
from face_expression.labels import looks
from face_expression.output.markdown import plain_words
from face_expression.output.percent import percent

# A person without an observation for this long was away.
AWAY_S = 0.5


@dataclass
class Moment:
    """One observation of a face: when, for how long it held, the probabilities, and the reasons if it is not sure."""

    time_s: float
    duration_s: float
    probabilities: np.ndarray
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Point:
    """A point of a curve: `probabilities` are None where nothing could be classified, and `absent` where nobody was."""

    time_s: float
    probabilities: np.ndarray | None
    absent: bool = False


@dataclass
class Person:
    """One person while in view, as the tracker has it.

    `labels` and `reasons` count seconds: of each label while it could be classified, and of each reason why it
    could not.
    """

    track_id: int
    moments: list[Moment] = field(default_factory=list)
    labels: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    reasons: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def seen_s(self) -> float:
        """How long this person was in view."""
        return sum(moment.duration_s for moment in self.moments)

    @property
    def classified_s(self) -> float:
        """For how much of it the expression could be classified."""
        return sum(self.labels.values())

    @property
    def end_s(self) -> float:
        """When this person was last in view."""
        return self.moments[-1].time_s + self.moments[-1].duration_s

    def shares(self) -> dict[str, float]:
        """The labels, each with its part of the time that could be classified, the most frequent first."""
        return {label: seconds / self.classified_s for label, seconds in longest_first(self.labels)}

    def curve(self, most_points: int) -> Iterator[Point]:
        """The probabilities over time, averaged where there would be more than `most_points`."""
        together, end_s = -(-len(self.moments) // most_points), self.moments[0].time_s
        for first in range(0, len(self.moments), together):
            moments = self.moments[first : first + together]
            if moments[0].time_s - end_s > AWAY_S:
                yield Point((end_s + moments[0].time_s) / 2, None, absent=True)
            classified = [moment.probabilities for moment in moments if not moment.reasons]
            yield Point(moments[0].time_s, np.mean(classified, axis=0) if classified else None)
            end_s = moments[-1].time_s + moments[-1].duration_s


class PeopleSeen:
    """Collects who is in a video, frame by frame."""

    def __init__(self):
        self._people: dict[int, Person] = {}

    def add(self, frame: VideoFrame) -> None:
        """Take the next frame; one that was not analysed makes the look before it last longer."""
        for face in frame.faces:
            # `label_video` gives every face a track.
            track_id = face.track_id or 0
            person = self._people.setdefault(track_id, Person(track_id))
            if frame.analysed or not person.moments:
                person.moments.append(Moment(frame.time_s, 0.0, face.probabilities, face.reasons))
            person.moments[-1].duration_s += frame.duration_s
            for reason in face.reasons:
                person.reasons[reason] += frame.duration_s
            if face.reliable:
                person.labels[face.label] += frame.duration_s

    def by_time(self) -> list[Person]:
        """Everybody, the longest in view first."""
        return sorted(self._people.values(), key=lambda person: -person.seen_s)


def person_summary(person: Person) -> str:
    """One or two sentences of Markdown about a person, in words that do not claim to know a feeling."""
    seen = f"**Person {person.track_id}**, in view for {seconds(person.seen_s)}"
    if not person.labels:
        return f"{seen}: not sure what the expression looks like ({_reasons_text(person.reasons)})."
    label, share = next(iter(person.shares().items()))
    mostly = f"**{plain_words(looks(label))}** ({percent(share)} of the time that could be classified)"
    sentence = f"{seen}: looks mostly {mostly}."
    unsure_s = person.seen_s - person.classified_s
    if unsure_s < 0.05:
        return sentence
    return f"{sentence} Not sure for {seconds(unsure_s)} ({_reasons_text(person.reasons)})."


def seconds(duration_s: float) -> str:
    """A time in words."""
    return f"{duration_s:.1f} s" if duration_s < 10 else f"{duration_s:.0f} s"


def longest_first(durations_s: Mapping[str, float]) -> list[tuple[str, float]]:
    """What lasted, and for how long."""
    return sorted(durations_s.items(), key=lambda lasted: -lasted[1])


def _reasons_text(reasons: Mapping[str, float]) -> str:
    return ", ".join(reason for reason, _ in longest_first(reasons))


def visible_people(people: Sequence[Person], *, most: int, least_s: float) -> tuple[list[Person], int]:
    """The people to show, at most `most`, each in view for at least `least_s`, and how many others there are."""
    visible = [person for person in people if person.seen_s >= least_s][:most]
    return visible, len(people) - len(visible)
