"""What each client may ask of the server: how often, how much at once, and how large."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable, Generator
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from space.gradio_internals import CLIENT
from space.limits import MAX_UPLOAD_BYTES, Limits
from space.traffic.body_limit import FRAMES_ENDPOINT, MAX_BODY, MAX_FRAME_BYTES, Bodies, BodyError, counted, replayed
from space.traffic.fair_queue import MAX_SESSION_NAME, FairQueue
from space.traffic.paced import Paced
from space.traffic.rate_limit import MINUTE_S, RateLimit, client_block
from space.traffic.request_budget import RequestBudget
from space.traffic.sessions import Sessions
from space.traffic.token_bucket import TokenBuckets

API = "/gradio_api/"
# Gradio writes uploads to disk as they come.
UPLOADS_ENDPOINT = f"{API}upload"
# Words around a file in the request that uploads it.
FORM_BYTES = 100_000
# Functions that do not queue can be called there.
DIRECT_CALLS = (f"{API}run/", f"{API}api/")
HEARTBEAT, EVENTS, CALLS, MCP = f"{API}heartbeat/", f"{API}queue/data", f"{API}call/", f"{API}mcp"
STREAMS = (HEARTBEAT, EVENTS, CALLS, MCP, f"{API}upload_progress")
GONE = "there is no answer, or it was not read in time and is dropped; send the request again"
WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
FORWARDED = b"x-forwarded-for"
ERROR = 400


class RequestLimits:
    """Answers what is too much before anybody works on it: with status 413 or 429, and with words."""

    def __init__(self, app: ASGIApp, limits: Limits, sessions: Sessions, queue: FairQueue, budget: RequestBudget):
        self.app = app
        self._queue = queue
        self._limits = limits
        self._sessions = sessions
        self._bodies = Bodies()
        self._streams: Counter[str] = Counter()
        self._tools: Counter[str] = Counter()
        self._late: Counter[str] = Counter()
        self._requests = budget
        self._paced = Paced()
        self._direct = RateLimit(limits.events_a_minute)
        self._uploads = RateLimit(limits.uploads_a_minute)
        self._upload_bytes = TokenBuckets(limits.upload_bytes_a_minute / MINUTE_S, limits.upload_bytes_a_minute)
        # Each client has its own frames; what is left of those of all goes to who wants more.
        self._frames = TokenBuckets(limits.frames_a_second, limits.frames_a_second)
        self._spare_frames = TokenBuckets(limits.most_frames_a_second, limits.most_frames_a_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take a request, as ASGI says."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = finished = False

        async def send_and_note(message: Message) -> None:
            nonlocal begun, finished
            begun = True
            finished = message["type"] == "http.response.body" and not message.get("more_body", False)
            await send(message)

        try:
            await self._answer(scope, receive, send_and_note)
        except asyncio.CancelledError:
            # The server ends; the answer just stops, which is no error.
            if not begun:
                await Response("the server is ending", status_code=503)(scope, receive, send)
            elif not finished:
                await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = client_block(scope["client"][0] if scope.get("client") else "unknown")
        CLIENT.set(client)
        refused, path = None, scope["path"].rstrip("/")
        if wait_s := self._requests.take(client):
            await self._be_late(client)
            refused = too_often(wait_s)
        elif path.startswith(STREAMS) and scope["method"] == "GET":
            await self._stream(scope, receive, send, client, path)
            return
        elif scope["method"] not in WITHOUT_BODY:
            refused = self._refused(client, path)
            send = self._charging(send, client)
        if refused:
            await refused(scope, receive, send)
        elif scope["method"] in WITHOUT_BODY:
            await self.app(scope, receive, send)
        else:
            await self._with_body(scope, receive, send, client, path)

    async def _be_late(self, client: str) -> None:
        """Wait, so that a client that goes on gets refusals, which cost something too, no faster than this."""
        if self._late[client] < self._limits.late_refusals_of_one:
            self._late[client] += 1
            try:
                await asyncio.sleep(self._limits.late_s)
            finally:
                self._late[client] -= 1
                self._late += Counter()

    def _charging(self, send: Send, client: str) -> Send:
        """A `send` that counts an answer which is a refusal as many requests."""

        async def send_and_charge(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] >= ERROR:
                self._requests.charge_refusal(client)
            await send(message)

        return send_and_charge

    def _refused(self, client: str, path: str) -> Response | None:
        if path == FRAMES_ENDPOINT:
            # As if a newer frame had come.
            too_soon = self._frames.take(client) and self._spare_frames.take("all")
            return JSONResponse({"faces": None}) if too_soon else None
        wait_s = 0.0
        if path == UPLOADS_ENDPOINT:
            wait_s = self._uploads.ask(client)
        elif path.startswith(DIRECT_CALLS):
            wait_s = self._direct.ask(client)
        return too_often(wait_s) if wait_s else None

    async def _stream(self, scope: Scope, receive: Receive, send: Send, client: str, path: str) -> None:
        """An answer that goes on: a page's heartbeat, or the events of a session."""
        if self._streams[client] >= self._limits.streams_of_one:
            await too_often(MINUTE_S)(scope, receive, send)
            return
        session = path.removeprefix(HEARTBEAT) if path.startswith(HEARTBEAT) else ""
        if path == EVENTS:
            session = parse_qs(scope["query_string"].decode("latin-1")).get("session_hash", [""])[0]
        elif path.startswith(CALLS):
            session = self._queue.session_of(path.rpartition("/")[2]) or ""
        if len(session) > MAX_SESSION_NAME:
            await Response("this is no session's name", status_code=400)(scope, receive, send)
            return
        if path.startswith((EVENTS, CALLS)) and session not in self._queue.pending_messages_per_session:
            await gone(path)(scope, receive, send)
            return
        opened = self._sessions.opened(session, client) if session else contextlib.nullcontext()
        self._streams[client] += 1
        try:
            with opened:
                await self.app(scope, receive, send)
        finally:
            self._streams[client] -= 1
            self._streams += Counter()

    async def _with_body(self, scope: Scope, receive: Receive, send: Send, client: str, path: str) -> None:
        """A request with a body: a frame of the live view at once, and all others one after the other."""
        begun = False
        leave: Callable[[], None] | None = None

        async def send_and_leave(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)
            if leave is not None:
                leave()

        async def next_part() -> Message:
            # What Gradio does with each part of an upload takes time, but not the wait for it.
            nonlocal leave
            if leave is not None:
                leave()
            message = await parts()
            leave = await self._paced.enter(client)
            return message

        try:
            if path == FRAMES_ENDPOINT:
                body = await self._bodies.read(client, receive, MAX_FRAME_BYTES, announced_bytes(scope))
                await self.app(scope, replayed(body, receive), send_and_leave)
                return
            if path == UPLOADS_ENDPOINT:
                most = MAX_UPLOAD_BYTES + FORM_BYTES
                parts = counted(receive, most, lambda more: self._upload_bytes.take(client, more))
                await self.app(scope, next_part, send_and_leave)
                return
            body = await self._bodies.read(client, receive, MAX_BODY, announced_bytes(scope))
            with self._bodies.kept(client, len(body)):
                leave = await self._paced.enter(client)
            taken = replayed(body, receive)
            if path.startswith(MCP):
                # Each holds a thread until its answer is there.
                with self._one_more_tool(client):
                    await self.app(with_client(scope), taken, send_and_leave)
            else:
                await self.app(scope, taken, send_and_leave)
        except BodyError as error:
            if not begun:
                answer = Response(str(error), status_code=error.status, headers={"Connection": "close"})
                await answer(scope, receive, send)
        finally:
            if leave is not None:
                leave()

    @contextlib.contextmanager
    def _one_more_tool(self, client: str) -> Generator[None]:
        if self._tools[client] >= self._limits.tools_of_one:
            raise BodyError(429, "too many calls of tools at once; wait for an answer first")
        self._tools[client] += 1
        try:
            yield
        finally:
            self._tools[client] -= 1
            self._tools += Counter()


