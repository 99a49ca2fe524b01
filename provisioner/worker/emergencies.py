"""The step that tells of emergency calls: while they are dialled, as the law of the USA wants it (47 CFR 9.16(b)(2): no later than the call).

A call that nobody heard of meanwhile, for the connection to the PBX was broken, is told when its record is taken over.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable

from pbx_sync.calls import EndedCall
from pbx_sync.emergencies import Emergencies, EmergencyCall
from provisioner.changes.telling import Telling
from provisioner.core.mac import Mac
from provisioner.db import DatabaseError
from provisioner.store import Store
from provisioner.worker.hotdesks import contact_of

log = logging.getLogger("provisioner.worker")

EVENT = "call.emergency"
EVERY_S = 0.5
NUMBERS_EVERY_S = 15.0
UNTOLD = 1000
"""Calls that wait for a database that is away; the oldest give way."""


class TellingOfEmergencies:
    """Watches for calls to emergency numbers. ``pbx`` None: there is none that tells of them."""

    def __init__(self, store: Store, telling: Telling, pbx: Emergencies | None, timer: Callable[[], float]) -> None:
        self._store = store
        self._telling = telling
        self._pbx = pbx
        self._timer = timer
        self._next = self._numbers_at = -1.0
        self._numbers: frozenset[str] = frozenset()
        self._untold: deque[EmergencyCall] = deque(maxlen=UNTOLD)

    def step(self) -> int:
        """Looks twice a second; returns how many calls it told of. Raises ``DatabaseError``; it tells of the rest the next time."""
        now = self._timer()
        if self._pbx is None or now < self._next:
            return 0
        self._next = now + EVERY_S
        if now >= self._numbers_at:
            self._numbers_at = now + NUMBERS_EVERY_S
            self._numbers = self._store.emergency_numbers()
            self._pbx.watch_emergencies(self._numbers)
        self._untold.extend(self._pbx.emergencies())
        count = 0
        while self._untold:
            call = self._untold.popleft()
            try:
                count += self.told(call.uid, call.extension, call.number, call.address)
            except DatabaseError:
                self._untold.appendleft(call)
                raise
        return count

    def ended(self, calls: Iterable[EndedCall]) -> None:
        """Tells of those among the calls that are over which were not told of while they went on."""
        numbers = self._store.emergency_numbers()
        for call in calls:
            if call.called in numbers and call.caller in call.parties:
                self.told(call.uid, call.caller, call.called, "")

    def told(self, uid: str, extension: str, number: str, address: str) -> bool:
        """Appends the event unless the call has one; returns whether it did."""
        is_new = self._telling.tell_once(EVENT, f"call {uid}", self._about(extension, number, address))
        if is_new:
            log.warning("event=emergency_call extension=%s number=%s address=%s", extension, number, address or "-")
        return is_new

    def _about(self, extension: str, number: str, address: str) -> dict[str, object]:
        known, phones = self._store.extension(extension), self._phones(extension, address)
        seat = self._store.seat_of(extension)
        named = {row.mac: row for row in self._store.phones(macs=phones, limit=len(phones))} if phones else {}
        about: dict[str, object] = {
            "number": number,
            "extension": extension,
            "site": next((row.site for row in named.values()), known.site if known else "") or "",
            "phone": ", ".join(f"{row.model} {row.mac.colons}" for row in named.values()),
            "place": seat.place if seat else extension,
            "detail": " ".join(part for part in (known.display_name if known else "", address) if part),
        }
        return about | ({"mac": phones[0]} if len(phones) == 1 else {})

    def _phones(self, extension: str, address: str) -> list[Mac]:
        """Returns the phone that it was dialled at; where that cannot be told, all that have the extension."""
        phones = [row.mac for row in self._store.phones_with_lines([extension]).get(extension, ()) if row.enabled]
        rows = [row for row in self._store.registrations_of([extension]) if row.ended_at is None and row.mac in phones]
        exact = [row.mac for row in rows if contact_of(row) == address]
        return exact if len(exact) == 1 else phones
