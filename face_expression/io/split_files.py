"""Which split of a data set a file belongs to: the first folder decides, or else a Parquet file's name."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePath

from face_expression.io.image_search import find_files

SPLITS = ("train", "validation", "test")
_SPLIT_OF = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
    "eval": "test",
    "evaluation": "test",
}
_FIRST_WORD = re.compile("[a-z]+")


def same_name(name: str) -> str:
    """What names have in common that differ in capitals, spaces around them, or how accents are written."""
    return unicodedata.normalize("NFC", name).strip().casefold()


def split_of(name: str) -> str | None:
    """The split that a folder is named after, or None."""
    return _SPLIT_OF.get(same_name(name))


def split_of_file(path: PurePath) -> str | None:
    """The split that a file of a data set belongs to, or None; `path` starts at the data set's folder."""
    first_word = _FIRST_WORD.match(path.name.lower())
    return split_of(path.parts[0]) or _SPLIT_OF.get(first_word[0] if first_word else "")


def parquet_files(folder: Path) -> dict[str, list[Path]]:
    """The Parquet files of each split, in order.

    The first folder below `folder` decides, or else the first word of the file's name ("test-00000.parquet"). Where
    neither names a split in any file, all are of "train"; otherwise the files without one belong to none.
    """
    files = find_files(folder, lambda name: name.lower().endswith(".parquet")).files
    by_split: dict[str, list[Path]] = {}
    for file in files:
        by_split.setdefault(split_of_file(file.relative_to(folder)) or "", []).append(file)
    without = by_split.pop("", [])
    return by_split or ({"train": without} if without else {})


def escaped(files: Iterable[Path]) -> list[str]:
    """Paths as `datasets` takes them: letters that are patterns elsewhere stand for themselves."""
    return [re.sub(r"([*?[])", r"[\1]", str(file.absolute())) for file in files]
