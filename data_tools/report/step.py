"""Manifest and pictures -> one HTML page that needs nothing else: what was found, what was kept, and what it is like.

It shows faces, some of them of pictures that were not kept: it is for those who collect, not to be published.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from markupsafe import Markup
from tqdm import tqdm

from data_tools.report import plots
from data_tools.report.statistics import SPLITS, STAGES, Face, balance, funnels, in_label_order, kept_faces, word_tables
from data_tools.work.denylist import Denylist, read_denylist
from data_tools.work.manifest import Manifest
from data_tools.work.schema import UNKNOWN, Reason, Status, explanation
from face_expression import PictureError, read_picture
from face_expression.errors import required
from face_expression.io.evenly import evenly
from face_expression.output.html_report import templates_in

TEMPLATE = "report.html.jinja"
_SAMPLES = 8
_FACES_PER_CLASS = 60
_FACES_IN_ALL = 600
_NOT_TO_BE_SHOWN = (Reason.DENYLISTED, Reason.TAKEDOWN)
_HISTOGRAMS = (
    ("face_px", "Size of the face", "px of the picture as fetched", True),
    ("fetched_px", "Size of the picture as fetched", "px, root of width x height", True),
    ("image_px", "Size of the kept image", "px, root of width x height", False),
    ("sharpness", "Sharpness", "spread of the Laplacian / contrast", False),
    ("highlight", "Brightest parts of the face", "95th percentile, 0 to 255", False),
    ("shadow", "Darkest parts of the face", "5th percentile, 0 to 255", False),
    ("turn", "Turn of the head", "nose off the middle, eye distances", False),
)
Item = TypeVar("Item")


@dataclass(frozen=True)
class Rejection:
    """Rows that were not kept, all for one reason, and a few of their pictures as data URLs."""

    status: str
    reason: str | None
    count: int
    meaning: str
    samples: tuple[Markup, ...]


@dataclass(frozen=True)
class Sheet:
    """Faces of one class as one picture in a data URL; `urls` are theirs, row by row. `missing` could not be drawn."""

    label: str
    image: Markup | None
    urls: tuple[str, ...]
    missing: int


def write_report(manifest: Manifest, path: Path) -> Path:
    """Write the page about a work folder; the same manifest and pictures give the same page.

    Args:
        manifest: an open one; nothing is changed in it.
        path: the HTML file; its folder is made.

    Returns:
        The file.
    """
    environment = templates_in(Path(__file__).parent)
    environment.filters |= {"number": "{:,}".format, "share": _share}
    denylist = read_denylist(manifest.folder)
    faces = kept_faces(manifest)
    by_label, by_source = funnels(manifest)
    labels = in_label_order((by_label.keys() - {UNKNOWN}) | {face.label for face in faces})
    page = environment.get_template(TEMPLATE).render(
        stages=STAGES,
        splits=SPLITS,
        whole=[sum(funnel.passed[stage] for funnel in by_label.values()) for stage in range(len(STAGES))],
        by_label=[by_label[label] for label in in_label_order(by_label)],
        by_source=sorted(by_source.values(), key=lambda funnel: (-funnel.passed[0], funnel.name)),
        statuses=Counter({status: count for (status,), count in manifest.counts("status").items()}),
        rejections=_rejections(manifest, denylist),
        faces=faces,
        labels=labels,
        balance=balance(faces, labels),
        word_tables=word_tables(faces, labels),
        histograms=[drawing for kind in _HISTOGRAMS if (drawing := _histogram(faces, *kind))],
        sheets=_contact_sheets(manifest, faces, labels, denylist),
        sheet_columns=plots.SHEET_COLUMNS,
        hosts=Counter(face.host for face in faces),
        licenses=Counter(face.license_requested for face in faces),
        opt_outs=manifest.counts("rejection_reason", "opt_out", where=f"status = '{Status.OPTED_OUT}'"),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def _rejections(manifest: Manifest, denylist: Denylist) -> list[Rejection]:
    counts = manifest.counts("status", "rejection_reason", where=f"status != '{Status.KEPT}'")
    return [
        Rejection(status, reason, count, explanation(status, reason), _samples(manifest, denylist, status, reason))
        for (status, reason), count in sorted(counts.items(), key=lambda item: -item[1])
    ]


def _samples(manifest: Manifest, denylist: Denylist, status: str, reason: str | None) -> tuple[Markup, ...]:
    """A few pictures of a reason, from first to last found; none of what somebody asked not to be used."""
    if status != Status.REJECTED or reason in _NOT_TO_BE_SHOWN:
        return ()
    rows = manifest.rows("status = ? AND rejection_reason IS ? AND content_sha256 IS NOT NULL", (status, reason))
    shown = {required(row["content_sha256"]): None for row in rows if not denylist.forbids(row)}
    drawn = []
    for file in _spread([file for file in map(manifest.files.raw_path, shown) if file.is_file()], _SAMPLES):
        try:
            drawn.append(plots.small_picture(read_picture(file)))
        except PictureError:
            continue
    return tuple(drawn)


def _contact_sheets(manifest: Manifest, faces: list[Face], labels: list[str], denylist: Denylist) -> list[Sheet]:
    many = min(_FACES_PER_CLASS, -(-_FACES_IN_ALL // max(len(labels), 1)))
    chosen = {label: _spread([face.url for face in faces if face.label == label], many) for label in labels}
    sheets = []
    with tqdm(total=sum(map(len, chosen.values())), desc="faces", unit="face", leave=False) as progress:
        for label, urls in chosen.items():
            cut = {}
            for url in urls:
                face = _cut_face(manifest, url, denylist)
                progress.update()
                if face is not None:
                    cut[url] = face
            image = plots.contact_sheet(list(cut.values())) if cut else None
            sheets.append(Sheet(label, image, tuple(cut), missing=len(urls) - len(cut)))
    return sheets


def _cut_face(manifest: Manifest, url: str, denylist: Denylist) -> np.ndarray | None:
    row = next(manifest.rows("url = ?", (url,)))
    if row["image_sha256"] is None or denylist.forbids(row):
        return None
    try:
        return plots.cut_face(read_picture(manifest.files.find_image(row["image_sha256"])), row["face_box"])
    except (PictureError, FileNotFoundError):
        return None


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    return [items[place] for place in evenly(len(items), count)]


def _histogram(faces: list[Face], name: str, title: str, unit: str, logarithmic: bool) -> Markup | None:
    values = [face.measures[name] for face in faces if name in face.measures]
    if logarithmic:
        values = [value for value in values if value > 0]
    return plots.histogram(values, title=title, unit=unit, logarithmic=logarithmic) if values else None


def _share(count: float, of: float) -> str:
    return f"{count / of:.1%}" if of else "–"


def draw_report(manifest: Manifest, path: Path | None) -> str:
    """Draw the report, into the work folder where no path is given."""
    report = write_report(manifest, path or manifest.files.report)
    return f"report: {report} (it shows faces: keep it to yourself)"
