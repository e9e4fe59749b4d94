"""What people decided about faces: an append-only file in the work folder that the next step applies.

One JSON object a line: `image_sha256`, `decision` (keep, relabel or reject), `label` (of relabel, else null), `at` and
`by`. The last decision on an image counts.
"""

import getpass
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args

from data_tools.work.manifest import Manifest
from data_tools.work.schema import REVIEWABLE, Reason, Row, Status
from face_expression.errors import DataError, required
from face_expression.io.files import append_json_lines, read_json_lines
from face_expression.labels import LABEL_NAMES

DECISIONS_FILE = "decisions.jsonl"
Choice = Literal["keep", "relabel", "reject"]


@dataclass(frozen=True)
class Decision:
    """What somebody decided about one image: the label it was found for, another one, or out with it.

    Raises:
        ValueError: if `label` is missing for relabel or given for anything else.
    """

    image_sha256: str
    decision: Choice
    label: str | None = None

    def __post_init__(self):
        if self.decision == "relabel" and not self.label:
            raise ValueError("relabel needs a label")
        if self.decision != "relabel" and self.label:
            raise ValueError(f"{self.decision} takes no label, but there is {self.label!r}")

    @classmethod
    def checked(cls, image_sha256: str, decision: str, label: str | None) -> "Decision":
        """A decision from a page or a file.

        Raises:
            ValueError: if `decision` is another word; otherwise as the class.
        """
        for choice in get_args(Choice):
            if decision == choice:
                return cls(image_sha256, choice, label)
        raise ValueError(f"a decision is keep, relabel or reject, not {decision!r}")


def label_names(manifest: Manifest) -> tuple[str, ...]:
    """The labels that occur among all rows: in this project's order if they are all its own, else sorted.

    Where none occurs, this project's.
    """
    found = {name for column in ("query_label", "label") for (name,) in manifest.counts(column)} - {None}
    if not found:
        return LABEL_NAMES
    return tuple(sorted(found, key=LABEL_NAMES.index if found <= set(LABEL_NAMES) else None))


def possible_labels(manifest: Manifest) -> tuple[str, ...]:
    """The labels that a face may be given: all of this project's if no other occurs, else those that occur."""
    return classes_for(set(label_names(manifest)))


def classes_for(found: set[str]) -> tuple[str, ...]:
    """The classes where these labels occur: all of this project's, or those found if there are others."""
    return LABEL_NAMES if found <= set(LABEL_NAMES) else tuple(sorted(found))


def require_possible(decision: Decision, query_label: str | None, names: tuple[str, ...]) -> None:
    """Check a decision against what is known of its image.

    Raises:
        ValueError: if it relabels to something that is no label here, or keeps a label that the image does not have.
    """
    if decision.decision == "relabel" and decision.label not in names:
        raise ValueError(f"{decision.label!r} is no label here; there are {', '.join(names)}")
    if decision.decision == "keep" and query_label is None:
        raise ValueError("this image has no label to keep; relabel or reject it")


def read_decisions(folder: Path) -> dict[str, Decision]:
    """The decision that counts for each image, by its sha256; a line that a kill cut off is left out.

    Raises:
        DataError: if a whole line cannot be read.
    """
    path = folder / DECISIONS_FILE
    decisions = {}
    for number, line in read_json_lines(path):
        try:
            entry = json.loads(line)
            decision = Decision.checked(entry["image_sha256"], entry["decision"], entry["label"])
            decisions[decision.image_sha256] = decision
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path}, line {number}: {error!r}; put this line right, or take it out") from error
    return decisions


def decide(folder: Path, decisions: list[Decision]) -> None:
    """Note decisions; they are on the disk when this returns."""
    at, by = datetime.now(UTC).isoformat(timespec="seconds"), _user_name()
    append_json_lines(folder / DECISIONS_FILE, [{**asdict(decision), "at": at, "by": by} for decision in decisions])


def apply_decisions(manifest: Manifest) -> int:
    """Bring `label`, `status` and `rejection_reason` to what was decided; `query_label` is never touched.

    Keep sets the label that the image was found for, relabel another one, and both bring back what was rejected by a
    reviewer. Reject rejects. Rows that are not there for another reason are left alone.

    Returns:
        How many rows changed; 0 the second time.
    """
    changes = list(_changes(manifest, read_decisions(manifest.folder)))
    manifest.update(changes)
    return len(changes)


def _changes(manifest: Manifest, decisions: dict[str, Decision]) -> Iterator[Row]:
    for row in manifest.rows(REVIEWABLE):
        decision = decisions.get(required(row["image_sha256"]))
        if decision is None:
            continue
        if decision.decision == "reject":
            wanted: Row = {"status": Status.REJECTED, "rejection_reason": Reason.REVIEWED_OUT}
        else:
            label = decision.label if decision.decision == "relabel" else row["query_label"]
            wanted = {"label": label, "status": Status.KEPT, "rejection_reason": None}
        if not wanted.items() <= row.items():
            yield {"url": row["url"], **wanted}


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return "unknown"
