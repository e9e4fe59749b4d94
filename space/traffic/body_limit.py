"""No request may fill the memory: bodies have a size, a share of the memory for each client, and a slowest pace."""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Generator

from starlette.types import Message, Receive

# Where the frames of the live view go: each is a JPEG.
FRAMES_ENDPOINT = "/live/frames"
MAX_FRAME_BYTES = 200_000
# A picture of 6 MB in base64, and some words around it.
MAX_BODY = 8_200_000
# Bodies that are not complete yet; a client's share has room for two of the largest.
MOST_OF_ONE = 2 * MAX_BODY
MOST_OF_ALL = 64_000_000
# A body may take this long for its start, and then so long for each of its bytes.
PATIENCE_S = 20.0
SLOWEST_BYTES_A_S = 20_000


class BodyError(Exception):
    """A body that is not taken; `status` is the answer's."""

    def __init__(self, status: int, words: str):
        super().__init__(words)
        self.status = status


class Pace:
    """The slowest pace at which a body may come."""

    def __init__(self):
        self._began_s = time.monotonic()

    async def next_message(self, receive: Receive, so_far: int) -> Message:
        """Wait for the next part of a body of which `so_far` bytes came.

        Raises:
            BodyError: if it comes too slowly.
        """
        until_s = self._began_s + PATIENCE_S + so_far / SLOWEST_BYTES_A_S
        try:
            async with asyncio.timeout(max(until_s - time.monotonic(), 0.0)):
                return await receive()
        except TimeoutError:
            raise BodyError(408, f"the body comes too slowly: less than {SLOWEST_BYTES_A_S} bytes a second") from None


class Bodies:
    """The memory for bodies on their way. Where it gets tight, the client that holds most gives way."""

    def __init__(self, most_of_one: int = MOST_OF_ONE, most_of_all: int = MOST_OF_ALL):
        self._most_of_one = most_of_one
        self._most_of_all = most_of_all
        self._held: Counter[str] = Counter()

    async def read(self, client: str, receive: Receive, most: int, announced: int = 0) -> bytes:
        """A whole body of at most so many bytes.

        Args:
            client: whose share it takes.
            receive: gives its parts.
            most: how long it may be.
            announced: how long its head says that it is; so much of the share is taken before any of it is read.

        Raises:
            BodyError: if it is too long, too slow, or takes more than the client's share.
        """
        if announced > most:
            raise too_long(most)
        body, more, pace, held = bytearray(), True, Pace(), announced
        self._held[client] += held
        try:
            self._require_share(client)
            while more:
                message = await pace.next_message(receive, len(body))
                if message["type"] == "http.disconnect":
                    raise BodyError(400, "the body is incomplete")
                part = message.get("body", b"")
                body += part
                self._held[client] += max(len(body) - held, 0)
                held = max(len(body), held)
                more = message.get("more_body", False)
                if len(body) > most:
                    raise too_long(most)
                self._require_share(client)
            return bytes(body)
        finally:
            self._release(client, held)

    @contextlib.contextmanager
    def kept(self, client: str, size: int) -> Generator[None]:
        """While it lasts, so many bytes of a client's bodies are kept that have come already.

        Raises:
            BodyError: if they take more than the client's share.
        """
        self._held[client] += size
        try:
            self._require_share(client)
            yield
        finally:
            self._release(client, size)

    def _release(self, client: str, size: int) -> None:
        self._held[client] -= size
        if self._held[client] <= 0:
            del self._held[client]

    def _require_share(self, client: str) -> None:
        held = self._held[client]
        crowded = self._held.total() > self._most_of_all and held == max(self._held.values())
        if held > self._most_of_one or crowded:
            raise BodyError(429, "too many bodies at once; send one after the other")


def too_long(most: int) -> BodyError:
    """The answer to a body of more than `most` bytes."""
    return BodyError(413, f"this is too large; the limit is {most} bytes")


def replayed(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read already, and then what comes after it."""
    messages = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def next_message() -> Message:
        return next(messages, None) or await receive()

    return next_message


def counted(receive: Receive, most: int, take: Callable[[int], float]) -> Receive:
    """A `receive` for an upload, which goes to disk as it comes; `take` counts its bytes, and says what is too much.

    Raises, when called:
        BodyError: if the upload is longer than `most`, too slow, or the client has sent too much.
    """
    so_far, pace = 0, Pace()

    async def next_message() -> Message:
        nonlocal so_far
        message = await pace.next_message(receive, so_far)
        part = len(message.get("body", b""))
        so_far += part
        if so_far > most:
            raise too_long(most)
        if part and take(part):
            raise BodyError(429, "you have uploaded too much; try again in a minute")
        return message

    return next_message
