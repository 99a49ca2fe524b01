"""A loop of the worker: it steps whenever something was committed, and outlives what goes wrong."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

import sqlalchemy as sa

from provisioner.bell import Bell
from provisioner.db import Database, Watcher
from provisioner.errors import ProvisionerError

log = logging.getLogger("provisioner.worker")

POLL_S = 0.01
"""Where commits cannot be heard."""
IDLE_CHECK_S = 1.0
AGAIN_S = 1.0
DATABASE_AWAY = "the database does not answer"


class Lane:
    """Runs ``step`` until ``stop``, and ``look`` in between. ``other`` is told at once of what was done, for it may go on from there."""

    def __init__(
        self, name: str, database: Database, stop: threading.Event, step: Callable[[], int], look: Callable[[], object] = lambda: None
    ) -> None:
        self._name = name
        self._database = database
        self._stop = stop
        self._step = step
        self._look = look
        self._bell = Bell(database, POLL_S)
        self._is_told = False
        self._next_check = 0.0
        self._ours_at = 0.0
        self.other: Lane | None = None
        self.trouble = ""
        """Why it cannot go on; empty while it can."""

    def tell(self) -> None:
        """Has the next step begin at once."""
        self._bell.ring()

    def close(self) -> None:
        """Lets go of what it is woken by; after ``run``, its own and that of ``other``."""
        self._bell.close()

    def run(self, beat: Callable[[bool, str], None] = lambda ok, detail: None, is_ours: Callable[[], bool] = lambda: True) -> None:
        """Runs until ``stop``. ``is_ours`` is asked once a second and after each outage of the database: ``ProvisionerError`` is raised where it says no."""
        with contextlib.closing(self._database.watcher("change", "index_log")) as watcher:
            while not self._stop.is_set():
                self._expect(is_ours)
                try:
                    self._turn(watcher, beat)
                    self.trouble = ""
                except sa.exc.SQLAlchemyError as error:
                    log.error("event=database_away lane=%s detail=%s", self._name, type(error).__name__)
                    self._rest(DATABASE_AWAY, beat)
                    self._ours_at = 0.0
                except ProvisionerError as error:  # the key does not fit a row, for one: whoever mends it need not restart anything
                    log.error("event=worker_stuck lane=%s reason=%s detail=%s", self._name, error.reason, error)
                    self._rest(str(error), beat)
                self._is_told = self._bell.wait()

    @contextlib.contextmanager
    def beside(self, last_step_s: float) -> Iterator[None]:
        """Runs in a thread of its own for as long as the block lasts. What fails there stops everything.

        Raises ``ProvisionerError`` after the block where it failed.
        """
        failures: list[Exception] = []

        def run() -> None:
            try:
                self.run()
            except Exception as error:
                log.exception("event=lane_failed lane=%s", self._name)
                failures.append(error)
                self._stop.set()

        thread = threading.Thread(target=run, name=f"worker-{self._name}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(last_step_s)
        if failures:
            raise ProvisionerError(f"the lane {self._name} of the worker ended") from failures[0]

    def _turn(self, watcher: Watcher, beat: Callable[[bool, str], None]) -> None:
        if watcher.changed() or self._is_told or time.monotonic() >= self._next_check:
            self._next_check = time.monotonic() + IDLE_CHECK_S
            while self._step() and not self._stop.is_set():
                if self.other:
                    self.other.tell()
                beat(True, "")
                if time.monotonic() >= self._ours_at:
                    self.tell()  # it goes on at once, after a look whether it may
                    break
        else:
            self._look()
        beat(True, "")

    def _expect(self, is_ours: Callable[[], bool]) -> None:
        """Raises ``ProvisionerError`` where another may be the worker: the lease's connection may break while all others hold."""
        if time.monotonic() < self._ours_at:
            return
        self._ours_at = time.monotonic() + IDLE_CHECK_S
        if not is_ours():
            raise ProvisionerError("the lease is lost with its connection: another process may be the worker now")

    def _rest(self, trouble: str, beat: Callable[[bool, str], None]) -> None:
        self.trouble = trouble
        beat(False, trouble)
        self._stop.wait(AGAIN_S)
