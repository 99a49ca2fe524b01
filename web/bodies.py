"""Collects what a request brings before a thread works for it, and hands on no header that could be taken for another.

A thread that waits for the rest of a form answers nobody: a few senders who stall would stop the whole listener, its health included. Here
a sender who stalls costs a task and the bytes that came. Bodies of both sizes have room of their own: however many large ones are under
way, there is room to sign in; and nobody at one address has more than half of it.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from provisioner.accounts.cookies import COOKIE
from provisioner.api import MAX_BODY_BYTES, problems
from provisioner.api.auth import API_PREFIX, STRANGERS_BYTES
from provisioner.core.peers import group_of
from web.live import App, Receive, Scope, Send, cookie_of

WITHIN_S = 30.0
SLOWEST_BYTES_S = 64 * 1024
"""For each so many bytes that came, the rest has a second more: an import may come over a slow line."""
LARGE_ROOM = 4 * MAX_BODY_BYTES
SMALL_ROOM = 256 * STRANGERS_BYTES
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Limits:
    """``within_s`` is how long a body may take, ``small`` and ``large`` how many bytes of bodies of either size are held at once."""

    within_s: float = WITHIN_S
    small: int = SMALL_ROOM
    large: int = LARGE_ROOM


class Refused(Exception):
    """A body that is not taken. ``sentence`` is for the sender."""

    def __init__(self, status: int, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.reason, self.sentence = status, reason, sentence


class Gone(Exception):
    """The sender left before the end."""


class Room:
    """Counts the bytes that are held, from the first that came until the request is answered: in all, and of each address, which may have half.

    Lives on one event loop.
    """

    def __init__(self, limits: Limits) -> None:
        self._most = {"small": limits.small, "large": limits.large}
        self._held: Counter[tuple[str, str]] = Counter()

    def take(self, kind: str, peer: str, size: int) -> bool:
        """Holds so many bytes more, fewer where it is negative; returns whether there was room."""
        in_all, of_peer = self._held[kind, ""] + size, self._held[kind, peer] + size
        if size > 0 and (in_all > self._most[kind] or of_peer > self._most[kind] // 2):
            return False
        self._held[kind, ""], self._held[kind, peer] = in_all, of_peer
        if not of_peer:
            del self._held[kind, peer]
        return True

    @contextmanager
    def place(self, peer: str) -> Iterator[Place]:
        """Gives a body its place; what it holds is free again afterwards."""
        place = Place(self, group_of(peer))
        try:
            yield place
        finally:
            place.hold(0)


class Place:
    """What one body holds."""

    def __init__(self, room: Room, peer: str) -> None:
        self._room, self._peer, self._kind, self._held = room, peer, "small", 0

    def hold(self, size: int) -> None:
        """Holds ``size`` bytes instead of what was held. Raises ``Refused`` where there is no room for them."""
        self._room.take(self._kind, self._peer, -self._held)
        self._kind, self._held = "large" if size > STRANGERS_BYTES else "small", 0
        if size and not self._room.take(self._kind, self._peer, size):
            raise Refused(503, "overloaded", "too much is being sent at this moment: try again in a minute")
        self._held = size


class WholeBodies:
    """The ASGI application in front of one whose threads read bodies: they find each whole."""

    def __init__(self, rest: App, limits: Limits | None = None) -> None:
        self._rest = rest
        self._limits = limits or Limits()
        self._room = Room(self._limits)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._room.place((scope.get("client") or ("",))[0]) as place:
            try:
                body = b"" if scope["method"] in _SAFE else await self._collected(scope, receive, place)
            except Gone:
                return
            except Refused as error:
                await _refuse(scope, send, error)
                return
            await self._rest({**scope, "headers": list(_headers(scope, len(body)))}, _giving(body, receive), send)

    async def _collected(self, scope: Scope, receive: Receive, place: Place) -> bytes:
        most, body = most_bytes(scope), bytearray()
        begun = asyncio.get_running_loop().time()
        if _announced(scope) > most:
            raise _too_large(most)
        more = True
        while more:
            try:
                async with asyncio.timeout_at(begun + self._limits.within_s + len(body) / SLOWEST_BYTES_S):
                    message = await receive()
            except TimeoutError as error:
                raise Refused(408, "too_slow", "the request did not come whole in time") from error
            if message["type"] == "http.disconnect":
                raise Gone
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > most:
                raise _too_large(most)
            place.hold(len(body))
        return bytes(body)


def most_bytes(scope: Scope) -> int:
    """Returns what a request may bring: who shows neither a session nor a token has nothing large to say, and is judged no further here."""
    shows = cookie_of(scope, COOKIE) or any(name == b"authorization" for name, _value in scope["headers"])
    return MAX_BODY_BYTES if shows else STRANGERS_BYTES


def _too_large(most: int) -> Refused:
    return Refused(413, "too_large", f"the body may have {most // 1024} KiB")


def _announced(scope: Scope) -> int:
    text = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    return int(text) if text.isdigit() and len(text) < 19 else 0


def _headers(scope: Scope, size: int) -> Iterator[tuple[bytes, bytes]]:
    """Yields the headers with the length that the body has.

    WSGI writes ``-`` and ``_`` alike, so that ``X_Forwarded_For`` would speak in the place of ``X-Forwarded-For``, which proxies watch over.
    """
    for name, value in scope["headers"]:
        if b"_" not in name and name not in (b"content-length", b"transfer-encoding"):
            yield name, value
    if scope["method"] not in _SAFE:
        yield b"content-length", str(size).encode()


def _giving(body: bytes, receive: Receive) -> Receive:
    """Returns what gives the body at once, and then what else comes."""
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def received() -> Any:
        return parts.pop() if parts else await receive()

    return received


async def _refuse(scope: Scope, send: Send, error: Refused) -> None:
    """Answers in the words of the API, or in a sentence for people; what is left of the body is not read."""
    if scope["path"].startswith(API_PREFIX):
        kind, text = problems.CONTENT_TYPE, json.dumps(problems.members(error.status, error.reason, error.sentence))
    else:
        kind, text = "text/plain; charset=utf-8", error.sentence[:1].upper() + error.sentence[1:] + "."
    headers = [(b"content-type", kind.encode()), (b"cache-control", b"no-store"), (b"connection", b"close")]
    if error.status == 503:
        headers.append((b"retry-after", b"30"))
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode() + b"\n", "more_body": False})
