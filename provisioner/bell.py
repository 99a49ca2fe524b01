"""Wakes a loop when somebody commits, so that it need not ask all the time.

Whoever committed to a SQLite database sets the time of its file, which the kernel tells everybody who listens: other processes too,
and only after the commit can be seen. PostgreSQL tells it by its own notices (``notices``), to other machines too. Where neither can be
heard (no descriptor left, a connection that is lost) the loop wakes often instead.
"""

from __future__ import annotations

import logging
import os
import select
from pathlib import Path
from typing import Protocol

from inotify_simple import INotify, flags

from provisioner.db import Database

log = logging.getLogger("provisioner.bell")

HEARD_S = 0.1
"""How long a loop that hears commits sleeps at most: it has other things to look at, and a commit by other hands rings nothing."""


class Commits(Protocol):
    """What one loop hears commits by."""

    @property
    def is_hearing(self) -> bool:
        """Whether each commit makes it readable just now."""

    def fileno(self) -> int: ...

    def forget(self) -> None:
        """Takes what made it readable."""

    def close(self) -> None: ...


class Bell:
    """Wakes one loop. Only ``ring`` may be called by other threads; ``close`` comes after the last of them."""

    def __init__(self, database: Database, every_s: float) -> None:
        """``every_s``: how long to sleep at most where commits cannot be heard."""
        self._rung = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._commits = _commits(database)
        self._every_s = every_s
        self._poll = select.poll()
        self._poll.register(self._rung, select.POLLIN)
        if self._commits:
            self._poll.register(self._commits.fileno(), select.POLLIN)

    def ring(self) -> None:
        """Ends the sleep, or the next one."""
        os.eventfd_write(self._rung, 1)

    def wait(self) -> bool:
        """Sleeps until somebody commits, until ``ring``, or for a while; returns whether it was ``ring``."""
        longest_s = HEARD_S if self._commits and self._commits.is_hearing else self._every_s
        ready = {number for number, _ in self._poll.poll(1000 * longest_s)}
        if self._commits and self._commits.fileno() in ready:
            self._commits.forget()
        if self._rung in ready:
            os.eventfd_read(self._rung)
        return self._rung in ready

    def close(self) -> None:
        if self._commits:
            self._commits.close()
        os.close(self._rung)


class _File:
    """Commits to a SQLite database, by its file."""

    is_hearing = True

    def __init__(self, file: Path) -> None:
        """Raises ``OSError`` where the kernel has no descriptor or no watch left."""
        self._inotify = INotify()
        try:
            self._inotify.add_watch(file, flags.ATTRIB)
        except OSError:
            self._inotify.close()
            raise

    def fileno(self) -> int:
        return int(self._inotify.fileno())

    def forget(self) -> None:
        self._inotify.read(timeout=0)

    def close(self) -> None:
        self._inotify.close()


def _commits(database: Database) -> Commits | None:
    """Returns what commits are heard by, or None where that cannot be had."""
    try:
        if database.notices is not None:
            return database.notices.open_ear()
        return _File(database.file) if database.file is not None else None
    except OSError as error:
        log.warning("event=commits_not_heard detail=%s", error.strerror)
        return None