def announced_bytes(scope: Scope) -> int:
    """How long a request's body will be, as its head says; 0 if it does not."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    return int(length) if length.isdigit() else 0


def too_often(wait_s: float) -> Response:
    """The answer to a client that asks too often."""
    headers = {"Retry-After": f"{wait_s + 1:.0f}", "Connection": "close"}
    return Response(f"too many requests; try again in {wait_s + 1:.0f} s", status_code=429, headers=headers)


def gone(path: str) -> Response:
    """The events of a session that has none, as Gradio would give them, without an error in the log for each."""
    if path == EVENTS:
        event = {"msg": "unexpected_error", "message": GONE, "session_not_found": True, "success": False}
        return Response(f"data: {json.dumps(event)}\n\n", media_type="text/event-stream")
    return Response(f"event: error\ndata: {json.dumps({'error': GONE})}\n\n", media_type="text/event-stream")


def with_client(scope: Scope) -> Scope:
    """A request whose headers name its client and nobody else.

    Gradio calls this app itself for a tool of MCP, and hands the caller's headers on; that is how it is known for whom.
    """
    headers = [(name, value) for name, value in scope["headers"] if name.lower() != FORWARDED]
    client = scope["client"][0] if scope.get("client") else "unknown"
    return {**scope, "headers": [*headers, (FORWARDED, client.encode("latin-1"))]}
