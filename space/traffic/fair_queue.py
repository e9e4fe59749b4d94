"""Gradio's queue with shares: clients take turns, and none can fill it for the others.

Everything joins it: photos, videos, calls of the API and of MCP, and private events alike.
"""

import asyncio
import math
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast
from urllib.parse import unquote

import fastapi
from gradio import queueing, route_utils
from gradio.data_classes import PredictBodyInternal
from gradio.exceptions import Error
from gradio.server_messages import EventMessage, HeartbeatMessage, ProcessCompletedMessage
from gradio.utils import error_payload

from space.limits import AT_ONCE_OF_ONE, Kind, Limits
from space.traffic.rate_limit import RateLimit, client_block

MAX_SESSION_NAME = 64
# Between two messages.
READING_S = 1.0
MAX_PATH = 4096
# In the names that Gradio gives the tasks of events, before the event's.
_SEPARATOR = "<gradio-sep>"
# Where pages and programs let an event join, whose answers come on one connection of theirs.
_JOIN = "/queue/join"
# That connection stays open for so long after its last answer, so that few ask at its end; who does waits until the
# other side has seen the end, though it may be busy.
LINGER_S = 60.0
# A program of gradio_client does not end before its connection has.
PROGRAM_LINGER_S = 1.0
SETTLED_S = 2.0
NOBODY_WAITS = "nobody was waiting for the answer when it was this event's turn; send it again, and read the answer"
FULL = "too many people use this server now, and you have most of what waits; try again in a minute"
_NAMES = {Kind.PICTURE: "pictures", Kind.VIDEO: "videos", Kind.CAMERA: "pictures", Kind.OTHER: "requests"}


class Mailbox(asyncio.Queue):
    """The messages that a session has not read yet: who reads it, when it was last read, and its size.

    `line` is an event that never is, for which Gradio keeps the connection open; see `FairQueue.hang_up`.
    """

    def __init__(self):
        super().__init__()
        self.readers = 0
        self.read_s = time.monotonic()
        self.held_bytes = 0
        self.line = ""
        self.is_of_program = False
        self.used_s = self.hung_up_s = -math.inf

    async def get(self) -> EventMessage:
        """Wait for the next message."""
        self.readers += 1
        try:
            return await super().get()
        finally:
            self.readers -= 1
            self.read_s = time.monotonic()

    def unread_for_s(self) -> float:
        """For how long nobody has been reading."""
        return 0.0 if self.readers else time.monotonic() - self.read_s

    def _put(self, item: EventMessage) -> None:
        self.held_bytes += size_of(getattr(item, "output", None))
        super()._put(item)

    def _get(self) -> EventMessage:
        item = super()._get()
        self.held_bytes -= size_of(getattr(item, "output", None))
        if not isinstance(item, HeartbeatMessage):
            self.used_s = max(self.used_s, time.monotonic())
        return item


