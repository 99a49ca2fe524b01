"""The doctor's check of recordings: are older ones forgotten early, is there room for what the settings let them take. Changes nothing."""

from __future__ import annotations

import shutil
import time
from typing import TYPE_CHECKING

from provisioner.bundled import recordings_folder
from provisioner.commands.findings import Finding, fine, warning
from provisioner.settings import Settings

if TYPE_CHECKING:
    from provisioner.store import Store

NAME = "recordings"
MB = 1024**2
DAY_S = 86_400.0
SHOWN_S = 7 * DAY_S
"""So long it is told that recordings were forgotten early: whoever looks once a week hears of it."""
FULL = 0.9
SPARE_BYTES = 1024**3
"""What they should leave free: the database lies on the same disk."""


def recordings_finding(settings: Settings, store: Store) -> Finding:
    """Returns how full the folder of recordings is, what became of older ones, and whether the disk has room for what they may take."""
    held = store.recordings_held()
    most = settings.recordings_mb * MB
    cut_at, now = store.recordings_cut_at(), time.time()
    shown = f"{held.calls} calls, {held.bytes / MB:.0f} of {settings.recordings_mb} MB, kept for {settings.recordings_days} days"
    more = "raise PROVISIONER_RECORDINGS_MB, lower PROVISIONER_RECORDINGS_DAYS, or have fewer extensions recorded"
    if cut_at is not None and now - cut_at < SHOWN_S:
        oldest = f"; the oldest is {(now - held.oldest_at) / DAY_S:.0f} days old" if held.oldest_at is not None else ""
        return warning(NAME, f"there was no room for all: older ones were forgotten early ({shown}{oldest})", more)
    if held.bytes >= FULL * most:
        return warning(NAME, f"{shown}: soon older ones are forgotten early", more)
    folder = recordings_folder(settings)
    free = shutil.disk_usage(folder).free if held.calls and folder.is_dir() else None
    if free is not None and free < min(most - held.bytes, SPARE_BYTES):
        return warning(NAME, f"{shown}; the disk has {free // MB} MB free", "make room, or lower PROVISIONER_RECORDINGS_MB")
    return fine(NAME, shown if held.calls else "there are none")
