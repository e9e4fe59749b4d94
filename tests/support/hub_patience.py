"""What keeps tests of the Hub from waiting between two attempts, and from giving up early."""

import time
from types import SimpleNamespace

import pytest

NO_PAUSES = (0.0,) * 5
# For programs: a minute for a Hub that is a thread of a busy process of tests.
MUCH_PATIENCE = """
import face_expression.hub.download
face_expression.hub.download.DEADLINE_S = 60
"""
# Runs a module as `python -m` does.
WITH_PATIENCE = f"""{MUCH_PATIENCE}
import runpy, sys
_, module, *sys.argv[1:] = sys.argv
runpy.run_module(module, run_name="__main__", alter_sys=True)
"""


def without_waiting(patch: pytest.MonkeyPatch) -> None:
    """Let the Hub's client try again at once, and be online; and ours, where it is not given `pauses_s=NO_PAUSES`."""
    hasty = SimpleNamespace(**{**vars(time), "sleep": lambda _: None})
    for module in ("huggingface_hub.utils._http", "huggingface_hub.file_download", "face_expression.hub.upload"):
        patch.setattr(f"{module}.time", hasty)
    patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
