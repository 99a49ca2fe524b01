"""Reads of departments, and of who has which number."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.models import department, extension
from provisioner.records import DepartmentRecord
from provisioner.store.base import CHUNK, StoreBase
from provisioner.store.pushing import with_members


class DepartmentReads(StoreBase):
    """Departments, paged by name."""

    def departments(self, *, after: str = "", limit: int = 100) -> list[DepartmentRecord]:
        """Returns departments in the order of their name, with their members."""
        query = sa.select(department).where(department.c.name > after).order_by(department.c.name).limit(limit)
        with self.database.read() as connection:
            return with_members(connection, query)

    def department(self, name: str, connection: Connection | None = None) -> DepartmentRecord | None:
        if connection is None:
            with self.database.read() as own:
                return self.department(name, own)
        found = with_members(connection, sa.select(department).where(department.c.name == name))
        return found[0] if found else None

    def departments_called(self, numbers: list[str], connection: Connection) -> dict[str, str]:
        """Returns number -> department, of the numbers that are one's: an extension cannot have them too."""
        found: dict[str, str] = {}
        for start in range(0, len(numbers), CHUNK):
            query = sa.select(department.c.number, department.c.name).where(department.c.number.in_(numbers[start : start + CHUNK]))
            found |= {row.number: row.name for row in connection.execute(query)}
        return found

    def has_extension(self, number: str, connection: Connection) -> bool:
        return connection.execute(sa.select(extension.c.number).where(extension.c.number == number)).first() is not None
