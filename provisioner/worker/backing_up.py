"""Makes backups, each day and when asked, on a thread of its own: copying and packing a database take time, which no phone may wait for.

It runs beside the one worker, so an installation makes one backup at a time. A backup that was due while the server was off is made
up for some minutes after its start: then the phones have their files.
"""

from __future__ import annotations

import logging
import os
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from provisioner.backup_folder import SPARE_BYTES, Kept, folder_of, kept_in, last_due, name_for, newest, obstacle, superfluous
from provisioner.backups import Told, database_path, write_backup
from provisioner.changes.backups import BackupWrites
from provisioner.errors import ProvisionerError
from provisioner.settings import FILE, Settings
from provisioner.store import Store
from provisioner.worker.timekeeping import boot_time

log = logging.getLogger("provisioner.worker")

LOOK_S = 1.0
AFTER_START_S = 300.0
"""After a power cut all phones start as the server does: a backup that is late can be a little later."""
RETRY_S = 3600.0
AFTER_FAULT_S = 30.0
NICER = 10
"""How far its thread stands back behind the worker (setpriority(2), which takes one thread on Linux)."""


class BackingUp:
    """Makes backups of one installation. ``clock`` says when they are due, ``timer``, which is never set back, paces."""

    def __init__(
        self,
        store: Store,
        writes: BackupWrites,
        settings: Settings,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = boot_time,
    ) -> None:
        self._store = store
        self._writes = writes
        self._settings = settings
        self._clock = clock
        self._timer = timer
        self._folder = folder_of(settings)
        self._not_before = timer() + AFTER_START_S
        self._is_settled = False

    def run(self, stop: threading.Event) -> None:
        """Looks once a second until ``stop``; survives whatever a disk and a database can do."""
        if obstacle(self._settings):
            return
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.getpriority(os.PRIO_PROCESS, 0) + NICER)
        while not stop.wait(LOOK_S):
            try:
                self.step()
            except Exception:  # a process loop: it tries again, and what is due stays due
                log.exception("event=backup_fault")
                stop.wait(AFTER_FAULT_S)

    def step(self) -> bool:
        """Makes the backup that was asked for, or that is due; returns whether it tried one."""
        if not self._is_settled:
            self._writes.end_lost_backups()
            self._is_settled = True
        asked = self._store.backup_waiting()
        if asked is None and not self._is_due():
            return False
        if asked is None:
            self._not_before = self._timer() + RETRY_S
        self._is_settled = False  # until its end is noted: a database on a full disk may not take even that
        name = name_for(self._clock(), asked=asked is not None, folder=self._folder)
        number = self._writes.begin_backup(asked.id if asked else None, name)
        self._writes.end_backup(number, self._tried(number, name))
        self._is_settled = True
        return True

    def _is_due(self) -> bool:
        daily, now = self._settings.backup_at, self._clock()
        if daily is None or self._timer() < self._not_before:
            return False
        last = newest((item for item in kept_in(self._folder) if not item.asked), now)
        return last is None or last < last_due(daily, now)

    def _tried(self, number: int, name: str) -> str:
        """Makes an archive and drops those that have had their time; returns why it could not be made, or an empty text."""
        try:
            self._make(name, lambda step, percent: self._writes.note_backup(number, step, percent))
        except (ProvisionerError, OSError) as error:
            sentence = _sentence(error)
            log.error("event=backup_failed name=%s error=%r", name, sentence)
            return sentence
        log.info("event=backup_made name=%s bytes=%d", name, (self._folder / name).stat().st_size)
        self._drop()
        return ""

    def _make(self, name: str, told: Told) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._folder.chmod(0o700)
        for left in self._folder.glob(".*"):  # of one that was cut short: nobody else writes here
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        _check_room(self._settings, self._folder)
        write_backup(self._settings, FILE, self._folder / name, work=self._folder, told=told)

    def _drop(self) -> None:
        for item in superfluous(kept_in(self._folder), self._settings.backups_kept, self._clock()):
            self._delete(item)

    def _delete(self, item: Kept) -> None:
        try:
            (self._folder / item.name).unlink(missing_ok=True)
            log.info("event=backup_dropped name=%s", item.name)
        except OSError as error:
            log.warning("event=backup_not_dropped name=%s error=%s", item.name, error.strerror)


def _check_room(settings: Settings, folder: Path) -> None:
    """Ensures that a copy of the database and an archive of it have room. Raises ``ProvisionerError`` with what is lacking."""
    database = database_path(settings)
    beside = database.with_name(database.name + "-wal")
    size = sum(path.stat().st_size for path in (database, beside) if path.exists())
    needed, free = 2 * size + SPARE_BYTES, shutil.disk_usage(folder).free
    if free < needed:
        raise ProvisionerError(f"a backup needs {_megabytes(needed)} MB in {folder}, and {_megabytes(free)} are free: make room there")


def _megabytes(size: int) -> int:
    return -(-size // 1024**2)


def _sentence(error: ProvisionerError | OSError) -> str:
    if isinstance(error, OSError):
        return f"the backup cannot be written: {error.strerror or error}"
    return str(error)
