"""Who may import what, read from the sources: the house rules of the design."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builders import REPOSITORY
from tests.support.sources import sources

OURS = {"app", "space", "face_expression", "data_tools", "train", "tests", "benchmarks"}
ALLOWED = {
    "app.py": {"face_expression", "space"},
    "space": {"face_expression", "space"},
    "face_expression": {"face_expression"},
    "data_tools": {"face_expression", "data_tools"},
    "train": {"face_expression", "train"},
}
WEB = {"httpx", "requests", "socket", "aiohttp", "http"}
NETWORK = {"huggingface_hub", "urllib", *WEB}
HEAVY = {"torch", "torchvision", "timm", "transformers", "datasets", "evaluate", "sklearn", "scipy"}


def imported_packages(file: Path) -> set[str]:
    packages = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            packages.add(node.module.split(".")[0])
    return packages


@pytest.mark.parametrize("part", [part for part in ALLOWED if (REPOSITORY / part).exists()])
def test_each_part_imports_only_what_it_may(part):
    files = sources(part)
    assert files
    for file in files:
        assert imported_packages(file) & OURS <= ALLOWED[part], file


def test_what_test_files_share_is_in_support():
    named = {
        f"{file.name}: {node.module}"
        for file in sources("tests")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module.startswith("tests") and ".support" not in node.module
    }
    assert named == set()


# Which folders of a package a folder may import; "." is the package's top level. What is not named may import all.
FOLDERS = {
    "face_expression": {
        "io": {"."},
        "model": {".", "io"},
        "detection": {".", "model"},
        "personal": {".", "io", "model"},
        "hub": {".", "io", "model"},
        "video": {".", "io", "output"},
    },
    "space": {
        "traffic": {"."},
        "storage": {"."},
        "deploy": {".", "static_site"},
        "static_site": {".", "live"},
        "live": {".", "traffic"},
    },
    "data_tools": {
        "work": set(),
        "collect": {".", "work"},
        "filter": {".", "work"},
        "review": {".", "work"},
        "report": {"collect", "work"},
        "dataset": {".", "collect", "filter", "work"},
        "takedown": {".", "dataset", "work"},
    },
    "train": {
        "metrics": set(),
        "data": set(),
        "evaluate": {"data", "metrics"},
        "live": {"data"},
        "model": {"data", "export"},
        "export": {"data", "model"},
        "convert": {"data", "model"},
    },
}


@pytest.mark.parametrize(("part", "folder"), [(part, folder) for part in FOLDERS for folder in FOLDERS[part]])
def test_each_folder_imports_only_what_it_may(part, folder):
    files = sources(f"{part}/{folder}")
    assert files
    for file in files:
        assert imported_folders(file, part) - {folder} <= FOLDERS[part][folder], file


def imported_folders(file: Path, part: str) -> set[str]:
    folders = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == part:
            folder = [*node.module.split("."), "."][1]
            folders.add(folder if (REPOSITORY / part / folder).is_dir() else ".")
    return folders


def test_the_core_and_the_app_need_nothing_heavy():
    for file in [*sources("face_expression"), *sources("app.py"), *sources("space")]:
        assert not imported_packages(file) & HEAVY, file


def test_the_network_is_used_in_one_folder_of_the_core():
    users = {file for file in sources("face_expression") if imported_packages(file) & NETWORK}
    assert {file.relative_to(REPOSITORY).parts[:2] for file in users} == {("face_expression", "hub")}


def test_the_web_is_used_in_one_folder_of_the_data_tools():
    users = {file for file in sources("data_tools") if imported_packages(file) & WEB}
    assert {file.relative_to(REPOSITORY).parts[:2] for file in users} == {("data_tools", "collect")}


def test_only_command_lines_end_the_program():
    """Libraries raise `DataError`, `HubError` or `BundleError`; `cli/exits.py` makes messages of them."""
    users = {file.relative_to(REPOSITORY).as_posix() for part in ALLOWED for file in sources(part) if ends(file)}
    assert users <= {"face_expression/cli/exits.py", *(f"{part}/__main__.py" for part in ALLOWED)}


def ends(file: Path) -> bool:
    names = {node.id for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Name)}
    return "SystemExit" in names


@pytest.mark.parametrize(
    "program",
    [
        "import face_expression as f; f.load_pipeline(detector='haar')",
        "import train.export.step",
        "import space.deploy.step, app",
    ],
)
def test_onnx_runtime_reports_nothing_to_its_makers(program, tmp_path):
    """Where it reports, it leaves a file of its session in the folder for temporary files."""
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPOSITORY,
        env={**os.environ, "TMPDIR": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert not (tmp_path / ".ses").exists()
