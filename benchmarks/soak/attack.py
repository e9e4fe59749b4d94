"""Clients of the soak that try to take the service from the others; each from a loopback address of its own.

A real attacker has computers of his own, so theirs must cost this one as little as possible: they run in a process of
their own that gets only the time that the server and the honest visitors leave (SCHED_IDLE, or nice 19), their bodies
are made once, before anything is measured, and they speak HTTP over bare sockets. They count what they sent and how it
ended, and how much CPU time they took all the same. Nothing is sent anywhere but to the server's loopback address.
"""

import asyncio
import base64
import contextlib
import io
import json
import os
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from urllib.parse import urlsplit

import cv2
import numpy as np
from PIL import Image

from benchmarks.live.camera import EXAMPLES
from benchmarks.live.visitors import FRAMES, headers_of
from benchmarks.soak.visitors import photos_door
from benchmarks.support.raw_client import RawClient, json_body

ADDRESSES = tuple(f"127.0.0.{number}" for number in range(11, 15))
NICE = 19
LARGE_SIDE_PX = 7071
VIDEOS, PHOTOS, AT_ONCE, BODIES, IDLE = 102, 150, 8, 150, 300
VIDEO_BYTES = 215_000
UNREAD = 120
EMPTY_A_SECOND = 4
# Of one address, like those of a browser that has many pages open.
CONNECTIONS = 64
# Ends of tries that did not reach the server.
UNREACHED = ("ConnectionRefusedError",)
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
API = "/gradio_api/"
JSON = "application/json"
UNFINISHED_BYTES = 8_000_000


@dataclass(frozen=True)
class Result:
    """How the attackers' tries ended, and the seconds that they took and that their process was running meanwhile."""

    ends: Counter[tuple[str, str]]
    seconds: float
    cpu_s: float


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


@dataclass(frozen=True)
class Bodies:
    """What all attackers send, made once; all but the last are complete bodies of requests."""

    large: bytes
    scans: bytes
    scans_of_a_frame: bytes
    photo: bytes
    noise: bytes
    unfinished: bytes

    @classmethod
    def made(cls, host: str, port: int) -> "Bodies":
        """Make them; `unfinished` is a request to this server, with its head and without its last byte."""
        head = f"POST {API}call/analyze_image HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: {JSON}\r\n"
        head += f"Content-Length: {UNFINISHED_BYTES}\r\n\r\n"
        return cls(
            large=in_base64(large_png()),
            scans=in_base64(jpeg_of_scans(5000, 5000)),
            scans_of_a_frame=jpeg_of_scans(640, 10_000),
            photo=in_base64((EXAMPLES / "astronaut.jpg").read_bytes()),
            noise=os.urandom(VIDEO_BYTES),
            unfinished=head.encode() + bytes(UNFINISHED_BYTES - 1),
        )


def in_base64(content: bytes) -> bytes:
    """The body of a call with a file."""
    return json_body([base64.b64encode(content).decode()])


