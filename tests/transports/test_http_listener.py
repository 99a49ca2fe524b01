"""The phones' listener on real sockets: heads in any pieces, hostile and slow clients, bounds, back-pressure, and answers that are never stale."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from provisioner.transports import http_connection, http_listener, http_sending
from tests.contract.inside import own_name
from tests.contract.world import wait_until
from tests.transports.own_listener import BIG, Listening, answer_on, listening, listening_with_files, request, rest_of, statuses


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Listening]:
    with listening_with_files(tmp_path) as made:
        yield made


# ---- heads --------------------------------------------------------------------------------------------------------------


def test_a_request_may_come_in_any_two_pieces(here: Listening) -> None:
    phone = here.phone()
    asked = request(phone.name, phone.agent)
    body = here.own.ask(phone.name, phone.agent, peer="127.0.0.1").body
    with here.connect() as connection:
        for at in range(1, len(asked)):
            connection.sendall(asked[:at])
            if at % 20 == 0:
                time.sleep(0.002)  # most come together after all; some in two reads for certain
            connection.sendall(asked[at:])
            assert answer_on(connection) == (200, body), at


def test_a_request_may_come_byte_by_byte(here: Listening) -> None:
    with here.connect() as connection:
        for byte in request("wall.jpg"):
            connection.sendall(bytes((byte,)))
            time.sleep(0.001)
        assert answer_on(connection) == (200, b"small picture")


def test_pipelined_requests_are_answered_in_their_order(here: Listening) -> None:
    phone = here.phone()
    body = here.own.ask(phone.name, phone.agent, peer="127.0.0.1").body
    some = request("wall.jpg") + request(phone.name, phone.agent) + request("nothing") + request(phone.name, phone.agent, method="HEAD")
    answers = here.exchange(b"\r\n", some * 20 + request("wall.jpg", close=True))
    assert statuses(answers) == [b"200", b"200", b"404", b"200"] * 20 + [b"200"]
    assert answers.count(body) == 20


HIDDEN = request("wall.jpg")
SMUGGLED = {
    "length and chunks": b"PUT /%s HTTP/1.1\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": b"PUT /%s HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
    "two lengths": b"PUT /%s HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 50\r\n\r\n",
    "a list of lengths": b"PUT /%s HTTP/1.1\r\nContent-Length: 0, 50\r\n\r\n",
    "a length with a sign": b"PUT /%s HTTP/1.1\r\nContent-Length: +0\r\n\r\n",
    "a blank before the colon": b"PUT /%s HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "another coding": b"PUT /%s HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "nearly chunked": b"PUT /%s HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"PUT /%s HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded line": b"GET /%s HTTP/1.1\r\nA: b\r\n Content-Length: 5\r\n\r\n",
    "a line without CR": b"GET /%s HTTP/1.1\r\nA: b\nContent-Length: 5\r\n\r\n",
    "a NUL": b"GET /%s HTTP/1.1\r\nA: \0\r\n\r\n",
    "an upgrade with a body": b"PUT /%s HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 4\r\n\r\n",
    "another version": b"GET /%s HTTP/2.0\r\n\r\n",
    "no version": b"GET /%s\r\n\r\n",
    "bare line feeds": b"GET /%s HTTP/1.1\n\n",
}


@pytest.mark.parametrize("sent", SMUGGLED.values(), ids=SMUGGLED.keys())
def test_what_smugglers_send_is_refused_and_nothing_behind_it_is_read(here: Listening, sent: bytes) -> None:
    phone = here.phone("polycom/vvx411")
    answers = here.exchange(sent % f"{phone.mac}-app.log".encode() + HIDDEN * 3)
    assert statuses(answers) == [b"400"], answers
    assert here.own.installation.store.uploads_of(phone.mac) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("lines", [("Content-Length: 9",), ("Transfer-Encoding: chunked",)], ids=["length", "chunks"])
def test_behind_a_body_that_nobody_wants_nothing_is_read(here: Listening, method: str, lines: tuple[str, ...]) -> None:
    answers = here.exchange(request("wall.jpg", "", *lines, method=method) + b"0\r\n\r\n" + HIDDEN)
    assert len(statuses(answers)) == 1
    assert b"Connection: close" in answers


def test_heads_are_bounded(here: Listening) -> None:
    assert statuses(here.exchange(request("wall.jpg", "", *(f"A{at}: b" for at in range(101))))) == [b"431"]
    assert statuses(here.exchange(b"GET /wall.jpg HTTP/1.1\r\nA: " + b"a" * 40_000)) == [b"431"]
    assert statuses(here.exchange(request("wall.jpg", "a" * 30_000, close=True))) == [b"200"]


def test_what_all_unfinished_heads_hold_is_bounded(here: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_listener, "HELD_BYTES", 50_000)
    half = b"GET /wall.jpg HTTP/1.1\r\nA: " + b"a" * 20_000
    with ExitStack() as stack:
        held = [stack.enter_context(here.connect()) for _ in range(3)]
        for connection in held[:2]:
            connection.sendall(half)
        wait_until(lambda: here.listener._held > 40_000, what="two heads")
        held[2].sendall(half)
        assert rest_of(held[2]).startswith(b"HTTP/1.1 503 ")
        for connection in held[:2]:
            connection.sendall(b"\r\n\r\n")
            assert answer_on(connection) == (200, b"small picture")
    wait_until(lambda: here.listener._held == 0, what="the end of all")


def test_random_bytes_neither_end_it_nor_leave_anything_behind(here: Listening) -> None:
    for seed in range(200):
        with here.connect() as connection, contextlib.suppress(ConnectionError):
            connection.sendall(os.urandom(1 + seed * 7))
            if seed % 2:
                connection.sendall(b"\r\n\r\n")
    wait_until(lambda: not here.listener._connections, what="the end of all")
    assert (here.listener._held, dict(here.listener._addresses), here.uploads.under_way) == (0, {}, 0)
    assert statuses(here.exchange(request("wall.jpg", close=True))) == [b"200"]


# ---- what is recorded ---------------------------------------------------------------------------------------------------


def test_a_file_is_recorded_when_its_last_byte_left(here: Listening) -> None:
    with here.connect(receive_bytes=8192) as connection:
        connection.sendall(request("big.rom", close=True))
        assert connection.recv(12) == b"HTTP/1.1 200"
        time.sleep(0.2)
        assert here.fetches() == []
        left = len(rest_of(connection))
    assert left > BIG
    row = here.wait_recorded("served")
    assert (row.name, row.bytes) == ("big.rom", BIG)
    assert row.duration_ms > 200


def test_a_client_that_leaves_is_recorded_with_what_it_got(here: Listening) -> None:
    with here.connect(receive_bytes=8192) as connection:
        connection.sendall(request("big.rom"))
        connection.recv(100_000)
    row = here.wait_recorded("aborted")
    assert 0 < row.bytes < BIG


@pytest.mark.parametrize(
    "body", [b"5\r\nhello\r\n", b"5\r\nhel", b"5\r\nhello\r\n0\r\n"], ids=["no end", "in a chunk", "before the last CRLF"]
)
def test_a_chunked_upload_that_breaks_off_is_aborted(here: Listening, body: bytes) -> None:
    phone = here.phone("polycom/vvx411")
    with here.connect() as connection:
        connection.sendall(request(f"{phone.mac}-app.log", phone.agent, "Transfer-Encoding: chunked", method="PUT") + body)
        time.sleep(0.05)
    assert here.wait_recorded("aborted").method == "PUT"
    assert here.own.installation.store.uploads_of(phone.mac) == []
    assert (here.uploads.under_way, here.uploads.bytes_held) == (0, 0)


def test_a_chunked_upload_that_came_whole_is_kept(here: Listening) -> None:
    phone = here.phone("polycom/vvx411")
    name = f"{phone.mac}-app.log"
    head = request(name, phone.agent, "Transfer-Encoding: chunked", method="PUT")
    assert statuses(here.exchange(head, b"5\r\nhel", b"lo\r\n3;x=y\r\n...\r\n0\r\nT: x\r\n\r\n")) == [b"200"]
    found = here.own.installation.store.upload_body(phone.mac, name)
    assert found is not None
    assert found[1] == b"hello..."
    assert statuses(here.exchange(head, b"zz\r\n")) == [b"400"]


def test_half_closed_clients_get_their_answers(here: Listening) -> None:
    phone = here.phone("polycom/vvx411")
    with here.connect() as connection:
        upload = request(f"{phone.mac}-app.log", phone.agent, "Content-Length: 2", method="PUT") + b"ok"
        connection.sendall(request("wall.jpg") + upload + request("wall.jpg"))
        connection.shutdown(socket.SHUT_WR)
        assert statuses(rest_of(connection)) == [b"200", b"200", b"200"]


# ---- slow clients, many clients -----------------------------------------------------------------------------------------


def test_a_head_has_its_time_however_it_trickles(here: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "HEAD_S", 0.4)
    with here.connect() as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sent, head = 0, request("wall.jpg", "a" * 20_000)
        with contextlib.suppress(ConnectionError):
            for byte in head:
                connection.sendall(bytes((byte,)))
                sent += 1
                time.sleep(0.02)
        assert sent < len(head), "minutes would have been needed for all of it"
        assert statuses(rest_of(connection)) in ([b"408"], [])


def test_an_idle_connection_is_closed_in_time(here: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "IDLE_S", 0.3)
    with here.connect() as connection:
        connection.sendall(request("wall.jpg"))
        assert answer_on(connection)[0] == 200
        assert connection.recv(10) == b""


def test_who_takes_nothing_of_an_answer_is_given_up(here: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_sending, "STALL_S", 0.5)
    with here.connect(receive_bytes=8192) as connection:
        connection.sendall(request("big.rom"))
        assert here.wait_recorded("aborted").bytes < BIG
    assert here.listener._connections == {}


PROMPT_S = 15.0
"""A busy machine needs a while for what takes a moment; who waited for one of the slow would wait for twice as long."""


def memory_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def test_two_hundred_slow_downloads_hold_neither_memory_nor_others(here: Listening) -> None:
    before = memory_mb()
    with ExitStack() as stack:
        for _ in range(200):
            connection = stack.enter_context(here.connect(receive_bytes=8192))
            connection.sendall(request("big.rom") * 20)  # pipelined: answered one after the other, or never
        started = time.monotonic()
        assert statuses(here.exchange(request("wall.jpg", close=True))) == [b"200"]
        assert time.monotonic() - started < PROMPT_S
        assert memory_mb() - before < 40
    wait_until(lambda: not here.listener._connections, what="the end of all")


def test_thousands_of_idle_connections_hold_up_nobody(here: Listening) -> None:
    before = memory_mb()
    with ExitStack() as stack:
        for at in range(3000):
            stack.enter_context(here.connect(f"127.0.{1 + at // 200}.{1 + at % 200}"))
        wait_until(lambda: len(here.listener._connections) == 3000, what="all of them")
        started = time.monotonic()
        assert statuses(here.exchange(request("wall.jpg", close=True))) == [b"200"]
        assert time.monotonic() - started < PROMPT_S
        assert memory_mb() - before < 20, "both ends of them"


def test_when_it_is_full_the_longest_idle_make_room(here: Listening) -> None:
    here.listener._most = 20
    with ExitStack() as stack:
        idle = [stack.enter_context(here.connect()) for _ in range(20)]
        for connection in idle[1:]:
            connection.sendall(request("wall.jpg"))
            assert answer_on(connection)[0] == 200
        assert statuses(here.exchange(request("wall.jpg", close=True))) == [b"200"]
        assert idle[0].recv(10) == b"", "it had asked for nothing yet"


def test_one_address_may_not_take_all_and_a_trusted_proxy_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_listener, "PER_ADDRESS", 10)
    with listening(tmp_path, proxies=("127.0.0.7/32",)) as here, ExitStack() as stack:
        here.exchange(request("nothing", close=True))  # behind whatever looked whether it listens
        wait_until(lambda: not here.listener._connections)
        for source in ["127.0.0.1"] * 10 + ["127.0.0.7"] * 30:
            stack.enter_context(here.connect(source))
        wait_until(lambda: len(here.listener._connections) == 40, what="all of them")
        assert stack.enter_context(here.connect("127.0.0.1")).recv(10) == b""
        assert statuses(here.exchange(request("nothing", close=True), source="127.0.0.2")) == [b"404"]


# ---- faults of ours ---------------------------------------------------------------------------------------------------


def test_a_fault_of_ours_is_500_and_the_next_request_is_served(
    here: Listening, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = here.phone()
    with here.connect() as connection:
        here.own.index.files[phone.mac][own_name(phone)].body = None
        monkeypatch.setattr(here.own.index, "_store", None)
        connection.sendall(request(phone.name, phone.agent))
        assert answer_on(connection)[0] == 500
        monkeypatch.undo()
        connection.sendall(request(phone.name, phone.agent))
        assert answer_on(connection)[0] == 200
    assert "event=answer_failed" in caplog.text
    assert here.wait_recorded("failed").bytes > 0
    assert here.wait_recorded("served").mac == phone.mac
