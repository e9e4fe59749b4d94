"""All that touches Gradio's insides, so that an upgrade is this file's business (and `fair_queue.py`'s)."""

import contextlib
import inspect
import json
import logging
import math
import os
import sys
import time
import traceback
from abc import ABCMeta
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import ContextVar
from types import SimpleNamespace
from typing import cast

import fastapi
import gradio as gr
import uvicorn
from gradio import http_server, queueing
from gradio.components import Component
from gradio.exceptions import InvalidPathError
from gradio.route_utils import FnIndexInferError
from gradio.routes import App
from gradio.state_holder import SessionState, StateHolder
from mcp.types import TextContent
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from space.limits import Limits
from space.storage.upkeep import repeating
from space.traffic.fair_queue import MAX_SESSION_NAME, FairQueue, too_many
from space.traffic.rate_limit import RateLimit
from space.traffic.sessions import Sessions

log = logging.getLogger(__name__)

# The client whose request is being answered; empty while an event of the queue is worked on.
CLIENT: ContextVar[str] = ContextVar("client", default="")
LOOK_S = 1.0
DEFAULT_HOST = http_server.LOCALHOST_NAME


def _no_such_thing(_, error: Exception) -> Response:
    log.warning("a request for something that does not exist: %s", " ".join(repr(error).split())[:200])
    return Response("there is no such function or component", status_code=404)


EXCEPTION_HANDLERS = {
    # Somebody hung up in the middle of an upload; nobody reads this answer, and it is no error.
    ClientDisconnect: lambda *_: Response(status_code=400),
    # What Gradio raises for names and numbers that its page does not have, and for what is neither.
    FnIndexInferError: _no_such_thing,
    KeyError: _no_such_thing,
    TypeError: _no_such_thing,
}


def replace_methods(component: Component, **functions: Callable) -> None:
    """Replace methods of a component by functions that are called without it, such as `preprocess` by `f(payload)`.

    They are set on a class of the component's own: when an event updates a component, a click on an example for
    instance, Gradio makes it anew from its class, and what was set on the object alone is lost. The class is made
    without Gradio's metaclass, which would write a .pyi beside the caller's file, and keeps the name by which the page
    knows the component.
    """
    base = type(component)
    methods = {name: staticmethod(function) for name, function in functions.items()}
    if unknown := [name for name in methods if not callable(getattr(base, name, None))]:
        raise TypeError(f"{base.__name__} has no method {unknown[0]}; is it another version of Gradio?")
    component.__class__ = ABCMeta.__new__(
        type(base), base.__name__, (base,), {"__module__": base.__module__, **methods}
    )


class FairStateHolder(StateHolder):
    """Gradio's memory of sessions, in which a client can only begin so many a minute."""

    def __init__(self, sessions: Sessions, limits: Limits):
        super().__init__()
        self._sessions = sessions
        self._new = RateLimit(limits.new_sessions_a_minute)

    def __getitem__(self, session_id: str) -> SessionState:
        if not isinstance(session_id, str) or len(session_id) > MAX_SESSION_NAME:
            raise fastapi.HTTPException(400, "this is no session's name")
        if session_id not in self.session_data and (client := CLIENT.get()):
            if wait_s := self._new.ask(client):
                raise too_many(self._new, "new sessions", wait_s)
            self._sessions.touch(session_id, client)
        if session_id not in self.session_data:
            # Without the settings of all components, which Gradio collects for deep links. There are none here, and it
            # takes the event loop milliseconds.
            bare = SimpleNamespace(default_config=self.blocks.default_config, blocks={})
            self.session_data[session_id] = SessionState(cast("gr.Blocks", bare))
        return super().__getitem__(session_id)


def give_shares(page: gr.Blocks, limits: Limits, sessions: Sessions) -> None:
    """Give each client a share of the page's queue; nothing of the page can be called around it."""
    page.queue(api_open=False)
    queueing.traceback = SimpleNamespace(print_exc=report_error)
    page._queue = FairQueue(
        page,
        limits,
        touch=sessions.touch,
        live_updates=True,
        concurrency_count=page.max_threads,
        update_intervals=1,
        default_concurrency_limit=1,
    )


def report_error() -> None:
    """Report an event's error: a line for what a client did wrong, and a traceback for what we did."""
    error = sys.exception()
    if isinstance(error, InvalidPathError):
        log.warning("an event named a file that was not uploaded here")
    else:
        traceback.print_exc()


