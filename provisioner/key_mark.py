"""Which key a database belongs to: a mark of the key, which opens nothing, is written into it at the first start.

Another key is refused then, before it seals a row or derives an address: of two servers with two keys each would make files that
the other cannot read, and phones would be refused by one of them.
"""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from provisioner.db import Database
from provisioner.errors import SecretError
from provisioner.models import extension, meta
from provisioner.secrets import KEY_FILE, SecretBox, load_secret_box
from provisioner.store import has_secrets

_KEY = "key_mark"


def open_box(database: Database, data_dir: Path, *, create: bool) -> SecretBox:
    """Returns the box of the key that the database belongs to. With ``create`` one that belongs to none gets a new key.

    Raises ``SecretError`` where the key is not there or is another.
    """
    path, kept = data_dir / KEY_FILE, mark_of(database)
    belongs = kept is not None or has_secrets(database)
    if belongs and not path.exists():
        raise SecretError(
            f"{path} is not there, and this database belongs to a key already: restore it from the backup, or copy {KEY_FILE} from another server of this database"
        )
    box = load_secret_box(data_dir, create=create and not belongs)
    expect_mark(box, kept or _claim(database, box), path)
    return box


def mark_of(database: Database) -> str | None:
    """Returns the mark of the key that the database belongs to; None where none was written."""
    with database.read() as connection:
        return _read(connection)


def expect_mark(box: SecretBox, kept: str, path: Path) -> None:
    """Raises ``SecretError`` where the box is of another key."""
    if box.mark != kept:
        raise SecretError(
            f"{path} is not the key that this database belongs to: put {KEY_FILE} of the server that has it, or of the backup, in its place"
        )


def _claim(database: Database, box: SecretBox) -> str:
    """Writes the mark down; returns it, or that of whoever was quicker. Raises ``SecretError`` where the key does not open what is there."""
    with database.write() as connection:
        kept = _read(connection)
        if kept is not None:
            return kept
        sample = connection.execute(sa.select(extension.c.number, extension.c.secret).limit(1)).first()
        if sample is not None:  # of a version that wrote no mark
            box.open(sample.secret, f"extension:{sample.number}")
        connection.execute(meta.insert().values(key=_KEY, value=box.mark))
    return box.mark


def _read(connection: sa.Connection) -> str | None:
    value: str | None = connection.execute(sa.select(meta.c.value).where(meta.c.key == _KEY)).scalar()
    return value
