"""A phone's UDP socket towards its PBX, and the transactions over it: sent again until answered, answered again when asked again."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from tests.phones.message import Message, NotSIP, parameter, parse, request, response, token

FIRST_RETRY_S, LONGEST_RETRY_S = 0.5, 4.0
PATIENCE_S = 10.0
"""RFC 3261 gives up after 32 s. A test that waits so long has failed already."""
RINGING_S = 90.0
REMEMBERED = 64


class NoAnswer(Exception):
    """The PBX does not answer."""


class Link(asyncio.DatagramProtocol):
    """Requests go out by ``ask``; those of the PBX come in through ``on_request``. What does not come from the PBX is not heard."""

    def __init__(self, server: tuple[str, int], on_request: Callable[[Message], None], host: str = "127.0.0.1") -> None:
        self.server = server
        self.host, self.port = host, 0
        self.strangers = 0
        self._on_request = on_request
        self._transport: asyncio.DatagramTransport | None = None
        self._asked: dict[tuple[str, str], asyncio.Queue[Message]] = {}
        self._answered: OrderedDict[tuple[str, str], Message | None] = OrderedDict()
        self._acknowledged: OrderedDict[tuple[str, int], Message] = OrderedDict()

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        self.port = int(self._transport.get_extra_info("sockname")[1])

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def via(self) -> tuple[str, str]:
        """Returns a Via header with a branch of its own."""
        return "Via", f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{token()};rport"

    def send(self, message: Message) -> None:
        if self._transport is not None:
            with contextlib.suppress(OSError):
                self._transport.sendto(message.encode(), self.server)

    async def ask(self, message: Message, progress: Callable[[Message], None] | None = None, patience_s: float = PATIENCE_S) -> Message:
        """Sends a request until a final response comes, and returns that. Raises ``NoAnswer``."""
        key = (message.branch, message.method)
        answers = self._asked[key] = asyncio.Queue()
        try:
            answer = await self._first(message, answers, patience_s)
            while answer.status < 200:
                if progress is not None:
                    progress(answer)
                answer = await asyncio.wait_for(answers.get(), RINGING_S)
        except TimeoutError:
            raise NoAnswer(f"no answer to {message.start}") from None
        finally:
            del self._asked[key]
        if message.method == "INVITE" and answer.status >= 300:
            self.acknowledge(message, answer)
        return answer

    async def _first(self, message: Message, answers: asyncio.Queue[Message], patience_s: float) -> Message:
        loop = asyncio.get_running_loop()
        end, pause = loop.time() + patience_s, FIRST_RETRY_S
        while True:
            self.send(message)
            left = end - loop.time()
            try:
                return await asyncio.wait_for(answers.get(), max(min(pause, left), 0))
            except TimeoutError:
                if left <= pause:
                    raise
                pause = min(pause * 2, LONGEST_RETRY_S)

    def acknowledge(self, invite: Message, answer: Message) -> None:
        """Confirms a refusal of an INVITE: the ACK belongs to its transaction (RFC 3261, 17.1.1.3)."""
        headers = [("Via", invite.get("Via")), ("Max-Forwards", "70"), ("From", invite.get("From")), ("To", answer.get("To"))]
        headers += [("Call-ID", invite.get("Call-ID")), ("CSeq", f"{invite.sequence} ACK")]
        self.confirm(request("ACK", invite.uri, headers))

    def confirm(self, ack: Message) -> None:
        """Sends an ACK, now and whenever the response that it confirms comes again."""
        _remember(self._acknowledged, (ack.get("Call-ID"), ack.sequence), ack)
        self.send(ack)

    def answer(self, to: Message, status: int, phrase: str, tag: str = "", more: tuple[tuple[str, str], ...] = (), body: str = "") -> None:
        """Answers a request; the same request again gets the same answer."""
        made = response(to, status, phrase, tag, more, body)
        _remember(self._answered, (to.branch, to.method), made)
        self.send(made)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if addr[:2] != self.server:
            self.strangers += 1
            return
        try:
            message = parse(data)
        except NotSIP:
            return  # the CRLF that keeps a NAT open, for one
        if message.is_request:
            self._asked_of_us(message)
        elif (answers := self._asked.get((message.branch, message.method))) is not None:
            answers.put_nowait(message)
        elif message.method == "INVITE" and (ack := self._acknowledged.get((message.get("Call-ID"), message.sequence))) is not None:
            self.send(ack)

    def _asked_of_us(self, message: Message) -> None:
        key = (message.branch, message.method)
        if key in self._answered:
            known = self._answered[key]
            if known is not None:
                self.send(known)
            return
        if message.method != "ACK":
            _remember(self._answered, key, None)
        self._on_request(message)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens at the PBX's port: the next try, or the end of patience, deals with that."""


Key = TypeVar("Key")
Value = TypeVar("Value")


def _remember(place: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    place[key] = value
    while len(place) > REMEMBERED:
        place.popitem(last=False)


def expires_of(answer: Message, contact_port: int) -> float:
    """Returns how long a registrar keeps our contact: its own parameter, or the header of the whole answer."""
    own = next((row for row in _contacts(answer) if f":{contact_port}" in row), "")
    return float(parameter(own, "expires") or answer.get("Expires") or 0)


def _contacts(answer: Message) -> list[str]:
    return [row for header in answer.all("Contact") for row in header.split(",")]
