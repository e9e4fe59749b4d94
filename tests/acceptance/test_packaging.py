"""One place for every pin, a lock that says the same with hashes, and a wheel that works where it is installed."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from fnmatch import fnmatch
from pathlib import Path

import pytest

from face_expression import __version__
from tests.support.builders import EXAMPLES, REPOSITORY

PYPROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
PACKAGES = ("face_expression", "train", "data_tools")
LOCK = (REPOSITORY / "requirements.lock").read_text()


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of what the requirements files are made by, of and into."""
    (tmp_path / ".ci").mkdir()
    shutil.copy(REPOSITORY / ".ci" / "requirements.py", tmp_path / ".ci")
    for file in [REPOSITORY / "pyproject.toml", *REPOSITORY.glob("requirements*.txt")]:
        shutil.copy(file, tmp_path)
    return tmp_path


def generate(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, checkout / ".ci" / "requirements.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_requirements_files_are_what_pyproject_gives(checkout):
    assert generate(checkout, "--check").returncode == 0


def test_a_changed_pin_is_missed_and_then_written(checkout):
    pyproject = checkout / "pyproject.toml"
    pyproject.write_text(re.sub(r'"timm==[^"]+"', '"timm==9.9.9"', pyproject.read_text()))
    check = generate(checkout, "--check")
    assert check.returncode == 1 and "requirements-train.txt" in check.stderr
    assert "requirements.txt" not in check.stderr
    assert generate(checkout).returncode == 0
    assert "\ntimm==9.9.9\n" in (checkout / "requirements-train.txt").read_text()
    assert generate(checkout, "--check").returncode == 0


def locked() -> dict[str, tuple[str, str]]:
    """What the lock installs: name -> (version, the hashes that go with it)."""
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", LOCK, flags=re.MULTILINE).strip())
    found = [re.fullmatch(r"([a-z0-9-]+)==(\S+)(?: ; [^\n\\]+)? \\\n(.+)", entry, re.DOTALL) for entry in entries]
    assert all(found), "a line is no pin with hashes"
    return {match[1]: (match[2], match[3]) for match in found}


def test_the_lock_pins_what_the_app_needs_and_all_that_this_needs():
    pins = {name: version for name, (version, _) in locked().items()}
    for requirement in PYPROJECT["project"]["dependencies"]:
        name, version = requirement.split("==")
        assert pins[name.lower()] == version
    assert "torch" not in pins and {"anyio", "pydantic-core", "markupsafe"} <= pins.keys()


def test_every_pin_of_the_lock_has_hashes_and_no_address():
    for name, (_, hashes) in locked().items():
        lines = hashes.splitlines()
        assert lines and all(re.fullmatch(r" +--hash=sha256:[0-9a-f]{64}(?: \\)?", line) for line in lines), name
    assert "://" not in LOCK


def test_the_lock_fits_the_extras():
    """One environment holds the app and an extra: no package is pinned to two versions."""
    pins = {name: version for name, (version, _) in locked().items()}
    for extra in PYPROJECT["project"]["optional-dependencies"].values():
        for name, _, version in (requirement.partition("==") for requirement in extra):
            assert pins.get(name.lower(), version) == version


def test_every_file_of_a_package_is_in_the_wheel():
    for package, patterns in PYPROJECT["tool"]["setuptools"]["package-data"].items():
        files = [
            path.relative_to(REPOSITORY / package).as_posix() for path in sorted((REPOSITORY / package).rglob("*.*"))
        ]
        data = [name for name in files if not name.endswith((".py", ".pyc"))]
        assert data and [name for name in data if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def test_the_version_has_one_place():
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "face_expression.__version__"}
    assert __version__.count(".") == 2


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """The programs of a fresh environment in which the wheel is installed; what it needs is this environment's."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    without = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, source / package, ignore=without)
    shutil.copy(REPOSITORY / "pyproject.toml", source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    wheel = [*pip, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, source]
    subprocess.run(wheel, check=True, timeout=300)
    (file,) = folder.glob("live_emotion_detector-*.whl")
    assert __version__ in file.name
    venv.create(folder / "venv")
    programs = folder / "venv" / "bin"
    install = [*pip, "--python", programs / "python", "install", "--no-deps", "--no-index", file]
    subprocess.run(install, check=True, timeout=300)
    (packages,) = (folder / "venv" / "lib").glob("*/site-packages")
    (packages / "parent.pth").write_text(sysconfig.get_path("purelib"))
    return programs


def run(installed: Path, program: str, *arguments: object) -> str:
    result = subprocess.run(
        [installed / program, *map(str, arguments)],
        cwd=installed,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_wheel_brings_the_library_and_its_data(installed):
    code = "import face_expression, train, data_tools; print(face_expression.__file__, *train.__path__)"
    places = run(installed, "python", "-c", code).split()
    assert all(Path(place).is_relative_to(installed.parent) for place in places)


@pytest.mark.parametrize("program", ["face-expression", "face-expression-train", "face-expression-data"])
def test_the_wheels_commands_explain_themselves(installed, program):
    assert f"Usage: {program}" in run(installed, program, "--help")


def test_an_installed_command_classifies_a_picture(installed):
    line = json.loads(run(installed, "face-expression", "predict", EXAMPLES / "astronaut.jpg"))
    assert [face["label"] for face in line["faces"]] == ["happy"]
