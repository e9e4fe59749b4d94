"""Connections that say nothing, or too little, keep nobody out: against a server of this machine, with small limits."""

import asyncio
import contextlib
import select
import socket
import threading
import time

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from space.limits import Limits
from space.traffic.body_limit import MAX_BODY, Bodies, BodyError
from space.traffic.connections import ConnectionLimits
from space.traffic.request_budget import RequestBudget
from space.traffic.request_limits import RequestLimits
from space.traffic.sessions import Sessions
from tests.support.service_clients import PATIENCE_S, until


async def echo(request) -> PlainTextResponse:
    size = len(await request.body())
    await asyncio.sleep(float(request.query_params.get("work_s", 0)))
    return PlainTextResponse(str(size))


@contextlib.contextmanager
def serving(
    limits: ConnectionLimits, shares: Limits | None = None, *, proxies: str = "127.0.0.1", clock_s=time.monotonic
):
    """The limits around a small app, which believes these proxies; gives its address."""
    shares = shares or Limits()
    sessions, budget = Sessions(shares, forget=lambda _: None), RequestBudget(shares, clock_s=clock_s)
    app = Starlette(
        routes=[Route("/{path:path}", echo, methods=["GET", "POST"])],
        middleware=[Middleware(RequestLimits, limits=shares, sessions=sessions, queue=None, budget=budget)],
    )
    config = uvicorn.Config(app, port=0, log_level="warning", **limits.uvicorn_options(budget, proxies=proxies))
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until(lambda: server.started)
    try:
        yield server.servers[0].sockets[0].getsockname()
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def ends(connection: socket.socket) -> bool:
    """Whether the server closes a connection."""
    connection.settimeout(PATIENCE_S)
    with contextlib.suppress(ConnectionResetError):
        while connection.recv(1000):
            pass
    return True


@pytest.mark.parametrize(
    "request_start",
    [
        b"",
        b"G",
        b"GET / HTTP/1.1\r\nHost: a\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HT",
    ],
)
def test_who_says_nothing_more_is_closed(request_start):
    with serving(ConnectionLimits(headers_s=0.5, silent_s=0.5)) as place, socket.create_connection(place) as connection:
        connection.sendall(request_start)
        assert ends(connection)


def test_a_head_that_drips_in_is_closed():
    with serving(ConnectionLimits(headers_s=0.5)) as place, socket.create_connection(place) as connection:
        closed = threading.Event()
        threading.Thread(target=lambda: (ends(connection), closed.set()), daemon=True).start()
        with contextlib.suppress(OSError):
            connection.sendall(b"GET / HTTP/1.1\r\n")
            for _ in range(10 * PATIENCE_S):
                connection.sendall(b"X-A: b\r\n")
                time.sleep(0.1)
                if closed.is_set():
                    break
        assert closed.wait(PATIENCE_S)


def test_idle_connections_keep_nobody_out():
    with serving(ConnectionLimits(most=20)) as place:
        idle = [socket.create_connection(place) for _ in range(60)]
        for _ in range(3):
            assert httpx.post("http://{}:{}/a".format(*place), content=b"abc", timeout=PATIENCE_S).text == "3"
        assert ends(idle[0])
        for connection in idle:
            connection.close()


def test_connections_that_answer_are_not_closed_for_others():
    with serving(ConnectionLimits(most=3)) as place, socket.create_connection(place) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
        assert slow.recv(1000).startswith(b"HTTP/1.1 100"), "the app waits for the body"
        slow.sendall(b"ab")
        idle = [socket.create_connection(place) for _ in range(10)]
        slow.sendall(b"cd")
        assert slow.recv(1000).startswith(b"HTTP/1.1 200")
        for connection in idle:
            connection.close()


