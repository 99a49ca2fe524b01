"""The step from next files to live ones - PBX first, then bytes - and the one that wakes the phone."""

from __future__ import annotations

import logging
from collections.abc import Callable

import sqlalchemy as sa

from pbx_sync.backend import Backend, PBXUnavailable
from provisioner.models import index_log, phone, rendered_file
from provisioner.store import Store

log = logging.getLogger("provisioner.worker")

BATCH = 200
WAKE_AT_ONCE = 20
"""NOTIFYs a step: a phone that is woken fetches within seconds, and all of a site at once would be a storm of our own."""


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
            ready = sa.and_(
                phone.c.mac.in_(macs), phone.c.wanted_hash.is_not(None), phone.c.wanted_hash.is_distinct_from(phone.c.live_hash)
            )
            chosen = list(connection.execute(sa.select(phone.c.mac).where(ready)).scalars())
            if chosen:
                files = rendered_file.c.mac.in_(chosen)
                connection.execute(rendered_file.delete().where(files, rendered_file.c.state == "live"))
                connection.execute(rendered_file.update().where(files, rendered_file.c.state == "next").values(state="live"))
                connection.execute(phone.update().where(phone.c.mac.in_(chosen)).values(live_hash=phone.c.wanted_hash, live_at=at))
                connection.execute(index_log.insert(), [{"mac": mac, "at": at} for mac in chosen])
        return len(chosen)


class Waking:
    """Tells phones with new files to fetch them, by their vendor's own event through the PBX."""

    def __init__(self, store: Store, backend: Backend, clock: Callable[[], float]) -> None:
        self._store = store
        self._backend = backend
        self._clock = clock
        self._seen_change = max((change.id for change in store.changes(limit=1)), default=0)

    def step(self) -> int:
        """Wakes a few phones; returns how many. A phone without contact is noted as told: it fetches when it comes back."""
        asked = self._asked_for()
        waiting = self._store.to_wake(WAKE_AT_ONCE)
        try:
            for mac, model_id, number in waiting:
                vendor = self._store.catalogue.vendors[model_id.partition("/")[0]]
                reached = self._backend.notify(number, vendor.notify_event)
                with self._store.database.write() as connection:
                    connection.execute(phone.update().where(phone.c.mac == mac).values(notified_at=self._clock()))
                log.info("event=notify mac=%s extension=%s contacts=%d", mac, number, reached)
        except PBXUnavailable:
            return 0
        return len(waiting) + asked

    def _asked_for(self) -> int:
        """Sends what people asked for by hand (resync, reboot) since the last step."""
        changes = self._store.changes_after(self._seen_change, ("phone.resync", "phone.reboot"))
        for item in changes:
            self._seen_change = item.id
            record = next(iter(self._store.phones(macs=[item.subject])), None)  # type: ignore[list-item]
            if record is None or not record.lines:
                continue
            vendor = self._store.catalogue.vendors[record.model.partition("/")[0]]
            event = vendor.notify_reboot_event if item.action == "phone.reboot" else vendor.notify_event
            try:
                self._backend.notify(record.lines[0].extension, event)
            except PBXUnavailable:
                log.warning("event=notify_failed mac=%s", record.mac)
        return len(changes)
