"""The step that notices a clock that was set, and sets the kept times along with it.

Order is what lockstep rests on: a registration after a fetch, a turn in half a minute. Kept times are of the wall clock, so that people
and several servers can read them, and a wall clock may be set: an hour forward, and a phone would be told an hour late; an hour back, and no
registration would be newer than the fetch before it. So the worker holds the wall clock against one that nobody can set. Where the two
part, every time that an order is judged by moves by as much: what was a minute ago is a minute ago by the new clock too.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import sqlalchemy as sa

from provisioner.models import extension, index_log, meta, phone, registration, served_file
from provisioner.models_enrolment import claim_code, enrolment_window, first_fetch
from provisioner.models_install import install_link
from provisioner.store import Store

log = logging.getLogger("provisioner.worker")

JUMP_S = 2.0
"""Less is a clock that is being slewed, and one that runs a little wrong: harmless, and followed."""
LATE_S = 10.0
"""For so long others may still write times of before: a request that was under way, a batch that was put off."""
LATE_EVERY_S = 0.5
_KEPT = "clock_offset"
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_ORDERED = (
    served_file.c.at, served_file.c.since, registration.c.registered_at, registration.c.ended_at, phone.c.live_at, phone.c.notified_at,
)  # fmt: skip
"""Times of what was done, of which one is judged by another."""
_ROTATION = extension.c.rotation_started_at
_DOORS = (
    phone.c.opened_at, phone.c.first_success_at, first_fetch.c.opened_at, first_fetch.c.at, enrolment_window.c.opened_at,
    enrolment_window.c.closes_at, claim_code.c.made_at, claim_code.c.expires_at, install_link.c.created_at, install_link.c.expires_at,
)  # fmt: skip
"""Times that something is open from or until: a clock that is set must neither close a first fetch nor leave a window open for years."""
_WRITTEN_LATE = (served_file.c.at, served_file.c.since, registration.c.registered_at)


def boot_time() -> float:
    """Returns seconds since the machine started, while it slept too: the same for every process, and set by nobody."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Timekeeping:
    """Watches ``clock``, which may be set, by ``timer``, which may not. The offset of the two is kept, for a worker that starts anew."""

    def __init__(self, store: Store, clock: Callable[[], float], timer: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._timer = timer
        self._boot = _boot_id()
        self._looked_at = timer()
        self._offset = self._kept = _offset(store.meta(_KEPT) or "", self._boot)
        self._late: _Late | None = None

    def step(self) -> float:
        """Returns by how many seconds the clock was set since the last look; 0 nearly always. Costs two looks at clocks."""
        timer = self._timer()
        offset = self._clock() - timer
        by = offset - self._offset if self._offset is not None else 0.0
        if self._offset is None:
            self._begin(offset, timer)
        elif abs(by) >= JUMP_S:
            self._set_along(by, timer)
        elif self._late and timer >= self._late.next_at:
            self._set_late_ones(self._late, timer)
        elif abs(offset - (self._kept or 0.0)) > JUMP_S / 2:
            with self._store.database.write() as connection:
                self._keep(connection, offset)
        self._offset, self._looked_at = offset, timer
        return by if abs(by) >= JUMP_S else 0.0

    def _begin(self, offset: float, timer: float) -> None:
        """Takes the clock as it is: the machine was started anew. What is said to have been in times to come was so by now at the latest."""
        now = timer + offset
        with self._store.database.write() as connection:
            last = _newest(connection)
            by = now - last if last is not None else 0.0
            if by < -JUMP_S:  # all of them, so that their order stays; they go along when the clock is set right
                for column in (*_ORDERED, phone.c.notify_due_at):
                    _move(connection, column, by)
                for column in (_ROTATION, *_DOORS):
                    _move(connection, column, by, column > now)
                connection.execute(index_log.insert().values(at=now))
                log.warning('event=clock_behind by_s=%.1f detail="kept times were set back along"', -by)
            elif by > 0:
                _move(connection, _ROTATION, by)
            self._keep(connection, offset)

    def _set_along(self, by: float, timer: float) -> None:
        """Moves every kept time by ``by``, but those since the last look that are of the new clock already."""
        boot = self._offset or 0.0
        before = timer + boot
        now, fresh_s = before + by, timer - self._looked_at + 1.0
        with self._store.database.write() as connection:
            earlier = _newest(connection, before=boot)
            # Set back to a time after all that was noted before the machine started: that was by another clock, and is right.
            first = boot if by < 0 and earlier is not None and earlier < boot + by else 0.0
            for column in (*_ORDERED, *_DOORS):
                _move(connection, column, by, column >= first, sa.not_(column.between(now - fresh_s, now + 1.0)))
            _move(connection, _ROTATION, by, sa.not_(_ROTATION.between(now - fresh_s, now + 1.0)))
            _move(connection, phone.c.notify_due_at, by)
            connection.execute(index_log.insert().values(at=now))
            self._keep(connection, now - timer)
        span_s = min(LATE_S, abs(by) / 2)  # so short that it does not reach the times of after
        self._late = _Late(by, before - span_s, before + 1.0, timer + span_s, timer)
        log.warning('event=clock_set by_s=%+.1f detail="kept times were set along"', by)

    def _set_late_ones(self, late: _Late, timer: float) -> None:
        """Moves what was written since with a time of before."""
        with self._store.database.write() as connection:
            for column in _WRITTEN_LATE:
                _move(connection, column, late.by, column.between(late.first, late.last))
        self._late = replace(late, next_at=timer + LATE_EVERY_S) if timer < late.until else None

    def _keep(self, connection: sa.Connection, offset: float) -> None:
        connection.execute(meta.delete().where(meta.c.key == _KEPT))
        connection.execute(meta.insert().values(key=_KEPT, value=f"{self._boot} {offset:.3f}"))
        self._kept = offset


@dataclass(frozen=True, slots=True)
class _Late:
    """What to look for after a jump by ``by``: times from ``first`` to ``last``, on the clock of before; ``until`` when, by the timer."""

    by: float
    first: float
    last: float
    until: float
    next_at: float


def _move(connection: sa.Connection, column: sa.Column[float], by: float, *where: sa.ColumnElement[bool]) -> None:
    connection.execute(column.table.update().where(column.is_not(None), *where).values({column.name: column + by}))


def _newest(connection: sa.Connection, before: float | None = None) -> float | None:
    """Returns the newest time of what was done, of those before ``before`` where that is given; None where there is none."""
    queries = (sa.select(sa.func.max(column)).where(column < before if before is not None else sa.true()) for column in _ORDERED)
    return max((at for query in queries if (at := connection.execute(query).scalar()) is not None), default=None)


def _offset(kept: str, boot: str) -> float | None:
    """Returns the offset that was kept since the machine started; None where none was: nobody knows then what the clock was."""
    before, _, offset = kept.partition(" ")
    return float(offset) if offset and before == boot else None


def _boot_id() -> str:
    return _BOOT_ID.read_text("ascii").strip()
