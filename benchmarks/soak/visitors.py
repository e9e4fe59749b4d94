"""Visitors of the whole page without a browser: some show themselves, some send rubbish, some hang up half-way."""

import asyncio
import base64
import contextlib
import io
import json
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Awaitable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from random import Random

import aiohttp
from PIL import Image

from benchmarks.live.camera import EXAMPLES, FRAMES_PER_S, Portrait
from benchmarks.live.visitors import AT_ONCE, FRAMES, headers_of, pictures_of
from face_expression.errors import required

# The status of an answer that says why a frame cannot be used.
UNUSABLE = 422
PATIENCE_S = 60
RETRY_S = 1.0


class Kind(StrEnum):
    """What a visitor does."""

    FRAME = "frame of the live view"
    PHOTO = "photo"
    SERVICE = "picture for `/analyze_image`"
    BROKEN = "broken thing"
    DROPPED = "dropped connection"


class Outcome(StrEnum):
    """What became of it; `RIGHT` for a broken thing is that it was turned away."""

    RIGHT = "as it must be"
    REFUSED = "refused"
    PASSED_OVER = "passed over for a newer one"
    CUT_OFF = "cut off by us"
    WRONG = "wrong"
    ERROR = "error"


@dataclass
class Tally:
    """All that happened, by kind; `surprises` tell what must not be."""

    outcomes: Counter[tuple[Kind, Outcome]] = field(default_factory=Counter)
    latencies_ms: defaultdict[Kind, list[float]] = field(default_factory=lambda: defaultdict(list))
    surprises: list[str] = field(default_factory=list)

    async def count(self, kind: Kind, action: Awaitable[Outcome]) -> Outcome:
        """Wait for what a visitor does, and write down what became of it."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                outcome = await action
        except (aiohttp.ClientError, OSError, ValueError, LookupError) as error:
            outcome = Outcome.ERROR
            self.surprises.append(f"{kind}: {error!r}")
        except asyncio.CancelledError:
            self.outcomes[kind, Outcome.CUT_OFF] += 1
            raise
        self.outcomes[kind, outcome] += 1
        if outcome is Outcome.RIGHT:
            self.latencies_ms[kind].append((time.perf_counter() - began) * 1000)
        return outcome


@dataclass(frozen=True)
class Person:
    """Somebody whose face has one right label."""

    label: str
    frames: Sequence[bytes]
    photo: bytes

    @classmethod
    def of(cls, portrait: Portrait) -> "Person":
        """What a portrait's camera and its file show."""
        return cls(portrait.label, pictures_of(portrait), (EXAMPLES / portrait.file).read_bytes())


