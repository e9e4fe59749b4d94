"""URLs -> raw files: politely, bounded in time and size, and never into a private network.

`Fetcher.fetch` takes a row and gives a row; it never raises but for a full disk, since what went wrong is what the row
says.
"""

import asyncio
import contextlib
import random
import ssl
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import aiohttp
from yarl import URL

from data_tools.addresses import NOT_PUBLIC, Guard, checked_url, host_of, literal_addresses
from data_tools.answers import body_of, seconds_to_wait
from data_tools.denylist import Denylist
from data_tools.manifest import TOOL_VERSION, Reason, Row, Status, is_of_disk
from data_tools.opt_out import ROBOTS_BYTES, Robots, read_robots, refusal_in_headers
from data_tools.outcomes import Stopped
from data_tools.raw_files import drafted
from data_tools.settings import FOLDER_SOURCE, LOCAL_SCHEME, USER_AGENT_NAME, FetchSettings

_CHUNK_BYTES = 65_536
_WINDOW_ROWS = 2000
_MAY_PASS = {408, 425, 429, 500, 502, 503, 504}
_REDIRECTS = {301, 302, 303, 307, 308}
# What is wrong with the address itself, and would be for the picture too.
_NOT_ROBOTS = (Reason.BAD_URL, Reason.PRIVATE_ADDRESS, Reason.UNKNOWN_HOST)
_MAX_CRAWL_DELAY_S = 30.0
_ROBOTS_DEADLINE_S = 15.0
_LOOKUP_S = 2.0
_ROBOTS_LATER = timedelta(days=1)


@dataclass
class _Host:
    """What is known of one scheme, host and port."""

    slots: asyncio.Semaphore
    robots: asyncio.Task | None = None
    next_at: float = 0.0
    parked_until: datetime | None = None


