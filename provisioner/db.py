"""The database engine: SQLite in WAL by default, PostgreSQL by address; one writer at a time on both.

What lives here: connections and transactions. What does not: any query (``store``), any table (``models``).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

if TYPE_CHECKING:
    from provisioner.notices import Notices

_WRITE_LOCK = 0x70726F76  # "prov": the PostgreSQL advisory lock that writers take
_CHANNEL = "provisioner"
_LOCK_AND_RING = sa.text("SELECT pg_advisory_xact_lock(:key), pg_notify(:channel, '')")
"""The notice goes out with the commit, and not at all without one; asked for together with the lock it costs no round trip."""
LOOK_EVERY_S = 1.0
"""How often a watcher looks at PostgreSQL although it heard nothing: a notice may be lost where nobody knows, a change may not."""

DatabaseError = sa.exc.SQLAlchemyError
"""What a database that cannot be read or written raises, for those who show that rather than fail."""


class Database:
    """One database. Instances may be shared between threads, not across a fork."""

    def __init__(self, url: str, *, durable: bool = True) -> None:
        """``durable`` False is for observations: a power cut may take the last second of them, never the file."""
        self.url = _with_driver(sa.make_url(url.replace("postgres://", "postgresql://", 1)))
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = _sqlite(self.url, durable) if self.is_sqlite else _postgres(self.url)
        self.notices = None if self.is_sqlite else _notices(self.engine)
        self.file = Path(self.url.database) if self.is_sqlite and self.url.database not in (None, "", ":memory:") else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection for reading: one consistent snapshot."""
        with self.engine.connect() as connection:
            if not self.is_sqlite:  # as SQLite does it: the statements of one read see the rows of one moment
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that holds the one write lock; committed at the end, rolled back by any exception.

        Both engines have one writer at a time: so the numbers of ``index_log`` become visible in their order, and a reader that has
        seen number 7 has missed nothing below it.
        """
        with self.engine.connect() as connection:
            if self.is_sqlite:
                connection.execution_options(immediate=True)
            with connection.begin():
                if not self.is_sqlite:
                    connection.execute(_LOCK_AND_RING, {"key": _WRITE_LOCK, "channel": _CHANNEL})
                yield connection
        if self.file:
            with contextlib.suppress(OSError):  # whoever listens (``bell``) then finds it by itself, a moment later
                os.utime(self.file)

    def watcher(self, *logs: str) -> Watcher:
        """Returns a cheap answer to "did anything change since I last asked?", for loops that must not query for it.

        With ``logs``, tables whose numbers grow with every change that matters, other commits (observations above all) do not count.
        """
        return Watcher(self, logs)

    @property
    def files(self) -> list[Path]:
        """Returns what a SQLite database is kept in, as far as it is there, and the folder that more of it may be made in."""
        path = self.file
        if path is None:
            return []
        return [path.parent, *(each for ending in ("", "-wal", "-shm") if (each := path.with_name(path.name + ending)).exists())]

    def dispose(self) -> None:
        self.engine.dispose()


class Watcher:
    """Tells whether another connection committed anything since the last call. Not for sharing between threads.

    Where a ``Bell`` of the same database hears PostgreSQL's notices, nothing is asked while none comes, but for a look once a second.
    """

    def __init__(self, database: Database, logs: Sequence[str] = ()) -> None:
        # One writer at a time: so the highest number grows with each commit that writes one, and is seen with it.
        self._logs = sa.select(*(_newest(log) for log in logs)) if logs else None
        self._newest: Any = None
        self._engine = database.engine
        self._notices = database.notices
        self._heard: int | None = None
        self._look_at = 0.0
        # Both change with any commit of another connection, and neither reads a table: SQLite's data_version costs two microseconds.
        # (The last value of a sequence would not do: it is seen before the row that it numbers, and a reader would come too early.)
        self._query = sa.text("SELECT CAST(pg_current_snapshot() AS text)")
        self._connection: Connection | None = None
        self._seen: Any = None
        self._connected()

    def changed(self) -> bool:
        """True when something was committed since the last call; True at the first call, and at the first after a lost connection."""
        heard = self._notices.count if self._notices and self._notices.is_listening else None
        if heard is not None and heard == self._heard and time.monotonic() < self._look_at:
            return False
        try:
            value = self._value()
            newest = self._read_logs() if value != self._seen else None
        except sa.exc.SQLAlchemyError:
            self.close()
            raise
        # What was heard before the look: a commit that came during it is looked for again.
        self._heard, self._look_at = heard, time.monotonic() + LOOK_EVERY_S
        seen, self._seen = self._seen, value
        if value == seen or self._logs is None:
            return bool(value != seen)
        before, self._newest = self._newest, newest
        return bool(newest != before)

    def close(self) -> None:
        connection, self._connection, self._seen, self._newest = self._connection, None, None, None
        self._heard = None
        if connection is not None:
            connection.close()

    def _value(self) -> Any:
        connection = self._connected()
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):  # asked fifty times a second for ever: without the engine's own cost on top
            try:
                return driver.execute("PRAGMA data_version").fetchone()[0]
            except sqlite3.Error as error:
                raise sa.exc.OperationalError("PRAGMA data_version", None, error) from error
        return connection.execute(self._query).scalar()

    def _read_logs(self) -> Any:
        return None if self._logs is None else tuple(self._connected().execute(self._logs).one())

    def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        return self._connection


def _newest(log: str) -> sa.ScalarSelect[Any]:
    return sa.select(sa.func.max(sa.column("id"))).select_from(sa.table(log)).scalar_subquery()


def _sqlite(url: sa.URL, durable: bool) -> Engine:
    if url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url, connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun by _begin below, not guessed by the driver
        for pragma in (
            "journal_mode=WAL",
            f"synchronous={'FULL' if durable else 'NORMAL'}",
            "foreign_keys=ON",
            "busy_timeout=30000",
            "journal_size_limit=67108864",
        ):
            connection.execute(f"PRAGMA {pragma}").close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("immediate") else "BEGIN")

    return engine


def _postgres(url: sa.URL) -> Engine:
    from provisioner import postgres  # late: an installation on SQLite starts without the driver of PostgreSQL

    engine = sa.create_engine(
        url, pool_pre_ping=True, pool_size=8, isolation_level="READ COMMITTED", connect_args=postgres.connect_args(url.query)
    )
    sa.event.listen(engine, "connect", lambda connection, _record: postgres.prepare(connection))
    return engine


def _notices(engine: Engine) -> Notices:
    from provisioner import postgres
    from provisioner.notices import Notices

    _, options = engine.dialect.create_connect_args(engine.url)
    return Notices(lambda: postgres.connect({**options, **postgres.connect_args(engine.url.query)}), _CHANNEL)


def _with_driver(url: sa.URL) -> sa.URL:
    return url.set(drivername="postgresql+psycopg") if url.drivername == "postgresql" else url
