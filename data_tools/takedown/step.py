"""Taking down: rows leave every split, their files go, and what they were is never collected or published again.

First everything is denied, then it is noted which data sets must be cleaned, and only then anything is deleted, so that
a kill at any moment loses no request: the same command again, or one without any request, does the rest.

What stays of a row is the address, so that it is known and not fetched again, what was searched for, and the sha256 of
what was fetched. Everything else, such as titles, pages, hashes of the picture and everything measured of the face, is
blanked. The denylist keeps hashes; nobody can get a picture back from them.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

from data_tools.dataset.published import published
from data_tools.takedown.requests import Request
from data_tools.work.denylist import Denylist, Kind, deny, read_denylist
from data_tools.work.manifest import Manifest
from data_tools.work.schema import COLUMNS, Reason, Row, Status

_TO_CLEAN = "to_clean"
_STAYS = {
    *("url", "source", "query", "query_label", "query_group", "rank", "license_requested", "found_at"),
    *("fetched_at", "http_status", "opt_out", "content_sha256", "tool_version"),
}
_BLANK = {name: None for name in COLUMNS if name not in _STAYS}


@dataclass(frozen=True)
class Removal:
    """What was taken down, or would be.

    `urls`: rows that go, in the order in which they were found. `without_match`: requests that no row answers to, and
    that are denied all the same. `places`: published data sets that must be cleaned.
    """

    urls: tuple[str, ...]
    without_match: tuple[Request, ...]
    places: tuple[str, ...]


def remove(manifest: Manifest, requests: list[Request], *, why: str, dry_run: bool = False) -> Removal:
    """Take down what requests name, and whatever is the same file or picture; `clean_published` must follow.

    A sha256 is that of a fetched or of a kept file. A perceptual hash means pictures within `denylist.MAX_BITS` of it,
    mirrored or not. An address is that of a picture or of the page that shows it. A host means those under it, too.
    Rows that earlier requests forbid go as well, should a kill have spared them.

    Args:
        manifest: of a work folder.
        requests: as `takedown_requests` reads them; may be empty.
        why: noted on the denylist for ever, so no names.
        dry_run: only say what would go.
    """
    asked = _as_denylist(requests)
    hit = [row for row in manifest.rows() if asked.forbids(row)]
    known = read_denylist(manifest.folder)
    # What was hit is denied by its hashes too, and so is whatever else has them.
    entries = [entry for entry in dict.fromkeys([*requests, *_hashes(hit)]) if entry[1] not in getattr(known, entry[0])]
    denied = _joined(known, _as_denylist(entries))
    gone = [row for row in manifest.rows("status != ?", (Status.REMOVED,)) if denied.forbids(row)]
    places = list(dict.fromkeys([*places_to_clean(manifest), *(published(manifest) if gone else ())]))
    if not dry_run:
        deny(manifest.folder, entries, why=why)
        manifest.remember(_TO_CLEAN, places)
        _delete(manifest, gone)
    missed = [request for request in requests if not any(map(_as_denylist([request]).forbids, hit))]
    return Removal(tuple(row["url"] for row in gone), tuple(missed), tuple(places))


def places_to_clean(manifest: Manifest) -> list[str]:
    """Published data sets, folders or repositories, that hold rows which were taken down, or may."""
    return manifest.recall(_TO_CLEAN) or []


def note_clean(manifest: Manifest, place: str) -> None:
    """Note that a published data set, and its history, hold nothing any more that was taken down."""
    manifest.remember(_TO_CLEAN, [other for other in places_to_clean(manifest) if other != place])


def _as_denylist(entries: list[Request]) -> Denylist:
    return Denylist(**{kind: frozenset(value for of, value in entries if of == kind) for kind in get_args(Kind)})


def _joined(one: Denylist, other: Denylist) -> Denylist:
    return Denylist(**{kind: getattr(one, kind) | getattr(other, kind) for kind in get_args(Kind)})


def _hashes(rows: list[Row]) -> Iterator[Request]:
    for row in rows:
        hashes: tuple[tuple[Kind, str | None], ...] = (
            ("sha256", row["content_sha256"]),
            ("sha256", row["image_sha256"]),
            ("phash", row["phash"]),
        )
        for kind, value in hashes:
            if value:
                yield kind, value


def _delete(manifest: Manifest, rows: list[Row]) -> None:
    """Files first: should a kill come between, the rows still say that there is something to do."""
    shutil.rmtree(manifest.files.publication_draft, ignore_errors=True)
    for row in rows:
        for file in manifest.files.files_of(content_sha256=row["content_sha256"], image_sha256=row["image_sha256"]):
            file.unlink()
    manifest.update(
        {**_BLANK, "url": row["url"], "status": Status.REMOVED, "rejection_reason": Reason.TAKEDOWN} for row in rows
    )


def describe_removal(removal: Removal, *, dry_run: bool) -> str:
    """Which rows went, or would."""
    lines = [f"{'would go' if dry_run else 'gone'}: {len(removal.urls):,} row(s)", *removal.urls]
    denied = "would be denied" if dry_run else "is denied"
    lines += [
        f"no row answers to this, which {denied} all the same: {kind} {value}" for kind, value in removal.without_match
    ]
    if dry_run:
        lines += [f"would be written again, its history squashed: {place}" for place in removal.places]
    return "\n".join(lines)
