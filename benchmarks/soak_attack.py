"""Clients of the soak that try to take the service from the others; each from a loopback address of its own.

They run in a process of their own, of low priority, so that what they cost the machine is the server's work, and
count what they sent and how it ended. Nothing is sent anywhere but to the server's loopback address.
"""

import asyncio
import base64
import contextlib
import io
import os
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection
from random import Random
from urllib.parse import urlsplit

import aiohttp
import cv2
import numpy as np
from PIL import Image

from benchmarks.live_camera import EXAMPLES
from benchmarks.live_visitors import FRAMES, headers_of
from benchmarks.soak_visitors import Tally, Visitor, find_visitor

ADDRESSES = tuple(f"127.0.0.{number}" for number in range(11, 15))
NICE = 10
LARGE_SIDE_PX = 7071
VIDEOS, PHOTOS, AT_ONCE, BODIES, IDLE = 102, 150, 8, 150, 300
EMPTY_A_SECOND = 4
# Ends of tries that did not reach the server.
UNREACHED = ("ClientConnectorError", "ConnectionRefusedError")
PLACES = 16
PAUSE_S = 2.0
KINDS = {
    "videos that fill the queue",
    "calls around the queue",
    "JPEGs of many scans",
    "photos by the private event",
    "answers nobody reads",
    "empty pictures",
    "unfinished bodies",
    "idle connections",
}
PATIENCE_S = 20


def large_png() -> bytes:
    """A picture of 16 bits with alpha that is small as a file and large when it is decoded."""
    done, encoded = cv2.imencode(".png", np.zeros((LARGE_SIDE_PX, LARGE_SIDE_PX, 4), np.uint16))
    assert done
    return encoded.tobytes()


