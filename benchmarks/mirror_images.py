"""What the mean of a face and its mirror image gains on video: `python -m benchmarks.mirror_images --data FOLDER`.

Faces of the validation split of FER+, each shown still for ten seconds, and in pairs, one after the other, through the
app's own `match_tracks` and `update_tracks`, in three ways: each classified as it is every time; as it is and mirrored
in turn, in one smoothing; and as the app does, each view smoothed by itself. For each rate of classifications: the KL
divergence from the votes, how far a still face's bars move, how often its label and its "not sure" change, and how long
a change of the expression takes to be shown. It takes about five minutes.
"""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import typer

from benchmarks.figures import FOLDER, as_markdown, record, table
from face_expression import load_pipeline
from face_expression.io.evenly import evenly
from face_expression.model.config import TrackerSettings
from face_expression.tracker import TrackerState, match_tracks, update_tracks
from train.data.dataset import load_split, read_crops, read_targets

COLUMNS = (
    "classifications/s",
    "face is shown",
    "KL to the votes",
    "a still face's most moving bar, points, 90th percentile",
    "label changes/min",
    '"not sure" changes/min',
    "a change is shown after, ms",
)
WAYS = ("as it is", "in turn, smoothed together", "in turn, each smoothed by itself")
RATES = (10, 15, 30)
_BOX = (0.0, 0.0, 100.0, 100.0)
_FACES = 300
_STILL_S = 10
_SETTLED_S = 2


def follow(views: np.ndarray, way: str, rate: int, settings: TrackerSettings) -> tuple[np.ndarray, np.ndarray]:
    """Run one face through the tracker.

    Args:
        views: (T, 2, C) float32, at each time the probabilities of the face as it is and of its mirror image.
        way: one of `WAYS`.
        rate: classifications a second.
        settings: the bundle's.

    Returns:
        (T, C) probabilities and (T,) indices of labels, as shown.
    """
    if way != WAYS[2]:
        settings = settings.model_copy(update={"mirror_within_s": 0.0})
    state, probabilities, shown = TrackerState(), [], []
    for step, of_step in enumerate(views):
        matching = match_tracks(state, [_BOX], step / rate, settings)
        (is_mirrored,) = matching.mirrored(settings)
        view = step % 2 if way == WAYS[1] else int(is_mirrored)
        rows = [of_step[view]]
        (track,), state = update_tracks(state, [_BOX], rows, step / rate, settings, matching=matching)
        probabilities.append(track.probabilities)
        shown.append(track.shown)
    return np.array(probabilities), np.array(shown)


def _repeated(face: np.ndarray, count: int) -> np.ndarray:
    return np.broadcast_to(face, (count, *face.shape))


def _divergence(votes: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean KL divergence of rows of probabilities from rows of shares of votes, in nats."""
    logs = np.log(np.maximum(votes, 1e-12)) - np.log(np.maximum(probabilities, 1e-12))
    return float(np.where(votes > 0, votes * logs, 0).sum(axis=1).mean())


def _row(
    rate: int, way: str, views: np.ndarray, votes: np.ndarray, abstain_below: float, settings: TrackerSettings
) -> tuple[str, ...]:
    """A line of the table; `views` (N, 2, C) and `votes` (N, C)."""

    def still(face: np.ndarray, seconds: int) -> tuple[np.ndarray, np.ndarray]:
        return follow(_repeated(face, seconds * rate + 1), way, rate, settings)

    settled = np.array([still(face, _SETTLED_S)[0][-1] for face in views])
    moved, labels, doubts = [], 0, 0
    chosen = views[evenly(len(views), _FACES)]
    for face in chosen:
        probabilities, shown = still(face, _STILL_S)
        moved.append(np.ptp(probabilities[-rate:], axis=0).max())
        labels += np.count_nonzero(np.diff(shown))
        is_clear = probabilities[np.arange(len(shown)), shown] >= abstain_below
        doubts += np.count_nonzero(np.diff(is_clear))
    minutes = len(chosen) * _STILL_S / 60
    return (
        str(rate),
        way,
        f"{_divergence(votes, settled):.4f}",
        f"{100 * np.percentile(moved, 90):.1f}",
        f"{labels / minutes:.1f}",
        f"{doubts / minutes:.1f}",
        f"{1000 * np.mean(list(_delays_s(chosen, way, rate, settings))):.0f}",
    )


def _delays_s(views: np.ndarray, way: str, rate: int, settings: TrackerSettings) -> Iterator[float]:
    """Of faces whose two views agree, each followed by the next of another label: until that label is shown.

    A change comes half a classification's time before the first that sees it, as often before one of the face as it is
    as before a mirrored one.
    """
    labels = views.argmax(axis=2)
    agreeing = views[labels[:, 0] == labels[:, 1]]
    for before, after in zip(agreeing, np.roll(agreeing, -1, axis=0), strict=True):
        label = int(after[0].argmax())
        if int(before[0].argmax()) == label:
            continue
        for changed in (_SETTLED_S * rate, _SETTLED_S * rate + 1):
            both = np.concatenate([_repeated(before, changed), _repeated(after, _SETTLED_S * rate)])
            _, shown = follow(both, way, rate, settings)
            seen = np.flatnonzero(shown[changed:] == label)
            if len(seen):
                yield (seen[0] + 0.5) / rate


def main(data: Annotated[str, typer.Option(help="FER+, as `train finetune` reads it.")]) -> None:
    """Print the table, and write it to docs/figures/mirror_images.json."""
    pipeline = load_pipeline()
    rows = load_split(data, "validation")
    votes, has_votes = read_targets(rows).shares()
    crops = [crop for crop, has in zip(read_crops(rows, pipeline.config.preprocessing), has_votes, strict=True) if has]
    views = np.stack(
        [pipeline.classify(crops), pipeline.classify([np.ascontiguousarray(crop[:, ::-1]) for crop in crops])], axis=1
    )
    settings, limit = pipeline.config.tracker, pipeline.config.abstain_below
    lines = [_row(rate, way, views, votes[has_votes], limit, settings) for rate in RATES for way in WAYS]
    shown = table(
        COLUMNS,
        lines,
        notes=[
            f"KL over {len(views)} faces of the validation split of FER+ with votes, {_SETTLED_S} s after each came "
            f"into view; the rest over {min(_FACES, len(views))} of them, each still for {_STILL_S} s."
        ],
    )
    print(as_markdown(shown))
    record(
        FOLDER / "mirror_images.json",
        command="python -m benchmarks.mirror_images --data shared/data/ferplus",
        speaks_of=["face_expression/bundle", "face_expression/tracker.py"],
        tables={"still": shown},
        values={"kl_before": lines[0][2], "kl_after": lines[2][2], "wobble_together": lines[1][3]},
    )


if __name__ == "__main__":
    typer.run(main)
