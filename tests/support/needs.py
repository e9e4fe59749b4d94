"""What a test needs of the machine it runs on."""

import os
from typing import NoReturn

import pytest


def skip_or_fail(message: str) -> NoReturn:
    """A person's machine may lack something; where CI lacks it, nothing would be tested."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
