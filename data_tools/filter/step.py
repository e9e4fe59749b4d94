"""Raw files -> images that hold one face fit to be learned from, each picture once.

Every file is first processed by itself, by many processes; then the rows are gone through in the order in which they
were found, so that who came first stays, whatever order the work was done in.
"""

from collections.abc import Iterator

import numpy as np
from tqdm import tqdm

from data_tools.filter.face_filter import Judge
from data_tools.filter.workers import judged
from data_tools.settings import FilterSettings
from data_tools.work.denylist import read_denylist
from data_tools.work.manifest import Manifest
from data_tools.work.schema import CANDIDATES, KEPT, SHARED_FILE, TO_FILTER, Reason, Row, Status
from data_tools.work.summary import summary
from face_expression.cli.ray_engine import Engine
from face_expression.cli.worker_pool import cores
from face_expression.errors import required

_UNDECIDED = (Status.FETCHED, Status.CANDIDATE)


def filter_images(
    manifest: Manifest, settings: FilterSettings, *, engine: Engine = Engine.LOCAL, workers: int | None = None
) -> None:
    """Filter everything that was fetched and not filtered yet; after an interruption, the same call resumes.

    Args:
        manifest: of the work folder.
        settings: what is kept.
        engine: who does the work.
        workers: processes of this machine; default: one for each core.

    Raises:
        WorkersError: if no process can be started; what is done is kept.
    """
    reject_same_content(manifest, settings)
    total, denylist = manifest.count(TO_FILTER), read_denylist(manifest.folder)
    if total:
        # Raise what would stop every process once, here, instead of for every row.
        Judge.make(manifest.folder, settings, denylist)
    results = judged(
        manifest.rows(TO_FILTER),
        folder=manifest.folder,
        settings=settings,
        denylist=denylist,
        engine=engine,
        workers=min(workers or cores(), total),
    )
    for changes in tqdm(results, total=total, unit="image", desc="looking at images"):
        manifest.update([changes])
    reject_near_duplicates(manifest, settings)
    _remove_unused_images(manifest)
    for row in manifest.rows("rejection_reason = ? AND content_sha256 IS NOT NULL", (Reason.DENYLISTED,)):
        manifest.files.raw_path(required(row["content_sha256"])).unlink(missing_ok=True)


def reject_same_content(manifest: Manifest, settings: FilterSettings) -> None:
    """Keep the first row of those whose files are the same, or none of a file that very many addresses show."""
    several = manifest.counts("content_sha256", where=SHARED_FILE)
    for (content_sha256,), count in several.items():
        rows = list(manifest.rows("content_sha256 = ?", (content_sha256,)))
        changes = _placeholder(rows, count) if count > settings.placeholder_urls else _copies(rows)
        manifest.update(changes)


def _placeholder(rows: list[Row], count: int) -> Iterator[Row]:
    for row in rows:
        if row["status"] in (*_UNDECIDED, Status.KEPT) or row["rejection_reason"] == Reason.SAME_CONTENT:
            yield _rejected(row, Reason.PLACEHOLDER, f"{count} addresses show the same file")


def _copies(rows: list[Row]) -> Iterator[Row]:
    first = next((row for row in rows if row["status"] == Status.KEPT), rows[0])
    for row in rows:
        if row["status"] in _UNDECIDED and row is not first:
            yield _rejected(row, Reason.SAME_CONTENT, "the same file", duplicate_of=first["url"])


def reject_near_duplicates(manifest: Manifest, settings: FilterSettings) -> None:
    """Keep what looks like nothing kept before it, mirrored or not."""
    kept = _Seen(settings.duplicate_bits)
    for row in manifest.rows(KEPT):
        kept.add(row)
    for row in manifest.rows(CANDIDATES):
        like = kept.find(row)
        if like is None:
            manifest.update([{"url": row["url"], "status": Status.KEPT}])
            kept.add(row)
        else:
            detail = f"looks like {like}"
            manifest.update([_rejected(row, Reason.NEAR_DUPLICATE, detail, duplicate_of=like)])


class _Seen:
    """Perceptual hashes of pictures, to be searched."""

    def __init__(self, bits: int):
        self._bits = bits
        self._hashes = np.zeros(1024, np.uint64)
        self._urls: list[str] = []

    def add(self, row: Row) -> None:
        if len(self._urls) == len(self._hashes):
            self._hashes = np.concatenate([self._hashes, np.zeros_like(self._hashes)])
        self._hashes[len(self._urls)] = int(required(row["phash"]), 16)
        self._urls.append(row["url"])

    def find(self, row: Row) -> str | None:
        """The url of a picture that looks the same, or None."""
        known = self._hashes[: len(self._urls)]
        for phash in (row["phash"], row["phash_mirrored"]):
            near = np.flatnonzero(np.bitwise_count(known ^ np.uint64(int(required(phash), 16))) <= self._bits)
            if len(near):
                return self._urls[near[0]]
        return None


def _rejected(row: Row, reason: Reason, detail: str, *, duplicate_of: str | None = None) -> Row:
    return {
        "url": row["url"],
        "status": Status.REJECTED,
        "rejection_reason": reason,
        "detail": detail,
        "duplicate_of": duplicate_of,
        "image_sha256": None,
    }


def _remove_unused_images(manifest: Manifest) -> None:
    """Delete the images that no row has any more, and those that a kill left half written."""
    for path in manifest.files.images():
        if not manifest.count("image_sha256 = ?", (path.stem,)):
            path.unlink()


def filter_step(
    manifest: Manifest, settings: FilterSettings, *, engine: Engine = Engine.LOCAL, workers: int | None = None
) -> str:
    """Look at everything that was fetched."""
    filter_images(manifest, settings, engine=engine, workers=workers)
    return summary(manifest)
