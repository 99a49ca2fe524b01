"""Brings a database to this version's tables.

Alembic is imported only where there is something to bring up: it and what it imports take longer than the rest of a part's start, and
nearly every start finds the database as it should be.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from provisioner.db import Database
from provisioner.errors import ProvisionerError

if TYPE_CHECKING:
    from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"
logging.getLogger("alembic").setLevel(logging.WARNING)  # its INFO lines tell how it works, not what it did


def upgrade(database: Database) -> None:
    """Applies every migration that is missing, in one transaction; several processes may try at once.

    Raises ``ProvisionerError`` where the database is of a newer version.
    """
    if is_current(database):
        return  # without the write lock: a process may start while another writes for a while
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = _config()
    with database.write() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if current is not None and current not in known:
            raise ProvisionerError(
                f"this database was written by a newer version (revision {current}): install that version, or restore a backup"
            )
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def is_current(database: Database) -> bool:
    """Returns whether every migration has been applied."""
    with database.read() as connection:
        if not connection.dialect.has_table(connection, "alembic_version"):
            return False
        applied: list[str] = list(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalars())
    return applied == [newest_revision()]


def newest_revision() -> str:
    """Returns the revision of this version's tables, which the name of the last migration begins with: ``v0007_...``."""
    return max(path.name for path in (_FOLDER / "versions").glob("v*_*.py")).removeprefix("v").partition("_")[0]


def _config() -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    return config
