"""The step from next files to live ones: PBX first, then bytes."""

from __future__ import annotations

from collections.abc import Callable

from provisioner.models import index_log, phone, rendered_file
from provisioner.store import Store

BATCH = 200


class Promoting:
    """Makes next files live: in one transaction for each batch, so that no phone ever sees half of its files changed."""

    def __init__(self, store: Store, clock: Callable[[], float], *, has_pbx: bool) -> None:
        self._store = store
        self._clock = clock
        self._has_pbx = has_pbx

    def step(self) -> int:
        """Promotes one batch; returns how many phones it was."""
        if not self._store.promotable(1, has_pbx=self._has_pbx):
            return 0
        with self._store.database.write() as connection:
            at = self._clock()
            # Read again under the write lock: an edit since may have made the next files unknown, a comparison the PBX.
            chosen = self._store.promotable(BATCH, has_pbx=self._has_pbx, connection=connection)
            if chosen:
                files = rendered_file.c.mac.in_(chosen)
                connection.execute(rendered_file.delete().where(files, rendered_file.c.state == "live"))
                connection.execute(rendered_file.update().where(files, rendered_file.c.state == "next").values(state="live"))
                # Told of none of them yet: that is a fact of its own, which no clock that was set back can hide.
                untold = {"notified_at": None, "notify_tries": 0, "notify_reached": 0, "notify_due_at": None, "notify_error": ""}
                values = {"live_hash": phone.c.wanted_hash, "live_at": at, **untold}
                connection.execute(phone.update().where(phone.c.mac.in_(chosen)).values(**values))
                connection.execute(index_log.insert(), [{"mac": mac, "at": at} for mac in chosen])
        return len(chosen)
