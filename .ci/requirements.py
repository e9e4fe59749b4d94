"""Writes requirements*.txt from pyproject.toml, the one place of every pin; with --check it only compares."""

import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
APP = "requirements.txt"
# What each file is for, and the files that it builds on; the name of an extra, or none for the app itself.
FILES = {
    None: ("What the Space installs. No torch: the app runs the exported network with ONNX Runtime.", []),
    "train": (
        "What `python -m train` needs. torch and torchvision must be of one build, so both are pinned.",
        [APP],
    ),
    "data": ("What `python -m data_tools` needs. No torch.", [APP]),
    "ray": (
        "What `python -m data_tools ... --engine ray` needs on top: several machines, or more cores of one.",
        ["requirements-data.txt"],
    ),
    "dev": ("What `make test` and `make quality` need.", ["requirements-train.txt", "requirements-ray.txt"]),
}


def file_name(extra: str | None) -> str:
    """The file of an extra; of the app itself, for None."""
    return APP if extra is None else f"requirements-{extra}.txt"


def content(extra: str | None) -> str:
    """What the file of an extra must hold."""
    purpose, bases = FILES[extra]
    pins = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    others = [pin for pin in pins if not pin.startswith(f"{PROJECT['name']}[")]
    return "\n".join([f"# {purpose}", *(f"-r {base}" for base in bases), *others, ""])


def main(*, check: bool) -> int:
    """Write, or name what differs and return 1."""
    outdated = []
    for extra in FILES:
        file = REPOSITORY / file_name(extra)
        if not file.is_file() or file.read_text(encoding="utf-8") != content(extra):
            outdated.append(file.name)
            if not check:
                file.write_text(content(extra), encoding="utf-8")
    if check and outdated:
        print(f"not as pyproject.toml says: {', '.join(outdated)}; run `make requirements`", file=sys.stderr)
    return int(check and bool(outdated))


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
