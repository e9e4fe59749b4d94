"""A slow line on one machine: a TCP proxy that delays what passes and lets only so much pass in a second."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from face_expression.errors import required

CHUNK_BYTES = 2048
# What is on its way in one direction of one connection; a sender of more has to wait, as with a real line.
MOST_CHUNKS = 256


@dataclass
class Direction:
    """One way along the line, shared by all connections: `free_at` is when it has sent all that it was given."""

    bits_per_s: float
    delay_s: float
    free_at: float = 0.0

    def arrival(self, size: int) -> float:
        """When a chunk that is handed over now is there, on the event loop's clock."""
        self.free_at = max(self.free_at, asyncio.get_running_loop().time()) + size * 8 / self.bits_per_s
        return self.free_at + self.delay_s


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: Direction) -> None:
    """Hand on what comes until one end closes."""
    under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(MOST_CHUNKS)

    async def take() -> None:
        chunk = b"begin"
        while chunk:
            chunk = await reader.read(CHUNK_BYTES)
            await under_way.put((direction.arrival(len(chunk)), chunk))

    async def give() -> None:
        loop = asyncio.get_running_loop()
        while True:
            arrival, chunk = await under_way.get()
            await asyncio.sleep(arrival - loop.time())
            if not chunk:
                writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()

    async with asyncio.TaskGroup() as both:
        both.create_task(take())
        both.create_task(give())


@contextlib.asynccontextmanager
async def slow_link(
    port: int, *, round_trip_s: float = 0.08, up_bits_per_s: float = 8e6, down_bits_per_s: float = 40e6
) -> AsyncGenerator[int]:
    """Lead to a port of this machine through a slow line; gives the port of the line's other end."""
    up, down = Direction(up_bits_per_s, round_trip_s / 2), Direction(down_bits_per_s, round_trip_s / 2)
    connections: set[asyncio.Task] = set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(required(asyncio.current_task()))
        far_writer = None
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
            async with asyncio.TaskGroup() as both:
                both.create_task(carry(reader, far_writer, up))
                both.create_task(carry(far_reader, writer, down))
        except* OSError:
            # One end hung up; close the other one too.
            pass
        finally:
            connections.discard(asyncio.current_task())
            for end in (writer, far_writer):
                if end is not None:
                    end.close()

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(connections):
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
