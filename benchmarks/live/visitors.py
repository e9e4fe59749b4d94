"""Visitors of the live view without a browser: programs that send pictures to the server as its page does."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
import cv2

from benchmarks.live.camera import FRAMES_PER_S, HEIGHT, WIDTH, Portrait, view_of
from face_expression import encode_jpeg

# As in web/live/backends/server_engine.js on a short way; with a busy server there is one at once.
SENT_WIDTH = 320
QUALITY = 80
AT_ONCE, BUSY_MS = 2, 50
PICTURES = 60
# Where a page sends them, from its own address.
FRAMES = "live/frames"


@dataclass
class Visit:
    """What a visitor got: ms from a frame to its answer, and how often each label came."""

    seconds: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)
    labels: Counter[str | None] = field(default_factory=Counter)
    refused: str | None = None

    def rate(self) -> float:
        """Answers a second."""
        return len(self.latencies_ms) / self.seconds if self.seconds else 0.0


def pictures_of(portrait: Portrait) -> list[bytes]:
    """What a visitor's page would send of a portrait that moves a little: JPEG."""
    size = (SENT_WIDTH, SENT_WIDTH * HEIGHT // WIDTH)
    frames = (cv2.resize(view_of(portrait, moment), size, interpolation=cv2.INTER_AREA) for moment in range(PICTURES))
    return [encode_jpeg(frame, quality=QUALITY) for frame in frames]


def headers_of(visitor: str, time_s: float, scene: int = 1) -> dict[str, str]:
    """What comes with a picture."""
    return {"Content-Type": "image/jpeg", "X-Visitor": visitor, "X-Time-S": repr(time_s), "X-Scene": str(scene)}


async def visit(http: aiohttp.ClientSession, page: str, pictures: Sequence[bytes], seconds: float) -> Visit:
    """Send pictures for so long: the newest at the camera's rate, as long as few enough are on their way.

    Args:
        page: the page's address.
        pictures: what the camera sees in turn.

    Returns:
        What it got; `refused` is why the server took no picture, which ends the visit.
    """
    visitor, made = str(uuid.uuid4()), Visit()
    newest_shown, server_ms, under_way = 0.0, 0.0, set()

    async def send(picture: bytes, taken: float) -> None:
        nonlocal newest_shown, server_ms
        async with http.post(f"{page}{FRAMES}", data=picture, headers=headers_of(visitor, taken)) as response:
            response.raise_for_status()
            answer = await response.json()
            server_ms = float(response.headers.get("Server-Timing", "dur=0").partition("dur=")[2])
        if "refused" in answer:
            made.refused = answer["refused"]
            return
        faces = answer["faces"]
        if faces is not None and taken > newest_shown:
            newest_shown = taken
            made.latencies_ms.append((time.perf_counter() - taken) * 1000)
            made.labels[faces[0]["label"] if faces else None] += 1

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for moment in range(round(seconds * FRAMES_PER_S)):
            await asyncio.sleep(began + moment / FRAMES_PER_S - time.perf_counter())
            if made.refused is not None:
                break
            if len(under_way) < (AT_ONCE if server_ms < BUSY_MS else 1):
                sending = group.create_task(send(pictures[moment % len(pictures)], time.perf_counter()))
                under_way.add(sending)
                sending.add_done_callback(under_way.discard)
    made.seconds = time.perf_counter() - began
    return made
