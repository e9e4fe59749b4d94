"""Which of the connections that are ready are served first."""

import selectors
import socket

import pytest

from space.traffic.event_loop import FairSelector


@pytest.fixture
def ready_connections():
    """Sixty connections on which something has come."""
    pairs = [socket.socketpair() for _ in range(60)]
    for _, there in pairs:
        there.send(b"GET / HTTP/1.1")
    yield [here for here, _ in pairs]
    for pair in pairs:
        for end in pair:
            end.close()


def test_a_client_with_many_connections_is_not_served_before_one_with_one(ready_connections):
    selector, many = FairSelector(), ready_connections
    for connection in many:
        selector.register(connection, selectors.EVENT_READ)
        selector.client_of[connection.fileno()] = "many"
    selector.client_of[many[-1].fileno()] = "one"
    del selector.client_of[many[-2].fileno()]
    served = []
    for _ in range(60):
        reported = [key.fileobj for key, _ in selector.select(0)]
        # What belongs to no client, such as a thread's answer, and the other client are never left out.
        assert {many[-1], many[-2]} <= set(reported)
        assert len(reported) <= 4
        served += reported
    assert set(served) == set(many)
    selector.close()


def test_one_client_alone_has_all_its_connections_served(ready_connections):
    selector = FairSelector()
    for connection in ready_connections:
        selector.register(connection, selectors.EVENT_READ)
        selector.client_of[connection.fileno()] = "alone"
    for _ in range(30):
        for key, _ in selector.select(0):
            selector.unregister(key.fileobj)
    assert not selector.get_map()
    selector.close()
