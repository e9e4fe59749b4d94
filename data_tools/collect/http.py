"""One request at a time to a web that is not trusted: honest about who asks, and never into a private network."""

import asyncio
import contextlib
import ssl
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp
from yarl import URL

from data_tools.collect.errors import Stopped
from data_tools.collect.url_guard import NOT_PUBLIC, Guard, literal_addresses
from data_tools.settings import USER_AGENT_NAME, FetchSettings
from data_tools.work.schema import Reason, Status
from face_expression import __version__
from face_expression.errors import DataError, required

_LOOKUP_S = 2.0


class Web:
    """A session; use it as an asynchronous context."""

    def __init__(self, settings: FetchSettings):
        self._settings = settings
        self._guard = Guard(settings.allow_addresses)

    async def __aenter__(self) -> "Web":
        """Open the session.

        Raises:
            DataError: if the proxy's name is unknown, or the file of certificates holds none.
        """
        settings = self._settings
        # The proxy itself may be private; targets may not.
        way_out = Guard((*settings.allow_addresses, *await _addresses_of_proxy(settings.proxy)))
        contact = f"; +{settings.contact}" if settings.contact else ""
        self._session = aiohttp.ClientSession(
            # A picture and a robots.txt for each row on its way, so that nobody's deadline passes in a queue.
            connector=aiohttp.TCPConnector(
                limit=2 * settings.connections,
                ttl_dns_cache=300,
                socket_factory=way_out.make_socket,
                ssl=_trust(settings),
            ),
            headers={"User-Agent": f"{USER_AGENT_NAME}/{__version__} (collects pictures for research{contact})"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=settings.deadline_s, sock_connect=settings.deadline_s / 3),
        )
        # Names are looked up in as many threads, so that a slow name server delays nothing else.
        names = ThreadPoolExecutor(settings.connections, thread_name_prefix="names")
        asyncio.get_running_loop().set_default_executor(names)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._session.close()

    @contextlib.asynccontextmanager
    async def get(self, place: URL) -> AsyncGenerator[aiohttp.ClientResponse]:
        """Ask for an address, without following redirects; the body is not read yet.

        Raises:
            Stopped: if no answer comes, or it ends early.
            TimeoutError: if it takes too long.
        """
        failed = Status.FAILED
        try:
            if self._settings.proxy:
                await self._check_behind_proxy(place)
            headers = {"Accept-Encoding": "identity", "Accept": "image/*, */*;q=0.1"}
            async with self._session.get(
                place, allow_redirects=False, proxy=self._settings.proxy, headers=headers
            ) as response:
                yield response
        except aiohttp.InvalidURL as error:
            raise Stopped(failed, Reason.BAD_URL, str(error)) from error
        except aiohttp.ClientConnectorDNSError as error:
            raise Stopped(failed, Reason.UNKNOWN_HOST, str(error)) from error
        except aiohttp.ClientConnectorCertificateError as error:
            raise Stopped(failed, Reason.CONNECTION_FAILED, f"its certificate is not valid: {error}") from error
        except aiohttp.ClientConnectorError as error:
            if NOT_PUBLIC in str(error.os_error):
                raise Stopped(failed, Reason.PRIVATE_ADDRESS, str(error.os_error)) from error
            raise Stopped(failed, Reason.CONNECTION_FAILED, str(error), passing=True) from error
        except aiohttp.ClientPayloadError as error:
            raise Stopped(failed, Reason.SHORT_BODY, str(error), passing=True) from error
        except TimeoutError:
            raise
        except (aiohttp.ClientError, ConnectionError) as error:
            detail = f"{type(error).__name__}: {error}"
            raise Stopped(failed, Reason.CONNECTION_FAILED, detail, passing=True) from error

    async def _check_behind_proxy(self, place: URL) -> None:
        """A proxy makes the connections, so that all we can check is what the name means to us, if it means anything.

        A name server may not answer at all behind a proxy; that says nothing of the name.
        """
        loop = asyncio.get_running_loop()
        host, port = required(place.host), required(place.port)
        try:
            async with asyncio.timeout(_LOOKUP_S):
                found = [str(info[4][0]) for info in await loop.getaddrinfo(host, port)]
        except (OSError, TimeoutError):
            found = literal_addresses(host)
        if not all(self._guard.permits(address, port) for address in found):
            raise Stopped(Status.FAILED, Reason.PRIVATE_ADDRESS, f"{NOT_PUBLIC}: {host}")


def _trust(settings: FetchSettings) -> ssl.SSLContext | bool:
    if settings.ca is None:
        return True
    try:
        return ssl.create_default_context(cafile=settings.ca)
    except OSError as error:
        raise DataError(f"{settings.ca} is no PEM file of certificates: {error}") from error


async def _addresses_of_proxy(proxy: str | None) -> list[str]:
    """The IP:PORT pairs of a proxy."""
    if proxy is None:
        return []
    place = URL(proxy)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port)
    except OSError as error:
        raise DataError(f"the proxy {place.host} cannot be found: {error}") from error
    return [f"{address[4][0]}:{place.port}" for address in found]


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
