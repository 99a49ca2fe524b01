"""The right to be the one worker of an installation."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from provisioner.db import Database

_LEASE = 0x776F726B  # "work"
SILENT_S = 60
"""A worker that has not asked for so long whether the lease is still its own stands still, or its machine does: PostgreSQL gives the lease away."""
_SINCE_14 = 140_000


class Lease:
    """Holds the right to be the one worker: a file lock beside SQLite, an advisory lock in PostgreSQL. Gone with its process."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._path = folder / "worker.lock"
        self._file: IO[str] | None = None
        self._connection: sa.Connection | None = None
        self._is_ours = False

    def acquire(self) -> bool:
        """Returns whether this process is the worker now. To be asked again and again while it is not."""
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
        self._connection = connection = self._connection or self._session()
        try:
            self._is_ours = bool(connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": _LEASE}).scalar())
        except sa.exc.SQLAlchemyError:  # the connection broke while it waited: the next try opens another, or raises
            self.release()
        return self._is_ours

    def _session(self) -> sa.Connection:
        """Returns a connection which PostgreSQL ends where nothing is asked of it. Older versions than 14 cannot: there a paused machine keeps the lease."""
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if int(connection.execute(sa.text("SHOW server_version_num")).scalar_one()) >= _SINCE_14:
            connection.execute(sa.text(f"SET SESSION idle_session_timeout = {SILENT_S * 1000}"))
        return connection

    def is_held(self) -> bool:
        """Returns whether this process is still the worker: a lost connection to PostgreSQL takes the lock with it."""
        if self._connection is None or not self._is_ours:
            return self._file is not None
        try:
            self._connection.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError:
            self.release()  # for good: asked once more, the connection would be opened anew, without the lock
            return False
        return True

    def release(self) -> None:
        file, connection, self._file, self._connection = self._file, self._connection, None, None
        self._is_ours = False
        if file is not None:
            file.close()
        if connection is not None:
            connection.invalidate()  # closed for good: back in the pool it would hold the lock on
            connection.close()
