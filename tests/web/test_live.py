"""Streams of open pages: who gets one, what it says, when it ends; and one look at the database for all of them."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest

from provisioner.admin import DatabaseWatch
from provisioner.db import DatabaseError
from provisioner.store.marks import TOPICS
from provisioner.wiring import Installation
from tests.stories import told
from tests.web.conftest import BARE
from web import live
from web.live import Board, LiveApp, cookie_of

WITHIN_S = 20.0


@dataclass
class Watch:
    """A database that changes when the test says so."""

    number: int = 0
    seen: int = -1
    opened: int = 0
    closed: int = 0
    on_close: Callable[[], object] = lambda: None

    def changed(self) -> bool:
        before, self.seen = self.seen, self.number
        return before != self.number

    def marks(self) -> dict[str, str]:
        return {"phones": str(self.number)}

    def close(self) -> None:
        self.on_close()
        self.closed += 1


@dataclass
class Stream:
    """One open page: what it was sent, and the moment at which it goes away."""

    app: LiveApp
    cookie: str = "good"
    sent: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gone = asyncio.Event()
        scope = {"type": "http", "path": "/events", "method": "GET", "headers": [(b"cookie", f"a=b; session={self.cookie}".encode())]}
        self.task = asyncio.create_task(self.app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(dict(message))

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"]) if self.sent else 0

    def marks(self) -> list[dict[str, str]]:
        text = b"".join(message.get("body", b"") for message in self.sent).decode()
        return [json.loads(part.partition("data: ")[2]) for part in text.split("\n\n") if part.startswith("event: marks")]

    async def until(self, claim: Any) -> None:
        for _ in range(int(WITHIN_S * 100)):
            if claim():
                return
            await asyncio.sleep(0.01)
        raise AssertionError(f"never, in {WITHIN_S} s: {self.sent}")

    async def leave(self) -> None:
        self.gone.set()
        await self.task


@pytest.fixture
def watch() -> Watch:
    return Watch()


def app_of(watch: Watch) -> LiveApp:
    def opened() -> Watch:
        watch.opened += 1
        return watch

    async def rest(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})

    return LiveApp(rest, Board(opened), lambda cookie: cookie == "good", "session")


def played(story: Coroutine[Any, Any, None]) -> None:
    told(story)


def test_every_open_page_hears_of_a_change_by_one_look(watch: Watch) -> None:
    async def story() -> None:
        app = app_of(watch)
        first, second = Stream(app), Stream(app)
        await first.until(lambda: first.marks() == [{"phones": "0"}] and second.marks() == [{"phones": "0"}])
        watch.number = 1
        await first.until(lambda: first.marks()[-1:] == second.marks()[-1:] == [{"phones": "1"}])
        assert watch.opened == 1
        late = Stream(app)
        await late.until(lambda: late.marks() == [{"phones": "1"}])
        for stream in (first, second, late):
            await stream.leave()
        await first.until(lambda: watch.closed == 1)

    played(story())


def test_nobody_is_told_anything_without_a_session(watch: Watch) -> None:
    async def story() -> None:
        stranger = Stream(app_of(watch), cookie="bad")
        await stranger.task
        assert stranger.status == 401 and stranger.marks() == [] and watch.opened == 0

    played(story())


def test_streams_are_bounded_and_one_that_left_makes_room(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_STREAMS", 1)

    async def story() -> None:
        app = app_of(watch)
        first = Stream(app)
        await first.until(first.marks)
        second = Stream(app)
        await second.task
        assert second.status == 503
        await first.leave()
        third = Stream(app)
        await third.until(third.marks)
        await third.leave()

    played(story())


def test_a_server_that_stops_ends_all_streams_at_once_and_those_that_come_yet(watch: Watch) -> None:
    async def story() -> None:
        app = app_of(watch)
        first = Stream(app)
        await first.until(first.marks)
        app.end_streams()
        late = Stream(app)
        async with asyncio.timeout(live.BEAT_EVERY_S / 3):
            await asyncio.gather(first.task, late.task)
        assert first.sent[-1]["more_body"] is late.sent[-1]["more_body"] is False
        await first.until(lambda: watch.closed == 1)

    played(story())


def test_silence_is_broken_and_a_session_that_ended_ends_its_stream(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BEAT_EVERY_S", 0.02)
    monkeypatch.setattr(live, "SESSION_EVERY_S", 0.1)
    valid = ["good"]

    async def story() -> None:
        app = app_of(watch)
        app._knows = lambda cookie: cookie in valid
        stream = Stream(app)
        await stream.until(lambda: any(b"event: beat" in message.get("body", b"") for message in stream.sent))
        valid.clear()
        async with asyncio.timeout(WITHIN_S):
            await stream.task
        assert b"event: signed_out" in stream.sent[-2]["body"]

    played(story())


def test_session_is_asked_for_again_however_much_happens(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "SESSION_EVERY_S", 0.1)
    monkeypatch.setattr(live, "LOOK_EVERY_S", 0.005)
    valid = ["good"]

    async def story() -> None:
        app = app_of(watch)
        app._knows = lambda cookie: cookie in valid
        stream = Stream(app)
        await stream.until(stream.marks)
        valid.clear()
        while not stream.task.done():  # no beat comes: it never is silent for so long
            watch.number += 1
            await asyncio.sleep(0.01)
            assert watch.number < WITHIN_S * 100
        assert b"event: signed_out" in stream.sent[-2]["body"]

    played(story())


def test_streams_of_one_session_are_bounded_even_when_they_come_at_once(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MOST_OF_ONE", 2)

    async def story() -> None:
        app = app_of(watch)
        app._knows = lambda cookie: True
        mine = [Stream(app) for _ in range(4)]
        other = Stream(app, cookie="other")
        await other.until(lambda: all(stream.status for stream in (*mine, other)))
        assert sorted(stream.status for stream in mine) == [200, 200, 503, 503] and other.status == 200
        for stream in (*mine, other):
            await stream.leave()
        again = Stream(app)
        await again.until(again.marks)
        await again.leave()
        assert not app._places

    played(story())


def test_database_that_cannot_be_opened_is_tried_again(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "BLIND_S", 0.01)
    faults = [DatabaseError("away"), DatabaseError("away")]

    def opened() -> Watch:
        if faults:
            raise faults.pop()
        return watch

    async def story() -> None:
        stream = Stream(LiveApp(nothing, Board(opened), lambda _cookie: True, "session"))
        await stream.until(lambda: stream.marks() == [{"phones": "0"}])
        await stream.leave()

    played(story())


def test_who_comes_while_the_last_look_ends_hears_of_changes(watch: Watch) -> None:
    closing, may_close = threading.Event(), threading.Event()

    def closed() -> None:
        closing.set()
        may_close.wait(WITHIN_S)

    async def story() -> None:
        app = app_of(watch)
        first = Stream(app)
        await first.until(first.marks)
        watch.on_close = closed
        await first.leave()
        await first.until(closing.is_set)
        late = Stream(app)
        await late.until(lambda: late.status == 200)
        may_close.set()
        watch.number = 7
        await late.until(lambda: late.marks()[-1:] == [{"phones": "7"}])
        await late.leave()

    played(story())


async def nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    """An application that nobody asks."""


def test_everything_else_goes_on_to_the_application(watch: Watch) -> None:
    async def story() -> None:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def nothing_comes() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        await app_of(watch)({"type": "http", "path": "/phones", "method": "GET", "headers": []}, nothing_comes, send)
        assert sent[0]["status"] == 299

    played(story())


@pytest.mark.parametrize(("header", "value"), [(b"session=x", "x"), (b"a=b; session=y=z", "y=z"), (b"xsession=x", ""), (b"", "")])
def test_cookie_is_read_as_it_was_sent(header: bytes, value: str) -> None:
    assert cookie_of({"headers": [(b"host", b"h"), (b"cookie", header)]}, "session") == value


def test_marks_change_with_what_they_are_of(installation: Installation, phone: str) -> None:
    watch = DatabaseWatch(installation.store, installation.database.watcher())
    assert watch.changed() and not watch.changed()
    before = watch.marks()
    assert before == watch.marks() and before.keys() == TOPICS.keys()
    installation.changes.request_resync("tests", BARE, reboot=False)
    assert watch.changed()
    after = watch.marks()
    assert {topic for topic in TOPICS if before[topic] != after[topic]} == {"changes", "phones"}
    watch.close()
