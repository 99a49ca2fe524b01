"""Who is registered and who is in a call, kept in memory from Asterisk's events.

Asterisk tells of no registration whose extension stands in AstDB: it tells of the password that was right, a moment before. So each
such event has the registrations of its number read again, many numbers at once, and a little later a second time. What nobody tells
(a registration that ran out) follows from its expiry; and once in a while everything is read, whatever was told.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from pbx_sync.asterisk.address import AsteriskAddress
from pbx_sync.asterisk.ami import Action, Message, Session
from pbx_sync.asterisk.logins import FailedLogin, FailedLogins, Source, moment_of, source_of
from pbx_sync.asterisk.registrations import Registration, registrations_of_endpoint, registrations_of_tree
from pbx_sync.backend import PBXUnavailable
from pbx_sync.state import Contact

EVENTS = (
    "SuccessfulAuth",
    "ChallengeResponseFailed",
    "InvalidPassword",
    "InvalidAccountID",
    "ContactStatus",
    "Newchannel",
    "Hangup",
    "Rename",
)
TICK_S = 0.05
"""Events of so long are looked at together."""
LOOKS_S = (0.03, 0.4, 3.0)
"""How long after a password was right its registrations are read: it is stored within milliseconds, later where Asterisk is busy."""
FEW = 10
"""So many numbers are read one by one; of more, everything is read at once, at most every second."""
MOST_MOMENTS = 200
"""Right passwords of one number that are remembered for a few seconds. A phone gives one for each lamp that it watches."""
MOST_DIALLED = 100
"""Calls to watched numbers that are remembered until they are asked for, several times a second."""
PING_S = 1.0
SILENCE_S = 4.0
"""After so long without a word nothing is known any more."""
WHOLE_S = 60.0
WHOLE_AT_MOST_EVERY_S = 1.0
RETRY_S = 1.0
JUMP_S = 2.0
"""By so much this machine's clock was not slewed but set."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is known at one moment. ``booted_at`` in seconds since the epoch, on this machine's clock; ``channels`` is how many there are."""

    contacts: tuple[Contact, ...]
    busy: frozenset[str]
    channels: int
    booted_at: float


class Dialled(NamedTuple):
    """A number that is watched and that a phone dialled: call, channel, extension, number and when, by this machine's clock."""

    uid: str
    channel: str
    extension: str
    number: str
    at: float


@dataclass(slots=True)
class _Look:
    """When a number's registrations have to be read, and when each of them last gave a right password, by Asterisk's clock.

    A registration is known by its Call-ID, which no call and no subscription shares: only itself can make it look newer. Asterisk keeps
    the first Call-ID of a contact, though: that of a phone which started anew since is known by where it comes from, and there the first
    right password within a second counts, for the next may be a call's.
    """

    times: list[float] = field(default_factory=list)
    moments: dict[str | Source, float] = field(default_factory=dict)

    def again(self, now: float, call_id: str, source: Source, moment: float) -> None:
        self.times = [now + look for look in LOOKS_S]
        if len(self.moments) > MOST_MOMENTS:
            self.moments.clear()
        self.moments[call_id] = moment
        if int(self.moments.get(source, 0.0)) != int(moment):
            self.moments[source] = moment

    def within(self, item: Registration) -> float:
        """Returns when in its second the registration was made; 0 where that was not seen."""
        told = (self.moments.get(key, 0.0) for key in (item.call_id, item.source))
        return next((moment for moment in told if int(moment) == item.made_at), 0.0)


