"""Brings a database to this version's tables."""

from __future__ import annotations

import logging
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from provisioner.db import Database
from provisioner.errors import ProvisionerError

logging.getLogger("alembic").setLevel(logging.WARNING)  # its INFO lines tell how it works, not what it did


def upgrade(database: Database) -> None:
    """Applies every migration that is missing, in one transaction; several processes may try at once.

    Raises ``ProvisionerError`` where the database is of a newer version.
    """
    if is_current(database):
        return  # without the write lock: a process may start while another writes for a while
    with database.write() as connection:
        config = _config()
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
        heads = set(ScriptDirectory.from_config(_config()).get_heads())
        return {MigrationContext.configure(connection).get_current_revision()} == heads


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config
