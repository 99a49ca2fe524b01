"""Copying a database that is in use, counting what is in the copy, and reading an archive back: what a backup is made by."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from provisioner.errors import ProvisionerError


def copy_database(source: Path, target: Path) -> None:
    """Copies a database that is in use, as it is at one moment (SQLite's online backup)."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with closing(sqlite3.connect(source, timeout=30)) as read, closing(sqlite3.connect(target)) as write:
            read.backup(write)
            write.execute("PRAGMA journal_mode=DELETE")
            state = write.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        raise ProvisionerError(f"{source} cannot be copied: {error}") from error
    if state != "ok":
        raise ProvisionerError(f"{source} is damaged ({state}): restore the last good backup")


def counted_in(copy: Path) -> tuple[int, int]:
    """Returns how many phones and extensions a copy of the database has; backups that it knows as being made are made, if it is ever read."""
    try:
        with closing(sqlite3.connect(copy)) as connection:
            if connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'backup_run'"
            ).fetchone():  # a database of an older version has none
                connection.execute("UPDATE backup_run SET state = 'done', percent = 100, ended_at = at WHERE ended_at IS NULL")
                connection.commit()
            phones, extensions = connection.execute("SELECT (SELECT count(*) FROM phone), (SELECT count(*) FROM extension)").fetchone()
            return int(phones), int(extensions)
    except sqlite3.Error as error:
        raise ProvisionerError(f"the database cannot be read: {error}") from error


def read_back(archive: Path, hashes: Mapping[str, str]) -> None:
    """Ensures that an archive holds what was to be written: a disk may take bytes and give back others."""
    try:
        with tarfile.open(archive, "r:gz") as tar:
            found = {member.name: hashlib.file_digest(cast("Any", tar.extractfile(member)), "sha256").hexdigest() for member in tar}
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise ProvisionerError(f"{archive.parent} does not give back what was written to it: is the disk sound?") from error
    if {name: found.get(name) for name in hashes} != dict(hashes):
        raise ProvisionerError(f"{archive.parent} does not give back what was written to it: is the disk sound?")
