"""A small server that speaks as much of the Hub's HTTP API as downloading takes, and can misbehave on purpose."""

import hashlib
import json
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"
HANG_S = 30


class LocalHub(ThreadingHTTPServer):
    """Serves repositories from folders.

    `repositories` maps "user/name" to a folder. `fault` is None, "unavailable" (503 to everything), "hang" (no answer)
    or "corrupt" (bytes of the right number but with one bit flipped, for `model.onnx`); it happens `faults_left` times.
    `requests` collects the paths asked for.
    """

    daemon_threads = True

    def __init__(self, repositories: dict[str, Path]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.repositories = repositories
        self.fault: str | None = None
        self.faults_left = math.inf
        self.requests: list[str] = []

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: LocalHub

    def log_message(self, *_):
        """Say nothing; the server collects the requests."""

    def do_HEAD(self):
        self._answer(with_body=False)

    def do_GET(self):
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.server.requests.append(path)
        if self._goes_wrong("hang"):
            time.sleep(HANG_S)
        if self._goes_wrong("unavailable"):
            return self._send(503, b"try again later", {}, with_body)
        parts = path.strip("/").split("/")
        if parts[:2] == ["api", "models"] and len(parts) >= 4:
            return self._send_listing("/".join(parts[2:4]), parts[4:], with_body)
        if len(parts) >= 5 and parts[2] == "resolve":
            return self._send_file("/".join(parts[:2]), "/".join(parts[4:]), with_body)
        return self._missing("RepoNotFound", with_body)

    def _goes_wrong(self, fault: str) -> bool:
        if self.server.fault != fault or self.server.faults_left <= 0:
            return False
        self.server.faults_left -= 1
        return True

    def _send_listing(self, repo_id: str, rest: list[str], with_body: bool) -> None:
        folder = self.server.repositories.get(repo_id)
        if folder is None:
            return self._missing("RepoNotFound", with_body)
        files = sorted(file for file in folder.iterdir() if file.is_file())
        if rest and rest[0] == "tree":
            listing = [
                {"type": "file", "path": file.name, "size": file.stat().st_size, "oid": _sha256(file)[:40]}
                for file in files
            ]
        else:
            listing = {"id": repo_id, "sha": COMMIT, "siblings": [{"rfilename": file.name} for file in files]}
        return self._send(200, json.dumps(listing).encode(), {"Content-Type": "application/json"}, with_body)

    def _send_file(self, repo_id: str, name: str, with_body: bool) -> None:
        folder = self.server.repositories.get(repo_id)
        if folder is None:
            return self._missing("RepoNotFound", with_body)
        if not (folder / name).is_file():
            return self._missing("EntryNotFound", with_body)
        body = (folder / name).read_bytes()
        if name == "model.onnx" and with_body and self._goes_wrong("corrupt"):
            body = body[:1000] + bytes([body[1000] ^ 1]) + body[1001:]
        return self._send(200, body, {"ETag": f'"{_sha256(folder / name)}"', "X-Repo-Commit": COMMIT}, with_body)

    def _missing(self, code: str, with_body: bool) -> None:
        self._send(404, b"not found", {"X-Error-Code": code, "X-Repo-Commit": COMMIT}, with_body)

    def _send(self, status: int, body: bytes, headers: dict[str, str], with_body: bool) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            with suppress(BrokenPipeError, ConnectionResetError):  # a client that waited for no answer is gone
                self.wfile.write(body)


@contextmanager
def running_hub(repositories: dict[str, Path]) -> Iterator[LocalHub]:
    """A LocalHub that serves until the block ends."""
    hub = LocalHub(repositories)
    threading.Thread(target=hub.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
