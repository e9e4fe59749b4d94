"""No test sets the clock of its whole process: apps that other tests use run there.

Their waits would never end, or they would ask again and again without a pause.
"""

import re

from tests.support.sources import sources

CLOCKS = "monotonic|time|perf_counter|process_time|thread_time|sleep"
FOR_ALL = re.compile(rf"""setattr\(\s*(time,\s*"({CLOCKS})"|"[\w.]*\btime\.({CLOCKS})")""")


def test_clocks_are_set_for_one_module_only():
    assert FOR_ALL.search('monkeypatch.setattr(time, "monotonic", clock)')
    assert FOR_ALL.search('monkeypatch.setattr("face_expression.cli.camera_window.time.monotonic", clock)')
    assert FOR_ALL.search('monkeypatch.setattr("time.sleep", lambda _: None)')
    assert not FOR_ALL.search('monkeypatch.setattr("face_expression.cli.camera_window.time", clock)')
    wrong = [path.name for path in sources("tests") if FOR_ALL.search(path.read_text(encoding="utf-8"))]
    # This file's own examples.
    assert wrong == ["test_clocks.py"]
