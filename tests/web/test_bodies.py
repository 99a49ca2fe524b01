"""Bodies are collected before a thread works for them: who stalls, brings too much or hides a header keeps nobody from anything."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from provisioner.api.auth import STRANGERS_BYTES
from provisioner.wiring import open_installation
from tests.e2e.serving import settings_of
from tests.ports import free_port
from tests.stories import told
from tests.web.conftest import HTML, Person, token_in
from web import bodies
from web.bodies import Limits, Refused, Room, WholeBodies

COOKIE = (b"cookie", b"provisioner_session=x")
PATIENCE_S = 60.0


class Sender:
    """A request as granian hands it over: its parts come when the test says so."""

    def __init__(
        self, *parts: bytes, headers: list[tuple[bytes, bytes]] | None = None, path: str = "/sign-in", is_whole: bool = True
    ) -> None:
        self.scope = {"type": "http", "method": "POST", "path": path, "headers": headers or []}
        self._messages = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
        if is_whole:
            self._messages[-1]["more_body"] = False
        self.sent: list[dict[str, Any]] = []

    async def receive(self) -> Any:
        if self._messages:
            return self._messages.pop(0)
        return await asyncio.Future()  # nothing comes any more

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])


class Application:
    """Notes what it is handed; answers only when the test says so."""

    def __init__(self) -> None:
        self.seen: list[tuple[dict[bytes, bytes], bytes]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        assert not message["more_body"]
        self.seen.append((dict(scope["headers"]), message["body"]))
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": 299, "headers": []})


def answered(*senders: Sender, limits: Limits | None = None) -> Application:
    """Has the requests answered, one after the other, and returns what the application saw of them."""

    async def story() -> Application:
        application = Application()
        whole = WholeBodies(application, limits)
        for sender in senders:
            await whole(sender.scope, sender.receive, sender.send)
        return application

    return told(story())


def test_body_is_handed_on_whole_with_its_length() -> None:
    sender = Sender(b"na", b"me=x", headers=[(b"transfer-encoding", b"chunked"), (b"host", b"h")])
    assert answered(sender).seen == [({b"host": b"h", b"content-length": b"6"}, b"name=x")]
    assert sender.status == 299


def test_header_that_wsgi_would_take_for_another_is_dropped() -> None:
    sender = Sender(b"", headers=[(b"x_forwarded_for", b"10.0.0.1"), (b"x-forwarded-for", b"192.0.2.1")])
    assert answered(sender).seen[0][0] == {b"x-forwarded-for": b"192.0.2.1", b"content-length": b"0"}


def test_who_stalls_is_told_so_and_no_thread_hears_of_it() -> None:
    page, program = Sender(b"na", is_whole=False), Sender(b"{", is_whole=False, path="/api/v1/session")
    assert answered(page, program, limits=Limits(within_s=0.05)).seen == []
    assert page.status == program.status == 408
    assert json.loads(program.sent[1]["body"])["reason"] == "too_slow"
    assert (b"connection", b"close") in page.sent[0]["headers"]


def test_large_body_over_a_slow_line_has_time_for_each_part() -> None:
    sender = Sender(b"x" * STRANGERS_BYTES, b"y", headers=[COOKIE])
    assert len(answered(sender, limits=Limits(within_s=0.05)).seen[0][1]) == STRANGERS_BYTES + 1


@pytest.mark.parametrize("announced", [True, False])
def test_stranger_brings_no_large_body(announced: bool) -> None:
    headers = [(b"content-length", str(STRANGERS_BYTES + 1).encode())] if announced else []
    stranger = Sender(b"x" * STRANGERS_BYTES, b"y", headers=headers, path="/api/v1/session")
    assert answered(stranger).seen == [] and stranger.status == 413
    assert "64 KiB" in json.loads(stranger.sent[1]["body"])["detail"]


def test_body_over_the_bound_is_refused_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "MAX_BODY_BYTES", 100)
    sender = Sender(b"x" * 60, b"y" * 60, headers=[COOKIE])
    assert answered(sender).seen == [] and sender.status == 413


def test_large_bodies_leave_room_for_small_ones_and_give_theirs_back() -> None:
    async def story() -> None:
        application = Application()
        application.may_answer.clear()
        whole = WholeBodies(application, Limits(large=2 * (STRANGERS_BYTES + 10)))
        first, second, third, small = (Sender(b"x" * size, headers=[COOKIE]) for size in (*[STRANGERS_BYTES + 10] * 3, 10))
        under_way = asyncio.create_task(whole(first.scope, first.receive, first.send))
        await asyncio.sleep(0)
        await whole(second.scope, second.receive, second.send)
        assert second.status == 503 and (b"retry-after", b"30") in second.sent[0]["headers"]
        application.may_answer.set()
        await whole(small.scope, small.receive, small.send)
        await under_way
        await whole(third.scope, third.receive, third.send)
        assert [sender.status for sender in (first, small, third)] == [299] * 3

    told(story())


def test_one_address_has_half_of_the_room_and_ipv6_a_whole_network_of_them() -> None:
    room, size = Room(Limits(small=40, large=10**6)), 20
    with ExitStack() as stack:
        for peer in ("192.0.2.1", "2001:db8::1"):
            stack.enter_context(room.place(peer)).hold(size)
            with pytest.raises(Refused), room.place(peer) as more:
                more.hold(1)
        with pytest.raises(Refused), room.place("192.0.2.3") as full:
            full.hold(1)
    with room.place("2001:db8::2") as mine, room.place("192.0.2.3") as theirs:
        mine.hold(size)
        theirs.hold(size)
        mine.hold(0)
        mine.hold(size)


def test_who_is_not_known_has_no_large_form_read(app: Flask) -> None:
    person = Person(app)
    person.token = token_in(person.get("/sign-in"))
    assert person.post("/sign-in", name="x" * STRANGERS_BYTES).status_code == 413
    answer = app.test_client().post("/import", data={"text": "x" * STRANGERS_BYTES}, headers=HTML)
    assert answer.status_code == 302 and answer.headers["Location"] == "/sign-in"
    assert app.test_client().post("/api/v1/session", json={"name": "x" * STRANGERS_BYTES}).status_code == 413


def test_who_is_known_may_send_a_large_form(admin: Person) -> None:
    assert admin.post("/import", text="x" * 2 * STRANGERS_BYTES).status_code != 413


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """The admin listener as it runs in earnest."""
    settings = settings_of(tmp_path, free_port())
    open_installation(settings, create=True).database.dispose()
    number = settings.admin_bind.port
    process = subprocess.Popen([sys.executable, "-m", "tests.e2e.serving", str(tmp_path), str(number)])
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not is_well(number):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        yield number
    finally:
        process.terminate()
        process.wait(30)


def is_well(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_health_is_told_while_many_forms_stall(port: int) -> None:
    stalled = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(20)]
    try:
        for connection in stalled:
            connection.sendall(
                b"POST /sign-in HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 40\r\n\r\nname="
            )
        time.sleep(1)
        assert is_well(port)
        stalled[0].sendall(b"x" * 35)
        assert stalled[0].recv(1000).startswith(b"HTTP/1.1 403 ")
    finally:
        for connection in stalled:
            connection.close()
