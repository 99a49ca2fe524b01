"""PostgreSQL databases with tables and nothing in them, that tests take turns with: emptying one costs a tenth of making it anew.

A test gets what it would get from a fresh copy of the template: no rows, counters at their beginning, nobody connected. A database whose
tables a test changed is dropped instead.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

REVISION = "alembic_version"
"""The one table that has a row where nothing was done yet."""
PATIENCE_S = 10.0

_SHAPE = sa.text("""
    SELECT concat_ws(' ',
        (SELECT sum(hashtext(concat_ws(' ', attrelid, attname, atttypid, atttypmod, attnotnull))) FROM pg_attribute
         WHERE attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)),
        (SELECT sum(hashtext(concat_ws(' ', conrelid, conname))) FROM pg_constraint WHERE connamespace = 'public'::regnamespace),
        (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal))""")
"""Columns, constraints and indexes; the numbers of tables are those of the template in each copy."""
_FILLED = sa.text(
    "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0"
)
"""Tables that have a page: what was never written to has none, and TRUNCATE takes it away."""
_COUNTERS = sa.text("""
    SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    FROM pg_sequences WHERE last_value IS NOT NULL""")
_OTHERS = sa.text(
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


class Recycled:
    """The databases of one session on one server."""

    def __init__(self, server: sa.URL, template: str) -> None:
        self._server, self._template = server, template
        self._free: list[str] = []
        with self._connected(template) as connection:
            self._shape = connection.scalar(_SHAPE)
            self._is_empty = list(connection.scalars(_FILLED)) == [REVISION]

    @contextmanager
    def lent(self) -> Iterator[str]:
        """Yields the address of a database that has tables and nothing in them."""
        name = self._free.pop() if self._free else self._made()
        try:
            yield self._server.set(database=name).render_as_string(hide_password=False)
        finally:
            if self._emptied(name):
                self._free.append(name)
            else:
                self._drop(name)

    def close(self) -> None:
        """Drops all of them."""
        while self._free:
            self._drop(self._free.pop())

    def _made(self) -> str:
        name = f"test_{secrets.token_hex(6)}"
        with self._connected() as connection:
            connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {self._template}"))
        return name

    def _drop(self, name: str) -> None:
        with self._connected() as connection:
            connection.execute(sa.text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))

    def _emptied(self, name: str) -> bool:
        """Empties a database, and returns whether it is then as the template is."""
        if not self._is_empty:
            return False
        with self._connected(name) as connection:
            deadline = time.monotonic() + PATIENCE_S
            while connection.scalar(_OTHERS):  # a backend that was told to end does so at its next look
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.01)
            if connection.scalar(_SHAPE) != self._shape:
                return False
            filled = [f'"{table}"' for table in connection.scalars(_FILLED) if table != REVISION]
            if filled:
                connection.execute(sa.text(f"TRUNCATE {', '.join(filled)} CASCADE"))
            connection.execute(_COUNTERS)
        return True

    @contextmanager
    def _connected(self, database: str | None = None) -> Iterator[sa.Connection]:
        url = self._server.set(database=database) if database else self._server
        engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
        with engine.connect() as connection:
            yield connection
        engine.dispose()
