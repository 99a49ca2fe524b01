"""The step that tells phones to fetch: each by its own contact, paced, not in a call, and again until it fetched."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from pbx_sync.backend import Backend
from provisioner.core.contacts import wake_uris
from provisioner.core.mac import Mac
from provisioner.models import meta, phone
from provisioner.records import ChangeRecord, PhoneToWake
from provisioner.store import CHUNK, LinePhone, Store
from provisioner.worker.contacts import Contacts
from provisioner.worker.facts import Facts
from provisioner.worker.pacing import LONGEST_S, Turns
from provisioner.worker.timekeeping import JUMP_S

log = logging.getLogger("provisioner.worker")

BATCH = 200
DUE_BATCH = 50
PAUSES_S = (30.0, 120.0, 600.0)
"""How long a phone has to fetch after it was told the first, second and last time."""
BUSY_AGAIN_S = 5.0
ASKED_FOR_S = 600.0
"""A resync that a person asked for longer ago is not sent any more: a reboot out of the blue serves nobody."""
NOT_REGISTERED = "not registered: it fetches at its next restart"
IN_A_CALL = "in a call: it is told when that is over"
NO_VENDOR = "its vendor is not in the catalogue"
GIVEN_UP = f"told {len(PAUSES_S)} times, never fetched: does it take a NOTIFY from the PBX, and does it reach this server? A restart makes it fetch"
_ASKED = "asked_position"
_POSTPONED = "asked_postponed"
_LONGEST_S = tuple(pause_s + JUMP_S for pause_s in (LONGEST_S, *PAUSES_S))
"""The longest pause that there can be after none, one, two ... tries."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of telling a phone of its live files. ``pause_s`` None: nothing more is planned."""

    phone: PhoneToWake
    reached: int
    tries: int
    pause_s: float | None
    error: str = ""