class FairQueue(queueing.Queue):
    """Gradio's queue, in which each client has a share."""

    def __init__(self, blocks, limits: Limits, *, touch: Callable[[str, str], None], **options):
        super().__init__(blocks=blocks, max_size=None, **options)
        self.limits = limits
        # Gradio looks each millisecond.
        self.sleep_when_free = 0.01
        self._touch = touch
        self._events = RateLimit(limits.events_a_minute)
        self._in_words = RateLimit(limits.refusals_in_words_a_minute)
        # The page's videos, which people have to choose and to watch, are counted apart from those of programs.
        pictures = RateLimit(limits.pictures_a_minute)
        self._rates = {
            (Kind.PICTURE, "public"): pictures,
            (Kind.PICTURE, "private"): pictures,
            (Kind.VIDEO, "public"): RateLimit(limits.videos_a_minute),
            (Kind.VIDEO, "private"): RateLimit(limits.page_videos_a_minute),
        }
        self._served_s: dict[str, float] = {}

    async def push(self, body: PredictBodyInternal, request: fastapi.Request, username: str | None):
        """Let an event join, or refuse it; a refusal is an answer in words, or status 429 for who goes on."""
        address = address_of(request)
        if body.session_hash is not None and not 0 < len(body.session_hash) <= MAX_SESSION_NAME:
            return False, f"a session's name has 1 to {MAX_SESSION_NAME} letters", "error"
        if wait_s := self._events.ask(address):
            raise too_many(self._events, "requests", wait_s)
        body.session_hash = body.session_hash or uuid.uuid4().hex
        self._touch(body.session_hash, address)
        try:
            fn = route_utils.get_fn(self.blocks, None, body)
        except KeyError:
            return False, "there is no such function", "error"
        # Pages and programs alike, but not `call/NAME`, whose connection is for one answer.
        if request.url.path.endswith(_JOIN):
            await self._keep_line(body.session_hash, of_program=fn.api_visibility == "public")
        kind, size = kind_of(fn), size_of(body.data)
        # A component that is cleared sends nothing.
        rate = self._rates.get((kind, fn.api_visibility)) if any(part is not None for part in body.data) else None
        if rate and (wait_s := rate.ask(address)):
            return self._refused(body, request, fn, too_many(rate, _NAMES[kind], wait_s))
        if not self._make_room(address, kind, size):
            return self._refused(body, request, fn, fastapi.HTTPException(503, FULL))
        self._mailbox(body.session_hash)
        joined = await super().push(body, request, username)
        if joined[0] and (event := self.event_ids_to_events.get(joined[1])):
            event.size = size
        return joined

    def get_events(self):
        """The next event: of the client that has least running and waits for longest since its last turn."""
        queues = list(self.event_queue_per_concurrency_id.items())
        random.shuffle(queues)
        for concurrency_id, queue in queues:
            if not queue.queue or (
                queue.concurrency_limit is not None and queue.current_concurrency >= queue.concurrency_limit
            ):
                continue
            for event in [event for event in queue.queue if not self.is_wanted(event.session_hash)]:
                self.drop(event, NOBODY_WAITS)
            running = Counter((address_of(event.request), event.concurrency_id) for event in self._running())
            waiting = [
                event
                for event in queue.queue
                if running[address_of(event.request), concurrency_id] < AT_ONCE_OF_ONE[kind_of(event.fn)]
                or queue.concurrency_limit is None
            ]
            if waiting:
                event = min(waiting, key=lambda event: self._served_s.get(address_of(event.request), 0.0))
                queue.queue.remove(event)
                self._served_s[address_of(event.request)] = time.monotonic()
                return [event], False, concurrency_id
        return None

    def send_message(self, event: queueing.Event, event_message: EventMessage) -> None:
        """Put a message into the session's mailbox, if it has one still."""
        if event.session_hash in self.pending_messages_per_session:
            super().send_message(event, event_message)

    def compute_analytics_summary(self, records) -> dict:
        """Nothing: Gradio would make a table of the last 10,000 events after each one, for a page that is closed."""
        return self.cached_event_analytics_summary

    def hang_up(self) -> None:
        """End the connections that carried nothing for `LINGER_S`, those of programs for `PROGRAM_LINGER_S`.

        Gradio ends one as soon as it has carried the last answer. A page may have asked for more meanwhile, as it does
        when one answer leads to the next question, and so may a program, such as what serves MCP's tools: it then takes
        the connection for open still, opens no other, and waits for ever. So a connection outlives such chains, and an
        event that comes at its end waits until the other side knows of the end.
        """
        now_s = time.monotonic()
        for session, box in self._boxes():
            linger_s = PROGRAM_LINGER_S if box.is_of_program else LINGER_S
            if box.line and now_s - box.used_s > linger_s and self.pending_event_ids_session.get(session) == {box.line}:
                box.put_nowait(ProcessCompletedMessage(event_id=box.line, output={}, success=True))
                box.line, box.hung_up_s = "", now_s

    async def _keep_line(self, session: str, *, of_program: bool) -> None:
        """Keep a connection open, or wait until the other side knows that it has ended."""
        box, now_s = self._mailbox(session), time.monotonic()
        box.is_of_program = of_program
        wait_s = max(box.hung_up_s + SETTLED_S - now_s, 0.0)
        # Not before the event is there: it must not end while the event waits.
        box.used_s = now_s + wait_s
        box.line = box.line or uuid.uuid4().hex
        self.pending_event_ids_session[session].add(box.line)
        await asyncio.sleep(wait_s)

    def is_wanted(self, session: str) -> bool:
        """Whether somebody waits for a session's answers, or did a moment ago."""
        mailbox = self.pending_messages_per_session.get(session)
        return mailbox is not None and mailbox.unread_for_s() <= self.limits.unwanted_s

    def drop(self, event: queueing.Event, reason: str) -> None:
        """Take an event that waits out of the queue, and say why to who reads it."""
        self.event_queue_per_concurrency_id[event.concurrency_id].queue.remove(event)
        self.event_ids_to_events.pop(event._id, None)
        self.send_message(event, refusal(reason))

    def forget(self, session: str) -> None:
        """Drop all that a session waits for, and all that waits for it."""
        for event in [event for event in self._waiting() if event.session_hash == session]:
            self.drop(event, NOBODY_WAITS)
        for event in self._running():
            event.alive = event.alive and event.session_hash != session
        box = self.pending_messages_per_session.get(session)
        # Gradio takes it for an error of its own if a mailbox vanishes while it is being read.
        if box is None or box.unread_for_s() > READING_S:
            self.pending_messages_per_session.pop(session, None)
            self.pending_event_ids_session.pop(session, None)

    def session_of(self, event_id: str) -> str | None:
        """The session in whose mailbox an event's answer is, or will be."""
        if event_id in self.event_ids_to_events:
            return self.event_ids_to_events[event_id].session_hash
        return next((session for session, ids in self.pending_event_ids_session.items() if event_id in ids), None)

    def sessions_in_queue(self) -> set[str]:
        """The sessions of which an event waits or is being worked on."""
        return {event.session_hash for event in (*self._waiting(), *self._running())}

    def files_in_queue(self, folder: Path) -> set[str]:
        """The paths below a folder that events name which wait or are being worked on; also as addresses."""
        below, found = f"{folder}/", set()
        for event in (*self._waiting(), *self._running()):
            for part in _parts_of(event.data.data if event.data else []):
                if isinstance(part, str) and len(part) <= MAX_PATH:
                    found |= {text[text.index(below) :] for text in (part, unquote(part)) if below in text}
        return found

    def free_unbegun(self) -> None:
        """Free the places of events that were cancelled before their work began: Gradio would keep them for ever."""
        at_work = {task.get_name().rpartition(_SEPARATOR)[2] for task in self._asyncio_tasks}
        for index, job in enumerate(self.active_jobs):
            if job and not any(event._id in at_work for event in job):
                self.active_jobs[index] = None
                queue = self.event_queue_per_concurrency_id[job[0].concurrency_id]
                queue.current_concurrency -= 1
                started = queue.start_times_per_fn.pop(job[0].fn, set())
                if len(started) > 1:
                    # Which one it was does not matter: it only says how long others will have to wait.
                    queue.start_times_per_fn[job[0].fn] = set(sorted(started)[1:])

    def drop_unread(self) -> None:
        """Drop what nobody has read for too long, and the oldest of the rest while it is too much."""
        held = sum(box.held_bytes for _, box in self._boxes())
        boxes = sorted(self._boxes(), key=lambda item: -item[1].unread_for_s())
        for session, box in boxes:
            too_old = box.unread_for_s() > self.limits.unread_s
            if too_old or (held > self.limits.most_unread_bytes and not box.readers):
                held -= box.held_bytes
                self.forget(session)
        oldest_s = time.monotonic() - self.limits.unread_s
        self._served_s = {address: at_s for address, at_s in self._served_s.items() if at_s > oldest_s}

    def has_running(self, session: str) -> bool:
        """Whether an event of a session is being worked on."""
        return any(event.session_hash == session for event in self._running())

    def _waiting(self) -> Iterator[queueing.Event]:
        return (event for queue in self.event_queue_per_concurrency_id.values() for event in queue.queue)

    def _running(self) -> Iterator[queueing.Event]:
        return (event for job in self.active_jobs if job for event in job)

    def _boxes(self) -> list[tuple[str, Mailbox]]:
        return list(self.pending_messages_per_session.items())

    def _mailbox(self, session: str) -> Mailbox:
        boxes = self.pending_messages_per_session
        if session not in boxes:
            boxes[session] = Mailbox()
        box = cast("Mailbox", boxes[session])
        if box.empty():
            # Everything was read, and nothing since because nothing was asked.
            box.read_s = time.monotonic()
        self.pending_event_ids_session.setdefault(session, set())
        return box

    def _make_room(self, address: str, kind: Kind, size: int) -> bool:
        """Make room for an event of a client: who has most of what waits loses its newest, if that is another one."""
        videos = [event for event in self._waiting() if kind_of(event.fn) is Kind.VIDEO]
        if kind is Kind.VIDEO and not self._give_way(videos, address, self.limits.most_waiting_videos, lambda _: 1, 1):
            return False
        most, most_bytes = self.limits.most_waiting, self.limits.most_waiting_bytes
        return self._give_way(list(self._waiting()), address, most, lambda _: 1, 1) and self._give_way(
            list(self._waiting()), address, most_bytes, lambda event: getattr(event, "size", 0), size
        )

    def _give_way(
        self, waiting: list[queueing.Event], address: str, most: int, weight: Callable[[queueing.Event], int], more: int
    ) -> bool:
        shares: dict[str, int] = {address: more}
        for event in waiting:
            other = address_of(event.request)
            shares[other] = shares.get(other, 0) + weight(event)
        while sum(shares.values()) > most:
            largest = max(shares, key=lambda other: (shares[other], other == address))
            if largest == address:
                return False
            newest = next(event for event in reversed(waiting) if address_of(event.request) == largest)
            waiting.remove(newest)
            shares[largest] -= weight(newest)
            self.drop(newest, FULL)
        return True

    def _refused(self, body: PredictBodyInternal, request: fastapi.Request, fn, error: fastapi.HTTPException):
        address = address_of(request)
        if self._in_words.ask(address):
            raise error
        # `push` has given it one.
        session = body.session_hash or ""
        event = queueing.Event(session, fn, request, None)
        self._mailbox(session)
        self.pending_event_ids_session[session].add(event._id)
        self.send_message(event, refusal(error.detail))
        return True, event._id, "success"


