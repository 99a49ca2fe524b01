"""Does the scans that were asked for, one after the other: in the discovery process on a thread of its own, or in a command's own process."""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import threading
import time
from collections.abc import Callable, Sequence

from provisioner.core.sightings import Observation
from provisioner.db import DatabaseError
from provisioner.discovery.scanner import Progress, Scanner
from provisioner.records import ScanRecord
from provisioner.scans import CUT_OFF, ScanWriter
from provisioner.store import Store

log = logging.getLogger("provisioner.discovery")

POLL_S = 0.3
SAY_EVERY_S = 0.3
AFTER_FAILURE_S = 3.0


class Scanning:
    """Takes the oldest scan that waits, and does it. ``take`` gets what was seen."""

    def __init__(
        self,
        store: Store,
        writer: ScanWriter,
        scanner: Scanner,
        take: Callable[[Sequence[Observation]], None],
        before_end: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._writer = writer
        self._scanner = scanner
        self._take = take
        self._before_end = before_end
        self._clock = clock
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread."""
        self._thread = threading.Thread(target=self._run, name="scans", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends the scan under way, and the thread."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=10)
        self._scanner.close()

    def do(self, item: ScanRecord) -> str:
        """Does one scan; returns the state that it ended in."""
        said_at = 0.0

        def may_go_on(progress: Progress) -> bool:
            nonlocal said_at
            if time.monotonic() - said_at >= SAY_EVERY_S:
                self._writer.progress(item.id, progress.done, progress.found)
                said_at = time.monotonic()
                record = self._store.scan(item.id)
                return record is not None and not record.cancel and not self._stop.is_set()
            return not self._stop.is_set()

        progress = self._scanner.scan(ipaddress.IPv4Network(item.network), self._take, may_go_on)
        self._writer.progress(item.id, progress.done, progress.found)
        record = self._store.scan(item.id)
        state = "cancelled" if self._stop.is_set() or record is None or (record.cancel and progress.done < record.total) else "done"
        self._before_end()  # what it found is there when it says that it is done
        self._writer.ended(item.id, state, self._clock())
        return state

    def do_number(self, number: int) -> None:
        """Does the scan of this number, and lets go of the sockets."""
        try:
            item = self._store.scan(number)
            if item is not None:
                self._done_or_failed(item)
        except DatabaseError as error:
            log.error("event=scan_cut_off scan=%d detail=%s", number, type(error).__name__)
            with contextlib.suppress(DatabaseError):  # still away: then it goes on saying that it runs, and nobody does
                self._writer.ended(number, "failed", self._clock(), CUT_OFF)
        finally:
            self._scanner.close()

    def _run(self) -> None:
        is_abandoned = False
        while not self._stop.wait(POLL_S):
            try:
                if not is_abandoned:
                    self._writer.abandon(self._clock())
                    is_abandoned = True
                for item in reversed(self._store.scans(state="waiting")):
                    self._done_or_failed(item)
                    if self._stop.is_set():
                        break
            except Exception:  # a process loop: a database that is away comes back
                is_abandoned = False  # the scan under way is still said to run: ended with the others, once that can be written
                log.exception("event=scans_failed")
                self._stop.wait(AFTER_FAILURE_S)

    def _done_or_failed(self, item: ScanRecord) -> None:
        try:
            state = self.do(item)
            log.info("event=scanned network=%s state=%s", item.network, state)
        except OSError as error:
            self._writer.ended(item.id, "failed", self._clock(), error.strerror or str(error))
