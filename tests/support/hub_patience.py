"""What keeps tests of the Hub from waiting between two attempts."""

import time
from types import SimpleNamespace

import pytest

NO_PAUSES = (0.0,) * 5


def without_waiting(patch: pytest.MonkeyPatch) -> None:
    """Let the Hub's client try again at once, and be online; ours takes `pauses_s=NO_PAUSES`."""
    hasty = SimpleNamespace(**{**vars(time), "sleep": lambda _: None})
    patch.setattr("huggingface_hub.utils._http.time", hasty)
    patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
