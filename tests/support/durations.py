"""How long each test file takes, so that the slowest begin first and no worker ends long after the others.

`UPDATE_DURATIONS=1 make test` on a calm machine writes the file anew; files that did not run keep their line.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.support.builders import REPOSITORY

DURATIONS = Path(__file__).with_name("durations.txt")
# A file that nobody has measured begins early.
UNKNOWN_S = 30.0


def read_durations() -> dict[str, float]:
    """Seconds by test file, its path from the repository with slashes."""
    rows = (line.split() for line in DURATIONS.read_text().splitlines())
    return {name: float(seconds) for seconds, name in rows}


def slowest_first(files: Iterable[str], durations: Mapping[str, float]) -> dict[str, tuple[float, str]]:
    """A key to sort each test file by."""
    return {file: (-durations.get(file, UNKNOWN_S), file) for file in files}


def write_durations(reports: Iterable[tuple[str, float]]) -> None:
    """Note what was measured: (node id of a test, seconds of its setup, call or teardown)."""
    measured = Counter()
    for node_id, seconds in reports:
        measured[node_id.split("::")[0]] += seconds
    known = {name: seconds for name, seconds in read_durations().items() if (REPOSITORY / name).exists()} | measured
    lines = [f"{seconds:.0f} {name}\n" for name, seconds in sorted(known.items(), key=lambda row: (-row[1], row[0]))]
    DURATIONS.write_text("".join(lines))