@contextlib.contextmanager
def serving_with(page: gr.Blocks, options: dict[str, object]) -> Generator[None]:
    """While it lasts, `page.launch` gives these options to uvicorn, for which it has no door of its own.

    Raises:
        RuntimeError: if it did not.
    """

    def config(**given) -> uvicorn.Config:
        return uvicorn.Config(**given, **options)

    before = http_server.uvicorn
    http_server.uvicorn = SimpleNamespace(Config=config, Server=uvicorn.Server)
    try:
        yield
    finally:
        http_server.uvicorn = before
    if page.server.config.http is not options["http"]:
        raise RuntimeError("Gradio serves without this app's limits for connections; is it another version?")


def queue_of(page: gr.Blocks) -> FairQueue:
    """The queue that `give_shares` has given a page."""
    return cast("FairQueue", page._queue)


async def is_logged_in(request: Request) -> bool:
    """Whether a request may use the page, which may ask for a password: Gradio guards its own routes alone."""
    app = cast("App", request.app)
    if app.auth_dependency is not None:
        user = app.auth_dependency(request)
        return (await user if inspect.isawaitable(user) else user) is not None
    if app.auth is None:
        return True
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return any(request.cookies.get(name) in app.tokens for name in names)


def session_of(request: gr.Request) -> str:
    """The session that asks; the queue gives one to each event."""
    return request.session_hash or ""


def forget_state(page: gr.Blocks, session: str) -> None:
    """Drop the last values of all components, pictures included, which Gradio remembers for each session."""
    page.app.state_holder.session_data.pop(session, None)
    page.app.state_holder.time_last_used.pop(session, None)


def forget_session(page: gr.Blocks, session: str) -> None:
    """Drop all that Gradio remembers of a session: values, events that wait, and answers that nobody has read."""
    forget_state(page, session)
    queue_of(page).forget(session)


def forget_deleted_files(page: gr.Blocks) -> None:
    """Drop the names that Gradio remembers of files that are deleted; to be called in the event loop."""
    for names in page.temp_file_sets:
        names.difference_update([name for name in list(names) if not os.path.lexists(name)])


@contextlib.asynccontextmanager
async def keeping_shares(app: App, page: gr.Blocks, limits: Limits, sessions: Sessions) -> AsyncGenerator[None]:
    """While it lasts, what nobody reads, opens or feeds with frames is dropped."""
    app.state_holder = FairStateHolder(sessions, limits)
    app.state_holder.set_blocks(page)
    queue = queue_of(page)
    if page.mcp_server_obj:
        page.mcp_server_obj.postprocess_output_data = tools_as_json

    def is_busy(session: str) -> bool:
        return queue.is_wanted(session) or queue.has_running(session)

    frames: dict[str, tuple[object, float]] = {}

    async def drop_what_nobody_uses() -> None:
        nonlocal frames
        queue.free_unbegun()
        queue.drop_unread()
        queue.hang_up()
        sessions.forget_unused(is_busy)
        frames = end_frameless_streams(queue, frames, limits.frameless_s)

    async with repeating(drop_what_nobody_uses, LOOK_S):
        yield


def tools_as_json(data: list, root_url: str) -> list[TextContent]:
    """What the tools answer to MCP: JSON, where Gradio would give Python's notation."""
    return [TextContent(type="text", text=json.dumps(output)) for output in data]


def end_frameless_streams(
    queue: FairQueue, frames: dict[str, tuple[object, float]], frameless_s: float
) -> dict[str, tuple[object, float]]:
    """End the streams to which no frame has come for too long, as Gradio's own button does.

    Args:
        queue: where they run.
        frames: the last frame of each stream, and since when it has been the last.
        frameless_s: how long is too long.

    Returns:
        `frames` as they are now.
    """
    now_s, last = time.monotonic(), {}
    for event in [event for job in queue.active_jobs if job for event in job if event.streaming]:
        frame, since_s = frames.get(event._id, (None, now_s))
        last[event._id] = (frame, since_s) if frame is event.data else (event.data, now_s)
        if now_s - last[event._id][1] > frameless_s:
            event.run_time = math.inf
            event.closed = True
            event.signal.set()
    return last
