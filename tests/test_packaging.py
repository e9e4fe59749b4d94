"""`pyproject.toml` and the requirements files agree, and no file that a program reads is left out of the wheel."""

import tomllib
from fnmatch import fnmatch

import pytest

from face_expression.version import VERSION
from tests.builders import REPOSITORY

PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
EXTRAS = PYPROJECT["project"]["optional-dependencies"]


def pinned(name: str) -> list[str]:
    lines = (REPOSITORY / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith(("#", "-r"))]


def others(requirements: list[str]) -> list[str]:
    return [line for line in requirements if not line.startswith(PYPROJECT["project"]["name"])]


def test_the_app_needs_what_its_file_names():
    assert PYPROJECT["project"]["dependencies"] == pinned("requirements.txt")


@pytest.mark.parametrize("extra", ["train", "data", "ray", "dev"])
def test_an_extra_needs_what_its_file_names(extra):
    assert others(EXTRAS[extra]) == pinned(f"requirements-{extra}.txt")


def test_every_file_of_a_package_is_in_the_wheel():
    for package, patterns in PYPROJECT["tool"]["setuptools"]["package-data"].items():
        files = [
            path.relative_to(REPOSITORY / package).as_posix() for path in sorted((REPOSITORY / package).rglob("*.*"))
        ]
        data = [name for name in files if not name.endswith((".py", ".pyc"))]
        assert data and [name for name in data if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def test_the_version_has_one_place():
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "face_expression.version.VERSION"}
    assert VERSION.count(".") == 2
