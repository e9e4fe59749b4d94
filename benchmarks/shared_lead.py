"""Whether "between happy and sad" names the right two: `python -m benchmarks.shared_lead --data FOLDER`.

On the validation split of FER+, of the faces that are not sure because no expression is clear: for how many the page
would name two expressions, and for how many of those they are the two that people voted for most. Votes that tie for
the second place are right with each of the tied ones. "Any two" names the two largest bars of each such face.
"""

from typing import Annotated

import numpy as np
import typer

from benchmarks.figures import FOLDER, as_markdown, record, table
from face_expression import load_pipeline
from face_expression.labels import shared_lead
from train.data.dataset import load_split, read_crops, read_targets

COLUMNS = ("named", "faces", "share of the unclear", "are the two with most votes", "both have votes")


def are_most_voted(pair: tuple[int, int], votes: np.ndarray) -> bool:
    """Whether nobody else has more votes than one of the two; both must have some.

    Args:
        pair: two places in `votes`.
        votes: (classes,) counts of one face.
    """
    least = votes[list(pair)].min()
    return bool(least > 0 and least >= np.delete(votes, list(pair)).max())


def row(name: str, pairs: list[tuple[int, int]], votes: np.ndarray, unclear: int) -> tuple[str, ...]:
    """A line of the table.

    Args:
        name: how the pairs were chosen.
        pairs: of N faces, two places in their votes.
        votes: (N, classes) counts.
        unclear: faces without a clear expression, those without a pair included.
    """
    right = np.mean([are_most_voted(pair, of) for pair, of in zip(pairs, votes, strict=True)])
    both = np.mean([of[list(pair)].min() > 0 for pair, of in zip(pairs, votes, strict=True)])
    return name, str(len(pairs)), f"{len(pairs) / unclear:.0%}", f"{right:.0%}", f"{both:.0%}"


def main(data: Annotated[str, typer.Option(help="FER+, as `train finetune` reads it.")]) -> None:
    """Print the table, and write it to docs/figures/shared_lead.json."""
    pipeline = load_pipeline()
    rows = load_split(data, "validation")
    votes = np.asarray(read_targets(rows).soft(), np.float64)
    probabilities = pipeline.classify(read_crops(rows, pipeline.config.preprocessing))
    names = list(pipeline.label_names)
    unclear = np.flatnonzero((probabilities.max(axis=1) < pipeline.config.abstain_below) & (votes.sum(axis=1) > 0))
    if not len(unclear):
        raise SystemExit("every expression is clear to this model; there is nothing to measure")
    leads = {index: shared_lead(probabilities[index].tolist(), names) for index in unclear}
    named = [index for index, lead in leads.items() if lead]
    pairs = [(names.index(lead[0]), names.index(lead[1])) for lead in leads.values() if lead]
    largest = [tuple(np.argsort(-probabilities[index])[:2].tolist()) for index in unclear]
    shown = table(
        COLUMNS,
        [
            row("two that share the lead", pairs, votes[named], len(unclear)),
            row("any two", largest, votes[unclear], len(unclear)),
        ],
    )
    print(as_markdown(shown))
    record(
        FOLDER / "shared_lead.json",
        command="python -m benchmarks.shared_lead --data shared/data/ferplus",
        speaks_of=["face_expression/labels.py", "face_expression/bundle"],
        tables={"pairs": shown},
        values={"right": shown["rows"][0][3], "faces": shown["rows"][0][1], "any": shown["rows"][1][3]},
    )


if __name__ == "__main__":
    typer.run(main)
