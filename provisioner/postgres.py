"""What PostgreSQL's driver is told of our texts and of connections that may break. Imported only where the database is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.types.string import StrDumperUnknown

_CLIENT = {
    "application_name": "provisioner",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""A database whose machine is gone without a word is noticed within half a minute. TCP itself waits a quarter of an hour for an answer, and two hours
where nothing was asked. Seconds, the last one milliseconds (libpq, "Parameter Key Words"); without meaning on a socket of the same machine."""
_SERVER = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "idle_in_transaction_session_timeout": 60_000,
}
"""And the other way round: the locks of a server that is gone, the worker's lease and the writer's, must be free for the others. The last one is
for a machine that stands still in the middle of a write and answers TCP all the same, as a paused one does."""


class WithoutNUL(StrDumperUnknown):
    """PostgreSQL has no NUL in texts, and a batch of observations must not fail because a stranger sent one. Looked for, it finds nothing."""

    def dump(self, obj: str) -> Any:
        return super().dump(obj.replace("\0", "\ufffd"))


def connect_args(named: Mapping[str, object]) -> dict[str, Any]:
    """Returns what a connection is opened with besides its address, but for what the address names itself."""
    return {name: value for name, value in _CLIENT.items() if name not in named}


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Makes a new connection one of ours."""
    connection.adapters.register_dumper(str, WithoutNUL)
    connection.execute("; ".join(f"SET SESSION {name} = {value}" for name, value in _SERVER.items()))
    if not connection.autocommit:
        connection.commit()


def connect(options: Mapping[str, Any]) -> psycopg.Connection[Any]:
    """Returns a connection in autocommit mode, which no pool lends out. Raises ``psycopg.Error``."""
    connection: psycopg.Connection[Any] = psycopg.connect(**options, autocommit=True)
    prepare(connection)
    return connection
