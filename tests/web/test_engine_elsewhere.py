"""`createEngine` in a page of another origin: it needs a host that allows it, and says so where none does."""

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from space.static_site.build import write_static_site
from tests.support.browsing import PATIENCE_MS
from tests.support.builders import happy_face, save, scene

pytestmark = pytest.mark.usefixtures("installed_web")

GAME = """<!doctype html><title>game</title><img src="face.png"><script type="module">
    const image = document.querySelector("img");
    await image.decode();
    const picture = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
    picture.getContext("2d").drawImage(image, 0, 0);
    try {
        const { createEngine } = await import("%ENGINE%engine.js");
        const engine = await createEngine({ baseUrl: "%ENGINE%" });
        const [face] = await engine.track(picture);
        document.title = `looks ${face.label}`;
    } catch (error) {
        document.title = `failed: ${error.message}`;
    }
</script>"""


@contextmanager
def serving(folder: Path, *, allowed_origin: str | None = None) -> Iterator[str]:
    """A plain file server on a port, and so an origin, of its own; gives its address."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            if allowed_origin:
                self.send_header("Access-Control-Allow-Origin", allowed_origin)
            super().end_headers()

        def log_message(self, *_) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(("allowed_origin", "title"), [("*", "looks happy"), (None, "failed: ")])
def test_a_page_of_another_origin_uses_the_engine(
    playwright, browser_path, yunet_pipeline, tmp_path, allowed_origin, title
):
    write_static_site(tmp_path / "site", yunet_pipeline)
    game = tmp_path / "game"
    game.mkdir()
    save(scene([(happy_face(), 140, 60, 360)]), game / "face.png")
    browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox", "--disable-gpu"])
    with serving(tmp_path / "site", allowed_origin=allowed_origin) as engine, serving(game) as address:
        (game / "index.html").write_text(GAME.replace("%ENGINE%", engine))
        page = browser.new_page()
        page.goto(address)
        page.wait_for_function("document.title !== 'game'", timeout=PATIENCE_MS)
        assert page.title().startswith(title)
    browser.close()
