"""An exchange ends in its time, however its other side drips."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import chain, repeat

import pytest

from provisioner.deadline import BoundedConnection

SECONDS = 0.5
NAMED = b"HTTP/1.1 200 OK\r\nX-Long: "
WITH_BODY = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
HANDSHAKE = b"\x16\x03\x03\x40\x00"
"""Head of a TLS record of 16 KiB, whose rest is dripped."""


@contextmanager
def dripping(first: bytes, then: bytes) -> Iterator[int]:
    """A server that answers with ``first`` and goes on with ``then``, a tenth of a second apart; yields its port."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer, suppress(OSError):  # the client has had enough
                for part in chain([first], repeat(then)):
                    peer.sendall(part)
                    if stop.wait(0.1):
                        return

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        stop.set()
        thread.join(10)


def test_a_dead_address_hides_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=1) as dead,
        dripping(b"HTTP/1.1 204 No Content\r\n\r\n", b"") as port,
        ExitStack() as queue,
    ):
        for _ in range(3):  # a queue that is full answers nobody
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(dead.getsockname())
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", at)) for at in (dead.getsockname()[1], port)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with BoundedConnection("both.example", port, seconds=2.0) as connection:
            connection.request("GET", "/")
            assert connection.getresponse().status == 204


@pytest.mark.parametrize(
    ("first", "then", "is_tls"),
    [
        pytest.param(NAMED, b"x", False, id="a header without an end"),
        pytest.param(WITH_BODY, b"x", False, id="a body without an end, after http.client let go of the socket"),
        pytest.param(HANDSHAKE, b"\x00", True, id="a handshake without an end"),
    ],
)
def test_what_drips_ends_when_the_time_is_up(first: bytes, then: bytes, is_tls: bool) -> None:
    begun = time.monotonic()
    with (
        dripping(first, then) as port,
        pytest.raises(TimeoutError, match=r"not done within 0\.5 s"),
        BoundedConnection("127.0.0.1", port, seconds=SECONDS, is_tls=is_tls) as connection,
    ):
        connection.request("GET", "/")
        connection.getresponse().read()
    assert time.monotonic() - begun < 30, "the drip has no end"


def test_an_answer_in_time_is_read_whole() -> None:
    with (
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", b"x") as port,
        BoundedConnection("127.0.0.1", port, seconds=30) as connection,
    ):
        connection.request("GET", "/")
        assert connection.getresponse().read() == b"xx"


def test_an_error_of_another_kind_stays_what_it_is() -> None:
    with pytest.raises(ConnectionRefusedError), BoundedConnection("127.0.0.1", 1, seconds=30) as connection:
        connection.request("GET", "/")


@pytest.mark.parametrize(("is_tls", "port"), [(False, 80), (True, 443)])
def test_the_usual_port_is_taken_and_not_named_to_the_server(is_tls: bool, port: int) -> None:
    connection = BoundedConnection("example.org", None, seconds=1, is_tls=is_tls)
    assert (connection.port, connection.default_port) == (port, port)
