"""A zip of class folders as a data set, read where it lies: nothing of it is ever written to disk."""

import stat
import zipfile
import zlib
from pathlib import Path, PureWindowsPath

import datasets

SPLITS = ("train", "validation", "test")
MOST_FILES = 50_000
MOST_BYTES = 500_000_000
_PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}
_ENCRYPTED = 1


def read_zip_split(path: Path, split: str) -> datasets.Dataset:
    """Read the pictures SPLIT/LABEL/FILE of a zip; anything else in it is left alone.

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
            entries = archive.infolist()
            _require_harmless(entries)
            pictures = [(entry, _path(entry).parts) for entry in entries if _is_picture(entry)]
            if not pictures:
                raise ValueError("it holds no pictures in class folders, such as train/happy/1.jpg")
            labels = sorted({label for _, (_, label, _) in pictures})
            chosen = [(entry, label) for entry, (place, label, _) in pictures if place == split]
            if not chosen:
                raise ValueError(f"it holds no pictures in {split}/, such as {split}/{labels[0]}/1.jpg")
            columns = {
                "image": [{"bytes": archive.read(entry), "path": None} for entry, _ in chosen],
                "label": [labels.index(label) for _, label in chosen],
            }
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"it is not a zip that can be read: {error}") from error
    features = datasets.Features({"image": datasets.Image(decode=False), "label": datasets.ClassLabel(names=labels)})
    return datasets.Dataset.from_dict(columns, features=features)


def _path(entry: zipfile.ZipInfo) -> PureWindowsPath:
    """Where an entry lies; of all systems Windows sees the most ways out of a folder."""
    return PureWindowsPath(entry.filename)


def _is_picture(entry: zipfile.ZipInfo) -> bool:
    path = _path(entry)
    return len(path.parts) == 3 and path.parts[0] in SPLITS and path.suffix.lower() in _PICTURES


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
