"""A folder -> the files in it that are wanted, in order, and what was left out, by ending."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from face_expression.io.images import SUFFIXES

MAC_METADATA = "._*"  # beside each file that a Mac writes to a foreign disk; no picture whatever its ending


@dataclass
class FoundFiles:
    """What a folder holds.

    `files` in order; how many of each ending were `left_out`, and the first of each ending; what is `unreadable`, and
    why.
    """

    files: list[Path] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    first_left_out: dict[str, Path] = field(default_factory=dict)
    unreadable: dict[Path, str] = field(default_factory=dict)


def is_image_name(name: str) -> bool:
    """Whether a file's name ends as a picture's, in whatever case."""
    return not name.startswith("._") and PurePath(name).suffix.lower() in SUFFIXES


def ending_of(name: str) -> str:
    """What a file that is left out is counted under."""
    return MAC_METADATA if name.startswith("._") else PurePath(name).suffix.lower() or "no ending"


def find_images(folder: Path, *, skip: Path | None = None) -> FoundFiles:
    """The image files of a folder, as `find_files`."""
    return find_files(folder, is_image_name, skip=skip)


def find_files(folder: Path, is_wanted: Callable[[str], bool], *, skip: Path | None = None) -> FoundFiles:
    """Search a folder to the bottom; links to folders are followed, but not back to a folder above.

    Args:
        folder: where to search.
        is_wanted: answers for a file's name.
        skip: a folder that is passed over.
    """
    found = FoundFiles()
    skipped = _identity(skip) if skip is not None else None
    # Folders to be read and files, the next one last, with the folders above each.
    waiting: list[tuple[Path, frozenset]] = [(folder, frozenset())]
    while waiting:
        path, above = waiting.pop()
        if not path.is_dir():
            _add_file(found, path, is_wanted)
            continue
        identity = _identity(path)
        if identity in above or identity == skipped:
            continue
        try:
            inside = sorted(path.iterdir(), reverse=True)
        except OSError as error:
            found.unreadable[path] = f"the folder cannot be read: {error.strerror}"
            continue
        waiting += [(entry, above | {identity}) for entry in inside]
    return found


def _add_file(found: FoundFiles, path: Path, is_wanted: Callable[[str], bool]) -> None:
    if path.name.startswith("._") or not is_wanted(path.name):
        ending = ending_of(path.name)
        found.left_out[ending] += 1
        found.first_left_out.setdefault(ending, path)
    elif path.exists() and not path.is_file():
        found.unreadable[path] = "this is no regular file"
    else:
        # A link that leads nowhere, too: the reader reports it.
        found.files.append(path)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def describe_left_out(left_out: Counter[str]) -> str:
    """What was left out, in words: "2 .heic, 1 .txt"."""
    return ", ".join(f"{count:,} {ending}" for ending, count in sorted(left_out.items(), key=_most_first))


def _most_first(item: tuple[str, int]) -> tuple[int, str]:
    return -item[1], item[0].replace("no ending", "~")
