"""A small web that lies, drips, redirects and refuses, on addresses of this machine."""

import asyncio
import gzip
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import web

HOSTS = 4


class LocalWeb:
    """Serves files under several loopback addresses of one port; each address is a site with its own robots.txt.

    `files` maps paths to bytes; `robots` maps a site's number to its robots.txt, a status, a list of statuses for one
    request after the other, or None for 404; `robots_places` to where it redirects. `asked` counts the requests of each
    path, and `times` has them one by one. The names of the other paths say what they do.
    """

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.robots: dict[int, str | int | list[int] | None] = {}
        self.robots_places: dict[int, str] = {}
        self.asked: Counter[str] = Counter()
        self.times: list[tuple[float, str]] = []
        self.agents: set[str] = set()
        self.gate: threading.Event | None = None
        self.raw: dict[str, bytes] = {}
        self.port = 0

    def site(self, number: int = 0) -> str:
        """The address of one site."""
        return f"http://127.0.0.{number + 1}:{self.port}"

    @property
    def addresses(self) -> tuple[str, ...]:
        """What `--allow-address` takes."""
        return tuple(f"127.0.0.{number + 1}:{self.port}" for number in range(HOSTS))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        number = int(request.host.split(":")[0].rsplit(".", 1)[1]) - 1 if request.host.startswith("127.0.0.") else 0
        self.asked[path if number == 0 else f"{number}{path}"] += 1
        self.times.append((time.monotonic(), path))
        self.agents.add(request.headers.get("User-Agent", ""))
        if path == "/robots.txt":
            if number in self.robots_places:
                return web.Response(status=302, headers={"Location": self.robots_places[number]})
            robots = self.robots.get(number)
            robots = robots.pop(0) if isinstance(robots, list) else robots
            return web.Response(status=robots or 404) if not isinstance(robots, str) else web.Response(text=robots)
        if self.gate is not None:
            await asyncio.to_thread(self.gate.wait, 60)
        if path in self.files:
            return web.Response(body=self.files[path], content_type="image/jpeg")
        name = path.removeprefix("/").split("/")[0]
        behaviour = getattr(self, f"_{name.replace('-', '_')}", None)
        return await behaviour(request) if behaviour else web.Response(status=404)

    async def _status(self, request):
        """/status/503, with ?after=SECONDS for Retry-After."""
        after = request.query.get("after")
        return web.Response(status=int(request.path.split("/")[2]), headers={"Retry-After": after} if after else {})

    async def _busy_twice(self, request):
        """503 twice, then the file `/face.jpg`."""
        if self.asked[request.path] <= 2:
            return web.Response(status=503, headers={"Retry-After": "0"})
        return web.Response(body=self.files["/face.jpg"])

    async def _to(self, request):
        """Redirects to ?place=."""
        return web.Response(status=302, headers={"Location": request.query["place"]})

    async def _loop(self, request):
        return web.Response(status=302, headers={"Location": request.path})

    async def _tag(self, request):
        """A picture with the header ?name= of the value ?value=."""
        headers = {request.query["name"]: request.query["value"]}
        return web.Response(body=self.files["/face.jpg"], headers=headers)

    async def _html(self, request):
        return web.Response(body=b"<html><body>Not found</body></html>", content_type="image/jpeg")

    async def _empty(self, request):
        return web.Response(body=b"")

    async def _short(self, request):
        response = web.StreamResponse(headers={"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(self.files["/face.jpg"][:1000])
        request.transport.close()
        return response

    async def _endless(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x" * 65_536)
        except ConnectionError:
            return response

    async def _drip(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"x")
                await asyncio.sleep(0.1)
        except ConnectionError:
            return response

    async def _raw(self, request):
        """The bytes of `raw`, which need be no HTTP at all, and then no more."""
        request.transport.write(self.raw[request.path])
        request.transport.close()
        return web.Response()

    async def _packed_endless(self, request):
        """A packed picture, and then what unpacks to nothing, without end."""
        response = web.StreamResponse(headers={"Content-Encoding": "gzip"})
        await response.prepare(request)
        await response.write(gzip.compress(self.files["/face.jpg"]))
        try:
            while True:
                await response.write(b"\0" * 65_536)
        except ConnectionError:
            return response

    async def _slow_down(self, request):
        """429 with Retry-After: 1 the first time, then the file `/face.jpg`."""
        if self.asked[request.path] == 1:
            return web.Response(status=429, headers={"Retry-After": "1"})
        return web.Response(body=self.files["/face.jpg"])

    async def _announced(self, request):
        response = web.StreamResponse(headers={"Content-Length": str(10**12)})
        await response.prepare(request)
        return response

    async def _bomb(self, request):
        body = gzip.compress(b"\0" * 200_000_000, compresslevel=9)
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async def _packed(self, request):
        """`/face.jpg`, packed although nobody asked for it; ?as= names another packing."""
        encoding = request.query.get("as", "gzip")
        return web.Response(body=gzip.compress(self.files["/face.jpg"]), headers={"Content-Encoding": encoding})


@contextmanager
def running_web() -> Iterator[LocalWeb]:
    """A web on a free port, gone at the end."""
    served, ready, loop = LocalWeb(), threading.Event(), asyncio.new_event_loop()

    async def serve() -> web.AppRunner:
        site = web.Application(client_max_size=2**20)
        site.router.add_route("*", "/{path:.*}", served.answer)
        runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        for number in range(HOSTS):
            await web.TCPSite(runner, f"127.0.0.{number + 1}", served.port).start()
            served.port = runner.addresses[0][1]
        return runner

    def run() -> None:
        asyncio.set_event_loop(loop)
        runner = loop.run_until_complete(serve())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(runner.cleanup())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield served
    finally:
        if served.gate is not None:
            served.gate.set()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
