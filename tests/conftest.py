"""What several test files share: pipelines with both detectors, the app as it is served, and browsers."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

# Before Gradio is imported: of several processes of tests, each looks for free ports of its own.
os.environ.setdefault("GRADIO_SERVER_PORT", str(7860 + 100 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])))

import pytest
from playwright.sync_api import Page, expect, sync_playwright

import app
from benchmarks.live_browser import find_browser
from face_expression import Pipeline, load_pipeline
from face_expression.config import read_bundle_config
from face_expression.hub.download import EMBEDDED_BUNDLE, find_yunet_weights
from space import live_files
from space.limits import Limits
from tests.support.browsing import PATIENCE_MS, WIDE
from tests.support.builders import SHARED
from tests.support.local_hub import running_hub

expect.set_options(timeout=PATIENCE_MS)
WIDE_LIMITS = Limits(
    page_videos_a_minute=1000,
    events_a_minute=10_000,
    uploads_a_minute=1000,
    upload_bytes_a_minute=10**10,
    frames_a_second=120,
    requests_a_second=1000,
    new_sessions_a_minute=1000,
)


def skip_or_fail(message: str) -> None:
    """A person's machine may lack something; where CI lacks it, nothing would be tested."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


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
    try:
        return find_browser()
    except SystemExit as error:
        skip_or_fail(str(error))


@pytest.fixture(scope="session")
def installed_web() -> None:
    """The packages of web/. Without them, tests of the engine on the device skip on a person's machine, fail in CI."""
    if not live_files.VENDOR.is_dir():
        skip_or_fail("web/vendor is missing; with npm installed, run `make web`")


@pytest.fixture(scope="session")
def served_app(yunet_pipeline: Pipeline, tmp_path_factory):
    """The app on a free port, uploads deleted after 15 s: (address, folder of Gradio's files, page).

    All tests of a process in a browser are one client to it, and on a fast machine more than one client may be; so the
    limits of the page are wide. What they are and do is tested in test_shares.py; those of the service are as they are.
    """
    folder = tmp_path_factory.mktemp("gradio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        page = app.build_app(yunet_pipeline, keep_uploads_s=15, limits=WIDE_LIMITS)
        app.launch(page, prevent_thread_lock=True, quiet=True)
        yield page.local_url, folder, page
        page.close()


@pytest.fixture(scope="module")
def playwright():
    with sync_playwright() as running:
        yield running


@pytest.fixture
def open_page(playwright, browser_path, served_app):
    """Opens the app in a browser of its own.

    `camera` is a video file that plays as the webcam, `cameras` a number of made-up ones; `leave_blank` opens nothing
    yet; `address` is another app's; `arguments` are Chromium's.
    """
    browsers = []

    def open_in_new_browser(
        camera: Path | None = None,
        viewport=WIDE,
        *,
        cameras: int = 0,
        leave_blank: bool = False,
        address: str = served_app[0],
        arguments: Sequence[str] = (),
        **options,
    ) -> Page:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", *arguments]
        if camera is not None or cameras:
            devices = f"=device-count={cameras}" if cameras else ""
            arguments += [f"--use-fake-device-for-media-stream{devices}", "--use-fake-ui-for-media-stream"]
        if camera is not None:
            arguments.append(f"--use-file-for-fake-video-capture={camera}")
        browser = playwright.chromium.launch(executable_path=browser_path, args=arguments)
        browsers.append(browser)
        page = browser.new_page(viewport=viewport, **options)
        page.set_default_timeout(PATIENCE_MS)
        page.foreign_requests = []
        page.on(
            "request",
            lambda request: (
                page.foreign_requests.append(request.url)
                if not request.url.startswith((address.rstrip("/"), "data:", "blob:"))
                else None
            ),
        )
        if not leave_blank:
            page.goto(address)
            expect(page.get_by_role("heading", name="Live Emotion Detector")).to_be_visible(timeout=PATIENCE_MS)
        return page

    yield open_in_new_browser
    for browser in browsers:
        browser.close()


@pytest.fixture
def hub():
    """An empty Hub."""
    with running_hub({}) as server:
        yield server


@pytest.fixture
def nobody_waits_and_nothing_is_cached(monkeypatch, tmp_path):
    monkeypatch.setattr("time.sleep", lambda _: None)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
