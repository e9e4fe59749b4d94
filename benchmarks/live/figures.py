"""What a recording of the live view says: pure arithmetic."""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Shown:
    """A frame of the camera: its number in the camera's video, and when it was captured, presented and seen, in ms.

    `presented_ms` is when the browser showed it, and `seen_ms` the first moment at which the page could take it.
    """

    number: int
    captured_ms: float | None
    presented_ms: float
    seen_ms: float


@dataclass(frozen=True)
class Answered:
    """An answer: when its frame was taken, how long the engine took, when it was drawn, and the main face's label."""

    taken_ms: float
    took_ms: float
    drawn_ms: float
    label: str | None


@dataclass(frozen=True)
class Recording:
    """What happened in a page for a while, in order of time."""

    seconds: float
    frames: tuple[Shown, ...]
    answers: tuple[Answered, ...]

    @classmethod
    def of_page(cls, record: dict) -> "Recording":
        """Of what `recorder.end()` of `page.js` gave; a frame without a readable number is left out."""
        frames = [
            Shown(row["number"], row["captured"], row["presented"], row["seen"])
            for row in record["frames"]
            if row["number"] is not None
        ]
        # A frame that is shown twice was new the first time.
        new = frames[:1] + [frame for before, frame in pairwise(frames) if before.number != frame.number]
        answers = [
            Answered(row["taken"], row["took"], row["drawn"], row["label"])
            for row in record["answers"]
            if row["drawn"] is not None
        ]
        return cls((record["ended"] - record["began"]) / 1000, tuple(new), tuple(answers))

    def rate(self) -> float:
        """Answers a second."""
        return len(self.answers) / self.seconds

    def camera_rate(self) -> float:
        """Frames of the camera that were shown in a second."""
        return len(self.frames) / self.seconds

    def camera_delays_ms(self) -> list[float]:
        """From capturing to presenting each frame, where the browser tells."""
        return [frame.presented_ms - frame.captured_ms for frame in self.frames if frame.captured_ms is not None]

    def latencies_ms(self) -> list[float]:
        """From first presenting the frame that an answer is about until the answer was drawn over the video."""
        seen = [frame.seen_ms for frame in self.frames]
        places = [bisect_right(seen, answer.taken_ms) - 1 for answer in self.answers]
        return [
            answer.drawn_ms - self.frames[place].presented_ms
            for answer, place in zip(self.answers, places, strict=True)
            if place >= 0
        ]

    def flips(self) -> int:
        """How often the label shown changed; no face counts as a label."""
        return sum(before.label != after.label for before, after in pairwise(self.answers))

    def lags_ms(self, label_of_frame: Callable[[int], str]) -> list[float]:
        """From presenting the first frame of another face until its label was drawn, for each change of face.

        A label that does not come until the next change counts with the time until then. The last change is left out
        unless another one follows.

        Args:
            label_of_frame: what the face looks like in the frame of a number.
        """
        changes = [
            after
            for before, after in pairwise(self.frames)
            if label_of_frame(before.number) != label_of_frame(after.number)
        ]
        lags = []
        for change, following in pairwise(changes):
            drawn = (
                answer.drawn_ms
                for answer in self.answers
                if change.seen_ms <= answer.taken_ms < following.seen_ms
                and answer.label == label_of_frame(change.number)
            )
            lags.append(next(drawn, following.presented_ms) - change.presented_ms)
        return lags


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` per cent lie; not a number if there are none."""
    return float(np.percentile(values, share)) if len(values) else float("nan")
