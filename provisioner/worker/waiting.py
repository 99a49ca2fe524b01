"""The step that keeps the waiting room: accounts at the PBX, codes that are dialled there, and a word to phones that were let in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from pbx_sync.backend import Backend
from pbx_sync.waiting import Dialled, WaitingPhone, WaitingRoom
from provisioner.changes.enrolment import EnrolmentWrites
from provisioner.changes.phones import PhoneInput
from provisioner.core.identify import model_of
from provisioner.core.mac import Mac, try_parse
from provisioner.core.numbers import WAITING_PREFIX
from provisioner.errors import ProvisionerError
from provisioner.models_enrolment import newcomer
from provisioner.places import SiteFinder
from provisioner.records import PhoneRecord
from provisioner.records_enrolment import NewcomerRecord
from provisioner.store import Store

log = logging.getLogger("provisioner.worker")

EVERY_S = 0.2
DIALLED_EVERY_S = 0.5
MOST = 200
"""Phones that wait at once; more than unpack themselves in an hour."""
MOST_WRONG = 5
"""Wrong codes after which an account is taken away: with the codes' eight digits nobody guesses one."""
SETTLE_S = 0.1
"""Listeners hear of new files within 20 ms; a phone that is told before that would be given the waiting room once more."""
AGAIN_S = 2.0


class Waiting:
    """Keeps the waiting room. Raises ``PBXUnavailable``."""

    def __init__(
        self,
        store: Store,
        writes: EnrolmentWrites,
        backend: Backend,
        room: WaitingRoom,
        clock: Callable[[], float],
        timer: Callable[[], float],
    ) -> None:
        self._store = store
        self._writes = writes
        self._backend = backend
        self._room = room
        self._clock = clock
        self._timer = timer
        self._next = self._dialled_at = -1.0
        self._seated: frozenset[WaitingPhone] | None = None
        self._told: dict[Mac, float] = {}

    def step(self) -> int:
        """Seats, listens, and tells; returns how many codes were dialled and phones told."""
        now = self._timer()
        if now < self._next:
            return 0
        self._next = now + EVERY_S
        waiting = self._store.seated(self._clock(), most_wrong=MOST_WRONG, limit=MOST)
        self._seat(waiting)
        seats = {row.mac for row in waiting}
        self._told = {mac: at for mac, at in self._told.items() if mac in seats}  # others came in, or never will
        if not waiting:
            return 0
        done = 0
        if now >= self._dialled_at:
            self._dialled_at = now + DIALLED_EVERY_S
            done = sum(self._claim(item, waiting) for item in self._room.dialled())
        return done + self._tell(waiting)

    def forget(self) -> None:
        """Has everything seated anew: the PBX was away, and may have come back with anything."""
        self._seated = None

    def _seat(self, waiting: Sequence[NewcomerRecord]) -> None:
        wanted = frozenset(WaitingPhone(f"{WAITING_PREFIX}{row.mac}", self._store.waiting_secret(row.mac)) for row in waiting)
        if wanted != self._seated:
            self._room.seat(wanted)
            self._seated = wanted

    def _claim(self, item: Dialled, waiting: Sequence[NewcomerRecord]) -> int:
        mac = try_parse(item.account.removeprefix(WAITING_PREFIX))
        row = next((row for row in waiting if row.mac == mac), None)
        if row is None:
            return 0
        site = SiteFinder(self._store.sites()).site_of(row.peer)
        given = PhoneInput(model=model_of(self._store.catalogue, row.mac, row.user_agent)[0] or None, site=site)
        try:
            record = self._writes.claim_by_code(row.mac, item.code, given)
        except ProvisionerError as error:
            log.warning("event=claim_failed mac=%s reason=%s detail=%s", row.mac, error.reason, error)
            return 0
        log.info("event=claim mac=%s known=%s", row.mac, record is not None)
        return int(record is not None)

    def _tell(self, waiting: Sequence[NewcomerRecord]) -> int:
        """Tells those that were let in since they last asked; forgets those that have come in."""
        macs = [row.mac for row in waiting]
        records = {record.mac: record for record in self._store.phones(macs=macs, limit=MOST)}
        live = self._store.live_since(macs)
        asked = {row.mac: row.at for row in waiting}
        done = [mac for mac, record in records.items() if record.first_success_at is not None and record.first_success_at > asked[mac]]
        self._leave(done)
        return sum(self._told_of(record, live.get(record.mac), asked[record.mac]) for record in records.values() if record.mac not in done)

    def _told_of(self, record: PhoneRecord, live_at: float | None, asked_at: float) -> int:
        now = self._clock()
        is_let_in = record.enabled and record.first_success_at is None and record.opened_at >= asked_at
        if not is_let_in or live_at is None or now < max(live_at, record.opened_at) + SETTLE_S:
            return 0
        if self._timer() < self._told.get(record.mac, -1.0):
            return 0
        vendor = self._store.catalogue.vendors.get(record.model.partition("/")[0])
        reached = self._backend.notify(f"{WAITING_PREFIX}{record.mac}", vendor.notify_event) if vendor else 0
        self._told[record.mac] = self._timer() + AGAIN_S
        log.info("event=notify mac=%s extension=waiting contacts=%d", record.mac, reached)
        return reached

    def _leave(self, macs: Sequence[Mac]) -> None:
        if macs:
            with self._store.database.write() as connection:
                connection.execute(newcomer.delete().where(newcomer.c.mac.in_(macs)))
