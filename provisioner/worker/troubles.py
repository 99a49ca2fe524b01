"""Looks for trouble and makes events of it: a PBX that is away, phones behind, a certificate that ends, a full disk, scans for MACs.

On a thread of its own. What was told is known from the changes themselves, so a worker that begins anew does not tell it again.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from provisioner.changes.telling import Telling
from provisioner.core.mac import Mac
from provisioner.db import DatabaseError
from provisioner.settings import Settings
from provisioner.store import Store

log = logging.getLogger("provisioner.worker")

LOOK_S = 20.0
AFTER_START_S = 300.0
"""After a power cut everything is behind for a while."""
HOUR_S, DAY_S = 3600.0, 86_400.0
ENDING_DAYS = 21
LOW_BYTES = 1024**3
MOST_BEHIND = 2000
NAMED = 10
"""Phones that an event names."""
FULL = 0.95
CERTIFICATE, DISK, RECORDINGS, PBX, SCANS = "certificate", "disk", "recordings", "pbx", "scans"


class Troubles:
    """One worker's looking. ``is_pbx_up`` None: there is no PBX. ``ends_at`` says when the certificate for phones ends, None where there is none."""

    def __init__(
        self,
        store: Store,
        telling: Telling,
        settings: Settings,
        is_pbx_up: Callable[[], bool] | None,
        ends_at: Callable[[], datetime | None],
        clock: Callable[[], float],
        timer: Callable[[], float],
    ) -> None:
        self._store = store
        self._telling = telling
        self._settings = settings
        self._is_pbx_up = is_pbx_up
        self._ends_at = ends_at
        self._clock = clock
        self._timer = timer
        self._limit_s = settings.trouble_minutes * 60.0
        self._down_since: float | None = None
        self._behind: dict[Mac, float] = {}
        self._alarm: int | None = None

    def run(self, stop: threading.Event) -> None:
        """Looks now and then until ``stop``; survives whatever a disk and a database can do."""
        if stop.wait(AFTER_START_S):
            return
        while not stop.wait(LOOK_S):
            try:
                self.look()
            except DatabaseError as error:
                log.warning("event=troubles_wait error=%s", type(error).__name__)
            except Exception:  # a process loop: it looks again
                log.exception("event=troubles_failed")

    def look(self) -> None:
        """Looks at everything once."""
        self._look_at_pbx()
        self._look_at_phones()
        self._look_at_certificate()
        self._look_at_room()
        self._look_at_scans()

    def _look_at_pbx(self) -> None:
        if self._is_pbx_up is None:
            return
        now = self._timer()
        if self._is_pbx_up():
            self._down_since = None
            if self._last(PBX, "pbx.lost", "pbx.back")[0] == "pbx.lost":
                self._telling.tell("pbx.back", PBX, {})
            return
        self._down_since = now if self._down_since is None else self._down_since
        if now - self._down_since >= self._limit_s and self._last(PBX, "pbx.lost", "pbx.back")[0] != "pbx.lost":
            self._telling.tell("pbx.lost", PBX, {"minutes": self._settings.trouble_minutes})

    def _look_at_phones(self) -> None:
        """Tells of phones that are behind for too long, of each site; again only a day later, or when all were well in between."""
        now = self._timer()
        there = dict(self._store.phones_behind(has_pbx=self._settings.has_pbx, limit=MOST_BEHIND))
        self._behind = {mac: self._behind.get(mac, now) for mac in there}
        late: dict[str, list[Mac]] = {}
        for mac, since in self._behind.items():
            if now - since >= self._limit_s:
                late.setdefault(there[mac], []).append(mac)
        waiting = set(there.values())
        for site in self._store.sites():
            told, at = self._last(site.name, "lockstep.behind", "lockstep.again")
            if site.name in late and (told != "lockstep.behind" or self._clock() - at >= DAY_S):
                self._tell_behind(site.name, late[site.name])
            if told == "lockstep.behind" and site.name not in waiting:
                self._telling.tell("lockstep.again", site.name, {"site": site.name})

    def _tell_behind(self, site: str, macs: list[Mac]) -> None:
        named = ", ".join(mac.colons for mac in macs[:NAMED]) + (", ..." if len(macs) > NAMED else "")
        self._telling.tell("lockstep.behind", site, {"site": site, "phones": len(macs), "detail": named}, phones=len(macs))

    def _look_at_certificate(self) -> None:
        ends = self._ends_at()
        if ends is not None and ends.timestamp() - self._clock() < ENDING_DAYS * DAY_S:
            until = ends.astimezone(UTC).strftime("%Y-%m-%d")
            self._telling.tell_once("certificate.ending", f"{CERTIFICATE} {until}", {"until": until})

    def _look_at_room(self) -> None:
        free = shutil.disk_usage(self._settings.data_dir).free
        if free < LOW_BYTES and self._is_longer_ago(DISK, "disk.low", DAY_S):
            self._telling.tell("disk.low", DISK, {"free_mb": free // 1024**2})
        limit = self._settings.recordings_mb * 1024**2
        if self._store.recordings_bytes() >= FULL * limit and self._is_longer_ago(RECORDINGS, "recordings.full", 30 * DAY_S):
            self._telling.tell("recordings.full", RECORDINGS, {"limit_mb": self._settings.recordings_mb})

    def _look_at_scans(self) -> None:
        """Tells of a scan, once an hour however many there are: strangers make them."""
        newest = next(iter(self._store.alarms(limit=1)), None)
        before, self._alarm = self._alarm, newest.id if newest else 0
        if newest is None or before is None or newest.id <= before:
            return
        if self._is_longer_ago(SCANS, "bootstrap.alarm", HOUR_S):
            self._telling.tell("bootstrap.alarm", SCANS, {"scope": newest.scope, "macs": newest.macs})

    def _last(self, subject: str, *actions: str) -> tuple[str, float]:
        """Returns which of these events of a subject was the last, and when; nothing, where there was none."""
        rows = self._store.changes(subject=subject, actions=actions, limit=1)
        return (rows[0].action, rows[0].at) if rows else ("", 0.0)

    def _is_longer_ago(self, subject: str, action: str, seconds: float) -> bool:
        return self._clock() - self._last(subject, action)[1] >= seconds
