"""Takes over the calls that the PBX kept, and forgets old ones and their recordings: on a thread of its own, which no push waits for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pbx_sync.backend import PBXUnavailable
from pbx_sync.calls import CallLog, EndedCall
from provisioner.models import meta
from provisioner.models_calls import call, call_party
from provisioner.recordings import Recordings
from provisioner.store import CHUNK, Store
from provisioner.store.calls import RECORDINGS_CUT

log = logging.getLogger("provisioner.calls")

LOOK_S = 1.0
AGAIN_S = 10.0
TIDY_EVERY_S = 60.0
AFTER_START_S = 900.0
"""Nothing is forgotten before: a machine may start with its clock years ahead, until the network sets it."""
BATCH = 200
MOST_CALLS = 2_000_000
"""What the table holds at the most, whatever its days: the oldest go first."""
DAY_S = 86_400.0


class CallKeeping:
    """One worker's taking over and tidying. ``clock`` says how old a call is, ``timer``, which nobody sets, paces. ``calls`` None: the PBX is none whose calls can be had; what there is grows old all the same. ``ended`` is told of what was taken over, before the PBX forgets it."""

    def __init__(
        self,
        store: Store,
        calls: CallLog | None,
        recordings: Recordings,
        clock: Callable[[], float],
        timer: Callable[[], float] = time.monotonic,
        *,
        calls_days: int = 365,
        recordings_days: int = 90,
        recordings_mb: int = 10_240,
        ended: Callable[[Sequence[EndedCall]], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._calls = calls
        self._ended = ended
        self._recordings = recordings
        self._clock = clock
        self._calls_s = calls_days * DAY_S
        self._recordings_s = recordings_days * DAY_S
        self._recordings_bytes = recordings_mb * 1024**2
        self._timer = timer
        self._tidy_at = timer() + AFTER_START_S
        self._was_away = False
        self._has_all = calls is None
        """Whether every call that is over was taken over at the last look: until then a recording without a call proves nothing."""

    def run(self, stop: threading.Event) -> None:
        """Steps every second until ``stop``; survives a PBX and a database that are away."""
        while not stop.wait(LOOK_S):
            try:
                while self.step() and not stop.is_set():
                    pass
                self._was_away = False
            except PBXUnavailable as error:  # its file keeps what there is; the part that runs it says why it is away
                if not self._was_away:
                    log.info("event=calls_not_taken_over detail=%s", error)
                self._was_away = True
                stop.wait(AGAIN_S)
            except Exception:  # a process loop: it tries again, and nothing is lost meanwhile
                log.exception("event=calls_failed")
                stop.wait(AGAIN_S)

    def step(self) -> int:
        """Takes a batch over, and tidies once in a while; returns how many calls it took. Raises ``PBXUnavailable``."""
        now = self._timer()
        if now >= self._tidy_at:
            self._tidy_at = now + TIDY_EVERY_S
            self.tidy()
        return self.take_over()

    def take_over(self) -> int:
        """Writes calls that are over, then has the PBX forget them: after a crash in between they come once more, and are known."""
        if self._calls is None:
            return 0
        self._has_all = False
        if not (ended := self._calls.ended(BATCH)):
            self._has_all = True
            return 0
        with self._store.database.write() as connection:
            for item in ended:
                self._write(connection, item)
        self._ended(ended)
        self._calls.forget([item.uid for item in ended])
        log.info("event=calls_taken_over calls=%d", len(ended))
        return len(ended)

    def _write(self, connection: Connection, item: EndedCall) -> None:
        if connection.execute(sa.select(call.c.number).where(call.c.uid == item.uid)).first():
            return
        name, size = self._recordings.of_call(item.uid)
        row = {column.name: getattr(item, column.name) for column in call.c if hasattr(item, column.name)}
        result = connection.execute(call.insert().values(**row, recording=name, recording_bytes=size))
        (number,) = result.inserted_primary_key or (0,)
        if item.parties:
            connection.execute(call_party.insert(), [{"number": party, "call": number} for party in item.parties])

    def tidy(self) -> None:
        """Forgets calls and recordings that are too old, recordings that are too many, and files that no call has."""
        now = self._clock()
        with self._store.database.write() as connection:
            gone = _recorded(connection, call.c.ended_at < now - self._recordings_s)
            connection.execute(call.delete().where(call.c.ended_at < now - self._calls_s))
            newest = sa.select(sa.func.max(call.c.number)).scalar_subquery()
            connection.execute(call.delete().where(call.c.number <= newest - MOST_CALLS))
            gone += self._too_many(connection, {name for name, _ in gone})
            _unrecord(connection, [name for name, _ in gone])
        for name, _ in gone:
            self._recordings.remove(name)
        if self._has_all:
            self._remove_strays()

    def _too_many(self, connection: Connection, gone: set[str]) -> list[tuple[str, int]]:
        """Returns the oldest recordings beyond what the disk may hold of them."""
        total = int(connection.execute(sa.select(sa.func.sum(call.c.recording_bytes))).scalar() or 0)
        if total <= self._recordings_bytes:
            return []
        chosen: list[tuple[str, int]] = []
        for name, size in _recorded(connection, sa.true()):
            if total <= self._recordings_bytes:
                break
            total -= size
            if name not in gone:
                chosen.append((name, size))
        if chosen:
            connection.execute(meta.delete().where(meta.c.key == RECORDINGS_CUT))
            connection.execute(meta.insert().values(key=RECORDINGS_CUT, value=repr(self._clock())))
            log.warning("event=recordings_full removed=%d limit_mb=%d", len(chosen), self._recordings_bytes // 1024**2)
        return chosen

    def _remove_strays(self) -> None:
        """Removes files whose call is gone. That of a call that goes on is younger than the longest call."""
        names = self._recordings.strays_before(self._clock() - DAY_S)
        for start in range(0, len(names), CHUNK):
            some = names[start : start + CHUNK]
            with self._store.database.read() as connection:
                known = set(connection.execute(sa.select(call.c.recording).where(call.c.recording.in_(some))).scalars())
            for name in some:
                if name not in known:
                    self._recordings.remove(name)


def _recorded(connection: Connection, which: sa.ColumnElement[bool]) -> list[tuple[str, int]]:
    query = sa.select(call.c.recording, call.c.recording_bytes).where(call.c.recording != "", which).order_by(call.c.number).limit(10_000)
    return [(row.recording, row.recording_bytes) for row in connection.execute(query)]


def _unrecord(connection: Connection, names: Sequence[str]) -> None:
    for start in range(0, len(names), CHUNK):
        some = call.c.recording.in_(names[start : start + CHUNK])
        connection.execute(call.update().where(some).values(recording="", recording_bytes=0))