@dataclass(frozen=True)
class Visitor:
    """A client; `photos_to` is the number that the page's configuration gives to the door for photos."""

    http: aiohttp.ClientSession
    address: str
    photos_to: int
    random: Random
    tally: Tally
    session: str = field(default_factory=lambda: uuid.uuid4().hex[:11])

    def url(self, path: str) -> str:
        """Where Gradio answers."""
        return f"{self.address}gradio_api/{path}"

    @contextlib.asynccontextmanager
    async def page_open(self) -> AsyncGenerator["Visitor"]:
        """Somebody new, who keeps the page open; when its connection ends, the server forgets the session."""
        new = self.anew()
        async with self.http.get(new.url(f"heartbeat/{new.session}"), timeout=aiohttp.ClientTimeout()):
            yield new

    def anew(self) -> "Visitor":
        """Somebody whom the server does not know."""
        return replace(self, session=uuid.uuid4().hex[:11])

    async def ask_about(self, jpeg: bytes, visitor: str) -> dict:
        """What the live view's server says of a frame."""
        headers = headers_of(visitor, time.perf_counter())
        async with self.http.post(f"{self.address}{FRAMES}", data=jpeg, headers=headers) as response:
            if response.status != UNUSABLE:
                response.raise_for_status()
            return await response.json()

    async def send_frame(self, jpeg: bytes, visitor: str, label: str) -> Outcome:
        """Show a face of which one label is right."""
        answer = await self.ask_about(jpeg, visitor)
        if "refused" in answer:
            return Outcome.REFUSED
        if answer["faces"] is None:
            return Outcome.PASSED_OVER
        labels = [face["label"] for face in answer["faces"]]
        return self.judged(labels == [label], f"live view: {labels} for a {label} face")

    async def upload(self, content: bytes) -> str:
        """Send a file; gives the path at which the server has it."""
        form = aiohttp.FormData()
        form.add_field("files", content, filename="photo.jpg", content_type="image/jpeg")
        async with self.http.post(self.url("upload"), data=form) as response:
            response.raise_for_status()
            return (await response.json())[0]

    async def join(self, path: str) -> str:
        """Choose an uploaded file as the photo; gives the name of what follows."""
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        asked = {"data": [file], "fn_index": self.photos_to, "session_hash": self.session}
        async with self.http.post(self.url("queue/join"), json=asked) as response:
            response.raise_for_status()
            return (await response.json())["event_id"]

    async def photo_answer(self, event: str) -> tuple[dict | None, str, str]:
        """The picture, the sentence and the suggestion that follow."""
        where = self.url(f"queue/data?session_hash={self.session}")
        async with self.http.get(where) as events:
            events.raise_for_status()
            async for line in events.content:
                message = json.loads(line[5:]) if line.startswith(b"data:") else {}
                if message.get("msg") == "process_completed" and message["event_id"] == event:
                    if not message["success"]:
                        raise ValueError(f"the photo's event failed: {message['output']}")
                    picture, summary, *_, suggestion = message["output"]["data"]
                    return picture, summary, suggestion
        raise ValueError("the events ended without an answer")

    async def send_photo(self, person: Person) -> Outcome:
        """A photo like no other, in whose answer both the picture and the words must be about it."""
        unlike_others = person.photo + self.random.randbytes(16)
        try:
            picture, summary, suggestion = await self.photo_answer(await self.join(await self.upload(unlike_others)))
        except ValueError as error:
            if "(429)" in str(error):
                return Outcome.REFUSED
            raise
        shown = Image.open(io.BytesIO(base64.b64decode(required(picture)["url"].partition(",")[2])))
        fits = shown.size == Image.open(io.BytesIO(person.photo)).size and f"looks {person.label}." in suggestion
        return self.judged(fits, f"photo of a {person.label} face: {shown.size}, {summary}, {suggestion}")

    async def ask_service(self, person: Person) -> Outcome:
        """Send a picture as a program does; how many are taken in a minute is limited for all of them together."""
        path = "call/analyze_image"
        async with self.http.post(self.url(path), json={"data": [base64.b64encode(person.photo).decode()]}) as response:
            response.raise_for_status()
            event = (await response.json())["event_id"]
        async with self.http.get(self.url(f"{path}/{event}")) as response:
            response.raise_for_status()
            kind, _, data = (await response.text()).partition("\ndata: ")
        if "complete" not in kind:
            if "(429)" in data:
                return Outcome.REFUSED
            raise ValueError(f"/analyze_image: {kind}: {data}")
        labels = [face["label"] for face in json.loads(data)[0]["faces"]]
        return self.judged(labels == [person.label], f"/analyze_image: {labels} for a {person.label} face")

    def judged(self, right: bool, surprise: str) -> Outcome:
        """An answer that is about what was sent, or is not."""
        if not right:
            self.tally.surprises.append(surprise)
        return Outcome.RIGHT if right else Outcome.WRONG


async def find_visitor(http: aiohttp.ClientSession, address: str, random: Random, tally: Tally) -> Visitor:
    """A visitor who knows the page's doors from its configuration."""
    async with http.get(f"{address}config") as response:
        return Visitor(http, address, photos_door(await response.json()), random, tally)


def photos_door(page: dict) -> int:
    """The number that a page's configuration gives to the door for photos."""
    number = {component["props"].get("elem_id"): component["id"] for component in page["components"]}
    chosen = [number["photo-upload"], "change"]
    return next(event["id"] for event in page["dependencies"] if chosen in event["targets"])


async def stream(visitor: Visitor, person: Person) -> None:
    """Look at the live view for a while, and vanish while frames are under way."""
    seconds = visitor.random.uniform(5, 20)
    name, under_way = str(uuid.uuid4()), set()
    began, wait_until = time.perf_counter(), 0.0

    async def send(jpeg: bytes) -> None:
        nonlocal wait_until
        outcome = await visitor.tally.count(Kind.FRAME, visitor.send_frame(jpeg, name, person.label))
        if outcome in (Outcome.REFUSED, Outcome.ERROR):
            wait_until = time.perf_counter() + RETRY_S

    try:
        for moment in range(round(seconds * FRAMES_PER_S)):
            await asyncio.sleep(began + moment / FRAMES_PER_S - time.perf_counter())
            if len(under_way) < AT_ONCE and time.perf_counter() > wait_until:
                sending = asyncio.create_task(send(person.frames[moment % len(person.frames)]))
                under_way.add(sending)
                sending.add_done_callback(under_way.discard)
    finally:
        left = list(under_way)
        for sending in left:
            sending.cancel()
        await asyncio.gather(*left, return_exceptions=True)


async def send_photos(visitor: Visitor, person: Person) -> None:
    """One to three photos, in the page or as a program, with a look at each answer."""
    for _ in range(visitor.random.randint(1, 3)):
        if visitor.random.random() < 0.3:
            await visitor.tally.count(Kind.SERVICE, visitor.ask_service(person))
        else:
            await visitor.tally.count(Kind.PHOTO, visitor.send_photo(person))
        await asyncio.sleep(visitor.random.uniform(0.2, 1))
