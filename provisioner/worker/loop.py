"""The worker's loop: one for an installation, held by a lease."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from pbx_sync.backend import Backend, PBXUnavailable
from provisioner.changes.rotation import RotationWrites
from provisioner.core.render import Renderer
from provisioner.db import Database
from provisioner.errors import ProvisionerError
from provisioner.store import Store
from provisioner.worker.answering import Answering
from provisioner.worker.contacts import Contacts
from provisioner.worker.facts import Facts
from provisioner.worker.observing import Observing
from provisioner.worker.promoting import Promoting
from provisioner.worker.pushing import Pushing
from provisioner.worker.rendering import Rendering
from provisioner.worker.rotating import Rotating
from provisioner.worker.waking import Waking

log = logging.getLogger("provisioner.worker")

POLL_S = 0.01
IDLE_CHECK_S = 1.0
SETTLE_S = 0.06
"""Listeners look for new files every 20 ms. A phone that is told at once, and is quick, would get the old file and be content with it."""
_LEASE = 0x776F726B  # "work"


class Worker:
    """Runs the steps until told to stop. ``backend`` None: files become live without a PBX being asked.

    ``clock`` gives the times that are kept; ``timer``, which is never set back, paces.
    """

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        backend: Backend | None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
        *,
        rotation_s: float = 86_400.0,
    ) -> None:
        self.rendering = Rendering(store, renderer, clock)
        self.promoting = Promoting(store, clock, has_pbx=backend is not None)
        self.lockstep = WithPBX(store, renderer, backend, clock, timer, rotation_s) if backend else None
        self._store = store

    @property
    def pushing(self) -> Pushing | None:
        return self.lockstep.pushing if self.lockstep else None

    @property
    def counters(self) -> Mapping[str, float]:
        """What was done since this worker started, and how many contacts the PBX has."""
        if self.lockstep is None:
            return {}
        facts = self.lockstep.facts
        return {"contacts": facts.contacts, **{f"{name}_total": count for name, count in facts.counters.items()}}

    def step(self) -> int:
        """Does a bounded part of everything that is open; returns how much it was."""
        done = self.rendering.step()
        done += self.lockstep.push() if self.lockstep else 0
        done += self.promoting.step()
        return done + (self.lockstep.follow() if self.lockstep else 0)

    def drain(self, limit: int = 100_000) -> int:
        """Steps until nothing is open; returns the sum. For commands and tests."""
        total = 0
        for _ in range(limit):
            done = self.step()
            total += done
            if not done:
                return total
        raise ProvisionerError(f"the worker still had something to do after {limit} steps")

    def run(self, stop: threading.Event, beat: Callable[[bool, str], None], is_ours: Callable[[], bool] = lambda: True) -> None:
        """Steps whenever something was committed, and once a second besides, until ``stop``.

        ``is_ours`` tells after an outage of the database whether this is still the one worker; where not, ``ProvisionerError`` is raised.
        """
        self.rendering.start()
        if self.lockstep:
            self.lockstep.waking.settle = lambda: stop.wait(SETTLE_S)
        with contextlib.closing(self._store.database.watcher("change", "index_log")) as watcher:
            next_check = 0.0
            while not stop.is_set():
                try:
                    if watcher.changed() or time.monotonic() >= next_check:
                        next_check = time.monotonic() + IDLE_CHECK_S
                        while self.step() and not stop.is_set():
                            beat(True, "")
                    elif self.lockstep:
                        self.lockstep.look()
                    is_up = self.pushing is None or self.pushing.is_up
                    beat(is_up, "" if is_up else "the PBX does not answer")
                except sa.exc.SQLAlchemyError as error:
                    log.error("event=database_away detail=%s", type(error).__name__)
                    beat(False, "the database does not answer")
                    stop.wait(1.0)
                    if not is_ours():
                        raise ProvisionerError("the lease is lost with its connection: another process may be the worker now") from error
                except ProvisionerError as error:  # the key does not fit a row, for one: whoever mends it need not restart anything
                    log.error("event=worker_stuck reason=%s detail=%s", error.reason, error)
                    beat(False, str(error))
                    stop.wait(1.0)
                stop.wait(POLL_S)


class WithPBX:
    """The steps that need a PBX. One that does not answer is asked by ``Pushing`` alone, now and then."""

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        backend: Backend,
        clock: Callable[[], float],
        timer: Callable[[], float],
        rotation_s: float,
    ) -> None:
        contacts = Contacts(backend, store.catalogue)
        self.facts = Facts(store, clock)
        self.pushing = Pushing(store, backend, self.facts, clock, timer)
        self.answering = Answering(store, self.pushing, clock)
        self.rotating = Rotating(store, RotationWrites(store, renderer, clock), self.facts, clock, timer, limit_s=rotation_s)
        self.waking = Waking(store, backend, contacts, self.facts, clock, timer)
        self.observing = Observing(store, backend, contacts, self.facts, clock, timer)

    def push(self) -> int:
        """Has the PBX say what it should, and answers who asks about it."""
        return self.answering.step() + self.pushing.step()

    def follow(self) -> int:
        """Tells phones, notes what they do, and ends the rotations that they proved."""
        done = self._asking(lambda: self.waking.step() + self.observing.step())
        return done + self.rotating.step()

    def look(self) -> int:
        """Notes what phones do, between steps."""
        return self._asking(self.observing.step)

    def _asking(self, action: Callable[[], int]) -> int:
        if not self.pushing.is_up:
            self.observing.forget()
            return 0
        try:
            return action()
        except PBXUnavailable as error:
            self.pushing.away(error)
            return 0


class Lease:
    """Holds the right to be the one worker: a file lock beside SQLite, an advisory lock in PostgreSQL. Gone with its process."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._path = folder / "worker.lock"
        self._file: IO[str] | None = None
        self._connection: sa.Connection | None = None

    def acquire(self) -> bool:
        """Returns whether this process is the worker now."""
        if self._database.is_sqlite:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("w")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.close()
                return False
            file.write(str(os.getpid()))
            file.flush()
            self._file = file
            return True
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": _LEASE}).scalar():
            self._connection = connection
            return True
        connection.close()
        return False

    def is_held(self) -> bool:
        """Returns whether this process is still the worker: a lost connection to PostgreSQL takes the lock with it."""
        if self._connection is None:
            return self._file is not None
        try:
            self._connection.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError:
            return False
        return True

    def release(self) -> None:
        file, connection, self._file, self._connection = self._file, self._connection, None, None
        if file is not None:
            file.close()
        if connection is not None:
            connection.invalidate()  # closed for good: back in the pool it would hold the lock on
            connection.close()
