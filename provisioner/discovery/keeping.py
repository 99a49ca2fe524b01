"""Writes what was seen, in batches on a thread of its own: hearing must not wait for the database."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

from provisioner.core.catalogue import Catalogue
from provisioner.core.sightings import Observation
from provisioner.db import Database, DatabaseError
from provisioner.discovery.limits import Recent
from provisioner.seen import SightingWriter

log = logging.getLogger("provisioner.discovery")

QUEUE = 10_000
BATCH = 500
FLUSH_S = 0.2
AGAIN_S = 30.0
"""The same said again within this time is not written again."""
TRIM_EVERY_S = 60.0


class Keeper:
    """Keeps observations: bounded in what waits, and what it cannot take is dropped and counted."""

    def __init__(self, database: Database, catalogue: Catalogue, *, most: int, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._writer = SightingWriter(catalogue, is_sqlite=database.is_sqlite)
        self._most = most
        self._clock = clock
        self._queue: deque[Observation] = deque()
        self._recent = Recent(AGAIN_S, keys=QUEUE)
        self._stop = threading.Event()
        self._turn = threading.Lock()
        self._trim_at = 0.0
        self._thread: threading.Thread | None = None
        self.counters: Counter[str] = Counter()

    def take(self, observations: Iterable[Observation]) -> None:
        """Takes what was seen; never waits."""
        for seen in observations:
            self.counters[f"seen_{seen.source}"] += 1
            if not self._recent.is_new((seen.mac, seen.source), time.monotonic(), seen.facts):
                self.counters["repeated"] += 1
            elif len(self._queue) >= QUEUE:
                self.counters["dropped"] += 1
            else:
                self._queue.append(seen)

    def start(self) -> None:
        """Starts the writing thread."""
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Writes what is left and ends the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self.settle()

    def settle(self) -> None:
        """Writes what was taken so far: who says that a scan is done has its phones in the list by then."""
        while self.flush() and self._queue:
            pass

    def flush(self) -> bool:
        """Writes one batch; returns whether it could. What could not be written is lost: phones say it again."""
        with self._turn:
            return self._flush()

    def _flush(self) -> bool:
        batch = [self._queue.popleft() for _ in range(min(BATCH, len(self._queue)))]
        is_time = time.monotonic() >= self._trim_at
        if not batch and not is_time:
            return True
        try:
            with self._database.write() as connection:
                self._writer.write(connection, batch)
                if is_time:
                    self._trim_at = time.monotonic() + TRIM_EVERY_S
                    self._writer.trim(connection, self._most, self._clock())
        except DatabaseError as error:
            self.counters["failed_flushes"] += 1
            self.counters["dropped"] += len(batch)
            log.error("event=sightings_not_kept detail=%s lost=%d", type(error).__name__, len(batch))
            return False
        self.counters["written"] += len(batch)
        return True

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_S):
            try:
                self.settle()
            except Exception:  # a process loop: what went wrong with one batch must not end the record of all others
                log.exception("event=sightings_failed")
