"""DuckDuckGo's image search as a proxy sees it: over TLS, with pages of results, silences and refusals.

The same proxy brings to a local web whatever else is asked for over plain HTTP, so that pictures may have any host.
"""

import json
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme

from tests.support.local_hub import END_POLL_S

# What `collect` asks first, to see that searching works.
CANARY = "portrait photo"


class LocalSearch(ThreadingHTTPServer):
    """A proxy behind which stands duckduckgo.com, with a certificate of an authority of our own.

    `pages` maps a query to its pages of results; a result is DuckDuckGo's JSON of a picture. `refusals` are how many
    requests for results get the status 403 (-1: all from now on); `broken` are queries that get half an answer, once
    for each time they are in it. `asked` has the parameters of every one. `web_port` is where the local web listens
    that all other hosts stand for.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), _Proxy)
        authority = trustme.CA()
        self.ca = folder / "ca.pem"
        authority.cert_pem.write_to_path(self.ca)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("duckduckgo.com").configure_cert(self.tls)
        self.pages: dict[str, list[list[dict]]] = {}
        self.refusals = 0
        self.broken: list[str] = []
        self.web_port = 0
        self.asked: list[dict[str, str]] = []

    @property
    def proxy(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def refuses(self) -> bool:
        if self.refusals > 0:
            self.refusals -= 1
            return True
        return self.refusals < 0


class _Proxy(socketserver.BaseRequestHandler):
    server: LocalSearch

    def handle(self):
        head = b""
        while b"\r\n\r\n" not in head:
            if not (part := self.request.recv(4096)):
                return
            head += part
        if head.startswith(b"GET http://"):
            return self._relay(head)
        assert head.startswith(b"CONNECT duckduckgo.com:443 "), head
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            with self.server.tls.wrap_socket(self.request, server_side=True) as secure:
                _Search(secure, self.client_address, self.server)
        except (ssl.SSLError, ConnectionError):
            return

    def _relay(self, head: bytes) -> None:
        method, address, rest = head.split(b" ", 2)
        path = b"/" + address.split(b"/", 3)[3]
        with socket.create_connection(("127.0.0.1", self.server.web_port), timeout=30) as web:
            web.sendall(b" ".join((method, path, rest)).replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            with suppress(ConnectionError):
                while part := web.recv(65_536):
                    self.request.sendall(part)


class _Search(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: LocalSearch

    def log_message(self, *_):
        pass

    def do_GET(self):
        place = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(place.query).items()}
        if place.path != "/i.js":
            return self._send(200, b'<script>vqd="4-123456789"</script>')
        self.server.asked.append(asked)
        if self.server.refuses():
            return self._send(403, b"blocked")
        if asked["q"] in self.server.broken:
            self.server.broken.remove(asked["q"])
            return self._send(200, b'{"results": [')
        pages = self.server.pages.get(asked["q"], [])
        number = int(asked.get("s", 0)) // 100
        return self._send(200, json.dumps({"results": pages[number] if number < len(pages) else []}).encode())

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def running_search(folder: Path) -> Iterator[LocalSearch]:
    """A search on a free port, gone at the end."""
    with LocalSearch(folder) as server:
        threading.Thread(target=server.serve_forever, args=[END_POLL_S], daemon=True).start()
        yield server
        server.shutdown()


def found_picture(name, page="https://pages.example/a", **more) -> dict:
    """A picture as the search engine lists it."""
    return {
        "image": f"https://img.example/{name}.jpg",
        "url": page,
        "title": f"Title of {name}",
        "thumbnail": f"https://tse.example/{name}",
        "height": 100,
        "width": 100,
        "source": "Bing",
        **more,
    }
