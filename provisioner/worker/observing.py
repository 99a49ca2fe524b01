"""The step that notes registrations, calls, and what the PBX says of itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from pbx_sync.backend import Backend
from pbx_sync.state import Contact
from provisioner.core.contacts import LineContact, owners, proven
from provisioner.core.mac import Mac
from provisioner.core.recognise import by_user_agent
from provisioner.core.sightings import PROVEN, SHOWN, Observation, fact
from provisioner.models import phone, registration
from provisioner.records import RegistrationRecord
from provisioner.seen import SightingWriter
from provisioner.store import CHUNK, LinePhone, Store
from provisioner.worker.contacts import Contacts
from provisioner.worker.facts import Facts
from provisioner.worker.timekeeping import JUMP_S
from provisioner.worker.waking import NOT_REGISTERED

EVERY_S = 0.2
BUSY_EVERY_S = 1.0
ABOUT_EVERY_S = 10.0
UNSURE_EVERY_S = 5.0
"""A phone that shares its extension is told from the others by where it fetches from, which is known a moment after it registers."""
SETTLE_S = 5.0
"""A phone that comes back is told of what it missed, unless it fetched by itself while it started."""


@dataclass(slots=True)
class News:
    """What is to be written."""

    changed: list[RegistrationRecord] = field(default_factory=list)
    gone: list[tuple[Mac, str]] = field(default_factory=list)
    came_back: list[Mac] = field(default_factory=list)
    renewed: list[Mac] = field(default_factory=list)
    seen: list[RegistrationRecord] = field(default_factory=list)
    """Those that say something new of their phone; renewing alone, every few minutes, does not."""


class Observing:
    """Keeps the table of registrations as the PBX has them; writes only what differs."""

    def __init__(
        self, store: Store, backend: Backend, contacts: Contacts, facts: Facts, clock: Callable[[], float], timer: Callable[[], float]
    ) -> None:
        self._store = store
        self._backend = backend
        self._contacts = contacts
        self._facts = facts
        self._sightings = SightingWriter(store.catalogue, is_sqlite=store.database.is_sqlite)
        self._clock = clock
        self._timer = timer
        self._next = self._busy_at = self._about_at = self._unsure_at = -1.0
        self._known: Mapping[str, tuple[Contact, ...]] | None = None
        self._pending: set[str] = set()
        self._unsure: set[str] = set()
        self._position = 0

    def step(self) -> int:
        """Looks a few times a second; returns how many registrations it wrote. Raises ``PBXUnavailable``."""
        now = self._timer()
        if now < self._next:
            return 0
        self._look(now)
        written = self._write(self._judged(self._batch()))
        self._next = now if self._pending else now + EVERY_S
        return written

    def forget(self) -> None:
        """Has everything compared at the next step: the PBX was away, and may have come back with anything."""
        self._known = None

    def _look(self, now: float) -> None:
        """Finds the numbers whose contacts, or whose phones, are others than at the last look."""
        contacts = self._contacts.refresh()
        if self._known is None:
            self._position = self._store.index_position()
            self._pending |= contacts.keys() | {row.extension for row in self._store.registrations_of()}
        elif contacts is not self._known:
            numbers = contacts.keys() | self._known.keys()
            self._pending |= {number for number in numbers if contacts.get(number) != self._known.get(number)}
        self._known = contacts
        self._pending |= self._numbers_of_changed_phones()
        if now >= self._unsure_at:
            self._pending |= self._unsure
            self._unsure_at = now + UNSURE_EVERY_S
        if now >= self._busy_at:
            self._facts.busy(self._backend.busy())
            self._busy_at = now + BUSY_EVERY_S
        if now >= self._about_at:
            self._facts.about(self._backend.about())
            self._facts.contacts = sum(map(len, contacts.values()))
            self._about_at = now + ABOUT_EVERY_S

    def _numbers_of_changed_phones(self) -> set[str]:
        position = self._store.index_position()
        if position == self._position:
            return set()
        changes = self._store.index_changes(self._position)
        self._position, macs = changes.position, changes.macs
        if changes.is_everything:
            return {row.extension for row in self._store.registrations_of()} | set(self._known or ())
        return self._store.numbers_on(macs) | {row.extension for rows in self._store.registrations(sorted(macs)).values() for row in rows}

    def _batch(self) -> list[str]:
        batch = sorted(self._pending)[:CHUNK]
        self._pending -= set(batch)
        return batch

    def _judged(self, numbers: Sequence[str]) -> News:
        news = News()
        if not numbers:
            return news
        phones = self._store.phones_with_lines(numbers)
        rows: dict[str, dict[Mac, RegistrationRecord]] = {}
        for row in self._store.registrations_of(numbers):
            rows.setdefault(row.extension, {})[row.mac] = row
        for number in numbers:
            self._judge(number, phones.get(number, ()), rows.get(number, {}), news)
        return news

    def _judge(self, number: str, phones: Sequence[LinePhone], rows: Mapping[Mac, RegistrationRecord], news: News) -> None:
        contacts, candidates = self._contacts.of(number), self._contacts.phones(phones)
        is_unsure = any(len(macs) > 1 for macs in owners(contacts, candidates).values())
        (self._unsure.add if is_unsure else self._unsure.discard)(number)
        found = proven(contacts, candidates)
        for item in candidates:
            old, new = rows.get(item.mac), found.get(item.mac)
            record = _record(item.mac, number, old, new, self._clock())
            if record is not None and record != old:
                news.changed.append(record)
                if record.ended_at is None:
                    is_new = old is None or old.ended_at is not None
                    (news.came_back if is_new else news.renewed).append(item.mac)
                    if is_new or (old is not None and (old.address, old.user_agent) != (record.address, record.user_agent)):
                        news.seen.append(record)
        # A phone that was given another number is reached by its old one until it has fetched that: its row stays as long as its contact.
        there, holders = {contact.uri for contact in contacts}, {item.mac for item in candidates}
        news.gone += [(mac, number) for mac, row in rows.items() if mac not in holders and row.uri not in there]

    def _write(self, news: News) -> int:
        if not (news.changed or news.gone):
            return 0
        with self._store.database.write() as connection:
            there = _existing(connection, {row.mac for row in news.changed})
            kept = [row for row in news.changed if row.mac in there]  # one may have been taken off the list since
            keys = [{"which": row.mac, "number": row.extension} for row in kept] + [{"which": m, "number": n} for m, n in news.gone]
            if keys:
                connection.execute(_FORGET, keys)
            if kept:
                connection.execute(registration.insert(), [_row(row) for row in kept])
            self._sightings.write(connection, [self._observed(row) for row in news.seen if row.mac in there])
            if news.came_back:
                due = {"due": self._clock() + SETTLE_S}
                connection.execute(_TELL_AGAIN, [{"which": mac, **due} for mac in news.came_back])
            if news.renewed:
                # It was not registered when it should have been told, and nobody saw it go and come: the PBX had lost it for a moment.
                untold = phone.c.mac.in_(news.renewed), phone.c.notify_error == NOT_REGISTERED, phone.c.notify_due_at.is_(None)
                connection.execute(phone.update().where(*untold).values(notify_due_at=self._clock() + SETTLE_S, notify_tries=0))
        self._facts.counters["registrations_seen"] += len(kept)
        return len(keys)

    def _observed(self, row: RegistrationRecord) -> Observation:
        """Returns what a registration proves of its phone."""
        agent = by_user_agent(self._store.catalogue, row.user_agent)
        said = agent.facts(SHOWN) if agent else ()
        proven_facts = (*fact("extension", row.extension, PROVEN), *fact("address", row.address, PROVEN))
        facts = (*said, *proven_facts, *fact("user_agent", row.user_agent, SHOWN))
        return Observation(row.mac, "registration", row.registered_at, facts)


def _record(mac: Mac, number: str, old: RegistrationRecord | None, new: LineContact | None, now: float) -> RegistrationRecord | None:
    """Returns what stands of a phone's registration now; None where there never was one."""
    if new is None:
        if old is None or old.ended_at is not None:
            return old
        return RegistrationRecord(mac, number, old.registered_at, now, old.uri, old.address, old.user_agent)
    at = new.registered_at
    known = old.registered_at if old is not None else 0.0
    if at > now + JUMP_S:  # the PBX kept it while the machine started anew with a clock that is behind: it proves nothing new
        at = known
    elif known <= now + JUMP_S:  # what lies in times to come is of before the clock was set back
        at = max(at, known)
    return RegistrationRecord(mac, number, at, None, new.uri[:512], new.address[:45], new.user_agent[:200])


def _existing(connection: sa.Connection, macs: Iterable[Mac]) -> set[str]:
    wanted, found = sorted(macs), set()
    for start in range(0, len(wanted), CHUNK):
        found |= set(connection.execute(sa.select(phone.c.mac).where(phone.c.mac.in_(wanted[start : start + CHUNK]))).scalars())
    return found


def _row(record: RegistrationRecord) -> dict[str, Any]:
    return {column.name: getattr(record, column.name) for column in registration.c}


_FORGET = registration.delete().where(registration.c.mac == sa.bindparam("which"), registration.c.extension == sa.bindparam("number"))
_TELL_AGAIN = (
    phone.update()
    .where(phone.c.mac == sa.bindparam("which"), phone.c.live_at.is_not(None), phone.c.notify_error != "", phone.c.notify_due_at.is_(None))
    .values(notify_due_at=sa.bindparam("due"), notify_tries=0)
)
