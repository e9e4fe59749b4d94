"""What is in a folder where an app makes and deletes files meanwhile; `Path.rglob` raises if a folder goes."""

import os
from pathlib import Path


def files_in(folder: Path) -> list[Path]:
    """The files below a folder, and links to files."""
    return [Path(parent, name) for parent, _, files in os.walk(folder) for name in files]


def folders_in(folder: Path) -> list[Path]:
    """The folders below a folder."""
    return [Path(parent, name) for parent, folders, _ in os.walk(folder) for name in folders]
