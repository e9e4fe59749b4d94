"""Finds the program's own source files."""

from pathlib import Path

from tests.support.builders import REPOSITORY


def sources(part: str) -> list[Path]:
    """The Python files of a folder of the repository, or the one file."""
    path = REPOSITORY / part
    return [path] if path.is_file() else sorted(path.rglob("*.py"))