@dataclass
class Fetcher:
    """Fetches rows into a work folder; use it as an asynchronous context.

    `folder` is the work folder, `folders` are the local folders that `local:NAME/PATH` stands for.
    """

    settings: FetchSettings
    folder: Path
    denylist: Denylist = field(default_factory=Denylist)
    folders: dict[str, Path] = field(default_factory=dict)

    async def __aenter__(self) -> "Fetcher":
        """Open the session."""
        settings = self.settings
        guard = Guard((*settings.allow_addresses, *await _addresses_of_proxy(settings.proxy)))
        self._guard = guard
        trust = ssl.create_default_context(cafile=settings.ca) if settings.ca else True
        contact = f"; +{settings.contact}" if settings.contact else ""
        self._session = aiohttp.ClientSession(
            # A picture and a robots.txt for each row on its way, so that nobody's deadline passes in a queue.
            connector=aiohttp.TCPConnector(
                limit=2 * settings.connections, socket_factory=guard.make_socket, ssl=trust, ttl_dns_cache=300
            ),
            headers={"User-Agent": f"{USER_AGENT_NAME}/{TOOL_VERSION} (collects pictures for research{contact})"},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=settings.deadline_s, sock_connect=settings.deadline_s / 3),
        )
        self._hosts: dict[str, _Host] = {}
        # Names are looked up in as many threads, so that a slow name server delays nothing else.
        names = ThreadPoolExecutor(settings.connections, thread_name_prefix="names")
        asyncio.get_running_loop().set_default_executor(names)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._session.close()

    async def fetch(self, row: Row) -> Row:
        """Fetch one row's picture; returns what is to be changed in the row."""
        changes: Row = {"url": row["url"], "rejection_reason": None, "detail": None, "retry_at": None}
        try:
            if self.denylist.forbids_url(row["url"]):
                raise Stopped(Status.REJECTED, Reason.DENYLISTED, "this address was taken down")
            if (row["source"] or "").startswith(FOLDER_SOURCE):
                changes |= self._take_local(row["url"])
            else:
                changes |= await self._fetch_patiently(row["url"])
            if self.denylist.forbids_content(changes["content_sha256"]):
                raise Stopped(Status.REJECTED, Reason.DENYLISTED, "this picture was taken down")
            changes["status"] = Status.FETCHED
        except Stopped as stopped:
            changes |= {"status": stopped.status, "rejection_reason": stopped.reason, "detail": stopped.detail[:300]}
            changes |= {"http_status": stopped.http_status, "retry_at": stopped.retry_at}
            if stopped.status == Status.OPTED_OUT:
                changes["opt_out"] = stopped.detail[:300]
        except Exception as error:  # a row never ends the run of all others
            if isinstance(error, OSError) and is_of_disk(error):
                raise
            changes |= {"status": Status.FAILED, "rejection_reason": Reason.INTERNAL_ERROR, "detail": repr(error)[:300]}
        return changes | {"fetched_at": datetime.now(UTC)}

    def _take_local(self, url: str) -> Row:
        name, _, path = url.removeprefix(LOCAL_SCHEME).partition("/")
        try:
            picture = self.folders[name] / unquote(path)
            with picture.open("rb") as source, drafted(self.folder, self.settings.max_bytes) as draft:
                while chunk := source.read(_CHUNK_BYTES):
                    draft.write(chunk)
                return draft.keep()
        except KeyError:
            raise Stopped(Status.FAILED, Reason.BAD_URL, f"no --folder of the name {name!r} was given") from None
        except OSError as error:
            if is_of_disk(error):
                raise
            raise Stopped(Status.FAILED, Reason.BAD_URL, f"cannot be read: {error.strerror}") from error

    async def _fetch_patiently(self, url: str) -> Row:
        for attempt in range(1, self.settings.attempts + 1):
            try:
                async with asyncio.timeout(self.settings.deadline_s):
                    return await self._fetch_once(url)
            except TimeoutError:
                limit = f"not done after {self.settings.deadline_s:g} s"
                raise Stopped(Status.FAILED, Reason.TIMEOUT, limit) from None
            except Stopped as stopped:
                if not stopped.passing or attempt == self.settings.attempts:
                    raise
                backoff_s = self.settings.backoff_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
                await asyncio.sleep(max(backoff_s, stopped.wait_s or 0))
        raise AssertionError("there is at least one attempt")

    async def _fetch_once(self, url: str) -> Row:
        place = _read_address(url)
        for _ in range(self.settings.max_redirects + 1):
            host = self._host(place)
            await self._ask_robots(host, place)
            async with host.slots:
                await self._wait_for_turn(host, place)
                answer = await self._answer(place, host)
            if not isinstance(answer, URL):
                return {"final_url": str(place), "opt_out": "none", **answer}
            place = answer
        raise Stopped(Status.FAILED, Reason.REDIRECTS, f"more than {self.settings.max_redirects} redirects")

    def _host(self, place: URL) -> _Host:
        key = str(place.origin())
        if key not in self._hosts:
            self._hosts[key] = _Host(asyncio.Semaphore(self.settings.connections_per_host))
        host = self._hosts[key]
        if host.parked_until and datetime.now(UTC) < host.parked_until:
            told = "the host asked for patience"
            raise Stopped(Status.DEFERRED, Reason.RETRY_LATER, told, retry_at=host.parked_until)
        return host

    async def _ask_robots(self, host: _Host, place: URL) -> None:
        if host.robots is None:
            host.robots = asyncio.create_task(self._fetch_robots(place.origin().with_path("/robots.txt")))
        robots = await asyncio.shield(host.robots)
        if not robots.allows(str(place)):
            raise Stopped(Status.OPTED_OUT, Reason.ROBOTS_TXT, f"robots.txt of {place.host} disallows {place.path}")

    async def _fetch_robots(self, place: URL) -> Robots:
        """RFC 9309: a site whose robots.txt is missing allows all, one whose server fails allows nothing for now."""
        try:
            async with asyncio.timeout(_ROBOTS_DEADLINE_S):
                for _ in range(self.settings.max_redirects + 1):
                    async with self._get(place) as response:
                        if response.status in _REDIRECTS and "location" in response.headers:
                            place = _read_address(str(place.join(URL(response.headers["location"]))))
                            continue
                        if response.status >= 500 or response.status == 429:
                            raise _robots_later(f"robots.txt: status {response.status}")
                        if response.status != 200:
                            return Robots(None)
                        body = b"".join([chunk async for chunk in body_of(response, ROBOTS_BYTES, cut=True)])
                        return read_robots(body)
                return Robots(None)
        except (TimeoutError, Stopped, ValueError) as error:
            if isinstance(error, Stopped) and error.reason in _NOT_ROBOTS:
                raise
            if isinstance(error, Stopped) and error.status == Status.DEFERRED:
                raise
            raise _robots_later(f"robots.txt: {error or 'no answer in time'}") from error

    async def _wait_for_turn(self, host: _Host, place: URL) -> None:
        """Keep the distance between two requests that a site's robots.txt asks for."""
        delay_s = host.robots.result().delay_s
        if delay_s > _MAX_CRAWL_DELAY_S:
            told = f"robots.txt of {place.host} asks for {delay_s:g} s between two requests"
            raise Stopped(Status.DEFERRED, Reason.RETRY_LATER, told, retry_at=datetime.now(UTC) + _ROBOTS_LATER)
        now = asyncio.get_running_loop().time()
        turn, host.next_at = max(now, host.next_at), max(now, host.next_at) + delay_s
        await asyncio.sleep(turn - now)

    async def _answer(self, place: URL, host: _Host) -> Row | URL:
        """What an address gives: a picture's row, or the address it redirects to."""
        async with self._get(place) as response:
            status = response.status
            if status in _REDIRECTS and "location" in response.headers:
                try:
                    return _read_address(str(place.join(URL(response.headers["location"]))))
                except ValueError as error:
                    raise Stopped(Status.FAILED, Reason.BAD_URL, f"redirected to {error}", status) from error
            if status in _MAY_PASS:
                raise self._not_now(response, host)
            if status != 200:
                raise Stopped(Status.FAILED, Reason.HTTP_STATUS, f"status {status}", status)
            if refusal := refusal_in_headers(response.headers):
                raise Stopped(Status.OPTED_OUT, refusal.reason, refusal.words, status)
            with drafted(self.folder, self.settings.max_bytes) as draft:
                async for chunk in body_of(response, self.settings.max_bytes):
                    draft.write(chunk)
                told = response.headers.get("content-type", "")[:100]
                return {"http_status": status, "content_type": told, **draft.keep()}

    @contextlib.asynccontextmanager
    async def _get(self, place: URL) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request without redirects, its errors as `Stopped`."""
        failed = Status.FAILED
        try:
            if self.settings.proxy:
                await self._check_behind_proxy(place)
            headers = {"Accept-Encoding": "identity", "Accept": "image/*, */*;q=0.1"}
            async with self._session.get(
                place, allow_redirects=False, proxy=self.settings.proxy, headers=headers
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
            raise Stopped(failed, Reason.CONNECTION_FAILED, repr(error), passing=True) from error

    async def _check_behind_proxy(self, place: URL) -> None:
        """A proxy makes the connections, so that all we can check is what the name means to us, if it means anything.

        A name server may not answer at all behind a proxy; that says nothing of the name.
        """
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(_LOOKUP_S):
                found = await loop.getaddrinfo(place.host, place.port)
        except (OSError, TimeoutError):
            found = [(None, None, None, None, (address, place.port)) for address in literal_addresses(place.host)]
        if not all(self._guard.permits(address[4][0], place.port) for address in found):
            raise Stopped(Status.FAILED, Reason.PRIVATE_ADDRESS, f"{NOT_PUBLIC}: {place.host}")

    def _not_now(self, response: aiohttp.ClientResponse, host: _Host) -> Stopped:
        """What to do about a status that may pass: wait, or leave the host alone until later."""
        status = response.status
        wait_s = seconds_to_wait(response.headers.get("retry-after"))
        if wait_s is not None and wait_s > self.settings.retry_after_cap_s:
            host.parked_until = datetime.now(UTC) + timedelta(seconds=min(wait_s, 30 * 86_400))
            told = f"status {status}; the host asked for {wait_s:g} s of patience"
            return Stopped(Status.DEFERRED, Reason.RETRY_LATER, told, status, retry_at=host.parked_until)
        return Stopped(Status.FAILED, Reason.HTTP_STATUS, f"status {status}", status, passing=True, wait_s=wait_s)


async def fetch_rows(rows: Iterable[Row], fetcher: Fetcher) -> AsyncIterator[Row]:
    """Fetch many rows at once, those of one host a few at a time; gives the changes in the order in which they end.

    Only a window of the rows is in memory.
    """
    queue = _Queue(fetcher.settings)
    running: dict[asyncio.Task, str] = {}
    source = iter(rows)
    try:
        while True:
            while queue.size < _WINDOW_ROWS and (row := next(source, None)) is not None:
                queue.add(row)
            while len(running) < fetcher.settings.connections and (due := queue.take()):
                row, host = due
                running[asyncio.create_task(fetcher.fetch(row))] = host
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                queue.end(running.pop(task))
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


class _Queue:
    """Rows that wait, by host; a host has its turn while few enough of its rows are on their way."""

    def __init__(self, settings: FetchSettings):
        self._per_host = settings.connections_per_host
        self._waiting: dict[str, deque[Row]] = defaultdict(deque)
        self._busy: Counter[str] = Counter()
        self._due: dict[str, None] = {}
        self.size = 0

    def add(self, row: Row) -> None:
        host = host_of(row["url"])
        self._waiting[host].append(row)
        self.size += 1
        self._make_due(host)

    def take(self) -> tuple[Row, str] | None:
        """A row whose host has its turn, and the host."""
        if not self._due:
            return None
        host = next(iter(self._due))
        del self._due[host]
        row = self._waiting[host].popleft()
        self._busy[host] += 1
        self.size -= 1
        self._make_due(host)
        return row, host

    def end(self, host: str) -> None:
        self._busy[host] -= 1
        self._make_due(host)

    def _make_due(self, host: str) -> None:
        if self._waiting[host] and self._busy[host] < self._per_host:
            self._due[host] = None
        elif not self._waiting[host] and not self._busy[host]:
            del self._waiting[host], self._busy[host]


def _read_address(url: str) -> URL:
    try:
        return checked_url(url)
    except ValueError as error:
        raise Stopped(Status.FAILED, Reason.BAD_URL, str(error)) from error


def _robots_later(detail: str) -> Stopped:
    at = datetime.now(UTC) + _ROBOTS_LATER
    return Stopped(Status.DEFERRED, Reason.ROBOTS_UNREACHABLE, detail, retry_at=at)


async def _addresses_of_proxy(proxy: str | None) -> list[str]:
    """The IP:PORT pairs of a proxy, which may be a private address: whoever named it wants it."""
    if proxy is None:
        return []
    place = URL(proxy)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(place.host, place.port)
    except OSError as error:
        raise SystemExit(f"the proxy {place.host} cannot be found: {error}") from error
    return [f"{address[4][0]}:{place.port}" for address in found]