def address_of(request) -> str:
    """The client that a request is counted for."""
    return client_block(request.client.host if request is not None and request.client else "unknown")


def kind_of(fn) -> Kind:
    """Which kind of event a function of Gradio's is called by."""
    return Kind(fn.concurrency_id) if fn.concurrency_id in set(Kind) else Kind.OTHER


def size_of(value) -> int:
    """About how many bytes JSON data hold: the length of all text in them."""
    return sum(len(part) if isinstance(part, str | bytes) else 8 for part in _parts_of(value))


def _parts_of(value) -> Iterator[object]:
    """JSON data, and all that is in them."""
    left = [value]
    while left:
        part = left.pop()
        yield part
        left += part.values() if isinstance(part, dict) else part if isinstance(part, list | tuple) else ()


def too_many(rate: RateLimit, what: str, wait_s: float) -> fastapi.HTTPException:
    """The answer to a client that asks too often."""
    words = f"too many requests (429): {rate.a_minute} {what} a minute; try again in {wait_s:.0f} s"
    return fastapi.HTTPException(429, words, headers={"Retry-After": f"{wait_s + 1:.0f}"})


def refusal(reason: str) -> ProcessCompletedMessage:
    """The answer to an event that is not worked on."""
    output = error_payload(Error(reason, print_exception=False), True)
    return ProcessCompletedMessage(output=output, title=str(output["title"]), success=False)
