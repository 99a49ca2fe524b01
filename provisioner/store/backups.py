"""Reads of backups being made; the archives themselves are files, not rows."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models_backups import backup_run
from provisioner.records_backups import BackupRun
from provisioner.store.base import StoreBase


class BackupReads(StoreBase):
    """What was asked for, what is under way, what came of it."""

    def backup_waiting(self) -> BackupRun | None:
        """Returns the backup that was asked for and not begun, or None."""
        return self._first(backup_run.c.state == "waiting")

    def newest_backup_run(self) -> BackupRun | None:
        """Returns what was last asked for or due, or None."""
        return self._first(sa.true())

    def _first(self, condition: sa.ColumnElement[bool]) -> BackupRun | None:
        query = sa.select(backup_run).where(condition).order_by(backup_run.c.id.desc()).limit(1)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return BackupRun(**row._mapping) if row else None
