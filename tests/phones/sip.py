"""A SIP user agent as small as a phone's account needs: registration, lamps, message waiting, NOTIFY, calls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.phones import calls
from tests.phones.calls import Call
from tests.phones.dialog import Dialog
from tests.phones.digest import credentials
from tests.phones.lamps import MessageLamp, Subscription, WatchedLamp
from tests.phones.link import PATIENCE_S, Link, NoAnswer, expires_of
from tests.phones.message import Message, request, token

RESYNC_EVENTS = ("check-sync", "resync")
RENEW_SHARE = 0.8
RETRY_S = 2.0
"""Phones wait half a minute and more after a failure; tests have no half minutes."""


class Refused(Exception):
    """The PBX answered with a status that is no success."""

    def __init__(self, what: str, status: int) -> None:
        self.status = status
        super().__init__(f"{what} was refused with {status}")


@dataclass(frozen=True, slots=True)
class Account:
    """What an account of a phone knows."""

    number: str
    secret: str = field(repr=False)
    server: str
    port: int
    user: str = ""
    """The name in the credentials, where it is not the number."""
    display_name: str = ""
    expires_s: int = 600
    agent: str = "Simulated phone"


class UserAgent:
    """One account of one phone, on a socket of its own."""

    def __init__(
        self,
        account: Account,
        *,
        host: str = "127.0.0.1",
        frequency_hz: int = 440,
        on_event: Callable[[str], None] = lambda event: None,
        answers_at_once: Callable[[Message], bool] = lambda invite: False,
    ) -> None:
        self.account = account
        self.frequency_hz = frequency_hz
        self.registered = False
        self.registrations = 0
        self.refusal = 0
        """The status of the last registration that failed; 408 where nobody answered."""
        self.events: list[str] = []
        self.calls: list[Call] = []
        self.lamps: dict[str, WatchedLamp] = {}
        self.messages = MessageLamp()
        self.link = Link((account.server, account.port), self._received, host)
        self._on_event = on_event
        self._answers_at_once = answers_at_once
        self._registration = Dialog(token(), f"{self.identity};tag={token()}", self.identity, f"sip:{account.server}:{account.port}")
        self._tasks: set[asyncio.Task[None]] = set()
        self._soon = asyncio.Event()

    # ---- who it is -----------------------------------------------------------------------------------------------------

    @property
    def host(self) -> str:
        return self.link.host

    @property
    def identity(self) -> str:
        name = self.account.display_name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{name}" <{self.uri_of(self.account.number)}>' if name else f"<{self.uri_of(self.account.number)}>"

    @property
    def contact(self) -> tuple[str, str]:
        return "Contact", f"<sip:{quote(self.account.number, safe='*+')}@{self.link.host}:{self.link.port}>"

    def uri_of(self, number: str) -> str:
        return f"sip:{quote(number, safe='*+')}@{self.account.server}:{self.account.port}"

    async def open(self) -> UserAgent:
        await self.link.open()
        return self

    async def close(self) -> None:
        """Falls silent: nothing is unregistered, as when the cable is pulled."""
        while self._tasks:  # Python 3.11's wait_for may swallow a cancellation that comes together with its result
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks, timeout=1.0)
        for call in self.calls:
            call.speech.close()
        self.link.close()

    # ---- asking the PBX ------------------------------------------------------------------------------------------------

    async def ask_in(
        self,
        dialog: Dialog,
        method: str,
        more: Iterable[tuple[str, str]] = (),
        body: str = "",
        progress: Callable[[Message], None] | None = None,
        sent: Callable[[Message], None] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> Message:
        """Asks within a dialog, with credentials where they are wanted, and returns the final response. Raises ``NoAnswer``."""
        extra, tries = list(more), 0
        if method in ("INVITE", "SUBSCRIBE") and self.contact not in extra:
            extra.append(self.contact)
        proof: list[tuple[str, str]] = []
        while True:
            common = [self.link.via(), *dialog.headers(method), ("User-Agent", self.account.agent), *extra, *proof]
            message = request(method, dialog.target, common, body)
            if sent is not None:
                sent(message)
            answer = await self.link.ask(message, progress, patience_s)
            tries += 1
            if answer.status not in (401, 407) or tries > 2 or (tries > 1 and not _is_stale(answer)):
                return answer
            proof = [self._proof(answer, method, dialog.target)]

    def _proof(self, answer: Message, method: str, uri: str) -> tuple[str, str]:
        asked, header = ("WWW-Authenticate", "Authorization") if answer.status == 401 else ("Proxy-Authenticate", "Proxy-Authorization")
        user = self.account.user or self.account.number
        return header, credentials(answer.get(asked), user, self.account.secret, method, uri)

    # ---- registration --------------------------------------------------------------------------------------------------

    async def register(self, expires_s: int | None = None, patience_s: float = PATIENCE_S) -> float:
        """Registers and returns for how many seconds. Raises ``Refused`` and ``NoAnswer``."""
        wanted = self.account.expires_s if expires_s is None else expires_s
        headers = [self.contact, ("Expires", str(wanted))]
        try:
            answer = await self.ask_in(self._registration, "REGISTER", headers, patience_s=patience_s)
        except NoAnswer:
            self.registered, self.refusal = False, 408
            raise
        if answer.status >= 300:
            self.registered, self.refusal = False, answer.status
            raise Refused(f"registration of {self.account.number}", answer.status)
        self.registered, self.refusal = wanted > 0, 0
        self.registrations += 1
        return expires_of(answer, self.link.port)

    def stay_registered(self, renew_s: float | None = None) -> None:
        """Registers, renews before it runs out or every ``renew_s`` seconds, tries again where it fails; the lamps go along."""
        self.begin(self._renew(renew_s))

    def renew_now(self) -> None:
        """Has the next renewal happen at once: something changed."""
        self._soon.set()

    async def _renew(self, renew_s: float | None) -> None:
        while True:
            self._soon.clear()
            try:
                granted = await self.register(patience_s=min(PATIENCE_S, renew_s or PATIENCE_S))
                await self._renew_lamps()
                pause = renew_s or granted * RENEW_SHARE
            except (Refused, NoAnswer):
                pause = min(RETRY_S, renew_s or RETRY_S)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), pause)

    async def _renew_lamps(self) -> None:
        for lamp in (*self.lamps.values(), *([self.messages] if self.messages.is_wanted else [])):
            await self._subscribe(lamp)

    def use(self, account: Account) -> None:
        """Takes over another secret or name of the same number at the same server, and registers with it."""
        assert (account.number, account.server, account.port) == (self.account.number, self.account.server, self.account.port)
        self.account = account
        self.renew_now()

    # ---- lamps ---------------------------------------------------------------------------------------------------------

    def wants(self, numbers: Iterable[str], *, messages: bool) -> None:
        """Says which extensions and whether the own mailbox are watched from the next registration on."""
        self.lamps = {number: self.lamps.get(number) or WatchedLamp(number) for number in numbers}
        self.messages.is_wanted = messages

    async def watch(self, number: str) -> WatchedLamp:
        """Subscribes to the state of an extension. Raises ``Refused`` and ``NoAnswer``."""
        lamp = self.lamps[number] = self.lamps.get(number) or WatchedLamp(number)
        await self._subscribe(lamp)
        if lamp.refusal:
            raise Refused(f"subscription to {number}", lamp.refusal)
        return lamp

    async def watch_messages(self) -> MessageLamp:
        """Subscribes to the own mailbox. Raises ``Refused`` and ``NoAnswer``."""
        self.messages.is_wanted = True
        await self._subscribe(self.messages)
        if self.messages.refusal:
            raise Refused("subscription to the mailbox", self.messages.refusal)
        return self.messages

    async def _subscribe(self, lamp: Subscription) -> None:
        """Subscribes, or renews; a PBX that has forgotten the subscription is asked for a new one."""
        headers = [("Event", lamp.event), ("Accept", lamp.accepts), ("Expires", str(self.account.expires_s))]
        is_known = lamp.dialog is not None
        dialog = lamp.dialog = lamp.dialog or self._new_dialog(lamp)
        answer = await self.ask_in(dialog, "SUBSCRIBE", headers)
        lamp.refusal = answer.status if answer.status >= 300 else 0
        if not lamp.refusal:
            dialog.learn(answer)
            return
        lamp.dialog = None
        if is_known:
            await self._subscribe(lamp)

    def _new_dialog(self, lamp: Subscription) -> Dialog:
        uri = self.uri_of(lamp.number or self.account.number)
        return Dialog(token(), f"{self.identity};tag={token()}", f"<{uri}>", uri)

    def _lamp_of(self, message: Message) -> Subscription | None:
        subscriptions: list[Subscription] = [*self.lamps.values(), self.messages]
        return next((lamp for lamp in subscriptions if lamp.dialog is not None and lamp.dialog.call_id == message.get("Call-ID")), None)

    # ---- calls ---------------------------------------------------------------------------------------------------------

    async def call(self, number: str) -> Call:
        """Begins a call and returns it at once: its ``state`` tells how it goes on."""
        made = calls.outgoing(self, number, self.frequency_hz)
        self.calls.append(made)
        self.begin(made.dial(number))
        return made

    def ringing(self) -> Call | None:
        """Returns the call that rings here, if one does."""
        return next((call for call in self.calls if call.is_incoming and call.state == calls.State.RINGING), None)

    # ---- what the PBX asks ---------------------------------------------------------------------------------------------

    def _received(self, message: Message) -> None:
        known = next((call for call in self.calls if calls.is_of(call, message)), None)
        if known is not None:
            known.received(message)
        elif message.method == "NOTIFY":
            self._notified(message)
        elif message.method == "INVITE":
            self._invited(message)
        elif message.method == "OPTIONS":
            self.link.answer(message, 200, "OK", token())
        elif message.method != "ACK":
            self.link.answer(message, 481, "Call/Transaction Does Not Exist", token())

    def _notified(self, message: Message) -> None:
        event = message.get("Event")
        lamp = self._lamp_of(message)
        if lamp is not None:
            self.link.answer(message, 200, "OK")
            lamp.notified(message)
        elif event.partition(";")[0] in RESYNC_EVENTS:
            self.link.answer(message, 200, "OK", token())
            self.events.append(event)
            self._on_event(event)
        elif event == self.messages.event:
            self.link.answer(message, 200, "OK", token())
            self.messages.notified(message)
        else:
            self.link.answer(message, 489, "Bad Event", token())

    def _invited(self, message: Message) -> None:
        call = calls.incoming(self, message, self.frequency_hz)
        self.calls.append(call)
        call.ring()
        if self._answers_at_once(message):
            self.begin(call.answer())

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_stale(answer: Message) -> bool:
    return "stale=true" in answer.get("WWW-Authenticate").replace(" ", "").lower()
