"""Writes of departments: each is there once an extension names it, and can be called once it has a number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import sqlalchemy as sa

from provisioner.changes.unit import Unit, UnitMaker
from provisioner.core.numbers import number_mistake
from provisioner.core.settings_check import CONTROL
from provisioner.errors import AlreadyExists, InputError, NotFound
from provisioner.models import department, pbx_removal
from provisioner.records import DepartmentRecord
from provisioner.store import CHUNK


class DepartmentWrites(UnitMaker):
    """Make, number and delete departments."""

    def put_department(self, actor: str, name: str, number: str | None, expected: int | None = None) -> DepartmentRecord:
        """Makes a department or gives it another number (None: it cannot be called). Raises ``InputError``, ``AlreadyExists``, ``StaleWrite``."""
        with self.unit(actor) as unit:
            before = self.store.department(name, unit.connection)
            unit.expect(before.revision if before else 0, expected)
            self._check_department(unit, name, number, before)
            if before is None:
                unit.connection.execute(department.insert().values(name=name, number=number))
            elif before.number != number:
                values = {
                    "number": number,
                    "revision": department.c.revision + 1,
                    "pbx_wanted": None,
                    "pbx_verified": None,
                    "pbx_error": "",
                }
                unit.connection.execute(department.update().where(department.c.name == name).values(**values))
            else:
                return before
            self._number_moved(unit, before.number if before else None, number)
            unit.log("department.put", name, {"number": before.number} if before else None, {"number": number})
            return self._department(unit, name)

    def delete_department(self, actor: str, name: str, expected: int | None = None) -> None:
        """Removes a department that has no extensions."""
        with self.unit(actor) as unit:
            before = self._department(unit, name)
            unit.expect(before.revision, expected)
            if before.members:
                raise InputError({"name": f"{len(before.members)} extensions are in this department"})
            unit.connection.execute(department.delete().where(department.c.name == name))
            self._number_moved(unit, before.number, None)
            unit.log("department.delete", name, {"number": before.number}, None)

    def members_changed(self, unit: Unit, names: Iterable[str]) -> None:
        """Makes the departments named that are not there yet, and has those that can be called pushed again."""
        wanted = sorted({name for name in names if name})
        for start in range(0, len(wanted), CHUNK):
            part = wanted[start : start + CHUNK]
            there = set(unit.connection.execute(sa.select(department.c.name).where(department.c.name.in_(part))).scalars())
            unit.connection.execute(department.update().where(department.c.name.in_(part)).values(pbx_wanted=None, pbx_error=""))
            if missing := [{"name": name} for name in part if name not in there]:
                unit.connection.execute(department.insert(), missing)

    def check_numbers_free(self, unit: Unit, numbers: Sequence[str]) -> None:
        """Raises ``AlreadyExists`` where a new extension's number is a department's."""
        taken = self.store.departments_called(list(numbers), unit.connection)
        if taken:
            number, name = min(taken.items())
            raise AlreadyExists({"number": f"{number} is the number of the department {name}"})

    def _check_department(self, unit: Unit, name: str, number: str | None, before: DepartmentRecord | None) -> None:
        mistakes: dict[str, str] = {}
        if not 1 <= len(name) <= 64 or CONTROL.search(name):
            mistakes["name"] = "1 to 64 characters on one line are needed"
        if number is not None and (why := number_mistake(number)):
            mistakes["number"] = why
        if mistakes:
            raise InputError(mistakes)
        if number is None or (before and before.number == number):
            return
        if self.store.has_extension(number, unit.connection):
            raise AlreadyExists({"number": f"{number} is the number of an extension"})
        self.check_numbers_free(unit, [number])

    def _number_moved(self, unit: Unit, old: str | None, new: str | None) -> None:
        for number in {old, new} - {None}:
            unit.connection.execute(pbx_removal.delete().where(pbx_removal.c.number == number))
        if old is not None:
            unit.connection.execute(pbx_removal.insert().values(number=old))

    def _department(self, unit: Unit, name: str) -> DepartmentRecord:
        record = self.store.department(name, unit.connection)
        if record is None:
            raise NotFound({"name": f"there is no department {name[:64]}"})
        return record
