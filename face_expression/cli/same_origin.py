"""Pages of other sites cannot use a server of this computer: a middleware for the app and for the review page."""

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable, Callable], Awaitable[None]]
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")


class SameOrigin:
    """Refuses requests that a page of another site makes a browser send, with status 403 or 415.

    Args:
        app: what is protected.
        hosts: names by which the server may be called, such as those of a proxy; None if any will do. A server that
            listens on this computer only is called by a loopback address: another name in `Host` is one that another
            site has led here.
        strict_paths: there, a request with an `Origin` must come from this very server.
        form_paths: there, bodies may be forms; elsewhere JSON, which no page can send to another site unasked.
        jpeg_paths: there, bodies are JPEGs, which no page can send to another site unasked, either.
    """

    def __init__(
        self,
        app: App,
        hosts: frozenset[str] | None = frozenset(),
        strict_paths: tuple[str, ...] = ("/",),
        form_paths: tuple[str, ...] = (),
        jpeg_paths: tuple[str, ...] = (),
    ):
        self.app = app
        self._hosts = hosts
        self._strict_paths = strict_paths
        self._form_paths = form_paths
        self._jpeg_paths = jpeg_paths

    async def __call__(self, scope: Scope, receive: Callable, send: Callable) -> None:
        """Take a request, as ASGI says."""
        if scope["type"] == "http" and (refused := self._refusal(scope)):
            status, words = refused
            headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": words.encode()})
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host, path = headers.get(b"host", ""), scope["path"].rstrip("/") or "/"
        if self._hosts is not None and not (is_loopback(name_of(host)) or name_of(host) in self._hosts):
            return 403, f"this server is not called {host!r}; names of a proxy can be given in ALLOWED_HOSTS"
        origin = headers.get(b"origin")
        if origin is not None and path.startswith(self._strict_paths) and origin.partition("://")[2] != host:
            return 403, "pages of other sites may not use this server"
        kind = headers.get(b"content-type", "").partition(";")[0].strip().lower()
        wanted = "image/jpeg" if path in self._jpeg_paths else "application/json"
        if scope["method"] not in WITHOUT_BODY and path not in self._form_paths and kind != wanted:
            return 415, f"send a body with the header Content-Type: {wanted}"
        return None


def name_of(host: str) -> str:
    """The name in a `Host` header, without its port and brackets."""
    return (host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]).lower()


def is_loopback(name: str) -> bool:
    """Whether a name or an address can only be this computer's own."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost" or name.endswith(".localhost")
