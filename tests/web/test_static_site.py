"""The live view as a folder of static files, in real Chromium from a plain file server."""

import functools
import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest
from playwright.sync_api import expect
from typer.testing import CliRunner

from face_expression.output.known_gaps import gaps_in_words
from space.paths import WEB
from space.static_site.__main__ import app
from space.static_site.build import static_files, write_static_site
from tests.support.browsing import PATIENCE_MS, headline, start_button, wait_until, wait_until_loaded
from tests.support.builders import calm_face, happy_face, moving

pytestmark = pytest.mark.usefixtures("installed_web")


FIRST_SCREENS = [{"width": 390, "height": 844}, {"width": 844, "height": 390}, {"width": 768, "height": 1024}]


def put(site: Path, files: dict[str, bytes]) -> None:
    """A new version in place of the one before."""
    shutil.rmtree(site)
    for name, content in files.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(content)


class QuietServer(http.server.ThreadingHTTPServer):
    """A plain file server; `asked` are the paths that were asked for."""

    daemon_threads = True

    def __init__(self, folder: Path, *, keep_s: int = 0):
        self.asked: list[str] = []
        outer = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_) -> None:
                outer.asked.append(self.path)

            def end_headers(self) -> None:
                if keep_s:
                    self.send_header("Cache-Control", f"max-age={keep_s}")
                super().end_headers()

        super().__init__(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    to = tmp_path_factory.mktemp("static") / "site"
    result = CliRunner().invoke(app, ["--to", str(to)])
    assert result.exit_code == 0 and f"folder: {to}" in result.output
    return to


@pytest.fixture
def site(folder) -> Iterator[tuple[str, QuietServer]]:
    """The folder at an address below the root, as GitHub Pages has it: (address, server)."""
    server = QuietServer(folder.parent)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://localhost:{server.server_address[1]}/site/", server
    server.shutdown()
    server.server_close()


def test_it_is_small_and_the_same_each_time(folder, yunet_pipeline):
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert files == static_files(yunet_pipeline)
    fetched = sum(len(content) for name, content in files.items() if name != "licences.txt")
    print(f"the site: {fetched:,} bytes")
    assert fetched < 6_500_000
    assert escape(gaps_in_words(yunet_pipeline.files.bundle)) in files["index.html"].decode()
    manifest = json.loads(files["manifest.webmanifest"])
    assert {icon["src"] for icon in manifest["icons"]} <= files.keys()
    write_static_site(folder, yunet_pipeline)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} == files.keys()


