"""What was taken down and never comes back: an append-only file that `collect`, `filter` and `materialize` consult.

One JSON object a line: `kind` (sha256, phash, url or host), `value`, `at`, `why`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from data_tools.work.schema import Row
from face_expression.errors import DataError
from face_expression.io.files import append_json_lines, read_json_lines

DENYLIST_FILE = "denylist.jsonl"
# As many as `split` groups pictures by: a mirror image that was compressed anew was seen 8 bits away.
MAX_BITS = 8
Kind = Literal["sha256", "phash", "url", "host"]


@dataclass(frozen=True)
class Denylist:
    """What must not be fetched, kept or published."""

    sha256: frozenset[str] = frozenset()
    phash: frozenset[str] = frozenset()
    url: frozenset[str] = frozenset()
    host: frozenset[str] = frozenset()

    def forbids_url(self, url: str) -> bool:
        """Whether an address, its host, or a host above it was taken down."""
        if url in self.url:
            return True
        try:
            labels = (urlsplit(url).hostname or "").rstrip(".").split(".")
        except ValueError:
            # Not an address, as `http://[`; nothing can be fetched from it.
            return False
        return any(".".join(labels[start:]) in self.host for start in range(len(labels)))

    def forbids(self, row: Row) -> bool:
        """Whether anything of a manifest's row was taken down: its addresses, its page, its files or its picture."""
        return (
            any(self.forbids_url(url) for url in (row["url"], row["final_url"], row["page_url"]) if url)
            or self.forbids_content(row["content_sha256"], row["image_sha256"])
            or self.forbids_phash(row["phash"], row["phash_mirrored"])
        )

    def forbids_content(self, *sha256: str | None) -> bool:
        """Whether a file with one of these hashes was taken down."""
        return any(value in self.sha256 for value in sha256)

    def forbids_phash(self, *phash: str | None) -> bool:
        """Whether a picture that looks like this, or like its mirror image, was taken down.

        Args:
            phash: 16 hexadecimal digits each, or None.
        """
        values = [int(value, 16) for value in phash if value]
        return any((value ^ int(known, 16)).bit_count() <= MAX_BITS for value in values for known in self.phash)


def read_denylist(folder: Path) -> Denylist:
    """Read a work folder's denylist; without the file, nothing is denied. A line that a kill cut off is left out.

    Raises:
        DataError: if a whole line cannot be read.
    """
    path = folder / DENYLIST_FILE
    known: dict[str, set[str]] = {kind: set() for kind in get_args(Kind)}
    for number, line in read_json_lines(path):
        try:
            entry = json.loads(line)
            known[entry["kind"]].add(entry["value"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}, line {number}: {error!r}; a denylist that cannot be read protects nobody"
            ) from error
    return Denylist(**{kind: frozenset(values) for kind, values in known.items()})


def deny(folder: Path, entries: list[tuple[Kind, str]], *, why: str) -> None:
    """Add entries for ever; they are on the disk when this returns."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    lines = [{"kind": kind, "value": value, "at": at, "why": why} for kind, value in entries]
    append_json_lines(folder / DENYLIST_FILE, lines)
