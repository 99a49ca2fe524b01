"""Hears in PostgreSQL that somebody committed: one connection for all loops of a process, which asks nothing while nothing happens.

Whoever commits rings (``Database.write``: a NOTIFY of that very transaction, so it is heard once the commit can be seen, and never where it
was rolled back). A connection that is lost, as at each restart of the database, is opened again; then every loop looks once, for
what was committed meanwhile rang for nobody. Imported only where the database is a PostgreSQL.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg

log = logging.getLogger("provisioner.bell")

AGAIN_S = 0.5
"""How long it waits before it asks a database again that is away."""
_Connection = psycopg.Connection[Any]


class Notices:
    """The notices of one database. It listens as long as an ``Ear`` is open. Safe to share between threads, not across a fork."""

    def __init__(self, connect: Callable[[], _Connection], channel: str) -> None:
        """``connect`` opens a connection in autocommit mode, or raises ``psycopg.Error``; ``channel`` is what those who commit ring."""
        self._connect = connect
        self._channel = channel
        self._ears: set[Ear] = set()
        self._lock = threading.Lock()
        self._end: _End | None = None
        self._is_told = False
        self.count = 0
        """Grows with each batch of notices, and with each connection: where it is what it was, nobody committed."""
        self.is_listening = False

    def open_ear(self) -> Ear:
        """Returns what wakes one loop at each commit, and once at the beginning. It is to be closed."""
        ear = Ear(self)
        with self._lock:
            self._ears.add(ear)
            if self.is_listening:
                ear.ring()
            if self._end is None:
                self._end = _End(self._run)
        return ear

    def drop(self, ear: Ear) -> None:
        """Rings it no more; the last one ends the listening."""
        with self._lock:
            self._ears.discard(ear)
            end = None if self._ears else self._end
            if end is None:
                return
            self._end, self.is_listening = None, False
        end.come()

    def _run(self, end: _End) -> None:
        while not end.has_come:
            try:
                with closing(self._connect()) as connection:
                    self._listen(connection, end)
            except psycopg.Error as error:
                self._say(error, end)
            finally:
                self._hears(end, False)
            end.wait(AGAIN_S)

    def _hears(self, end: _End, is_listening: bool) -> None:
        """Notes whether commits are heard; one that is ending does not speak for the next."""
        with self._lock:
            if self._end is end:
                self.is_listening = is_listening

    def _listen(self, connection: _Connection, end: _End) -> None:
        connection.execute(f"LISTEN {self._channel}")
        self._is_told = False
        self._hears(end, True)
        self._ring()
        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        poll.register(end.wake, select.POLLIN)
        while not end.has_come:
            poll.poll()
            connection.pgconn.consume_input()  # raises where the connection is lost
            is_rung = False
            while connection.pgconn.notifies() is not None:  # however many there are: one look finds them all
                is_rung = True
            if is_rung:
                self._ring()

    def _ring(self) -> None:
        with self._lock:
            self.count += 1
            for ear in self._ears:
                ear.ring()

    def _say(self, error: psycopg.Error, end: _End) -> None:
        if not self._is_told and not end.has_come:
            log.warning("event=commits_not_heard detail=%s", type(error).__name__)
        self._is_told = True


class _End:
    """The end of one thread that listens, which is begun with it: another may have begun before this one is over."""

    def __init__(self, run: Callable[[_End], None]) -> None:
        self._stop = threading.Event()
        self.wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        """Readable once it comes."""
        self._thread = threading.Thread(target=run, args=(self,), name="notices", daemon=True)
        self._thread.start()

    @property
    def has_come(self) -> bool:
        return self._stop.is_set()

    def wait(self, seconds: float) -> None:
        self._stop.wait(seconds)

    def come(self) -> None:
        """Ends the thread, and returns when it is over."""
        self._stop.set()
        os.eventfd_write(self.wake, 1)
        self._thread.join()
        os.close(self.wake)


class Ear:
    """What one loop waits on: readable once somebody committed."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._rung = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    @property
    def is_hearing(self) -> bool:
        return self._notices.is_listening

    def fileno(self) -> int:
        return self._rung

    def forget(self) -> None:
        """Takes what was rung; to be called where it is readable."""
        os.eventfd_read(self._rung)

    def ring(self) -> None:
        os.eventfd_write(self._rung, 1)

    def close(self) -> None:
        self._notices.drop(self)
        os.close(self._rung)
