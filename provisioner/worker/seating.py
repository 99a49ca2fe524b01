"""The step that logs out whoever still sits at a hot desk when its setting ``hot_desk_until`` says so."""

from __future__ import annotations

import logging
from collections.abc import Callable

from provisioner.changes.seats import SeatWrites
from provisioner.core.seats import HOT_DESK_UNTIL, ends_at
from provisioner.errors import ProvisionerError
from provisioner.records_seats import DeskRecord, SeatRecord
from provisioner.store import CHUNK, Store

log = logging.getLogger("provisioner.worker")

EVERY_S = 15.0
ACTOR = HOT_DESK_UNTIL
"""Under whose name such a logging out stands in the changes."""


class Seating:
    """Looks at a batch of seats now and then; one that cannot be left is looked at again the next time round."""

    def __init__(self, store: Store, writes: SeatWrites, clock: Callable[[], float], timer: Callable[[], float]) -> None:
        self._store = store
        self._writes = writes
        self._clock = clock
        self._timer = timer
        self._next = -1.0
        self._after = ""

    def step(self) -> int:
        """Logs out whose time is over; returns how many it was."""
        now = self._timer()
        if now < self._next:
            return 0
        seats = self._store.seats(after=self._after, limit=CHUNK)
        is_last = len(seats) < CHUNK
        self._after = "" if is_last else seats[-1].mac
        self._next = now + EVERY_S if is_last else self._next
        desks = self._store.desks([item.mac for item in seats]) if seats else {}
        return sum(self._left(item) for item in seats if item.mac in desks and self._is_over(item, desks[item.mac]))

    def _is_over(self, item: SeatRecord, desk: DeskRecord) -> bool:
        rule = self._store.catalogue.zones.get(desk.timezone)
        end = ends_at(item.since, desk.until, rule) if rule else None
        return end is not None and self._clock() >= end

    def _left(self, item: SeatRecord) -> int:
        try:
            self._writes.leave_seat(ACTOR, item.mac, item)
        except ProvisionerError as error:
            log.error("event=seat_kept mac=%s reason=%s detail=%s", item.mac, error.reason, error)
            return 0
        log.info("event=seat_left mac=%s extension=%s why=%s", item.mac, item.extension, HOT_DESK_UNTIL)
        return 1
