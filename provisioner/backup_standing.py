"""How an installation stands with its backups: what pages, API, metrics and the doctor say alike."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.backup_folder import Kept, folder_of, kept_in, newest, next_due, obstacle
from provisioner.records_backups import BackupRun
from provisioner.settings import Settings
from provisioner.store import Store

LATE_S = 2 * 86_400.0
"""A backup a day is due: when the last one is so old, two were missed."""


@dataclass(frozen=True, slots=True)
class Standing:
    """``kept`` are the archives, the newest first. ``next_at`` None: none is made by itself. ``trouble``: what somebody should look at."""

    kept: tuple[Kept, ...]
    obstacle: str
    last_at: float | None
    next_at: float | None
    run: BackupRun | None
    trouble: str


def standing(settings: Settings, store: Store, now: float) -> Standing:
    """Returns how it stands now."""
    kept, why_none = tuple(kept_in(folder_of(settings))), obstacle(settings)
    last_at, run = newest(kept, now), store.newest_backup_run()
    next_at = None if why_none or settings.backup_at is None else next_due(settings.backup_at, now)
    return Standing(kept, why_none, last_at, next_at, run, _trouble(run, last_at if next_at else None, now))


def _trouble(run: BackupRun | None, last_due_at: float | None, now: float) -> str:
    if run is not None and run.state == "failed":
        return run.error
    if last_due_at is not None and now - last_due_at > LATE_S:
        return f"the last backup is {int((now - last_due_at) // 86_400)} days old: does the server run at night?"
    return ""
