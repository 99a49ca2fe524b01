"""The right to be the one worker of an installation."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO

import sqlalchemy as sa

from provisioner.db import Database

_LEASE = 0x776F726B  # "work"


class Lease:
    """Holds the right to be the one worker: a file lock beside SQLite, an advisory lock in PostgreSQL. Gone with its process."""

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self._path = folder / "worker.lock"
        self._file: IO[str] | None = None
        self._connection: sa.Connection | None = None

    def acquire(self) -> bool:
        """Returns whether this process is the worker now."""
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
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        if connection.execute(sa.text("SELECT pg_try_advisory_lock(:key)"), {"key": _LEASE}).scalar():
            self._connection = connection
            return True
        connection.close()
        return False

    def is_held(self) -> bool:
        """Returns whether this process is still the worker: a lost connection to PostgreSQL takes the lock with it."""
        if self._connection is None:
            return self._file is not None
        try:
            self._connection.execute(sa.text("SELECT 1"))
        except sa.exc.SQLAlchemyError:
            self.release()  # for good: asked once more, the connection would be opened anew, without the lock
            return False
        return True

    def release(self) -> None:
        file, connection, self._file, self._connection = self._file, self._connection, None, None
        if file is not None:
            file.close()
        if connection is not None:
            connection.invalidate()  # closed for good: back in the pool it would hold the lock on
            connection.close()
