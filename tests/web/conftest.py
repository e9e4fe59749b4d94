"""What tests of the live view share: a page that they use in turn."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.support.browsing import in_turn, wait_until_loaded


@pytest.fixture(scope="module")
def loaded_page(open_shared_page, installed_web) -> Page:
    return wait_until_loaded(open_shared_page())


@pytest.fixture
def page(loaded_page) -> Iterator[Page]:
    """The live view without a camera, which a file's tests use in turn."""
    with in_turn(loaded_page) as page:
        yield page