def test_an_answer_may_take_long_though_the_body_came_after_the_head():
    with serving(ConnectionLimits(silent_s=3)) as place, socket.create_connection(place) as connection:
        connection.sendall(b"POST /?work_s=5 HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        time.sleep(0.1)
        connection.sendall(b"cd")
        connection.settimeout(PATIENCE_S)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def body_of(parts, pause_s=0.0):
    """An ASGI `receive` that gives these parts of a body."""
    left = list(parts)

    async def receive():
        await asyncio.sleep(pause_s)
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    return receive


def test_bodies_on_their_way_have_a_share_of_the_memory():
    async def conversation():
        bodies, go_on = Bodies(most_of_one=100, most_of_all=150), asyncio.Event()

        def slow(size):
            async def receive():
                if not sent:
                    sent.append(1)
                    return {"type": "http.request", "body": bytes(size), "more_body": True}
                await go_on.wait()
                return {"type": "http.request", "body": b"", "more_body": False}

            sent = []
            return receive

        held = [asyncio.create_task(bodies.read("greedy", slow(45), 1000)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(BodyError, match="too many bodies"):
            await bodies.read("greedy", slow(20), 1000)
        other = asyncio.create_task(bodies.read("other", slow(55), 1000))
        await asyncio.sleep(0)
        assert await bodies.read("third", body_of([bytes(20)]), 1000) == bytes(20)
        with pytest.raises(BodyError, match="limit is 10 bytes"):
            await bodies.read("third", body_of([bytes(20)]), 10)
        go_on.set()
        return [len(body) for body in await asyncio.gather(*held, other)]

    assert asyncio.run(conversation()) == [45, 45, 55]


def test_a_body_that_breaks_off_is_no_body():
    async def receive():
        return {"type": "http.disconnect"}

    with pytest.raises(BodyError, match="incomplete"):
        asyncio.run(Bodies().read("one", receive, 10))


def test_a_body_that_comes_too_slowly_is_refused(monkeypatch):
    monkeypatch.setattr("space.traffic.body_limit.PATIENCE_S", 0.2)
    with pytest.raises(BodyError, match="too slowly") as refused:
        asyncio.run(Bodies().read("one", body_of([b"a"] * 10_000, pause_s=0.05), 100_000))
    assert refused.value.status == 408


def test_a_body_takes_its_share_before_any_of_it_is_read():
    async def conversation():
        bodies, go_on = Bodies(most_of_one=100, most_of_all=1000), asyncio.Event()

        async def never():
            await go_on.wait()
            return {"type": "http.request", "body": bytes(60)}

        async def read_nothing():
            raise AssertionError("a part was read")

        first = asyncio.create_task(bodies.read("greedy", never, 1000, announced=60))
        await asyncio.sleep(0)
        with pytest.raises(BodyError, match="too many bodies"):
            await bodies.read("greedy", read_nothing, 1000, announced=60)
        with pytest.raises(BodyError, match="limit is 50 bytes"):
            await bodies.read("other", read_nothing, 50, announced=60)
        go_on.set()
        assert len(await first) == 60
        return len(await bodies.read("greedy", body_of([bytes(90)]), 1000, announced=10))

    assert asyncio.run(conversation()) == 90


def refused(place, *, behind_a_proxy: bool = False) -> socket.socket:
    """A request that is far too long, whose answer is still to be read."""
    forwarded = "X-Forwarded-For: 198.51.100.9\r\n" if behind_a_proxy else ""
    connection = socket.create_connection(place, PATIENCE_S)
    connection.sendall(f"POST /a HTTP/1.1\r\nHost: a\r\n{forwarded}Content-Length: {MAX_BODY + 1}\r\n\r\n".encode())
    return connection


def status(connection: socket.socket) -> int:
    with connection:
        return int(connection.recv(1000).split()[1])


def test_who_goes_on_after_refusals_has_spent_the_requests():
    with serving(ConnectionLimits(), Limits(late_s=0.01)) as place:
        statuses = [status(refused(place)) for _ in range(100)]
        assert set(statuses) == {413, 429} and statuses[:10] == [413] * 10
        address = "http://{}:{}/a".format(*place)
        give_up_at = time.monotonic() + PATIENCE_S
        while (
            answer := httpx.post(address, content=b"abc", timeout=PATIENCE_S)
        ).status_code == 429 and time.monotonic() < give_up_at:
            time.sleep(0.1)
        assert answer.text == "3"


def test_refusals_of_who_goes_on_come_late_and_end_the_connection():
    shares = Limits(requests_a_second=1, requests_of_a_refusal=6, late_s=2)
    # Time stands still for the budget, so that no request comes back to it.
    with serving(ConnectionLimits(), shares, proxies="198.51.100.1", clock_s=lambda: 0.0) as place:
        assert status(refused(place)) == 413
        begun_s = time.monotonic()
        late = [refused(place) for _ in range(3)]
        late[0].sendall(b"what comes now is not read")
        for connection in late:
            answer = connection.recv(1000)
            assert answer.startswith(b"HTTP/1.1 429") and b"\r\nRetry-After: " in answer
            assert ends(connection)
            connection.close()
        assert time.monotonic() - begun_s >= 2


def test_some_refusals_behind_a_proxy_come_late():
    shares = Limits(requests_a_second=1, requests_of_a_refusal=6, late_s=4, late_refusals_of_one=1)
    with serving(ConnectionLimits(), shares, clock_s=lambda: 0.0) as place:
        assert status(refused(place, behind_a_proxy=True)) == 413
        late, at_once = refused(place, behind_a_proxy=True), refused(place, behind_a_proxy=True)
        assert status(at_once) == 429
        assert select.select([late], [], [], 0)[0] == []
        assert status(late) == 429
        # The proxy has other visitors, too.
        assert httpx.post("http://{}:{}/a".format(*place), content=b"abc", timeout=PATIENCE_S).text == "3"


def test_hundreds_of_connections_at_once_wait_to_be_accepted():
    with serving(ConnectionLimits(most=1000)) as place:
        connections = [socket.create_connection(place, PATIENCE_S) for _ in range(300)]
        for connection in connections:
            connection.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert {status(connection) for connection in connections} == {200}


@pytest.mark.parametrize(("soft", "hard", "most"), [(1024, 1024, 764), (1024, 4096, 1000), (5000, 5000, 1000)])
def test_limits_follow_the_descriptors_of_the_process(monkeypatch, soft, hard, most):
    asked = []
    monkeypatch.setattr("space.traffic.connections.resource.getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr("space.traffic.connections.resource.setrlimit", lambda _, both: asked.append(both))
    assert ConnectionLimits.of_this_process().most == most
    assert all(soft <= wanted <= hard == given for wanted, given in asked)


def test_who_opens_hundreds_of_connections_is_hung_up_on_and_nobody_else():
    with serving(ConnectionLimits(new_at_once=20, new_a_second=0.001), proxies="127.0.0.9") as place:
        for source, admitted in {"127.0.0.2": 20, "127.0.0.3": 20, "127.0.0.9": 60}.items():
            connections = [socket.create_connection(place, PATIENCE_S, (source, 0)) for _ in range(60)]
            for connection in connections:
                with contextlib.suppress(ConnectionError):
                    connection.sendall(b"GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answers = [answered(connection) for connection in connections]
            assert answers.count(True) == admitted


def answered(connection: socket.socket) -> bool:
    """Whether there is an answer before the connection ends."""
    with connection, contextlib.suppress(ConnectionError):
        return connection.recv(1000).startswith(b"HTTP/1.1 200")
    return False
