"""The step from next files to live ones - PBX first, then bytes - and the one that wakes the phone."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pbx_sync.backend import Backend
from provisioner.core.mac import Mac
from provisioner.models import TO_PROMOTE, index_log, meta, phone, rendered_file
from provisioner.records import ChangeRecord
from provisioner.store import Store

log = logging.getLogger("provisioner.worker")

BATCH = 200
WAKE_AT_ONCE = 20
WAKE_PER_S = 20.0
"""NOTIFYs: a handful at once, then so many a second. A phone that is woken fetches within seconds, and all of a site at once would be a
storm of our own; ten thousand phones take eight minutes."""
ASKED_FOR_S = 600.0
"""A resync that a person asked for longer ago is not sent any more: a reboot out of the blue serves nobody."""
_ASKED = "asked_position"


class Promoting:
    """Makes next files live: in one transaction for each batch, so that no phone ever sees half of its files changed."""

    def __init__(self, store: Store, clock: Callable[[], float], *, has_pbx: bool) -> None:
        self._store = store
        self._clock = clock
        self._has_pbx = has_pbx

    def step(self) -> int:
        """Promotes one batch; returns how many phones it was."""
        macs = self._store.promotable(BATCH, has_pbx=self._has_pbx)
        if not macs:
            return 0
        with self._store.database.write() as connection:
            at = self._clock()
            # Read again under the write lock: an edit since may have made the next files unknown.
            chosen = list(connection.execute(sa.select(phone.c.mac).where(phone.c.mac.in_(macs), TO_PROMOTE)).scalars())
            if chosen:
                files = rendered_file.c.mac.in_(chosen)
                connection.execute(rendered_file.delete().where(files, rendered_file.c.state == "live"))
                connection.execute(rendered_file.update().where(files, rendered_file.c.state == "next").values(state="live"))
                # Told of none of them yet: that is a fact of its own, which no clock that was set back can hide.
                values = {"live_hash": phone.c.wanted_hash, "live_at": at, "notified_at": None}
                connection.execute(phone.update().where(phone.c.mac.in_(chosen)).values(**values))
                connection.execute(index_log.insert(), [{"mac": mac, "at": at} for mac in chosen])
        return len(chosen)


class Waking:
    """Tells phones with new files to fetch them, by their vendor's own event through the PBX. Paced; what a person asks for is not."""

    def __init__(
        self, store: Store, backend: Backend, clock: Callable[[], float] = time.time, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._backend = backend
        self._clock = clock
        self._timer = timer
        self._allowance = float(WAKE_AT_ONCE)
        self._counted_at = timer()
        self._asked = int(store.meta(_ASKED) or 0)  # from the very first, where nobody has asked yet: what is old is not sent

    def step(self) -> int:
        """Wakes a few phones; returns how many. A phone without contact is noted as told: it fetches when it comes back.

        Raises ``PBXUnavailable``; whoever was told until then is noted.
        """
        asked = self._asked_for()
        # Half a handful at least: while thousands wait, looking for the next few costs more than telling them.
        waiting = self._store.to_wake(room) if (room := self._room()) >= WAKE_AT_ONCE // 2 else []
        told: list[Mac] = []
        try:
            for mac, model_id, number in waiting:
                self._notify(mac, model_id, number, reboot=False)
                told.append(mac)
        finally:
            self._allowance -= len(told)
            self._note(told)
        return len(told) + asked

    def _room(self) -> int:
        now = self._timer()
        self._allowance = min(float(WAKE_AT_ONCE), self._allowance + (now - self._counted_at) * WAKE_PER_S)
        self._counted_at = now
        return int(self._allowance)

    def _note(self, told: Sequence[Mac]) -> None:
        if not told:
            return
        now = self._clock()
        # Never before the files became live, wherever the clock has been set in between.
        at = sa.case((phone.c.live_at > now, phone.c.live_at), else_=now)
        with self._store.database.write() as connection:
            connection.execute(phone.update().where(phone.c.mac.in_(told)).values(notified_at=at))

    def _asked_for(self) -> int:
        """Sends what people asked for by hand (resync, reboot), once, also over a restart."""
        newest = self._store.newest_change()
        asked = self._store.changes_after(self._asked, ("phone.resync", "phone.reboot")) if newest > self._asked else []
        position = self._asked
        try:
            for item in asked:
                self._send(item)
                position = item.id
        finally:
            if position != self._asked:
                with self._store.database.write() as connection:
                    _put_meta(connection, _ASKED, str(position))
            self._asked = position
        self._asked = position if asked else newest  # there may be more of them than one look returns
        return len(asked)

    def _send(self, item: ChangeRecord) -> None:
        record = self._store.phone(Mac(item.subject))
        if record is None or not record.lines or item.at < self._clock() - ASKED_FOR_S:
            return
        self._notify(record.mac, record.model, record.lines[0].extension, reboot=item.action == "phone.reboot")

    def _notify(self, mac: Mac, model_id: str, number: str, *, reboot: bool) -> None:
        vendor = self._store.catalogue.vendors.get(model_id.partition("/")[0])
        if vendor is None:
            return  # its folder was taken away; the phone is held with that reason
        reached = self._backend.notify(number, vendor.notify_reboot_event if reboot else vendor.notify_event)
        log.info("event=notify mac=%s extension=%s reboot=%s contacts=%d", mac, number, str(reboot).lower(), reached)


def _put_meta(connection: Connection, key: str, value: str) -> None:
    connection.execute(meta.delete().where(meta.c.key == key))
    connection.execute(meta.insert().values(key=key, value=value))
