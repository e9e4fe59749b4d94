"""A file as browsers get it: compressed once, and kept by them for as long as its content stays the same."""

import functools
import gzip
import hashlib
import threading
from pathlib import Path

import brotli
from starlette.requests import Request
from starlette.responses import Response

FOR_EVER = "public, max-age=31536000, immutable"
MEDIA_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".jpg": "image/jpeg",
}
# Pictures are compressed already.
_COMPRESSED = (".jpg", ".png")
# Below this the headers are longer than what is saved.
_LEAST_BYTES = 500
# Of the largest file this takes two seconds here, and the highest quality two minutes; `make web` prepares that one.
_QUALITY = 5
_DIGEST_LENGTH = 16


def digest_of(content: bytes) -> str:
    """The part of a sha256 that stands in addresses."""
    return hashlib.sha256(content).hexdigest()[:_DIGEST_LENGTH]


def served_file(file: Path | bytes) -> "ServedFile":
    """A file, or JSON by its bytes; what was read and compressed once is used again while the file is the same."""
    if isinstance(file, bytes):
        return ServedFile(file, ".json")
    status = file.stat()
    return _read(file, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _read(file: Path, _size: int, _mtime_ns: int) -> "ServedFile":
    prepared = file.with_name(f"{file.name}.br")
    return ServedFile(file.read_bytes(), file.suffix, prepared=prepared.read_bytes() if prepared.is_file() else None)


class ServedFile:
    """Content with its hash; `suffix` as ".js"; `prepared`: the content as brotli, if somebody compressed it before."""

    def __init__(self, content: bytes, suffix: str, *, prepared: bytes | None = None):
        self.content = content
        self.digest = digest_of(content)
        self._suffix = suffix
        self._prepared = prepared
        self._encoded: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def encoded(self, encoding: str) -> bytes:
        """The content as "br", "gzip" or "identity"; it is compressed at the first call."""
        if encoding == "identity":
            return self.content
        with self._lock:
            if encoding not in self._encoded:
                self._encoded[encoding] = self._as_brotli() if encoding == "br" else gzip.compress(self.content, 6)
            return self._encoded[encoding]

    def response(self, request: Request, cache_control: str) -> Response:
        """The answer to a request: nothing new, or the content in an encoding that the browser takes."""
        tag = f'"{self.digest}"'
        headers = {"Cache-Control": cache_control, "ETag": tag, "Vary": "Accept-Encoding"}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        encoding = self._encoding_for(request.headers.get("accept-encoding", ""))
        if encoding != "identity":
            headers["Content-Encoding"] = encoding
        return Response(self.encoded(encoding), headers=headers, media_type=MEDIA_TYPES.get(self._suffix))

    def _encoding_for(self, accepted: str) -> str:
        if self._suffix in _COMPRESSED or len(self.content) < _LEAST_BYTES:
            return "identity"
        # "gzip;q=0" refuses it, which no browser does.
        names = {part.split(";")[0].strip() for part in accepted.split(",") if "q=0" not in part.replace("q=0.", "")}
        return next((name for name in ("br", "gzip") if name in names), "identity")

    def _as_brotli(self) -> bytes:
        if self._prepared is not None and brotli.decompress(self._prepared) == self.content:
            return self._prepared
        return brotli.compress(self.content, quality=_QUALITY, lgwin=24)
