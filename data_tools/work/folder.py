"""Where the files of a work folder are.

manifest.sqlite, manifest.parquet
raw/ab/abcd...         what was fetched, named by its sha256
raw/drafts/            what is being fetched
images/ab/abcd....jpg  what was kept, named by its sha256
decisions.jsonl        what reviewers decided (`data_tools.work.decisions`)
denylist.jsonl         what was taken down and never comes back (`data_tools.work.denylist`)
publish.draft/         a data set that is being written
report.html            what `report` writes
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_SUFFIXES = (".jpg", ".png")


@dataclass(frozen=True)
class WorkFolder:
    """Paths of one work folder, whether they exist or not."""

    root: Path

    @property
    def database(self) -> Path:
        """The rows while commands work."""
        return self.root / "manifest.sqlite"

    @property
    def manifest(self) -> Path:
        """The rows as other programs read them."""
        return self.root / "manifest.parquet"

    @property
    def lock(self) -> Path:
        """Held by the one command at work."""
        return self.root / ".lock"

    @property
    def drafts(self) -> Path:
        """Folder of files that are being fetched."""
        return self.root / "raw" / "drafts"

    @property
    def publication_draft(self) -> Path:
        """Folder of a data set that is being written."""
        return self.root / "publish.draft"

    @property
    def report(self) -> Path:
        """The report, unless another path is given."""
        return self.root / "report.html"

    def raw_path(self, content_sha256: str) -> Path:
        """The file of fetched bytes."""
        return self.root / "raw" / content_sha256[:2] / content_sha256

    def image_path(self, image_sha256: str, *, suffix: str) -> Path:
        """The file of a kept image; `suffix` is ".jpg" or ".png"."""
        return self.root / "images" / image_sha256[:2] / (image_sha256 + suffix)

    def find_image(self, image_sha256: str) -> Path:
        """The file of a kept image that exists.

        Raises:
            FileNotFoundError: if it does not.
        """
        for suffix in _SUFFIXES:
            if (path := self.image_path(image_sha256, suffix=suffix)).is_file():
                return path
        raise FileNotFoundError(f"{self.root}: the image {image_sha256} is missing")

    def images(self) -> Iterator[Path]:
        """All files of images, those that a kill left unfinished included."""
        return (self.root / "images").glob("*/*")

    def files_of(self, *, content_sha256: str | None, image_sha256: str | None) -> list[Path]:
        """Every file that exists of a row, whatever its suffix."""
        found = []
        for kind, sha256 in (("raw", content_sha256), ("images", image_sha256)):
            if sha256:
                found += (self.root / kind / sha256[:2]).glob(f"{sha256}*")
        return found
