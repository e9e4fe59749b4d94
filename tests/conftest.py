"""What several test files share: pipelines with both detectors, the app as it is served, and browsers.

Gradio and Playwright are imported by the fixtures that need them: most files do not, and seconds are saved.
"""

import os
import sys
from pathlib import Path

# Before Gradio is imported: of several processes of tests, each looks for free ports of its own.
if worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ["GRADIO_SERVER_PORT"] = str(7960 + 100 * int(worker.removeprefix("gw")))

import pytest

from face_expression import Pipeline, load_pipeline
from face_expression.hub.download import EMBEDDED_BUNDLE, find_yunet_weights
from face_expression.model.config import read_bundle_config
from tests.support.after_a_failure import describe_what_was_open
from tests.support.builders import REPOSITORY, SHARED
from tests.support.durations import read_durations, slowest_first, write_durations
from tests.support.hub_patience import without_waiting
from tests.support.local_hub import running_hub
from tests.support.needs import skip_or_fail
from tests.support.wide_limits import WIDE_LIMITS


def pytest_collection_modifyitems(config, items):
    """Of several processes of tests, each begins with the slowest files."""
    if hasattr(config, "workerinput"):
        order = slowest_first({item.nodeid.split("::")[0] for item in items}, read_durations())
        items.sort(key=lambda item: order[item.nodeid.split("::")[0]])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A test in a browser that fails says what its pages showed, and what its app had still to do."""
    report = yield
    if report.when == "call" and report.failed:
        report.sections += describe_what_was_open(getattr(item, "funcargs", {}))
    return report


def pytest_terminal_summary(terminalreporter):
    if os.environ.get("UPDATE_DURATIONS"):
        reports = (report for found in terminalreporter.stats.values() for report in found if hasattr(report, "when"))
        write_durations((report.nodeid, report.duration) for report in reports)


@pytest.fixture(scope="session")
def yunet_weights() -> Path:
    """YuNet's weights, from the package that ships them."""
    return find_yunet_weights(read_bundle_config(EMBEDDED_BUNDLE / "config.json").preprocessing.yunet)


@pytest.fixture(scope="session")
def yunet_pipeline() -> Pipeline:
    return load_pipeline(detector="yunet")


@pytest.fixture(scope="session")
def haar_pipeline() -> Pipeline:
    return load_pipeline(detector="haar")


@pytest.fixture(scope="module", autouse=True)
def no_cluster_stays():
    """A local Ray cluster of a file's tests ends with them; its processes would slow down all others."""
    yield
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        ray.shutdown()


@pytest.fixture(params=["yunet", "haar"])
def pipeline(request) -> Pipeline:
    """The pipeline with each of the two detectors."""
    return request.getfixturevalue(f"{request.param}_pipeline")


@pytest.fixture(scope="session")
def ferplus() -> Path:
    """The FER+ data beside the checkout; a test that needs it skips without."""
    folder = SHARED / "data" / "ferplus"
    if not folder.is_dir():
        pytest.skip(f"needs the data set in {folder}")
    return folder


@pytest.fixture(scope="session")
def browser_path() -> str:
    """An installed Chromium. Without one, browser tests skip on a person's machine and fail in CI."""
    from benchmarks.live.browser import find_browser

    try:
        return find_browser()
    except SystemExit as error:
        skip_or_fail(str(error))


@pytest.fixture(scope="session")
def installed_web() -> None:
    """The packages of web/. Without them, tests of the engine on the device skip on a person's machine, fail in CI."""
    if not (REPOSITORY / "web" / "vendor").is_dir():
        skip_or_fail("web/vendor is missing; with npm installed, run `make web`")


@pytest.fixture(scope="session")
def served_app(yunet_pipeline: Pipeline, tmp_path_factory):
    """The app on a free port, uploads deleted after 15 s: (address, folder of Gradio's files, page).

    All tests of a process in a browser are one client to it, and on a fast machine more than one client may be; so the
    limits of the page are wide. What they are and do is tested in test_shares.py; those of the service are as they are.
    """
    import app

    folder = tmp_path_factory.mktemp("gradio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        page = app.build_app(yunet_pipeline, keep_uploads_s=15, limits=WIDE_LIMITS)
        app.launch(page, prevent_thread_lock=True, quiet=True)
        yield page.local_url, folder, page
        page.close()


@pytest.fixture(scope="module")
def playwright():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browsers(playwright, browser_path, tmp_path_factory):
    """The browsers of a test file."""
    from tests.support.browser_pages import Browsers

    running = Browsers(playwright, browser_path, tmp_path_factory.mktemp("cameras"))
    yield running
    running.close()


@pytest.fixture
def open_page(browsers, served_app):
    """Opens pages of the app that are closed after the test; see `PageOpener`."""
    from tests.support.browser_pages import PageOpener

    opener = PageOpener(browsers, served_app[0])
    yield opener
    opener.close()


@pytest.fixture(scope="module")
def open_shared_page(browsers, served_app):
    """The same, for a page that a file's tests use in turn: to load the engine takes longer than most of them."""
    from tests.support.browser_pages import PageOpener

    opener = PageOpener(browsers, served_app[0])
    yield opener
    opener.close()


@pytest.fixture
def hub():
    """An empty Hub."""
    with running_hub({}) as server:
        yield server


@pytest.fixture
def nobody_waits_and_nothing_is_cached(monkeypatch, tmp_path):
    without_waiting(monkeypatch)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