def jpeg_of_scans(side_px: int, count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    file = io.BytesIO()
    Image.fromarray(np.zeros((side_px, side_px, 3), np.uint8)).save(file, "JPEG", progressive=True)
    whole = file.getvalue()
    return whole[:-2] + whole[whole.rfind(b"\xff\xda") : -2] * count + whole[-2:]


class Attacker:
    """One address, and all it tries; `ends` counts how each try ended."""

    def __init__(self, visitor: Visitor, source: str):
        self.visitor, self.source = visitor, source
        self.ends: Counter[tuple[str, str]] = Counter()
        self.photo = (EXAMPLES / "astronaut.jpg").read_bytes()
        self.large, self.scans = large_png(), jpeg_of_scans(5000, 5000)
        self.scans_of_a_frame = jpeg_of_scans(640, 10_000)

    async def post(self, kind: str, url: str, **options) -> dict | list | None:
        """Send something, and count how it ended."""
        try:
            async with self.visitor.http.post(url, **options) as response:
                answer = await response.json(content_type=None) if response.ok else None
                self.ends[kind, "taken" if response.ok else f"status {response.status}"] += 1
                return answer
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            self.ends[kind, type(error).__name__] += 1
            return None

    async def upload(self, kind: str, content: bytes) -> str | None:
        """Upload a file; gives its path."""
        form = aiohttp.FormData()
        form.add_field("files", content, filename="a.mp4")
        answer = await self.post(kind, self.visitor.url("upload"), data=form)
        return answer[0] if answer else None

    async def fill_the_queue(self) -> None:
        """Many videos, two events each, whose answers nobody reads."""
        for number in range(VIDEOS):
            path = await self.upload("videos that fill the queue", os.urandom(215_000 - number))
            for event in ("analyze_video", "analyze_image") if path else ():
                data = [path, 1, False] if event == "analyze_video" else [path]
                await self.post("videos that fill the queue", self.visitor.url(f"call/{event}"), json={"data": data})

    async def go_around_the_queue(self) -> None:
        """Large pictures, at once, by the doors that do not queue, and by the one that does."""
        sent = {"data": [base64.b64encode(self.large).decode()]}
        doors = [self.visitor.url(f"{door}/analyze_image") for door in ("run", "api", "call", "call")] * (AT_ONCE // 4)
        await asyncio.gather(*(self.post("calls around the queue", door, json=sent) for door in doors))

    async def send_scans(self) -> None:
        """JPEGs of thousands of scans, as photos and as frames."""
        await self.post("JPEGs of many scans", self.visitor.url("call/analyze_image"), json=self.in_base64(self.scans))
        await asyncio.gather(*(self.frame("JPEGs of many scans", self.scans_of_a_frame) for _ in range(6)))

    async def send_photos(self) -> None:
        """Photos by the page's own event, far more than a minute's."""
        for _ in range(PHOTOS):
            sent = {"path": "nowhere", "url": None, "meta": {"_type": "gradio.FileData"}}
            body = {"data": [sent], "fn_index": self.visitor.photos_to, "session_hash": uuid.uuid4().hex[:11]}
            await self.post("photos by the private event", self.visitor.url("queue/join"), json=body)

    async def leave_answers(self) -> None:
        """Pictures whose answers nobody reads."""
        for _ in range(120):
            await self.post(
                "answers nobody reads", self.visitor.url("call/analyze_image"), json=self.in_base64(self.photo)
            )

    async def hold_places(self) -> None:
        """Empty pictures under many names."""
        for _ in range(EMPTY_A_SECOND * 5):
            await asyncio.gather(*(self.frame("empty pictures", b"", f"{self.source} {n}") for n in range(PLACES)))
            await asyncio.sleep(1 / EMPTY_A_SECOND)

    async def leave_bodies(self) -> None:
        """Bodies of 8 MB of which only the last byte is missing, and connections that say nothing."""
        host, port = urlsplit(self.visitor.address).hostname, urlsplit(self.visitor.address).port
        head = f"POST /gradio_api/call/analyze_image HTTP/1.1\r\nHost: {host}:{port}\r\n"
        head += "Content-Type: application/json\r\nContent-Length: 8000000\r\n\r\n"
        body = head.encode() + bytes(7_999_999)

        async def connect(number: int) -> asyncio.StreamWriter | None:
            kind, sent = ("idle connections", b"") if number < IDLE else ("unfinished bodies", body)
            writer = None
            try:
                _, writer = await asyncio.open_connection(host, port, local_addr=(self.source, 0))
                writer.write(sent)
                await asyncio.wait_for(writer.drain(), PATIENCE_S)
                self.ends[kind, "taken"] += 1
            except (OSError, TimeoutError) as error:
                self.ends[kind, type(error).__name__] += 1
            return writer

        # All at once, as the connections of one attack are.
        writers = await asyncio.gather(*map(connect, range(BODIES + IDLE)))
        await asyncio.sleep(PAUSE_S)
        for writer in writers:
            if writer is not None:
                writer.close()

    async def frame(self, kind: str, jpeg: bytes, name: str = "") -> None:
        """A picture of the live view."""
        headers = headers_of(name or uuid.uuid4().hex, 0.0)
        await self.post(kind, f"{self.visitor.address}{FRAMES}", data=jpeg, headers=headers)

    def in_base64(self, content: bytes) -> dict:
        """A call's body."""
        return {"data": [base64.b64encode(content).decode()]}


async def attack(address: str, seconds: float, begun: Callable[[], None]) -> Counter[tuple[str, str]]:
    """Let all attackers try everything, again and again, for so long; `begun` is called when the first may begin."""
    ends: Counter[tuple[str, str]] = Counter()

    async def from_address(source: str) -> None:
        connections = aiohttp.TCPConnector(local_addr=(source, 0), limit=64)
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        async with aiohttp.ClientSession(connector=connections, timeout=timeout) as http:
            attacker = Attacker(await find_visitor(http, address, Random(source), Tally()), source)
            attacker.ends = ends
            begun()
            tries = [
                attacker.fill_the_queue,
                attacker.go_around_the_queue,
                attacker.send_scans,
                attacker.send_photos,
                attacker.leave_answers,
                attacker.hold_places,
                attacker.leave_bodies,
            ]
            await asyncio.gather(*(again_and_again(each) for each in tries))

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*map(from_address, ADDRESSES))
    return ends


async def again_and_again(act: Callable[[], Awaitable[None]]) -> None:
    """Do something for ever, with pauses."""
    while True:
        await act()
        await asyncio.sleep(PAUSE_S)


def attack_and_tell(address: str, seconds: float, answers: Connection) -> None:
    """The process of the attackers: sends what became of everything."""
    os.nice(NICE)
    answers.send(asyncio.run(attack(address, seconds, lambda: answers.send("begun"))))
