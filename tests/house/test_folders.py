"""What a stranger sees first: each folder of the code shows at most fifteen names."""

import pytest

from tests.support.builders import REPOSITORY

CODE = ("benchmarks", "data_tools", "face_expression", "space", "train", "web/live")
MOST = 15


def folders() -> dict[str, set[str]]:
    """The names in each folder of the code, by its path; those that every package has are left out."""
    found: dict[str, set[str]] = {}
    for part in CODE:
        for path in (REPOSITORY / part).rglob("*"):
            folder = path.parent.relative_to(REPOSITORY).as_posix()
            if "__pycache__" not in path.parts and not path.name.startswith(("__", ".")):
                found.setdefault(folder, set()).add(path.name)
    return found


@pytest.mark.parametrize(("folder", "names"), folders().items())
def test_a_folder_shows_few_names(folder, names):
    assert len(names) <= MOST, f"{folder}: put files that change together into a folder of their own"