class Attacker:
    """One address, and all it tries; `ends` counts how each try ended."""

    def __init__(self, client: RawClient, bodies: Bodies, photos_to: int, ends: Counter[tuple[str, str]]):
        self.client, self.bodies, self.photos_to, self.ends = client, bodies, photos_to, ends

    async def post(self, kind: str, path: str, body: bytes, content_type: str = JSON, headers: str = "") -> bytes:
        """Send something, and count how it ended; gives the answer, which is empty if it is a refusal."""
        try:
            status, answer = await self.client.post(path, body, content_type, headers)
        except (OSError, TimeoutError) as error:
            self.ends[kind, type(error).__name__] += 1
            return b""
        self.ends[kind, "taken" if status < 400 else f"status {status}"] += 1
        return answer if status < 400 else b""

    async def upload(self, kind: str, content: bytes) -> str | None:
        """Upload a file; gives its path."""
        form = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\n' + content
        answer = await self.post(kind, f"{API}upload", form + b"\r\n--b--\r\n", "multipart/form-data; boundary=b")
        return json.loads(answer)[0] if answer else None

    async def fill_the_queue(self) -> None:
        """Many videos, two events each, whose answers nobody reads."""
        kind = "videos that fill the queue"
        for _ in range(VIDEOS):
            path = await self.upload(kind, uuid.uuid4().bytes + self.bodies.noise)
            for event in ("analyze_video", "analyze_image") if path else ():
                data = [path, 1, False] if event == "analyze_video" else [path]
                await self.post(kind, f"{API}call/{event}", json_body(data))

    async def go_around_the_queue(self) -> None:
        """Large pictures, at once, by the doors that do not queue, and by the one that does."""
        doors = [f"{API}{door}/analyze_image" for door in ("run", "api", "call", "call")] * (AT_ONCE // 4)
        await asyncio.gather(*(self.post("calls around the queue", door, self.bodies.large) for door in doors))

    async def send_scans(self) -> None:
        """JPEGs of thousands of scans, as photos and as frames."""
        kind = "JPEGs of many scans"
        await self.post(kind, f"{API}call/analyze_image", self.bodies.scans)
        await asyncio.gather(*(self.frame(kind, self.bodies.scans_of_a_frame) for _ in range(6)))

    async def send_photos(self) -> None:
        """Photos by the page's own event, far more than a minute's."""
        for _ in range(PHOTOS):
            sent = {"path": "nowhere", "url": None, "meta": {"_type": "gradio.FileData"}}
            body = {"data": [sent], "fn_index": self.photos_to, "session_hash": uuid.uuid4().hex[:11]}
            await self.post("photos by the private event", f"{API}queue/join", json.dumps(body).encode())

    async def leave_answers(self) -> None:
        """Pictures whose answers nobody reads."""
        for _ in range(UNREAD):
            await self.post("answers nobody reads", f"{API}call/analyze_image", self.bodies.photo)

    async def hold_places(self) -> None:
        """Empty pictures under many names."""
        for _ in range(EMPTY_A_SECOND * 5):
            names = (f"{self.client.source} {number}" for number in range(PLACES))
            await asyncio.gather(*(self.frame("empty pictures", b"", name) for name in names))
            await asyncio.sleep(1 / EMPTY_A_SECOND)

    async def leave_bodies(self) -> None:
        """Bodies of 8 MB of which only the last byte is missing, and connections that say nothing."""
        loop = asyncio.get_running_loop()

        async def connect(number: int) -> None:
            kind, sent = ("idle connections", b"") if number < IDLE else ("unfinished bodies", self.bodies.unfinished)
            try:
                with await self.client.connected() as connection:
                    await asyncio.wait_for(loop.sock_sendall(connection, sent), PATIENCE_S)
                    self.ends[kind, "taken"] += 1
                    await asyncio.sleep(PAUSE_S)
            except (OSError, TimeoutError) as error:
                self.ends[kind, type(error).__name__] += 1

        # All at once, as the connections of one attack are.
        await asyncio.gather(*map(connect, range(BODIES + IDLE)))

    async def frame(self, kind: str, jpeg: bytes, name: str = "") -> None:
        """A picture of the live view."""
        about = headers_of(name or uuid.uuid4().hex, 0.0)
        content_type = about.pop("Content-Type")
        lines = "".join(f"{header}: {value}\r\n" for header, value in about.items())
        await self.post(kind, f"/{FRAMES}", jpeg, content_type, lines)


async def attack(
    address: str, bodies: Bodies, photos_to: int, wait_for_end: Callable[[], object]
) -> Counter[tuple[str, str]]:
    """Let all attackers try everything, again and again, until `wait_for_end`, called in a thread, comes back."""
    ends: Counter[tuple[str, str]] = Counter()
    host, port = server_of(address)
    clients = [RawClient(host, port, source, most=CONNECTIONS, patience_s=PATIENCE_S) for source in ADDRESSES]
    attackers = [Attacker(client, bodies, photos_to, ends) for client in clients]
    tries = [
        asyncio.create_task(again_and_again(act))
        for attacker in attackers
        for act in (
            attacker.fill_the_queue,
            attacker.go_around_the_queue,
            attacker.send_scans,
            attacker.send_photos,
            attacker.leave_answers,
            attacker.hold_places,
            attacker.leave_bodies,
        )
    ]
    await asyncio.to_thread(wait_for_end)
    for each in tries:
        each.cancel()
    await asyncio.gather(*tries, return_exceptions=True)
    for client in clients:
        client.close()
    return ends


async def again_and_again(act: Callable[[], Awaitable[None]]) -> None:
    """Do something for ever, with pauses."""
    while True:
        await act()
        await asyncio.sleep(PAUSE_S)


def server_of(address: str) -> tuple[str, int]:
    """Host and port of a page's address."""
    parts = urlsplit(address)
    return parts.hostname or "", parts.port or 80


def attack_and_report(address: str, parent: Connection) -> None:
    """The process of the attackers.

    It sends a message when it is ready, begins at the next one, ends at the one after that, and sends the `Result`.
    """
    if hasattr(os, "SCHED_IDLE"):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    os.nice(NICE)
    bodies = Bodies.made(*server_of(address))
    with urllib.request.urlopen(f"{address}config") as response:
        photos_to = photos_door(json.load(response))
    parent.send("ready")
    with contextlib.suppress(EOFError):
        parent.recv()
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        ends = asyncio.run(attack(address, bodies, photos_to, parent.recv))
        parent.send(Result(ends, time.monotonic() - began_s, time.process_time() - began_cpu_s))
