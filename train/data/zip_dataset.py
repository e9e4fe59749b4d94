"""A zip of class folders as a data set, read where it lies: nothing of it is ever written to disk."""

import stat
import zipfile
import zlib
from collections import Counter
from pathlib import Path, PureWindowsPath

import datasets

from face_expression.io.image_search import ending_of, is_image_name
from train.data.class_folders import as_dataset, place_pictures, warn_of_others

MOST_FILES = 50_000
MOST_BYTES = 500_000_000
_ENCRYPTED = 1


def read_zip_split(path: Path, split: str) -> datasets.Dataset:
    """Read the pictures SPLIT/CLASS/FILE of a zip, as of a folder; anything else in it is left alone.

    Args:
        path: the zip file.
        split: "train", "validation" or "test".

    Returns:
        Rows of `image` and `label`; the labels are those of all splits, sorted.

    Raises:
        ValueError: if it is no zip of class folders, has no such split, or could do harm.
        OSError: if the file cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _require_harmless(archive.infolist())
            others = [(ending_of(_path(entry).name), entry.filename) for entry in entries if not _is_picture(entry)]
            warn_of_others(path, Counter(ending for ending, _ in others), dict(reversed(others)))
            placed = place_pictures([_path(entry).parts for entry in entries])
            chosen = placed.of(split)
            images = [
                {"bytes": archive.read(entries[number]), "path": entries[number].filename} for number, _ in chosen
            ]
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"it is not a zip that can be read: {error}") from error
    return as_dataset(images, [label for _, label in chosen], placed.labels)


def _path(entry: zipfile.ZipInfo) -> PureWindowsPath:
    """Where an entry lies; of all systems Windows sees the most ways out of a folder."""
    return PureWindowsPath(entry.filename)


def _is_picture(entry: zipfile.ZipInfo) -> bool:
    return is_image_name(_path(entry).name)


def _require_harmless(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse what no honest tool packs, even though nothing is written."""
    if len(entries) > MOST_FILES:
        raise ValueError(f"it holds {len(entries)} files; at most {MOST_FILES} are read")
    if (total := sum(entry.file_size for entry in entries)) > MOST_BYTES:
        raise ValueError(f"unpacked it would be {total / 1e6:.0f} MB; at most {MOST_BYTES / 1e6:.0f} MB are read")
    for entry in entries:
        if _path(entry).anchor or ".." in _path(entry).parts:
            raise ValueError(f"its file {entry.filename!r} would lie outside of it")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise ValueError(f"its file {entry.filename!r} is a link")
        if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"its file {entry.filename!r} is encrypted, or packed in an unusual way")