class Observer:
    """Watches in a thread of its own, which starts with the first question and ends with ``close``."""

    def __init__(
        self,
        address: AsteriskAddress,
        timeout_s: float,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._timeout_s = timeout_s
        self._clock = clock
        self._timer = timer
        self._change = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self._reason = ""
        self._heard_at: float | None = None
        self._logins = FailedLogins()
        self._registrations: dict[str, dict[str, Registration]] = {}
        self._channels: dict[str, str] = {}
        self._due: dict[str, _Look] = {}
        self._wanted: deque[str] = deque()
        self._whole_at = self._pinged_at = 0.0
        self._skew_s = 0.0
        self._offset_s = clock() - timer()
        self._booted_at = 0.0
        self._contacts: tuple[Contact, ...] | None = None
        self._runs_out_at = 0.0
        self._numbers: frozenset[str] = frozenset()
        self._dialled: deque[Dialled] = deque(maxlen=MOST_DIALLED)

    def watch_numbers(self, numbers: Iterable[str]) -> None:
        """Notes from now on who dials these numbers."""
        self._numbers = frozenset(numbers)

    def take_dialled(self) -> list[Dialled]:
        """Returns who dialled them since this was last asked, the oldest first."""
        with self._change:
            found = list(self._dialled)
            self._dialled.clear()
            return found

    def snapshot(self) -> Snapshot:
        """Returns what is known. Raises ``PBXUnavailable`` while Asterisk is not being watched."""
        with self._change:
            self._expect_watching()
            return Snapshot(self._current(), frozenset(filter(None, self._channels.values())), len(self._channels), self._booted_at)

    def uris_of(self, number: str) -> list[str]:
        """Returns where the number's phones are, however many others there are. Raises ``PBXUnavailable``."""
        with self._change:
            self._expect_watching()
            now = self._clock() + self._skew_s
            return [item.uri for item in self._registrations.get(number, {}).values() if item.runs_out_at > now]

    def failed_logins(self) -> Mapping[str, FailedLogin]:
        """Returns number -> the wrong passwords since the last right one."""
        with self._change:
            return self._logins.all()

    def look_at(self, numbers: Iterable[str]) -> None:
        """Has the registrations of the numbers read again: somebody touched them."""
        self._wanted.extend(numbers)

    def doubt(self, reason: str) -> None:
        """Forgets that Asterisk answered, until it does again: somebody else found that it does not."""
        with self._change:
            if self._heard_at is not None:
                self._heard_at, self._reason, self._pinged_at = None, reason, 0.0

    def close(self) -> None:
        """Ends the watching. The next question begins it anew."""
        with self._change:
            thread, self._thread = self._thread, None
            self._stop.set()
        if thread is not None:
            thread.join(self._timeout_s * 2)

    def _expect_watching(self) -> None:
        """Begins to watch where nobody does, and waits for the first word. Raises ``PBXUnavailable``."""
        if self._thread is None or not self._thread.is_alive():
            self._start()
            self._change.wait_for(lambda: self._heard_at is not None or self._reason, self._timeout_s * 2)
        if self._heard_at is None or self._timer() - self._heard_at > SILENCE_S:
            raise PBXUnavailable(self._reason or f"Asterisk at {self._address} does not answer")

    def _start(self) -> None:
        self._stop = threading.Event()
        self._heard_at, self._reason = None, ""
        self._thread = threading.Thread(target=self._run, args=(self._stop,), name="asterisk-observer", daemon=True)
        self._thread.start()

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self._watch(stop)
            except PBXUnavailable as error:
                self._lose(str(error))
            except (KeyError, ValueError) as error:
                self._lose(f"Asterisk at {self._address} says what is not understood: {error!r}")
            stop.wait(RETRY_S)

    def _lose(self, reason: str) -> None:
        with self._change:
            self._heard_at, self._reason = None, reason
            self._change.notify_all()

    def _watch(self, stop: threading.Event) -> None:
        """Watches until the connection breaks. Raises ``PBXUnavailable``."""
        session = Session(self._address, self._timeout_s)
        try:
            asked = Action("Filter", {"Operation": "Add", "Filter": f"^Event: ({'|'.join(EVENTS)})"})
            session.on_event = self._event
            for reply in session.ask_all([asked, Action("Events", {"EventMask": "system,call,security"})]):
                if not reply.is_success:
                    raise PBXUnavailable(f"Asterisk at {self._address} does not let the AMI user see events: {reply.text}")
            self._begin(session)
            while not stop.is_set():
                session.poll(TICK_S)
                self._keep_up(session)
        finally:
            session.close()

    def _begin(self, session: Session) -> None:
        """Reads everything anew: events of before the connection are lost."""
        self._follow_clock(session)
        self._ping(session)
        booted_at = self._clock() - float(session.booted.get("Uptime", "0") or 0)
        (channels,) = session.ask_all([Action("CoreShowChannels")])
        with self._change:
            if abs(booted_at - self._booted_at) > 2:  # Asterisk counts whole seconds
                self._booted_at = booted_at
            self._channels = {item["Uniqueid"]: _number_of_channel(item["Channel"]) for item in channels.items}
        self._read_whole(session)
        self._hear()

    def _keep_up(self, session: Session) -> None:
        now = self._timer()
        self._follow_clock(session)
        if now - self._pinged_at >= PING_S:
            self._ping(session)
            self._hear()
        while self._wanted:
            self._look_at(self._wanted.popleft(), {})
        if now >= self._whole_at:
            self._read_whole(session)
        else:
            self._read_due(session, now)

    def _ping(self, session: Session) -> None:
        """Asks for nothing but an answer, and by how much the two clocks differ; a tenth of a second is the way there, no difference."""
        (pong,) = session.ask_all([Action("Ping")])
        skew_s = float(pong.fields.get("Timestamp", "") or self._clock()) - self._clock()
        with self._change:
            self._pinged_at = self._timer()
            self._skew_s = skew_s if abs(skew_s) > 0.1 else 0.0

    def _follow_clock(self, session: Session) -> None:
        """Where this machine's clock was set, sets all that is known along with it: who registered a minute ago still did so."""
        offset_s = self._clock() - self._timer()
        by, self._offset_s = offset_s - self._offset_s, offset_s
        if abs(by) < JUMP_S:
            return
        self._ping(session)
        with self._change:
            for number, known in self._registrations.items():
                self._registrations[number] = {key: replace(item, at=item.at + by) for key, item in known.items()}
            self._booted_at += by
            self._contacts = None

    def _hear(self) -> None:
        with self._change:
            self._heard_at, self._reason = self._timer(), ""
            self._change.notify_all()

    def _event(self, event: Message) -> None:
        with self._change:
            match event.get("Event"):
                case "Newchannel":
                    self._channels[event["Uniqueid"]] = number = _number_of_channel(event["Channel"])
                    if number and event.get("Exten") in self._numbers:
                        self._dialled.append(Dialled(event["Linkedid"], event["Channel"], number, event["Exten"], self._clock()))
                case "Hangup":
                    self._channels.pop(event.get("Uniqueid", ""), None)
                case "Rename":
                    self._channels[event["Uniqueid"]] = _number_of_channel(event["Newname"])
                case "ContactStatus":
                    self._look_at(event.get("EndpointName", ""), event)
                case "SuccessfulAuth" if event.get("Service") == "PJSIP":
                    self._logins.right(event)
                    self._look_at(event.get("AccountID", ""), event)
                case "ChallengeResponseFailed" | "InvalidPassword" | "InvalidAccountID":
                    self._logins.wrong(event)

    def _look_at(self, number: str, event: Message) -> None:
        self._due.setdefault(number, _Look()).again(self._timer(), event.get("SessionID", ""), source_of(event), moment_of(event))

    def _read_due(self, session: Session, now: float) -> None:
        due = self._due_by(now)
        if len(due) > FEW:  # everything is read instead, but not again and again while thousands register
            self._whole_at = min(self._whole_at, now + WHOLE_AT_MOST_EVERY_S)
            return
        replies = session.ask_all([Action("PJSIPShowEndpoint", {"Endpoint": number}) for number in due])
        for number, reply in zip(due, replies, strict=True):
            self._take(number, registrations_of_endpoint(reply))
        self._looked(due, now)

    def _read_whole(self, session: Session) -> None:
        now = self._timer()
        (reply,) = session.ask_all([Action("DBGetTree", {"Family": "registrar/contact"})])
        found = registrations_of_tree(reply)
        for number in {*self._registrations, *found}:
            self._take(number, found.get(number, {}))
        self._looked(self._due_by(now), now)
        self._whole_at = now + WHOLE_S

    def _due_by(self, now: float) -> list[str]:
        return [number for number, look in self._due.items() if look.times[0] <= now]

    def _looked(self, numbers: list[str], now: float) -> None:
        for number in numbers:
            look = self._due[number]
            look.times = [at for at in look.times if at > now]
            if not look.times:
                del self._due[number]

    def _take(self, number: str, found: Mapping[str, Registration]) -> None:
        """Notes a number's registrations. What was told of one must not waver: it only ever becomes newer."""
        before = self._registrations.get(number, {})
        after = {key: self._dated(number, item, before.get(key)) for key, item in found.items()}
        if after == before:
            return
        with self._change:
            self._contacts = None
            if after:
                self._registrations[number] = after
            else:
                del self._registrations[number]

    def _dated(self, number: str, item: Registration, before: Registration | None) -> Registration:
        """Returns the registration with when it was made, by our clock: to the millisecond where its right password was seen.

        Within one second a phone may register twice, and of a row that was read the password may be told only afterwards.
        """
        look = self._due.get(number)
        seen = look.within(item) if look else 0.0
        if before is not None and before.is_same(item):
            return replace(before, at=max(before.at, seen - self._skew_s)) if seen else before
        return replace(item, at=(seen or item.made_at) - self._skew_s)

    def _current(self) -> tuple[Contact, ...]:
        now = self._clock() + self._skew_s
        if self._contacts is None or now >= self._runs_out_at:
            live = [(n, item) for n, items in self._registrations.items() for item in items.values() if item.runs_out_at > now]
            self._runs_out_at = min((item.runs_out_at for _, item in live), default=now + WHOLE_S)
            self._contacts = tuple(Contact(n, item.uri, item.user_agent, item.at, item.source[0]) for n, item in live)
        return self._contacts


def _number_of_channel(name: str) -> str:
    """Returns the number of ``PJSIP/1001-0000002a``; empty for channels that are no phone's."""
    technology, _, rest = name.partition("/")
    return rest.rpartition("-")[0] if technology == "PJSIP" else ""
