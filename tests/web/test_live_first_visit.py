"""The first minute in the live view, in real Chromium: what is fetched, and what one can do meanwhile."""

import contextlib
import gzip
import re
import socket
import threading
from collections.abc import Callable, Iterator

import brotli
import httpx
import pytest
from playwright.sync_api import expect

from tests.support.browsing import NARROW, PATIENCE_MS, WIDE, headline, start_button, wait_until_loaded

pytestmark = pytest.mark.usefixtures("installed_web")

MOST_BYTES = 5_000_000


class CountingLink:
    """Leads to a port of this machine, and counts the bytes that come from there, whatever part of a browser asks."""

    def __init__(self, port: int):
        self.received = 0
        self.paths: list[str] = []
        # Those of requests by a browser that has nothing of the file yet.
        self.anew: list[str] = []
        self._port = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._socket.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._socket.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                threading.Thread(target=self._carry, args=(near, far, self._noting()), daemon=True).start()
                threading.Thread(target=self._carry, args=(far, near, self._count), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, look: Callable[[bytes], None]) -> None:
        with contextlib.suppress(OSError):
            while part := source.recv(1 << 16):
                look(part)
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)

    def _noting(self) -> Callable[[bytes], None]:
        """What notes the requests of one connection, whose heads may come in parts."""
        head = b""

        def note(part: bytes) -> None:
            nonlocal head
            if head or part.startswith(b"GET /"):
                head += part
            if b"\r\n\r\n" in head:
                self._note(head)
                head = b""

        return note

    def _note(self, head: bytes) -> None:
        if found := re.match(rb"GET (/[^ ]*) HTTP", head):
            self.paths.append(found[1].decode())
            if b"if-none-match:" not in head.lower():
                self.anew.append(self.paths[-1])

    def _count(self, part: bytes) -> None:
        self.received += len(part)


@pytest.fixture
def link(served_app) -> Iterator[CountingLink]:
    link = CountingLink(int(served_app[0].rstrip("/").rsplit(":", 1)[1]))
    yield link
    link.close()


@pytest.mark.parametrize("encoding", ["br", "gzip", "identity"])
def test_every_file_comes_compressed_at_an_address_that_may_be_kept(served_app, encoding):
    address, _, app = served_app
    with httpx.Client(base_url=address, headers={"Accept-Encoding": encoding}, timeout=60) as client:
        for place in (*app.live_files.places.values(), app.live_files.demo, app.live_files.page):
            with client.stream("GET", place) as answer:
                raw = b"".join(answer.iter_raw())
            assert answer.status_code == 200 and answer.headers["cache-control"].endswith("immutable"), place
            used = answer.headers.get("content-encoding", "identity")
            assert used == encoding or (used == "identity" and (len(raw) < 500 or place == app.live_files.demo))
            content = {"br": brotli.decompress, "gzip": gzip.decompress, "identity": bytes}[used](raw)
            name = place.rsplit("/", 1)[1]
            plain = client.get(f"live/files/{name}" if "files" in place else "live/page.js")
            assert content == plain.content and plain.headers["cache-control"] == "no-cache"


def test_a_file_without_its_hash_is_sent_once(served_app):
    with httpx.Client(base_url=served_app[0], timeout=60) as client:
        first = client.get("live/files/model")
        again = client.get("live/files/model", headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        stale = client.get("live/files/0123456789abcdef/model")
        assert stale.content == first.content and "immutable" not in stale.headers["cache-control"]
        for place in ("live/files/nothing", "live/files/0/nothing", "live/modules/0/../app.py", "live/modules/0/x.js"):
            assert client.get(place).status_code == 404


def test_the_first_visit_is_light_and_the_second_fetches_nothing(open_page, link):
    page = open_page(leave_blank=True, address=link.address)
    page.goto(link.address)
    expect(headline(wait_until_loaded(page))).to_contain_text("happy", timeout=PATIENCE_MS)
    first = link.received
    print(f"first visit: {first:,} bytes")
    assert first <= MOST_BYTES
    # Each large file comes once, and the largest is asked for before Gradio's own scripts have built the page.
    names = [path.rsplit("/", 1)[1] for path in link.anew]
    assert [names.count(name) for name in ("wasm", "model", "ort")] == [1, 1, 1]
    assert max(map(names.index, ("wasm", "ort"))) < min(n for n, name in enumerate(names) if name.startswith("Blocks-"))
    link.paths.clear()
    page.reload()
    expect(headline(wait_until_loaded(page))).to_contain_text("happy", timeout=PATIENCE_MS)
    print(f"second visit: {link.received - first:,} bytes, {link.paths}")
    assert [path for path in link.paths if path.startswith("/live/")] == []


def test_the_camera_can_be_started_while_the_model_loads(open_page, served_app):
    page = open_page(cameras=1, leave_blank=True)
    held = []
    page.route(re.compile("/wasm$"), lambda route: held.append(route))
    page.goto(served_app[0])
    loading = page.locator("#live-view .loading")
    expect(loading).to_contain_text(re.compile(r"Loading the model: \d+\.\d of \d+\.\d MB"), timeout=PATIENCE_MS)
    expect(start_button(page)).to_be_enabled()
    start_button(page).click()
    expect(start_button(page)).to_have_text("Stop", timeout=PATIENCE_MS)
    page.wait_for_function("document.querySelector('#live-view video').videoWidth > 0")
    expect(loading).to_be_visible()
    # All files count, also those whose turn has not come.
    assert float(re.search(r"of (\d+\.\d) MB", loading.inner_text())[1]) > 3.5
    assert held, "the engine's largest file is still on its way"
    for route in held:
        route.continue_()
    wait_until_loaded(page)
    expect(loading).to_be_hidden()
    expect(start_button(page)).to_have_text("Stop")


SHIFTS = """() => {
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) {
            const nodes = entry.sources.map(({ node, previousRect, currentRect }) =>
                [node?.outerHTML?.slice(0, 80) ?? node?.nodeName, previousRect.toJSON(), currentRect.toJSON()]);
            window.shifts.push({ value: entry.value, time: entry.startTime, nodes });
        }
    }).observe({ type: "layout-shift", buffered: true });
}"""


@pytest.mark.parametrize("viewport", [WIDE, NARROW])
def test_the_page_stands_still_while_it_loads(open_page, served_app, viewport):
    page = open_page(viewport=viewport, leave_blank=True)
    page.add_init_script(f"({SHIFTS})()")
    page.goto(served_app[0])
    expect(headline(wait_until_loaded(page))).to_contain_text("happy", timeout=PATIENCE_MS)
    page.wait_for_function("document.querySelector('#live-view .person')")
    shifts = page.evaluate("window.shifts")
    assert sum(shift["value"] for shift in shifts) < 0.05, shifts
