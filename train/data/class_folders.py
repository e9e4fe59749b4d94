"""Class folders, SPLIT/CLASS/PICTURE, of a folder or of a zip: which picture is of which split and class.

The first folder decides the split, the second the class, whatever they are called besides. `datasets` would look for
the names of splits in any part of a path, so that a class "valid" of the training split is validated on.
"""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import datasets

from face_expression.io.image_search import describe_left_out, find_images, is_image_name
from face_expression.io.split_files import SPLITS, same_name, split_of
from face_expression.labels import LABEL_NAMES

log = logging.getLogger(__name__)

_MAX_LISTED = 3
_ALIKE = 0.8
_EXAMPLE = "such as train/happy/1.jpg"


@dataclass(frozen=True)
class ClassFolders:
    """The classes of all splits, sorted, and (number of the file, class) of each picture of a split."""

    labels: tuple[str, ...]
    pictures: dict[str, list[tuple[int, str]]]

    def of(self, split: str) -> list[tuple[int, str]]:
        """The pictures of one split.

        Raises:
            ValueError: if it has none.
        """
        if not self.pictures[split]:
            raise ValueError(f"it holds no pictures in {split}/, such as {split}/{self.labels[0]}/1.jpg")
        return self.pictures[split]


def read_class_folders(folder: Path, split: str) -> datasets.Dataset:
    """Read the pictures SPLIT/CLASS/FILE of a folder; links to folders are followed.

    Args:
        folder: the data set.
        split: "train", "validation" or "test".

    Returns:
        Rows of `image`, which are paths, and `label`; the labels are those of all splits.

    Raises:
        ValueError: if a picture lies where it has no class, a class is probably misspelt, a file is in two splits, or
            the split has no pictures.
    """
    found = find_images(folder)
    for path, error in found.unreadable.items():
        raise ValueError(f"{path}: {error}")
    first = {ending: path.relative_to(folder) for ending, path in found.first_left_out.items()}
    warn_of_others(folder, found.left_out, first)
    placed = place_pictures([file.relative_to(folder).parts for file in found.files])
    _require_apart(found.files, placed)
    chosen = placed.of(split)
    paths = [str(found.files[number]) for number, _ in chosen]
    return as_dataset([{"bytes": None, "path": path} for path in paths], [label for _, label in chosen], placed.labels)


def as_dataset(images: list[dict], labels: list[str], label_names: Sequence[str]) -> datasets.Dataset:
    """Encoded images with their labels as rows.

    Raises:
        ValueError: if a path is no Unicode.
    """
    numbers = {name: number for number, name in enumerate(label_names)}
    for image in images:
        try:
            image["path"].encode()
        except UnicodeEncodeError:
            raise ValueError(f"{image['path']!r}: this name is no Unicode; rename it") from None
    columns = {"image": images, "label": [numbers[label] for label in labels]}
    features = datasets.Features(
        {"image": datasets.Image(decode=False), "label": datasets.ClassLabel(names=list(label_names))}
    )
    return datasets.Dataset.from_dict(columns, features=features)


def place_pictures(files: Sequence[tuple[str, ...]]) -> ClassFolders:
    """Find split and class of each picture among files, which are given as the parts of their paths.

    One folder around everything, as some programs pack it, is passed over.

    Raises:
        ValueError: if no picture is in a class folder, a picture of a split is not, or a class of another split is
            nearly one of the training split.
    """
    pictures = {number: parts for number, parts in enumerate(files) if parts and is_image_name(parts[-1])}
    first = next(iter(pictures.values()), ("",))[0]
    if all(len(parts) > 2 and parts[0] == first and split_of(first) is None for parts in pictures.values()):
        pictures = {number: parts[1:] for number, parts in pictures.items()}
    splits = {number: split_of(parts[0]) for number, parts in pictures.items() if len(parts) > 1}
    in_splits = {number: (split, pictures[number]) for number, split in splits.items() if split}
    well = {number: (split, parts[1]) for number, (split, parts) in in_splits.items() if len(parts) == 3}
    misplaced = _listed(sorted("/".join(parts) for number, (_, parts) in in_splits.items() if number not in well))
    if not well:
        elsewhere = misplaced or _listed(sorted("/".join(parts) for parts in pictures.values()))
        raise ValueError(f"it holds no pictures in class folders, {_EXAMPLE}" + (elsewhere and f"; {elsewhere}"))
    if misplaced:
        raise ValueError(f"pictures must lie in class folders, {_EXAMPLE}; these do not: {misplaced}")
    _warn_of_other_folders([parts[0] for number, parts in pictures.items() if number not in in_splits])
    return _with_classes(well)


def _with_classes(placed: dict[int, tuple[str, str]]) -> ClassFolders:
    in_train = {same_name(name): name for split, name in placed.values() if split == "train"}
    # The spelling is ours, or else that of the training split.
    spelling = {same_name(name): name.strip() for _, name in placed.values()} | in_train
    spelling |= {same_name(name): name for name in LABEL_NAMES if same_name(name) in spelling}
    for split, name in sorted(set(placed.values())):
        alike = get_close_matches(same_name(name), in_train, 1, _ALIKE)
        if in_train and same_name(name) not in in_train and alike:
            raise ValueError(f"{split}/{name} is no class of train/; is it {in_train[alike[0]]!r}? Rename the folder")
    for key, name in spelling.items():
        if key not in LABEL_NAMES and (alike := get_close_matches(key, LABEL_NAMES, 1, _ALIKE)):
            _warn_once(f"the class {name!r} is taken for one of its own; if it is {alike[0]!r}, rename its folders")
    pictures: dict[str, list[tuple[int, str]]] = {split: [] for split in SPLITS}
    for number, (split, name) in placed.items():
        pictures[split].append((number, spelling[same_name(name)].strip()))
    return ClassFolders(tuple(sorted({name.strip() for name in spelling.values()})), pictures)


def _require_apart(files: list[Path], placed: ClassFolders) -> None:
    """No file may be in two splits, by whatever links it got there."""
    seen: dict[tuple[int, int], tuple[str, Path]] = {}
    for split, pictures in placed.pictures.items():
        for number, _ in pictures:
            if not files[number].exists():
                continue
            status = files[number].stat()
            other_split, other = seen.setdefault((status.st_dev, status.st_ino), (split, files[number]))
            if other_split != split:
                raise ValueError(f"{other} and {files[number]} are one file, which cannot be in two splits")


def _warn_of_other_folders(names: list[str]) -> None:
    if names:
        counts = ", ".join(f"{count:,} in or at {name!r}" for name, count in Counter(names).most_common(_MAX_LISTED))
        _warn_once(f"pictures left out, since they are in no folder of a split ({', '.join(SPLITS)}): {counts}")


def warn_of_others(data: Path, left_out: Counter[str], first: Mapping[str, str | Path]) -> None:
    """Log what is left out because it is no picture: how many of each ending, and the first of each."""
    if left_out:
        examples = ", ".join(map(str, first.values()))
        _warn_once(f"{data}: left out, since these are no pictures: {describe_left_out(left_out)} ({examples})")


def _listed(paths: list[str]) -> str:
    more = f" and {len(paths) - _MAX_LISTED:,} more" if len(paths) > _MAX_LISTED else ""
    return ", ".join(paths[:_MAX_LISTED]) + more


@lru_cache(maxsize=100)
def _warn_once(message: str) -> None:
    """The three splits of a data set are read one after the other, with the same remarks."""
    log.warning("%s", message)
