"""Tells open pages that something happened: one watcher of the database for all of them, and one light stream to each.

A stream carries *marks*: for each topic a text that changes whenever something of it does. A page compares them with those that it was made
with and fetches itself again where they differ. So nothing has to be replayed: after a sleep, a lost connection or a restart of the
server the first event says all. Streams live in asyncio and use no thread; everything else goes on to the WSGI application.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

from provisioner.db import DatabaseError

log = logging.getLogger("provisioner.live")

PATH = "/events"
LOOK_EVERY_S = 0.2
SHARE = 4
"""For each second that reading marks takes it rests so many: a storm of changes does not become one of reading."""
BLIND_S = 2.0
"""How long it waits before it tries a database again that could not be read."""
BEAT_EVERY_S = 15.0
"""A stream that says nothing is cut by proxies, and a page cannot tell it from a lost one."""
SESSION_EVERY_S = 60.0
MOST_STREAMS = 400
MOST_OF_ONE = 20
"""Streams of one session: more tabs than anybody reads, and few enough that nobody takes the places of all."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
Marks = Mapping[str, str]


class Watch(Protocol):
    """What is watched: called from one thread only."""

    def changed(self) -> bool:
        """Returns whether anything was committed since the last call."""

    def marks(self) -> Marks:
        """Returns the present marks."""

    def close(self) -> None:
        """Gives back what it holds."""


class Board:
    """Looks at the database while anybody listens, and wakes all listeners at once. Lives on one event loop."""

    def __init__(self, open_watch: Callable[[], Watch]) -> None:
        self._open_watch = open_watch
        self._thread = ThreadPoolExecutor(1, "live")  # a watcher belongs to one thread
        self._wakers: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None
        self.marks: Marks = {}
        self.is_known = False
        """False before the first look, and while the database cannot be read."""
        self.is_over = False

    @contextmanager
    def listening(self) -> Iterator[asyncio.Event]:
        """An event that is set with every change; the first listener starts the looking, the last one ends it."""
        waker = asyncio.Event()
        self._wakers.add(waker)
        if self.is_over:
            waker.set()
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        try:
            yield waker
        finally:
            self._wakers.discard(waker)

    def end(self) -> None:
        """Lets nobody listen any more: the server stops, and pages find the next one by themselves."""
        self.is_over = True
        for waker in self._wakers:
            waker.set()

    async def _look(self) -> None:
        """Looks until nobody listens: also for those who came while a watch was being closed, and after the database could not be read."""
        while self._wakers:
            try:
                await self._look_by_one_watch()
            except DatabaseError as error:
                log.warning("event=live_blind error=%s", type(error).__name__)
                await asyncio.sleep(BLIND_S)

    async def _look_by_one_watch(self) -> None:
        loop = asyncio.get_running_loop()
        watch = await loop.run_in_executor(self._thread, self._open_watch)
        try:
            while self._wakers:
                if await loop.run_in_executor(self._thread, watch.changed) or not self.is_known:
                    begun = loop.time()
                    self._tell(await loop.run_in_executor(self._thread, watch.marks))
                    await asyncio.sleep(SHARE * (loop.time() - begun))
                await asyncio.sleep(LOOK_EVERY_S)
        finally:
            self.is_known = False
            await loop.run_in_executor(self._thread, watch.close)

    def _tell(self, marks: Marks) -> None:
        is_new = marks != self.marks or not self.is_known
        self.marks, self.is_known = marks, True
        if is_new:
            for waker in self._wakers:
                waker.set()


class LiveApp:
    """The ASGI application of the admin listener: streams here, all else to ``rest``."""

    def __init__(self, rest: App, board: Board, knows: Callable[[str], bool], cookie_name: str) -> None:
        """``knows`` tells whether a cookie is that of somebody who is signed in; it may block, and is called in a thread.

        It is asked again and again while a stream is open, so it must not take that for a use of the session.
        """
        self._rest = rest
        self._board = board
        self._knows = knows
        self._cookie_name = cookie_name
        self._places: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http" and scope["path"] == PATH:
            await self._stream(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    def end_streams(self) -> None:
        """Ends every stream, which would hold up the end of the server."""
        self._board.end()

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        cookie = cookie_of(scope, self._cookie_name)
        if scope["method"] != "GET":
            await _refuse(send, 405)
        elif self._places.total() >= MOST_STREAMS or self._places[cookie] >= MOST_OF_ONE:
            await _refuse(send, 503)
        else:
            with self._place(cookie):  # taken before anything is waited for: many who come at once are counted too
                if await asyncio.to_thread(self._knows, cookie):
                    await self._tell(cookie, receive, send)
                else:
                    await _refuse(send, 401)

    @contextmanager
    def _place(self, cookie: str) -> Iterator[None]:
        self._places[cookie] += 1
        try:
            yield
        finally:
            self._places[cookie] -= 1
            self._places += Counter()  # keeps only those who have a place

    async def _tell(self, cookie: str, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await _write(send, b"retry: 2000\n\n")
        gone = asyncio.create_task(_until_gone(receive))
        with self._board.listening() as waker:
            if self._board.is_known:
                waker.set()
            try:
                await self._tell_until(gone, waker, cookie, send)
            finally:
                gone.cancel()

    async def _tell_until(self, gone: asyncio.Task[None], waker: asyncio.Event, cookie: str, send: Send) -> None:
        now = asyncio.get_running_loop().time
        asked_at = now()
        while not gone.done():
            woken = asyncio.ensure_future(waker.wait())
            await asyncio.wait({woken, gone}, timeout=BEAT_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
            if self._board.is_over:
                break
            if now() - asked_at >= SESSION_EVERY_S:  # by the clock, whatever woke it: something may happen all the time
                if not await asyncio.to_thread(self._knows, cookie):
                    await _write(send, b"event: signed_out\ndata: -\n\n")
                    break
                asked_at = now()
            if waker.is_set():
                waker.clear()
                await _write(send, b"event: marks\ndata: " + json.dumps(dict(self._board.marks)).encode() + b"\n\n")
            else:
                await _write(send, b"event: beat\ndata: -\n\n")
        await send({"type": "http.response.body", "body": b"", "more_body": False})


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx passes each event on at once
    (b"x-content-type-options", b"nosniff"),
]


def cookie_of(scope: Scope, name: str) -> str:
    """Returns the value of a cookie of the request, or an empty text."""
    for header, value in scope["headers"]:
        if header == b"cookie":
            for part in value.decode("latin-1").split(";"):
                key, _, text = part.strip().partition("=")
                if key == name:
                    return str(text)
    return ""


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _refuse(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"cache-control", b"no-store"), (b"retry-after", b"30")]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


async def _lifespan(receive: Receive, send: Send) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
