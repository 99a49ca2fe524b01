"""The servers that share one PostgreSQL, as each says of itself once a minute: version, catalogue, address, clock.

Nothing is decided by it: the lease is a lock, and who serves is whoever phones ask. It is there so that ``doctor`` can compare.
A SQLite database belongs to one machine, and nothing is written there.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from provisioner import __version__
from provisioner.core.catalogue import Catalogue
from provisioner.db import Database, DatabaseError
from provisioner.models_nodes import node
from provisioner.settings import Settings
from provisioner.worker.rendering import fingerprint

log = logging.getLogger("provisioner.nodes")

EVERY_S = 60.0
GONE_AFTER_S = 300.0
"""A server that has said nothing for so long is off, or moved."""
FORGOTTEN_AFTER_S = 7 * 86_400.0
_LOOKS = 3
_NOW = sa.func.extract("epoch", sa.func.clock_timestamp())


class Node(NamedTuple):
    """What a server says of itself. ``clock_ahead_s``: of the database's clock."""

    name: str
    version: str
    catalogue: str
    address: str
    clock_ahead_s: float


def node_name(data_dir: Path) -> str:
    """Returns the name of the server with this data folder on this machine."""
    return f"{socket.gethostname()}:{data_dir.resolve()}"[:255]


def own_node(settings: Settings, catalogue: Catalogue) -> Node:
    """Returns what the server with these settings says of itself, its clock not yet looked at."""
    address = f"{settings.provisioning_base} with SIP at {settings.host}:{settings.sip_bind.port}"
    return Node(node_name(settings.data_dir), __version__, fingerprint(catalogue, ()), address[:512], 0.0)


def clock_ahead_s(database: Database, clock: Callable[[], float] = time.time) -> float:
    """Returns by how much this machine's clock is ahead of the database's, by the quickest of a few answers."""
    answers = []
    with database.read() as connection:
        for _ in range(_LOOKS):
            before = clock()
            there = float(connection.execute(sa.select(_NOW)).scalar_one())
            after = clock()
            answers.append((after - before, (before + after) / 2 - there))
    return min(answers)[1]


def note_node(database: Database, said: Node) -> None:
    """Writes what a server says, and forgets those that have said nothing for a week."""
    with database.write() as connection:
        values = {**said._asdict(), "at": sa.cast(_NOW, sa.Float)}
        connection.execute(insert(node).values(values).on_conflict_do_update(index_elements=["name"], set_=values))
        connection.execute(node.delete().where(node.c.at < sa.cast(_NOW, sa.Float) - FORGOTTEN_AFTER_S))


def nodes_there(database: Database) -> list[Node]:
    """Returns the servers that have said something lately."""
    columns = [node.c[name] for name in Node._fields]
    query = sa.select(*columns).where(node.c.at > sa.cast(_NOW, sa.Float) - GONE_AFTER_S).order_by(node.c.name)
    with database.read() as connection:
        return [Node(*row) for row in connection.execute(query)]


class Presence:
    """Says once a minute that this server is there, on a thread of its own, until ``stop``."""

    def __init__(self, database: Database, said: Node, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._said = said
        self._clock = clock

    def start(self, stop: threading.Event) -> None:
        """Begins, where the database is one that servers share."""
        if not self._database.is_sqlite:
            threading.Thread(target=self._run, args=(stop,), name="presence", daemon=True).start()

    def say(self) -> None:
        """Says it once. Raises ``DatabaseError``."""
        note_node(self._database, self._said._replace(clock_ahead_s=clock_ahead_s(self._database, self._clock)))

    def _run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.say()
            except DatabaseError as error:
                log.warning("event=presence_not_said detail=%s", type(error).__name__)
            stop.wait(EVERY_S)
