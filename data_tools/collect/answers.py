"""Reading a server's answer without trusting it."""

import zlib
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from data_tools.collect.errors import Stopped
from data_tools.work.manifest import Reason, Status

_CHUNK_BYTES = 65_536
_PLAIN = ("", "identity")
_PACKED = ("gzip", "x-gzip", "deflate")


async def body_of(response: aiohttp.ClientResponse, max_bytes: int, *, cut: bool = False) -> AsyncIterator[bytes]:
    """An answer's bytes, unpacked a little at a time, so that nothing small becomes large unseen.

    Args:
        response: of a session that does not unpack by itself.
        max_bytes: what announces more is not read.
        cut: end soon after `max_bytes` instead.

    Raises:
        Stopped: if the answer is too large, packed in an unknown way, or ends early.
    """
    announced = response.content_length or 0
    if announced > max_bytes and not cut:
        raise Stopped(Status.FAILED, Reason.TOO_LARGE, f"{announced} bytes announced", response.status)
    encoding = response.headers.get("content-encoding", "").strip().lower()
    if encoding not in _PLAIN + _PACKED:
        raise Stopped(Status.FAILED, Reason.CONTENT_ENCODING, f"packed as {encoding}", response.status)
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 32) if encoding in _PACKED else None
    received = given = 0
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        received += len(chunk)
        for part in [chunk] if unpack is None else _unpacked(chunk, unpack):
            given += len(part)
            yield part
            if cut and given >= max_bytes:
                return
        # Much can be sent that unpacks to nothing.
        if received > max_bytes:
            raise Stopped(Status.FAILED, Reason.TOO_LARGE, f"more than {max_bytes} bytes", response.status)
    if unpack is not None and not unpack.eof:
        raise Stopped(Status.FAILED, Reason.SHORT_BODY, "the packed body ends early", response.status, passing=True)


def _unpacked(chunk: bytes, unpack: "zlib._Decompress") -> Iterator[bytes]:
    try:
        while chunk and not unpack.eof:
            yield unpack.decompress(chunk, _CHUNK_BYTES)
            chunk = unpack.unconsumed_tail
    except zlib.error as error:
        raise Stopped(Status.FAILED, Reason.CONTENT_ENCODING, f"cannot be unpacked: {error}") from error


def seconds_to_wait(retry_after: str | None) -> float | None:
    """What `Retry-After` says, which is a number of seconds or a date; None if it says nothing that can be read."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
    return max((at - datetime.now(UTC)).total_seconds(), 0.0) if at.tzinfo else None