class Waking:
    """Tells phones of new files by their vendor's own event, through the PBX. What a person asks for by hand is not paced."""

    def __init__(
        self,
        store: Store,
        backend: Backend,
        contacts: Contacts,
        facts: Facts,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._backend = backend
        self._contacts = contacts
        self._facts = facts
        self._clock = clock
        dice = random.SystemRandom()
        self._turns = Turns(timer, lambda: dice.uniform(0.5, 1.5))
        self._asked = int(store.meta(_ASKED) or 0)  # from the very first, where nobody has asked yet: what is old is not sent
        self._postponed = store.changes_named([int(number) for number in (store.meta(_POSTPONED) or "").split()])
        self.settle: Callable[[], object] = lambda: None
        """Called between the moment that files became live and that in which their phones are told at once."""

    def step(self) -> int:
        """Tells a few phones or gives them their turn; returns how many. Raises ``PBXUnavailable``; whoever was told until then is noted."""
        return self._asked_for() + self._give_turns() + self._tell_due()

    def _give_turns(self) -> int:
        waiting = self._store.to_wake(BATCH)
        if not waiting:
            return 0
        self._contacts.refresh()
        at_once: list[PhoneToWake] = []
        turns: list[dict[str, object]] = []
        now = self._clock()
        for item in waiting:
            address = next((contact.address for number in item.numbers for contact in self._contacts.of(number)), None)
            wait_s = self._turns.wait_s(item.site, address) if address is not None else 0.0  # nobody to tell: that needs no turn
            if wait_s:
                turns.append({**_which(item), "due": now + wait_s})
            else:
                at_once.append(item)
        if turns:
            with self._store.database.write() as connection:
                connection.execute(_TURN, turns)
        if at_once:
            self.settle()
        self._tell(at_once)
        return len(waiting)

    def _tell_due(self) -> int:
        due = self._store.wakes_due(self._clock(), _LONGEST_S, DUE_BATCH)
        if not due:
            return 0
        facts = self._store.locksteps([item.mac for item in due], has_pbx=True)
        fetched = {mac for mac, fact in facts.items() if fact.live is not None and fact.served == fact.live}
        tired = {item.mac for item in due if item.tries >= len(PAUSES_S)} - fetched
        self._note([Told(item, 0, item.tries, None, GIVEN_UP) for item in due if item.mac in tired])
        self._note_fetched([item for item in due if item.mac in fetched])
        self._facts.counters["wakes_given_up"] += len(tired)
        self._contacts.refresh()
        self._tell([item for item in due if item.mac not in fetched | tired])
        return len(due)

    def _tell(self, items: Sequence[PhoneToWake]) -> None:
        if not items:
            return
        busy = self._backend.busy()
        phones = self._store.phones_with_lines({number for item in items for number in item.numbers})
        talking = self._talking([item.mac for item in items], busy)
        told: list[Told] = []
        try:
            for item in items:
                told.append(self._told(item, phones, in_call=item.mac in talking or not busy.isdisjoint(item.numbers)))
        finally:
            self._note(told)

    def _talking(self, macs: Sequence[Mac], busy: frozenset[str]) -> set[Mac]:
        """Returns the phones in a call by a number that they are registered with, though it may be none of theirs any more."""
        chunks = (macs[start : start + CHUNK] for start in range(0, len(macs), CHUNK)) if busy else ()
        rows = (row for chunk in chunks for found in self._store.registrations(chunk).values() for row in found)
        return {row.mac for row in rows if row.ended_at is None and row.extension in busy}

    def _told(self, item: PhoneToWake, phones: Mapping[str, Sequence[LinePhone]], *, in_call: bool) -> Told:
        if in_call:
            return Told(item, 0, item.tries, BUSY_AGAIN_S, IN_A_CALL)
        vendor = self._store.catalogue.vendors.get(item.model.partition("/")[0])
        if vendor is None:
            return Told(item, 0, item.tries, None, NO_VENDOR)
        reached = self._notify(item.mac, item.numbers, phones, vendor.notify_event)
        if not reached:
            return Told(item, 0, item.tries, None, NOT_REGISTERED)
        return Told(item, reached, item.tries + 1, PAUSES_S[item.tries])

    def _notify(self, mac: Mac, numbers: Sequence[str], phones: Mapping[str, Sequence[LinePhone]], event: str) -> int:
        """Tells the phone by the first of its lines that is registered; returns how many contacts were reached.

        One that shares its extension and has not registered with it yet is told where it was: the contacts are those of the other phones.
        """
        if any(len(phones.get(number, ())) > 1 for number in numbers) and (reached := self._notify_newcomer(mac, numbers, event)):
            return reached
        for number in numbers:
            uris = wake_uris(mac, self._contacts.of(number), self._contacts.phones(phones.get(number, ())))
            reached = self._backend.notify(number, event, uris) if uris else 0
            if reached:
                log.info('event=notify mac=%s extension=%s contacts=%d what="%s"', mac, number, reached, event)
                self._facts.counters["notifies"] += reached
                return reached
        return self._notify_where_it_was(mac, numbers, event)

    def _notify_newcomer(self, mac: Mac, numbers: Sequence[str], event: str) -> int:
        there = {row.extension for row in self._store.registrations([mac]).get(mac, ()) if row.ended_at is None}
        return self._notify_where_it_was(mac, numbers, event) if there and there.isdisjoint(numbers) else 0

    def _notify_where_it_was(self, mac: Mac, numbers: Sequence[str], event: str) -> int:
        """Tells a phone whose numbers are all new to it by the registrations that it still has; returns how many contacts were reached."""
        rows = [row for row in self._store.registrations([mac]).get(mac, ()) if row.extension not in numbers and row.ended_at is None]
        reached = sum(self._backend.notify(row.extension, event, [row.uri]) for row in rows)
        log.info('event=notify mac=%s contacts=%d what="%s"', mac, reached, event)
        self._facts.counters["notifies"] += reached
        return reached

    def _note(self, told: Sequence[Told]) -> None:
        if not told:
            return
        now = self._clock()
        rows = [
            {
                **_which(item.phone), "is_told": item.reached > 0, "now": now, "reached": item.reached, "tries": item.tries,
                "due": None if item.pause_s is None else now + item.pause_s, "why": item.error,
            }
            for item in told
        ]  # fmt: skip
        with self._store.database.write() as connection:
            connection.execute(_TOLD, rows)

    def _note_fetched(self, items: Sequence[PhoneToWake]) -> None:
        if items:
            with self._store.database.write() as connection:
                connection.execute(_FETCHED, [{**_which(item), "now": self._clock()} for item in items])

    def _asked_for(self) -> int:
        """Sends what people asked for by hand (resync, reboot), once, also over a restart; a reboot not into a call."""
        newest = self._store.newest_change()
        asked = self._store.changes_after(self._asked, ("phone.resync", "phone.reboot")) if newest > self._asked else []
        if not asked and not self._postponed:
            self._asked = newest
            return 0
        self._contacts.refresh()
        before = self._asked, self._postponed
        position, waiting, self._postponed = self._asked, [*self._postponed, *asked], []
        try:
            while waiting:
                self._send(waiting[0])
                position = max(position, waiting.pop(0).id)
        finally:
            self._postponed += [item for item in waiting if item.id <= self._asked]  # what comes after it is asked for again
            self._asked = position
            if before != (self._asked, self._postponed):
                self._keep_asked()
        self._asked = position if asked else newest  # there may be more of them than one look returns
        return len(asked)

    def _keep_asked(self) -> None:
        with self._store.database.write() as connection:
            _put_meta(connection, _ASKED, str(self._asked))
            _put_meta(connection, _POSTPONED, " ".join(str(item.id) for item in self._postponed))

    def _send(self, item: ChangeRecord) -> None:
        record = self._store.phone(Mac(item.subject))
        is_reachable = record is not None and (record.lines or record.retired_at is not None)
        if record is None or not is_reachable or item.at < self._clock() - ASKED_FOR_S:
            return
        numbers, is_reboot = tuple(line.extension for line in record.lines), item.action == "phone.reboot"
        vendor = self._store.catalogue.vendors.get(record.model.partition("/")[0])
        if vendor is None:
            return  # its folder was taken away; the phone is held with that reason
        busy = self._backend.busy() if is_reboot else frozenset()
        if not busy.isdisjoint(numbers) or self._talking([record.mac], busy):
            self._postponed.append(item)
            return
        event = vendor.notify_reboot_event if is_reboot else vendor.notify_event
        reached = self._notify(record.mac, numbers, self._store.phones_with_lines(numbers), event)
        with self._store.database.write() as connection:
            why = "" if reached else NOT_REGISTERED
            connection.execute(phone.update().where(phone.c.mac == record.mac).values(notify_reached=reached, notify_error=why))


def _which(item: PhoneToWake) -> dict[str, Any]:
    return {"which": item.mac, "of": item.live_at}


# What is noted is of the files that were live when it was read: those that became live since, it has not been told of.
_SAME_FILES = sa.and_(phone.c.mac == sa.bindparam("which"), phone.c.live_at == sa.bindparam("of"))
_TURN = phone.update().where(_SAME_FILES).values(notify_due_at=sa.bindparam("due"))
# Never before the files became live, wherever the clock has been set in between.
_NOT_BEFORE_LIVE = sa.case((phone.c.live_at > sa.bindparam("now"), phone.c.live_at), else_=sa.bindparam("now"))
_TOLD = (
    phone.update()
    .where(_SAME_FILES)
    .values(
        notified_at=sa.case((sa.bindparam("is_told", type_=sa.Boolean), _NOT_BEFORE_LIVE), else_=phone.c.notified_at),
        notify_reached=sa.bindparam("reached"),
        notify_tries=sa.bindparam("tries"),
        notify_due_at=sa.bindparam("due"),
        notify_error=sa.bindparam("why"),
    )
)
# It needs not be told any more; without a time it would be taken for one that has to be.
_FETCHED = (
    phone.update()
    .where(_SAME_FILES)
    .values(notified_at=sa.func.coalesce(phone.c.notified_at, _NOT_BEFORE_LIVE), notify_due_at=None, notify_error="")
)


def _put_meta(connection: sa.Connection, key: str, value: str) -> None:
    connection.execute(meta.delete().where(meta.c.key == key))
    connection.execute(meta.insert().values(key=key, value=value))
