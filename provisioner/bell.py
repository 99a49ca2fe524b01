"""Wakes a loop when somebody commits, so that it need not ask all the time.

Whoever committed to a SQLite database sets the time of its file, which the kernel tells everybody who listens: other processes too,
and only after the commit can be seen. Where that cannot be heard (PostgreSQL, no descriptor left) the loop wakes often instead.
"""

from __future__ import annotations

import logging
import os
import select
from pathlib import Path

from inotify_simple import INotify, flags

from provisioner.db import Database

log = logging.getLogger("provisioner.bell")

HEARD_S = 0.1
"""How long a loop that hears commits sleeps at most: it has other things to look at, and a commit by other hands rings nothing."""


class Bell:
    """Wakes one loop. Only ``ring`` may be called by other threads; ``close`` comes after the last of them."""

    def __init__(self, database: Database, every_s: float) -> None:
        """``every_s``: how long to sleep at most where commits cannot be heard."""
        self._rung = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._commits = _commits(database.file)
        self._longest_ms = 1000 * (HEARD_S if self._commits else every_s)
        self._poll = select.poll()
        self._poll.register(self._rung, select.POLLIN)
        if self._commits:
            self._poll.register(self._commits.fileno(), select.POLLIN)

    def ring(self) -> None:
        """Ends the sleep, or the next one."""
        os.eventfd_write(self._rung, 1)

    def wait(self) -> bool:
        """Sleeps until somebody commits, until ``ring``, or for a while; returns whether it was ``ring``."""
        ready = {number for number, _ in self._poll.poll(self._longest_ms)}
        if self._commits and self._commits.fileno() in ready:
            self._commits.read(timeout=0)
        if self._rung in ready:
            os.eventfd_read(self._rung)
        return self._rung in ready

    def close(self) -> None:
        if self._commits:
            self._commits.close()
        os.close(self._rung)


def _commits(file: Path | None) -> INotify | None:
    """Returns what can be read once for each commit, or None where that cannot be had."""
    if file is None:
        return None
    try:
        made = INotify()
    except OSError as error:
        log.warning("event=commits_not_heard detail=%s", error.strerror)
        return None
    try:
        made.add_watch(file, flags.ATTRIB)
    except OSError as error:
        log.warning("event=commits_not_heard detail=%s", error.strerror)
        made.close()
        return None
    return made
