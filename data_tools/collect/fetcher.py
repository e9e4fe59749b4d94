"""URLs -> raw files: politely, bounded in time and size.

`Fetcher.fetch` takes a row and gives a row; it never raises but for a full disk, since what went wrong is what the row
says.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from urllib.parse import unquote_to_bytes, urljoin

import aiohttp
from yarl import URL

from data_tools.collect.errors import Stopped
from data_tools.collect.http import Web, body_of, seconds_to_wait
from data_tools.collect.partial_file import RawFile, drafted
from data_tools.collect.robots import ROBOTS_BYTES, Robots, read_robots, refusal_in_headers
from data_tools.collect.url_guard import checked_url
from data_tools.settings import FOLDER_SOURCE, LOCAL_SCHEME, FetchSettings
from data_tools.work.denylist import Denylist
from data_tools.work.schema import Reason, Row, Status
from face_expression.errors import required
from face_expression.io.files import is_of_disk

MAY_PASS = (408, 425, 429, 500, 502, 503, 504)
_CHUNK_BYTES = 65_536
_REDIRECTS = {301, 302, 303, 307, 308}
# What is wrong with the address itself, and would be for the picture too.
_NOT_ROBOTS = (Reason.BAD_URL, Reason.PRIVATE_ADDRESS, Reason.UNKNOWN_HOST)
_MAX_CRAWL_DELAY_S = 30.0
_ROBOTS_DEADLINE_S = 15.0
_ROBOTS_LATER = timedelta(days=1)
# Who was asked longest ago is forgotten, so that memory does not grow with the number of sites.
_HOSTS_KNOWN = 2000
_LONGEST_PARKING_S = 30 * 86_400.0
_Answer = TypeVar("_Answer")


@dataclass
class _Host:
    """What is known of one scheme, host and port."""

    slots: asyncio.Semaphore
    robots: asyncio.Task | None = None
    # Both by the event loop's clock, which nobody sets.
    next_at: float = 0.0
    parked_until: float = 0.0


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
        """Open the session, as `Web` does."""
        self._web = await Web(self.settings).__aenter__()
        self._hosts: dict[str, _Host] = {}
        return self

    async def __aexit__(self, *error: object) -> None:
        """Close all connections."""
        await self._web.__aexit__(*error)

    async def fetch(self, row: Row) -> Row:
        """Fetch one row's picture; returns what is to be changed in the row."""
        changes: Row = {"url": row["url"], "rejection_reason": None, "detail": None, "retry_at": None}
        try:
            self._check_denylist(row["url"], row["page_url"])
            if (row["source"] or "").startswith(FOLDER_SOURCE):
                changes |= self._take_local(row["url"])
            else:
                changes |= await self._with_retries(lambda: self._fetch_once(row["url"]))
            changes["status"] = Status.FETCHED
        except Stopped as stopped:
            changes |= {"status": stopped.status, "rejection_reason": stopped.reason, "detail": stopped.detail}
            changes |= {"http_status": stopped.http_status, "retry_at": stopped.retry_at}
            if stopped.status == Status.OPTED_OUT:
                changes["opt_out"] = stopped.detail
        except Exception as error:  # a row never ends the run of all others
            if isinstance(error, OSError) and is_of_disk(error):
                raise
            changes |= {"status": Status.FAILED, "rejection_reason": Reason.INTERNAL_ERROR, "detail": repr(error)}
        return changes | {"fetched_at": datetime.now(UTC)}

    def _check_denylist(self, *urls: str | None) -> None:
        if any(url and self.denylist.forbids_url(url) for url in urls):
            raise Stopped(Status.REJECTED, Reason.DENYLISTED, "this address was taken down")

    def _take_local(self, url: str) -> Row:
        name, _, path = url.removeprefix(LOCAL_SCHEME).partition("/")
        try:
            source = (self.folders[name] / os.fsdecode(unquote_to_bytes(path))).open("rb")
        except KeyError:
            raise Stopped(Status.FAILED, Reason.BAD_URL, f"no --folder of the name {name!r} was given") from None
        except OSError as error:
            raise Stopped(Status.FAILED, Reason.BAD_URL, f"cannot be read: {error.strerror}") from error
        with source, drafted(self.folder, self.settings.max_bytes) as draft:
            while chunk := source.read(_CHUNK_BYTES):
                draft.write(chunk)
            return self._keep(draft)

    def _keep(self, draft: RawFile) -> Row:
        if self.denylist.forbids_content(draft.sha256.hexdigest()):
            raise Stopped(Status.REJECTED, Reason.DENYLISTED, "this picture was taken down")
        return draft.keep()

    async def _with_retries(self, once: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Retry transient failures with exponential back-off."""
        for attempt in range(1, self.settings.attempts):
            try:
                return await once()
            except Stopped as stopped:
                if not stopped.passing:
                    raise
                await asyncio.sleep(self.settings.backoff_s * 2 ** (attempt - 1) * random.uniform(0.5, 1.5))
        return await once()

    async def _fetch_once(self, url: str) -> Row:
        """Follow one address to its picture; the deadline counts requests, not the back-off between them."""
        place, left_s = _read_address(url), self.settings.deadline_s
        clock = asyncio.get_running_loop().time
        for _ in range(self.settings.max_redirects + 1):
            self._check_denylist(str(place))
            host = self._host(place)
            await self._ask_robots(host, place)
            async with host.slots:
                await self._wait_for_turn(host, place)
                began = clock()
                try:
                    async with asyncio.timeout(left_s):
                        answer = await self._answer(place, host)
                except TimeoutError:
                    limit = f"not done after {self.settings.deadline_s:g} s"
                    raise Stopped(Status.FAILED, Reason.TIMEOUT, limit) from None
                left_s -= clock() - began
            if not isinstance(answer, URL):
                return {"final_url": str(place), "opt_out": "none", **answer}
            place = answer
        raise Stopped(Status.FAILED, Reason.REDIRECTS, f"more than {self.settings.max_redirects} redirects")

    def _host(self, place: URL) -> _Host:
        key = str(place.origin())
        host = self._hosts.pop(key, None) or _Host(asyncio.Semaphore(self.settings.connections_per_host))
        self._hosts[key] = host
        if len(self._hosts) > _HOSTS_KNOWN:
            del self._hosts[next(iter(self._hosts))]
        return host

    async def _ask_robots(self, host: _Host, place: URL) -> None:
        if host.robots is None:
            host.robots = asyncio.create_task(self._fetch_robots(place.origin().with_path("/robots.txt")))
        robots = await asyncio.shield(host.robots)
        if not robots.allows(str(place)):
            raise Stopped(Status.OPTED_OUT, Reason.ROBOTS_TXT, f"robots.txt of {place.host} disallows {place.path}")

    async def _fetch_robots(self, place: URL) -> Robots:
        """RFC 9309: a site whose robots.txt is missing allows all, one whose server fails allows nothing for now."""
        reason = "no answer in time"

        async def once() -> Robots:
            nonlocal reason
            try:
                return await self._robots_once(place)
            except Stopped as stopped:
                reason = str(stopped)
                raise

        try:
            async with asyncio.timeout(_ROBOTS_DEADLINE_S):
                return await self._with_retries(once)
        except (TimeoutError, Stopped) as error:
            if isinstance(error, Stopped) and error.reason in _NOT_ROBOTS:
                raise
            detail, at = f"robots.txt: {reason}", datetime.now(UTC) + _ROBOTS_LATER
            raise Stopped(Status.DEFERRED, Reason.ROBOTS_UNREACHABLE, detail, retry_at=at) from error

    async def _robots_once(self, first: URL) -> Robots:
        place = first
        for _ in range(self.settings.max_redirects + 1):
            try:
                async with self._web.get(place) as response:
                    if response.status in _REDIRECTS and "location" in response.headers:
                        place = _redirected(place, response)
                        continue
                    if response.status >= 500 or response.status in MAY_PASS:
                        raise Stopped(Status.FAILED, Reason.HTTP_STATUS, f"status {response.status}", passing=True)
                    if response.status != 200:
                        return Robots(None)
                    return read_robots(b"".join([part async for part in body_of(response, ROBOTS_BYTES, cut=True)]))
            except Stopped as stopped:
                if (place != first or stopped.http_status) and stopped.reason in _NOT_ROBOTS:
                    raise Stopped(Status.FAILED, Reason.REDIRECTS, f"redirected, then: {stopped}") from stopped
                raise
        return Robots(None)

    async def _wait_for_turn(self, host: _Host, place: URL) -> None:
        """Keep the distance between two requests that a site asks for."""
        delay_s = required(host.robots).result().delay_s
        if delay_s > _MAX_CRAWL_DELAY_S:
            detail = f"robots.txt of {place.host} asks for {delay_s:g} s between two requests"
            raise Stopped(Status.DEFERRED, Reason.RETRY_LATER, detail, retry_at=datetime.now(UTC) + _ROBOTS_LATER)
        now = asyncio.get_running_loop().time()
        turn = max(now, host.next_at)
        host.next_at = turn + delay_s
        await asyncio.sleep(turn - now)
        if (left_s := host.parked_until - asyncio.get_running_loop().time()) > 0:
            detail, at = "rate limited by the host", datetime.now(UTC) + timedelta(seconds=left_s)
            raise Stopped(Status.DEFERRED, Reason.RETRY_LATER, detail, retry_at=at)

    async def _answer(self, place: URL, host: _Host) -> Row | URL:
        """What an address gives: a picture's row, or the address it redirects to."""
        async with self._web.get(place) as response:
            status = response.status
            if status in _REDIRECTS and "location" in response.headers:
                return _redirected(place, response)
            if status in MAY_PASS:
                raise self._not_now(response, host)
            if status != 200:
                raise Stopped(Status.FAILED, Reason.HTTP_STATUS, f"status {status}", status)
            if refusal := refusal_in_headers(response.headers):
                raise Stopped(Status.OPTED_OUT, refusal.reason, refusal.words, status)
            with drafted(self.folder, self.settings.max_bytes) as draft:
                async for chunk in body_of(response, self.settings.max_bytes):
                    draft.write(chunk)
                content_type = response.headers.get("content-type", "")[:100]
                return {"http_status": status, "content_type": content_type, **self._keep(draft)}

    def _not_now(self, response: aiohttp.ClientResponse, host: _Host) -> Stopped:
        """What to do about a status that may pass: leave the whole host alone as long as it asks for."""
        detail = f"status {response.status}"
        wait_s = seconds_to_wait(response.headers.get("retry-after")) or 0.0
        now = asyncio.get_running_loop().time()
        if wait_s > self.settings.retry_after_cap_s:
            parked_s = min(wait_s, _LONGEST_PARKING_S)
            host.parked_until = now + parked_s
            detail += f"; rate limited by the host for {wait_s:g} s"
            at = datetime.now(UTC) + timedelta(seconds=parked_s)
            return Stopped(Status.DEFERRED, Reason.RETRY_LATER, detail, response.status, retry_at=at)
        host.next_at = max(host.next_at, now + wait_s)
        return Stopped(Status.FAILED, Reason.HTTP_STATUS, detail, response.status, passing=True)


def _read_address(url: str) -> URL:
    try:
        return checked_url(url)
    except ValueError as error:
        raise Stopped(Status.FAILED, Reason.BAD_URL, str(error)) from error


def _redirected(place: URL, response: aiohttp.ClientResponse) -> URL:
    """Where an answer redirects to."""
    try:
        return checked_url(urljoin(str(place), response.headers["location"]))
    except ValueError as error:
        raise Stopped(Status.FAILED, Reason.BAD_URL, f"redirected to {error}", response.status) from error
