"""People look at the doubtful labels: on a page, or in a table that they fill in."""

import csv
import logging
from collections.abc import Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from data_tools.review.label_issues import DoubtfulFace, find_doubtful
from data_tools.review.page import build_page, launch
from data_tools.work.decisions import Decision, decide, possible_labels, read_decisions, require_possible
from data_tools.work.manifest import Manifest, opened
from data_tools.work.schema import REVIEWABLE
from face_expression import load_pipeline
from face_expression.errors import DataError
from face_expression.output.csv_cells import csv_text

log = logging.getLogger(__name__)

COLUMNS = ("image_sha256", "file", "query_label", "suggested", "decision", "label")
_MAX_LISTED_PROBLEMS = 5


def review(
    folder: Path,
    *,
    table: Path | None = None,
    filled: Path | None = None,
    port: int | None = None,
    limit: int | None = None,
) -> None:
    """Let somebody decide about the doubtful faces of a work folder; the next step applies what was decided.

    Args:
        folder: the work folder; no other command can work in it until this one ends.
        table: write the undecided to this CSV file instead of serving the page.
        filled: such a file with decisions filled in, to be noted; nothing else is done then.
        port: of the page, on this computer only; None takes a free one from 7860 on.
        limit: show only so many, the most doubtful.

    Raises:
        DataError: if both files are given, or one cannot be used.
    """
    if table is not None and filled is not None:
        raise DataError("give --csv to write a table or --apply to hand one in, not both")
    with opened(folder) as manifest:
        if filled is not None:
            decisions = read_table(filled, manifest)
            decide(folder, decisions)
            log.info("%d decision(s) noted; `python -m data_tools split` applies them", len(decisions))
            return
        doubt = find_doubtful(manifest, load_pipeline())
        for note in doubt.notes:
            log.info("%s", note)
        faces = doubt.faces[:limit]
        if table is not None:
            count = write_table(table, manifest, faces)
            log.info("%d face(s) to be decided are in %s; fill it in, and hand it in with --apply", count, table)
        else:
            page = build_page(manifest, faces)
            launch(page, port)
            log.info("review at %s ; Ctrl-C ends it, and `python -m data_tools split` applies it", page.local_url)
            page.block_thread()


def write_table(path: Path, manifest: Manifest, faces: tuple[DoubtfulFace, ...]) -> int:
    """Write the faces that nobody has decided about as CSV, with `decision` and `label` left to be filled in.

    Returns:
        How many there are.

    Raises:
        DataError: if the file exists, which may have been filled in, or cannot be written.
    """
    decided = read_decisions(manifest.folder)
    undecided = [face for face in faces if face.image_sha256 not in decided]
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            for face in undecided:
                image = manifest.files.find_image(face.image_sha256).relative_to(manifest.folder)
                labels = (csv_text(label or "") for label in (face.query_label, face.suggested))
                writer.writerow([face.image_sha256, image, *labels, None, None])
    except FileExistsError:
        raise DataError(f"{path} exists and may have been filled in; name another file") from None
    except OSError as error:
        raise DataError(f"{path} cannot be written: {error.strerror}") from error
    return len(undecided)


def read_table(path: Path, manifest: Manifest) -> list[Decision]:
    """Read a table that was filled in; rows without a decision are left out.

    Raises:
        DataError: naming the lines that cannot be used.
    """
    query_labels = {row["image_sha256"]: row["query_label"] for row in manifest.rows(REVIEWABLE)}
    names = possible_labels(manifest)
    decisions, problems = [], []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := {"image_sha256", "decision", "label"} - set(reader.fieldnames or ()):
                raise DataError(f"{path} lacks the column(s) {', '.join(sorted(missing))}, separated by commas")
            for row in reader:
                try:
                    decision = _decision_of(row, query_labels, names)
                except ValueError as error:
                    problems.append(f"{path}, line {reader.line_num}: {error}")
                    continue
                decisions += [decision] if decision else []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    if problems:
        more = [f"and {len(problems) - _MAX_LISTED_PROBLEMS} more"] if len(problems) > _MAX_LISTED_PROBLEMS else []
        raise DataError("\n".join(["nothing was noted:", *islice(problems, _MAX_LISTED_PROBLEMS), *more]))
    return decisions


def _decision_of(
    row: Mapping[str | Any, str | None], query_labels: Mapping[str | None, str | None], names: tuple[str, ...]
) -> Decision | None:
    sha256, word, label = ((row[name] or "").strip() for name in ("image_sha256", "decision", "label"))
    if not word and not label:
        return None
    if sha256 not in query_labels:
        raise ValueError(f"no kept image has the sha256 {sha256!r}")
    # A label that was copied from a cell which is no formula.
    label = label.removeprefix("'") if label not in names else label
    decision = Decision.checked(sha256, word, label or None)
    require_possible(decision, query_labels[sha256], names)
    return decision
