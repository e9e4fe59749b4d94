"""What a few kept faces of a person gain: `python -m benchmarks.personal choose` and `measure`.

`choose` is how the constants of `face_expression.personal` were found, on the validation split of FER+ alone: its faces
are of people nobody named, so it makes up visitors. "Strangers" have nothing in common with the next face, and nothing
can be learned from them: what they lose is the price. "Shifted" visitors look more like one expression and less like
another by a random amount on all their pictures, which biases can learn; "misread" ones have one expression that gets
two nats too little, which needs the features. The prior chosen has the largest mean gain of the last two, among those
that cost strangers at most 0.6 points at any number of faces and gain on both with twelve faces; biases alone do not on
misread ones.

`measure` then asks people with several pictures, of whom nothing was used before: the Yale Face Database (15 people;
posed happy, sad, surprised, and five neutral pictures in several lights) and the Face Research Lab London Set (102
people, neutral and smiling). k faces of each person are kept with their labels, the rest are asked; many draws for each
person, and intervals over people. "Always" uses the head at once; "as used" only where leave-one-out on the k faces
says that it helps, as the page does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from benchmarks.figures import FOLDER, as_markdown, record, table
from face_expression import Face, load_pipeline
from face_expression.errors import required
from face_expression.personal.head import (
    CORRECTIONS_PRIOR,
    KeptFaces,
    Prior,
    check_head,
    fit_head,
)
from face_expression.personal.personal_file import neutral_shift
from train.data.dataset import load_split, read_crops, read_targets
from train.evaluate.fairness_sets import analyze_photographs
from train.metrics.bootstrap import bootstrap_means, interval_95

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, rich_markup_mode="markdown")

KEPT = (3, 5, 12)
PRIORS = ((0, 0.3), (0, 1), (0.3, 0.1), (0.3, 0.3), (0.3, 1), (1, 0.1), (1, 0.3), (1, 1), (3, 0.1), (3, 0.3))
MEASURED = (0, 1, 3, 5)
# So much a stranger may lose, in points of accuracy, whatever the number of faces.
MOST_LOST = 0.6
_VISITORS = 60
_DRAWS = 40
_YALE = {
    "happy": "happy",
    "sad": "sad",
    "surprised": "surprise",
    **dict.fromkeys(("normal", "glasses", "noglasses", "leftlight", "rightlight"), "neutral"),
}
_LONDON = {"neutral": "neutral", "smiling": "happy"}
_HEAD_COLUMNS = ("faces kept", "model alone, %", "head always used: gain", "as used: gain", "used by")
_NEUTRAL_COLUMNS = ("expression", "people", "model alone, %", "with *My neutral*, %", "gain")
_OFTEN_SHOWN = ("angry", "happy", "sad", "surprise", "neutral")


def points_gained(kept: KeptFaces, asked: KeptFaces, prior: Prior, *, checked: bool) -> np.ndarray:
    """(N,) of the faces asked, 1 where a head fitted to `kept` makes the answer right, -1 where it makes it wrong.

    Args:
        kept: what is learned from.
        asked: other faces of the same person.
        prior: of the head.
        checked: the head is used only where leave-one-out on `kept` says that it helps.
    """
    before = asked.logits.argmax(axis=1) == asked.labels
    if checked and not check_head(kept, prior).helps:
        return np.zeros(len(asked))
    after = (asked.logits + fit_head(kept, prior).shift(asked.features)).argmax(axis=1) == asked.labels
    return after.astype(float) - before


def _split(faces: KeptFaces, rows: np.ndarray, count: int) -> tuple[KeptFaces, KeptFaces]:
    return faces.select(rows[:count]), faces.select(rows[count:])


@app.command()
def choose(
    data: Annotated[str, typer.Option(help="FER+, as `train finetune` reads it; its validation split is used.")],
) -> None:
    """Choose the constants on the validation split of FER+."""
    faces, names = _read_ferplus(data)
    centred = faces.logits - faces.logits.mean(axis=1, keepdims=True)
    usual = centred[faces.labels == names.index("neutral")].mean(axis=0)
    print("usual logits of a neutral face:", {name: round(float(v), 2) for name, v in zip(names, usual, strict=True)})
    groups = _make_visitors(faces, names)
    columns = [f"{group}, {count}" for group in groups for count in KEPT]
    print(f"| weights, bias | {' | '.join(columns)} | most lost | mean gain |\n|{'---|' * (len(columns) + 3)}")
    for prior in (Prior(*pair) for pair in PRIORS):
        gains = {
            name: [100 * np.mean([_gain(visitor, count, prior) for visitor in group]) for count in KEPT]
            for name, group in groups.items()
        }
        lost, gained = min(gains["strangers"]), np.mean(gains["shifted"] + gains["misread"])
        values = " | ".join(f"{value:+.2f}" for of_group in gains.values() for value in of_group)
        allowed = "" if lost >= -MOST_LOST else " (too much)"
        print(f"| {prior.weights}, {prior.bias} | {values} | {lost:+.2f}{allowed} | {gained:+.2f} |", flush=True)
    _choose_own(faces, names)


def _choose_own(faces: KeptFaces, names: list[str]) -> None:
    """Three expressions and none of these, fifteen faces each of different people, left out one by one."""
    rng = np.random.default_rng(2)
    for prior in (Prior(weights, 1.0) for weights in (2, 20, 200, 2000)):
        right, asked = 0, 0
        for _ in range(10):
            rows = np.concatenate(
                [
                    rng.permutation(np.flatnonzero(faces.labels == names.index(label)))[:15]
                    for label in ("happy", "surprise", "sad", "neutral")
                ]
            )
            chosen = faces.select(rows)
            labels = np.repeat(np.arange(4), 15)
            check = check_head(
                KeptFaces(np.zeros((60, 4)), chosen.features, labels, np.tile(np.arange(15), 4)),
                prior,
            )
            right, asked = right + check.right_after, asked + check.faces
        print(f"own expressions, prior {prior.weights}, {prior.bias}: {100 * right / asked:.1f} % right")


def _read_ferplus(data: str) -> tuple[KeptFaces, list[str]]:
    pipeline = load_pipeline()
    rows = load_split(data, "validation")
    labels = read_targets(rows).majority()
    inputs = pipeline.model_inputs(read_crops(rows, pipeline.config.preprocessing))
    logits, features = pipeline.classifier.calibrated(inputs)
    voted = labels >= 0
    faces = KeptFaces(logits.astype(np.float64), features, labels, np.arange(len(labels)))
    return faces.select(voted), list(pipeline.label_names)


def _gain(visitor: KeptFaces, count: int, prior: Prior) -> float:
    kept, asked = _split(visitor, np.arange(len(visitor)), count)
    return points_gained(kept, asked, prior, checked=True).mean()


def _make_visitors(faces: KeptFaces, names: list[str]) -> dict[str, list[KeptFaces]]:
    """The three kinds of visitors, each with twelve faces of each expression that people often show, mixed."""
    rng = np.random.default_rng(0)
    often = [names.index(label) for label in _OFTEN_SHOWN]
    groups: dict[str, list[KeptFaces]] = {"strangers": [], "shifted": [], "misread": []}
    for number in range(_VISITORS):
        rows = np.concatenate([rng.permutation(np.flatnonzero(faces.labels == label))[:12] for label in often])
        of_visitor = faces.select(rng.permutation(rows))
        of_visitor = replace(of_visitor, takes=np.arange(len(rows)))
        shifted = of_visitor.logits + rng.normal(0, 1, len(names))
        misread = of_visitor.logits.copy()
        label = often[number % len(often)]
        misread[of_visitor.labels == label, label] -= 2
        groups["strangers"].append(of_visitor)
        groups["shifted"].append(replace(of_visitor, logits=shifted))
        groups["misread"].append(replace(of_visitor, logits=misread))
    return groups


@app.command()
def measure(
    folder: Annotated[Path, typer.Option(help="Where yale.parquet and london.parquet are.")],
    model: Annotated[str | None, typer.Option(help="A bundle; default: embedded.")] = None,
    output: Annotated[Path, typer.Option(dir_okay=False, help="JSON to write.")] = FOLDER / "personal.json",
) -> None:
    """Measure on people with several pictures; nothing is chosen by these."""
    pipeline = load_pipeline(model)
    names = list(pipeline.label_names)
    tables = {}
    for title, people in (
        ("Yale", _read_people(folder / "yale.parquet", "subject", "condition", _YALE, pipeline)),
        ("London", _read_people(folder / "london.parquet", "face_id", "expression", _LONDON, pipeline)),
    ):
        who = f"{title}: {len(people)} people, {sum(len(person.faces) for person in people)} pictures."
        tables[f"{title.lower()}-head"] = table(_HEAD_COLUMNS, _head_rows(people, names), notes=[who])
        tables[f"{title.lower()}-neutral"] = table(_NEUTRAL_COLUMNS, _neutral_rows(people, names), notes=[who])
    for name, shown in tables.items():
        print(f"\n### {name}\n\n{as_markdown(shown)}")
    record(
        output,
        command="python -m benchmarks.personal measure",
        speaks_of=["face_expression/personal", "benchmarks/personal.py"],
        tables=tables,
    )


@dataclass(frozen=True)
class _Person:
    faces: KeptFaces
    resting: int


def _read_people(file: Path, who: str, what: str, meaning: dict[str, str], pipeline) -> list[_Person]:
    people: dict[object, list[tuple[str, Face]]] = {}
    for row, face in analyze_photographs(file, pipeline, lambda row: row[what] in meaning):
        if face is not None:
            people.setdefault(row[who], []).append((row[what], face))
    made = []
    for pictures in people.values():
        conditions = [condition for condition, _ in pictures]
        if not (resting := {"normal", "neutral"} & set(conditions)) or len(pictures) < 2:
            continue
        faces = KeptFaces(
            np.array([face.logits for _, face in pictures], np.float64),
            np.array([face.features for _, face in pictures]),
            np.array([pipeline.label_names.index(meaning[condition]) for condition in conditions]),
            np.arange(len(pictures)),
        )
        made.append(_Person(faces, conditions.index(resting.pop())))
    return made


def _head_rows(people: list[_Person], names: list[str]) -> Iterator[list[str]]:
    """Accuracy on the faces that were not kept, by the number of those that were."""
    for count in MEASURED:
        if count >= min(len(person.faces) for person in people):
            continue
        rows = np.array([_of_person(person.faces, count) for person in people])
        resampled = bootstrap_means(rows)
        mean = rows.mean(axis=0)
        cells = [str(count), f"{100 * mean[0]:.1f}"]
        cells += [_points(mean[place], resampled[:, place]) for place in (1, 2)]
        yield [*cells, f"{100 * mean[3]:.0f}%"]


def _points(mean: float, resampled: np.ndarray) -> str:
    """In points, with its 95 % interval."""
    interval = required(interval_95(resampled))
    return f"{100 * mean:+.1f} [{100 * interval[0]:+.1f}, {100 * interval[1]:+.1f}]"


def _of_person(faces: KeptFaces, count: int) -> list[float]:
    """Accuracy of the bundle alone, what is gained always and as used, and how often it is used; means over draws."""
    rng = np.random.default_rng(1)
    rows = []
    draws = len(faces) if count == 1 else _DRAWS
    for draw in range(draws):
        order = np.roll(np.arange(len(faces)), -draw) if count == 1 else rng.permutation(len(faces))
        kept, asked = _split(faces, order, count)
        right = asked.logits.argmax(axis=1) == asked.labels
        gains = [points_gained(kept, asked, CORRECTIONS_PRIOR, checked=checked).mean() for checked in (False, True)]
        rows.append([right.mean(), *gains, check_head(kept, CORRECTIONS_PRIOR).helps])
    return list(np.mean(rows, axis=0))


def _neutral_rows(people: list[_Person], names: list[str]) -> Iterator[list[str]]:
    """ "My neutral" from one resting picture, asked about the person's others."""
    answers: dict[str, list[list[float]]] = {}
    for person in people:
        others = np.arange(len(person.faces)) != person.resting
        shift = neutral_shift(person.faces.logits[[person.resting]], names)
        asked = person.faces.select(others)
        before = asked.logits.argmax(axis=1) == asked.labels
        after = (asked.logits + shift).argmax(axis=1) == asked.labels
        for label in {*asked.labels.tolist()}:
            of_label = asked.labels == label
            answers.setdefault(names[label], []).append([before[of_label].mean(), after[of_label].mean()])
        answers.setdefault("all", []).append([before.mean(), after.mean()])
    for label, rows in sorted(answers.items(), key=lambda item: (item[0] == "all", item[0])):
        values = np.array(rows)
        gains = values[:, 1] - values[:, 0]
        resampled = bootstrap_means(gains[:, None])[:, 0]
        before, after = 100 * values.mean(axis=0)
        yield [label, str(len(rows)), f"{before:.1f}", f"{after:.1f}", _points(gains.mean(), resampled)]


if __name__ == "__main__":
    app()
