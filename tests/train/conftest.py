"""What tests of training share."""

import pytest


@pytest.fixture(scope="package", autouse=True)
def nobody_asks_the_hub():
    """Those that need a Hub run one of their own and switch this off."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield
