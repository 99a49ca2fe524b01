"""The worker's loop: one for an installation, held by a lease."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from pbx_sync.backend import Backend, PBXUnavailable
from provisioner.core.render import Renderer
from provisioner.db import Database
from provisioner.errors import ProvisionerError
from provisioner.store import Store
from provisioner.worker.promoting import Promoting, Waking
from provisioner.worker.pushing import Observing, Pushing
from provisioner.worker.rendering import Rendering

log = logging.getLogger("provisioner.worker")

POLL_S = 0.01
IDLE_CHECK_S = 1.0
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
    ) -> None:
        self.rendering = Rendering(store, renderer, clock)
        self.promoting = Promoting(store, clock, has_pbx=backend is not None)
        self.pushing = Pushing(store, backend, clock, timer) if backend else None
        self.waking = Waking(store, backend, clock, timer) if backend else None
        self.observing = Observing(store, backend, clock, timer) if backend else None
        self._store = store

    def step(self) -> int:
        """Does a bounded part of everything that is open; returns how much it was."""
        done = self.rendering.step()
        done += self.pushing.step() if self.pushing else 0
        done += self.promoting.step()
        return done + self._with_phones()

    def _with_phones(self) -> int:
        """Wakes and observes phones through the PBX, while it answers: one that does not is asked by ``Pushing`` alone, now and then."""
        if self.pushing is None or self.waking is None or self.observing is None or not self.pushing.is_up:
            return 0
        try:
            return self.waking.step() + self.observing.step()
        except PBXUnavailable as error:
            self.pushing.away(error)
            return 0

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
        with contextlib.closing(self._store.database.watcher()) as watcher:
            next_check = 0.0
            while not stop.is_set():
                try:
                    if watcher.changed() or time.monotonic() >= next_check:
                        next_check = time.monotonic() + IDLE_CHECK_S
                        while self.step() and not stop.is_set():
                            beat(True, "")
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