def test_another_folder_is_not_replaced(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    result = CliRunner().invoke(app, ["--to", str(tmp_path)])
    assert result.exit_code == 1 and "name a new one" in result.output
    assert (tmp_path / "thesis.txt").is_file()


def test_it_opens_without_a_network_after_the_first_load(open_page, site, tmp_path):
    address, server = site
    camera = moving(calm_face(), 40)
    page = open_page(camera, leave_blank=True, address=address)
    page.goto(address)
    wait_until_loaded(page)
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    page.evaluate("() => navigator.serviceWorker.ready.then(() => null)")
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    # No server at all, which says more than a browser that believes to be offline.
    server.shutdown()
    server.server_close()
    page.context.set_offline(True)
    page.reload()
    wait_until_loaded(page)
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    expect(page.get_by_label("on the server")).to_be_hidden()
    start_button(page).click()
    expect(page.locator("#live-view .badge")).to_have_text("Your camera", timeout=PATIENCE_MS)
    expect(headline(page)).to_contain_text("neutral", timeout=PATIENCE_MS)
    assert page.foreign_requests == []


def test_a_model_that_did_not_come_is_asked_for_again(open_page, site):
    page = open_page(leave_blank=True, address=site[0], service_workers="block")
    page.route("**/model.onnx*", lambda route: route.abort())
    page.goto(site[0])
    problem = page.locator("#live-view .problem")
    expect(problem).to_contain_text("The model cannot be used on this device: ", timeout=PATIENCE_MS)
    expect(problem).not_to_contain_text("on the server")
    assert "Photo and Video" not in page.locator("#live-view .needs-https").text_content()
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    expect(problem).to_have_text("")


EMBEDDING = """<!doctype html><iframe allow="camera" width="800" height="700" src="{src}"></iframe><script>
    window.events = [];
    addEventListener("message", ({{ origin, data }}) => window.events.push({{ origin, data }}));
</script>"""


@pytest.mark.parametrize(("wanted", "gets"), [("{game}", True), ("http://other.test", False), ("*", False)])
def test_a_page_that_embeds_it_gets_events_only_if_it_opened_it_so(open_page, site, folder, tmp_path, wanted, gets):
    address, server = site
    # Another name of this machine is another origin.
    game = f"http://127.0.0.1:{server.server_address[1]}"
    src = f"{address}?events={wanted.format(game=game)}"
    (folder.parent / "game.html").write_text(EMBEDDING.format(src=src))
    camera = moving(calm_face(), 40)
    page = open_page(camera, leave_blank=True, address=address)
    page.goto(f"{game}/game.html")
    frame = page.frame_locator("iframe")
    expect(frame.locator("#live-view .live[aria-busy=false]")).to_be_attached(timeout=PATIENCE_MS)
    expect(frame.locator("#live-view .headline")).to_contain_text("happy", timeout=PATIENCE_MS)
    assert page.evaluate("window.events") == [], "the demonstration is nobody's face"
    frame.locator("#live-view .start").click()
    expect(frame.locator("#live-view .headline")).to_contain_text("neutral", timeout=PATIENCE_MS)
    events = page.evaluate("window.events")
    assert bool(events) == gets
    for event in events:
        assert event["origin"] == address.removesuffix("/site/")
        assert (event["data"]["type"], event["data"]["version"]) == ("face-expression", 1)
        assert all("crop" not in face and "label" in face for face in event["data"]["faces"])
    frame.locator("#live-view .start").click()
    if gets:
        # A figure that was driven must not keep the look of who has stopped.
        page.wait_for_function("window.events.at(-1).data.faces.length === 0", timeout=PATIENCE_MS)


def test_a_game_figure_is_driven_by_a_face(open_page, site, tmp_path):
    address, _ = site
    camera = moving(happy_face(), 40) + moving(calm_face(), 40)
    page = open_page(camera, leave_blank=True, address=address)
    page.goto(f"{address}example.html")
    figure = page.locator("#figure")
    expect(figure).to_have_attribute("data-move", "waits")
    page.get_by_role("button", name="Play with my face").click()
    for _ in range(2):
        expect(figure).to_have_attribute("data-move", "happy", timeout=PATIENCE_MS)
        assert "translateY(-3rem)" in figure.get_attribute("style")
        expect(figure).to_have_attribute("data-move", "neutral", timeout=PATIENCE_MS)
    assert page.foreign_requests == []
    length = len((WEB / "static" / "example.html").read_text(encoding="utf-8").split("<script")[1].splitlines())
    assert length <= 30


def test_the_example_for_others_says_why_there_is_no_camera(open_page, site):
    address, _ = site
    page = open_page(None, leave_blank=True, address=address)
    page.goto(f"{address}example.html")
    page.get_by_role("button", name="Play with my face").click()
    expect(page.locator("#status")).to_contain_text("cannot be used", timeout=PATIENCE_MS)
    expect(page.get_by_role("button", name="Play with my face")).to_be_enabled()


def test_a_new_version_comes_though_the_host_lets_old_files_be_kept(open_page, tmp_path, yunet_pipeline):
    """As GitHub Pages does: for ten minutes, the index too."""
    old, site = static_files(yunet_pipeline, source="version one"), tmp_path / "site"
    site.mkdir()
    put(site, old)
    server = QuietServer(tmp_path, keep_s=600)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://localhost:{server.server_address[1]}/site/"
    try:
        page = open_page(None, leave_blank=True, address=address)
        page.goto(address)
        page.wait_for_function("navigator.serviceWorker.controller !== null")
        put(site, static_files(yunet_pipeline, source="version two"))
        page.evaluate("navigator.serviceWorker.ready.then((known) => known.update()).then(() => null)")

        def shows_the_new_one() -> bool:
            # The old one goes with its last page.
            page.goto("about:blank")
            page.goto(address)
            return "version two" in page.locator("footer").inner_text()

        assert wait_until(shows_the_new_one)
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("viewport", FIRST_SCREENS, ids=lambda size: f"{size['width']}x{size['height']}")
def test_its_first_screen_holds_picture_headline_bars_and_button(open_page, site, viewport):
    page = open_page(None, leave_blank=True, address=site[0], viewport=viewport)
    page.goto(site[0])
    wait_until_loaded(page)
    expect(headline(page)).to_contain_text("happy", timeout=PATIENCE_MS)
    for part in (".picture", ".start-here", ".headline", ".faces > .bars"):
        box = page.locator(f"#live-view {part}").first.bounding_box()
        assert box["y"] >= 0 and box["y"] + box["height"] <= viewport["height"], part
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
