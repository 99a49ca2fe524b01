"""Asking for backups, noting what becomes of them, and who took or deleted one. The archives are made elsewhere, by the worker."""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from provisioner.changes.unit import Unit, UnitMaker
from provisioner.errors import AlreadyExists
from provisioner.models_backups import backup_run
from provisioner.records_backups import OPEN, BackupRun

RUNS_KEPT = 50
BY_THE_CLOCK = "worker"
"""The actor of backups that were due."""
CUT_SHORT = "the server ended while it was being made"


class BackupWrites(UnitMaker):
    """Asks for backups and keeps what came of them."""

    def ask_backup(self, actor: str) -> BackupRun:
        """Asks the worker for a backup; returns the run. Raises ``AlreadyExists`` while one is waited for or made."""
        with self.unit(actor) as unit:
            if unit.connection.execute(sa.select(backup_run.c.id).where(backup_run.c.state.in_(OPEN))).first():
                raise AlreadyExists({"backup": "a backup is being made already: wait until it is done"})
            number = _added(unit, "waiting", "")
            unit.log("backup.ask", str(number), None, None)
            return BackupRun(number, unit.at, actor, "waiting", "", 0, "", None, "")

    def begin_backup(self, number: int | None, name: str) -> int:
        """Notes that an archive is being made: of the run that was asked for, or of a new one that was due. Returns the run's number."""
        with self.unit(BY_THE_CLOCK) as unit:
            if number is None:
                return _added(unit, "running", name)
            unit.connection.execute(backup_run.update().where(backup_run.c.id == number).values(state="running", name=name))
            return number

    def note_backup(self, number: int, step: str, percent: int) -> None:
        """Notes how far a backup is."""
        with self.unit(BY_THE_CLOCK) as unit:
            unit.connection.execute(backup_run.update().where(backup_run.c.id == number).values(step=step, percent=percent))

    def end_backup(self, number: int, error: str = "") -> None:
        """Notes that a backup is made, or why it could not be, and tells webhooks."""
        with self.unit(BY_THE_CLOCK) as unit:
            _end(unit, number, error)

    def end_lost_backups(self) -> int:
        """Notes of every backup under way that it was cut short, for whoever alone makes them and makes none; returns how many."""
        with self.unit(BY_THE_CLOCK) as unit:
            lost = unit.connection.execute(sa.select(backup_run.c.id).where(backup_run.c.state == "running")).scalars().all()
            for number in lost:
                _end(unit, number, CUT_SHORT)
            return len(lost)

    def note_backup_taken(self, actor: str, name: str) -> None:
        """Notes who downloaded an archive."""
        with self.unit(actor) as unit:
            unit.log("backup.download", name, None, None)

    def delete_backup(self, actor: str, name: str, delete: Callable[[], None]) -> None:
        """Has ``delete`` remove the archive, and notes who did it; where it raises, nothing is noted."""
        with self.unit(actor) as unit:
            unit.log("backup.delete", name, None, None)
            delete()


def _added(unit: Unit, state: str, name: str) -> int:
    row = {"at": unit.at, "actor": unit.actor, "state": state, "name": name}
    number = int(unit.connection.execute(backup_run.insert().values(**row).returning(backup_run.c.id)).scalar_one())
    unit.connection.execute(backup_run.delete().where(backup_run.c.id <= number - RUNS_KEPT))
    return number


def _end(unit: Unit, number: int, error: str) -> None:
    state = "failed" if error else "done"
    values = {"state": state, "ended_at": unit.at, "error": error[:500], "step": "", "percent": 0 if error else 100}
    ended = backup_run.update().where(backup_run.c.id == number).values(**values).returning(backup_run.c.name)
    name = unit.connection.execute(ended).scalar_one()
    unit.log("backup.failed" if error else "backup.made", str(name), None, {"error": error[:500]} if error else None)
