"""The step that does what was dialled at hot desks, and keeps the PBX told which those are and which place emergency calls from them have."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable

from pbx_sync.hotdesks import HotDesks, SeatAsked, WrongPins
from provisioner.changes.seats import SeatWrites
from provisioner.core.mac import Mac
from provisioner.errors import ProvisionerError
from provisioner.models import meta
from provisioner.records import RegistrationRecord
from provisioner.records_seats import SeatRecord
from provisioner.store import CHUNK, Store
from provisioner.store.seats import WRONG_PINS

log = logging.getLogger("provisioner.worker")

EVERY_S = 0.4
TOLD_EVERY_S = 1.0
COUNTED_EVERY_S = 5.0
GUESSES_COUNT_S = 3600.0
"""As long as the dialplan counts wrong PINs together."""
ASKED_FOR_S = 20.0
"""Whoever dialled longer ago has been told that it did not work, and may have gone."""
MOST_SHOWN = 200
IN, OUT, NO = "in", "out", "no"


class Desks:
    """Answers log-ins. Raises ``PBXUnavailable``."""

    def __init__(self, store: Store, writes: SeatWrites, desks: HotDesks, clock: Callable[[], float], timer: Callable[[], float]) -> None:
        self._store = store
        self._writes = writes
        self._desks = desks
        self._clock = clock
        self._timer = timer
        self._next = self._told_at = self._counted_at = -1.0
        self._position = -1
        self._open: frozenset[str] | None = None
        self._places: dict[str, str] | None = None

    def step(self) -> int:
        """Looks a few times a second where there are hot desks; returns how many log-ins and log-outs it answered."""
        now = self._timer()
        if now < self._next:
            return 0
        self._next = now + EVERY_S
        if now >= self._told_at:
            self._told_at = now + TOLD_EVERY_S
            self._tell()
        if not self._open:
            return 0
        if now >= self._counted_at:
            self._counted_at = now + COUNTED_EVERY_S
            self._count(self._desks.wrong_pins(self._clock() - GUESSES_COUNT_S))
        return sum(self._answered(item) for item in self._desks.asked())

    def forget(self) -> None:
        """Has everything told anew: the PBX was away, and may have come back with anything."""
        self._open = self._places = None
        self._position = -1

    def _tell(self) -> None:
        """Tells the PBX which phones are hot desks, where anything was changed, and which places they have."""
        newest = self._store.last_change()
        if newest != self._position:
            wanted = frozenset(self._store.hot_numbers())
            if wanted != self._open:
                self._desks.open(wanted)
                self._open = wanted
            self._position = newest
        places = self._wanted_places()
        if places != self._places:
            self._desks.put_places(places)
            self._places = places

    def _wanted_places(self) -> dict[str, str]:
        seats = self._every_seat()
        if not seats:
            return {}
        numbers = {item.extension for item in seats}
        phones = self._store.phones_with_lines(numbers)
        rows = {(row.mac, row.extension): row for row in self._store.registrations_of(numbers) if row.ended_at is None}
        return dict(
            place for item in seats for place in _places(item, rows.get((item.mac, item.extension)), len(phones.get(item.extension, ())))
        )

    def _every_seat(self) -> list[SeatRecord]:
        found: list[SeatRecord] = []
        while rows := self._store.seats(after=found[-1].mac if found else "", limit=CHUNK):
            found += rows
        return found

    def _answered(self, item: SeatAsked) -> int:
        if not self._clock() - ASKED_FOR_S <= item.at <= self._clock() + ASKED_FOR_S:
            self._desks.answer(item.name, NO)
            return 0
        mac = self._phone_of(item)
        word = self._done(item, mac) if mac else IN if self._is_done(item) else NO
        self._desks.answer(item.name, word)
        log.info("event=seat_dialled mac=%s account=%s extension=%s answer=%s", mac or "-", item.account, item.number or "-", word)
        return 1

    def _is_done(self, item: SeatAsked) -> bool:
        """Returns whether a worker that died before it could say so has done it: then the phone has that extension no more."""
        seat = self._store.seat_of(item.number) if item.number else None
        return seat is not None and seat.place == item.account and abs(seat.since - item.at) <= ASKED_FOR_S

    def _done(self, item: SeatAsked, mac: Mac) -> str:
        try:
            if item.number:
                self._writes.take_seat(f"phone {mac}", mac, item.number)
            else:
                self._writes.leave_seat(f"phone {mac}", mac)
        except ProvisionerError as error:
            log.warning("event=seat_refused mac=%s extension=%s reason=%s detail=%s", mac, item.number or "-", error.reason, error)
            return NO
        return IN if item.number else OUT

    def _phone_of(self, item: SeatAsked) -> Mac | None:
        """Returns the phone that a call came from: the one registered there; else the only one that has the extension."""
        rows = [row for row in self._store.registrations_of([item.account]) if row.ended_at is None]
        phones = {row.mac for row in self._store.phones_with_lines([item.account]).get(item.account, ()) if row.enabled}
        exact = {row.mac for row in rows if contact_of(row) == item.address} & phones
        host = item.address.rpartition(":")[0].strip("[]")
        near = {row.mac for row in rows if row.address == host} & phones
        return next((min(macs) for macs in (exact, near, phones) if len(macs) == 1), None)

    def _count(self, rows: Iterable[WrongPins]) -> None:
        """Keeps what the PBX counted, the worst first."""
        worst = sorted(rows, key=lambda row: (-row.count, row.of))[:MOST_SHOWN]
        kept = json.dumps([[*row.of.partition("/")[::2], row.count, row.since] for row in worst])
        if kept != (self._store.meta(WRONG_PINS) or "[]"):
            with self._store.database.write() as connection:
                connection.execute(meta.delete().where(meta.c.key == WRONG_PINS))
                connection.execute(meta.insert().values(key=WRONG_PINS, value=kept))


def _places(item: SeatRecord, row: RegistrationRecord | None, phones: int) -> Iterable[tuple[str, str]]:
    """Yields under what the PBX finds the place of a seat: by the number alone only where no other phone has it."""
    told = f"{item.place},{item.site}"
    if phones == 1:
        yield item.extension, told
    if row is not None:
        yield f"{item.extension}/{contact_of(row)}", told


def contact_of(row: RegistrationRecord) -> str:
    """Returns the ``host:port`` of a registration's contact, which the PBX writes as it sees it."""
    return row.uri.rpartition("@")[2].partition(";")[0]
