"""Mailboxes of the bundled Asterisk: a SQLite file that its voicemail reads at every use (realtime), so nothing has to be reloaded.

The mailboxes of an Asterisk that somebody else runs are that person's business: there is no file of ours then.
Source: docs.asterisk.org, "Configuring Voice Mail", realtime; columns of app_voicemail's ``voicemail`` family.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sqlite3
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pbx_sync.backend import PBXUnavailable
from pbx_sync.state import Endpoint

CONTEXT = "default"
_COLUMNS = ("context", "mailbox", "password", "fullname", "email")
_READ_ALL = "SELECT mailbox, fullname, email FROM voicemail WHERE context = ?"
_READ_SOME = """
SELECT mailbox, fullname, email FROM voicemail WHERE context = ? AND mailbox IN (SELECT value FROM json_each(?))
"""
# The PIN is the owner's once the mailbox is there: app_voicemail writes a new one here when the owner dials it.
_PUT = """
INSERT INTO voicemail (context, mailbox, password, fullname, email) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (mailbox, context) DO UPDATE SET fullname = excluded.fullname, email = excluded.email
"""
_DELETE = "DELETE FROM voicemail WHERE context = ? AND mailbox = ?"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox, as far as it is ours to say."""

    number: str
    name: str
    email: str

    def deviations(self, actual: Mailbox | None) -> tuple[str, ...]:
        """Returns what is not as here in what stands there."""
        if actual is None:
            return (f"mailbox {self.number} is missing",)
        pairs = (("name", actual.name, self.name), ("email", actual.email, self.email))
        return tuple(f"mailbox.{field} is {found!r}, should be {wanted!r}" for field, found, wanted in pairs if found != wanted)


class Mailboxes(Protocol):
    """Where mailboxes are kept."""

    def read(self, numbers: Collection[str] | None = None) -> Mapping[str, Mailbox]:
        """Returns the mailboxes of the numbers given, or all. Raises ``PBXUnavailable``."""

    def write(self, put: Collection[Endpoint], delete: Collection[str]) -> None:
        """Makes, changes and deletes mailboxes, all or none. The messages in a deleted one stay on disk. Raises ``PBXUnavailable``."""

    def close(self) -> None:
        """Lets go of what is open. It may be used again."""


def mailbox_of(endpoint: Endpoint) -> Mailbox:
    """Returns the mailbox that an extension should have."""
    return Mailbox(endpoint.number, endpoint.display_name, endpoint.email)


def first_pin(endpoint: Endpoint) -> str:
    """Returns the PIN that a new mailbox gets: 6 digits that only who knows the extension's secret can work out."""
    return f"{int.from_bytes(hmac.digest(endpoint.secret.encode(), b'voicemail', hashlib.sha256)) % 10**6:06d}"


class SQLiteMailboxes:
    """Mailboxes in a SQLite file, which is made where it is missing. Asterisk reads it at the same time. Safe for several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._open: tuple[sqlite3.Connection, int] | None = None
        """The connection and the inode of its file. It stays open: the last one to be closed waits for the disk."""

    def read(self, numbers: Collection[str] | None = None) -> Mapping[str, Mailbox]:
        with self._transaction() as connection:
            if numbers is None:
                rows = connection.execute(_READ_ALL, (CONTEXT,)).fetchall()
            else:
                rows = connection.execute(_READ_SOME, (CONTEXT, json.dumps(sorted(numbers)))).fetchall()
        return {number: Mailbox(number, name, email) for number, name, email in rows}

    def write(self, put: Collection[Endpoint], delete: Collection[str]) -> None:
        if not put and not delete:
            return
        with self._transaction() as connection:
            connection.executemany(_PUT, [(CONTEXT, item.number, first_pin(item), item.display_name, item.email) for item in put])
            connection.executemany(_DELETE, [(CONTEXT, number) for number in delete])

    def close(self) -> None:
        with self._lock:
            self._drop()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            try:
                connection = self._connected()
                with connection:
                    yield connection
            except (sqlite3.Error, OSError) as error:
                self._drop()
                raise PBXUnavailable(f"the file of mailboxes {self._path} cannot be used: {error}") from None

    def _connected(self) -> sqlite3.Connection:
        """Returns a connection to the file that is there now: somebody may have put another in its place, or taken it away."""
        if self._open is not None and (not self._path.exists() or self._path.stat().st_ino != self._open[1]):
            self._drop()
        if self._open is None:
            connection = sqlite3.connect(self._path, timeout=5.0, check_same_thread=False)
            self._open = (connection, self._path.stat().st_ino)
            _make_table(connection)
        return self._open[0]

    def _drop(self) -> None:
        if self._open is not None:
            self._open[0].close()
        self._open = None


def _make_table(connection: sqlite3.Connection) -> None:
    """Makes the table, or brings the one that Asterisk made at its start, with two columns, to what it is here."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")  # what a power cut takes away is written again: no commit waits for the disk
    connection.execute("CREATE TABLE IF NOT EXISTS voicemail (uniqueid INTEGER, password TEXT)")
    there = {row[1] for row in connection.execute("PRAGMA table_info(voicemail)")}
    for column in _COLUMNS:
        if column not in there:
            connection.execute(f"ALTER TABLE voicemail ADD COLUMN {column} TEXT")
    connection.execute("CREATE UNIQUE INDEX IF NOT EXISTS voicemail_box ON voicemail (mailbox, context)")
