"""Reads of what the PBX should say, and of what the worker has to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.core.mac import Mac
from provisioner.models import BEHIND, GROUP_BEHIND, TO_PROMOTE, department, extension, meta, pbx_removal, phone, phone_line
from provisioner.records import DepartmentRecord, ExtensionRecord, Secrets
from provisioner.store.base import CHUNK, StoreBase, edited_alone, extension_of


class PushingReads(StoreBase):
    """What the worker needs to push and to promote."""

    def extensions_to_push(self, limit: int) -> list[tuple[ExtensionRecord, Secrets]]:
        """Returns extensions that the PBX is not known to say as they should be, with their secrets; refused ones come last.

        Where ``limit`` of them or more wait, those that were edited by themselves come first and alone, as they do in rendering.
        """
        query = sa.select(extension).where(BEHIND).order_by(extension.c.pbx_error != "", extension.c.number).limit(limit)
        with self.database.read() as connection:
            found = self._with_secrets(connection, query)
            if len(found) < limit:
                return found
            edited = edited_alone(connection, limit)
            return self._with_secrets(connection, query.where(extension.c.number.in_(edited), extension.c.pbx_error == "")) or found

    def extension_verified_after(self, number: str) -> tuple[str, str] | None:
        """Returns the next extension that the PBX was read to have, and the hash of what it said; None after the last."""
        query = sa.select(extension.c.number, extension.c.pbx_verified).where(
            extension.c.number > number, extension.c.pbx_verified.is_not(None)
        )
        with self.database.read() as connection:
            row = connection.execute(query.order_by(extension.c.number).limit(1)).first()
        return (row.number, row.pbx_verified) if row else None

    def departments_to_push(self, limit: int) -> list[DepartmentRecord]:
        """Returns departments that can be called and that the PBX is not known to say as they should be; refused ones come last."""
        query = sa.select(department).where(GROUP_BEHIND).order_by(department.c.pbx_error != "", department.c.name).limit(limit)
        with self.database.read() as connection:
            return with_members(connection, query)

    def extensions_with_secrets(
        self, numbers: Iterable[str] | None = None, connection: Connection | None = None
    ) -> list[tuple[ExtensionRecord, Secrets]]:
        """Returns every extension, or those named that exist, with its secrets in clear: to compare with the PBX."""
        if connection is None:
            with self.database.read() as own:
                return self.extensions_with_secrets(numbers, own)
        query = sa.select(extension).order_by(extension.c.number)
        if numbers is None:
            return self._with_secrets(connection, query)
        wanted = sorted(numbers)
        chunks = (wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK))
        return [found for chunk in chunks for found in self._with_secrets(connection, query.where(extension.c.number.in_(chunk)))]

    def ring_groups(self, names: Iterable[str] | None = None, connection: Connection | None = None) -> list[DepartmentRecord]:
        """Returns every department that can be called, or those named that exist and can, with their members."""
        if connection is None:
            with self.database.read() as own:
                return self.ring_groups(names, own)
        query = sa.select(department).where(department.c.number.is_not(None)).order_by(department.c.name)
        if names is None:
            return with_members(connection, query)
        wanted = sorted(names)
        chunks = (wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK))
        return [found for chunk in chunks for found in with_members(connection, query.where(department.c.name.in_(chunk)))]

    def removals(self) -> list[str]:
        """Returns numbers of deleted extensions and departments that the PBX may still know."""
        with self.database.read() as connection:
            return list(connection.execute(sa.select(pbx_removal.c.number).order_by(pbx_removal.c.number)).scalars())

    def promotable(self, limit: int, *, has_pbx: bool, connection: Connection | None = None) -> list[Mac]:
        """Returns phones whose next files may become live: rendered, and every line known to the PBX as it should be."""
        if connection is None:
            with self.database.read() as own:
                return self.promotable(limit, has_pbx=has_pbx, connection=own)
        query = sa.select(phone.c.mac).where(TO_PROMOTE)
        if has_pbx:
            lines = phone_line.join(extension, extension.c.number == phone_line.c.extension)
            # Asked of each phone's own lines: "not among all that wait" would read every line there is, for one edit.
            waits = sa.exists().select_from(lines).where(phone_line.c.mac == phone.c.mac, BEHIND)
            query = query.where(~waits)
        return [Mac(mac) for mac in connection.execute(query.order_by(phone.c.mac).limit(limit)).scalars()]

    def meta(self, key: str) -> str | None:
        with self.database.read() as connection:
            return connection.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar()

    def _with_secrets(self, connection: Connection, query: sa.Select[Any]) -> list[tuple[ExtensionRecord, Secrets]]:
        return [(extension_of(row), self.secrets_of(row)) for row in connection.execute(query).all()]


def with_members(connection: Connection, query: sa.Select[Any]) -> list[DepartmentRecord]:
    """Returns the departments of ``query``, in its order, each with the numbers of its extensions: two statements for each ``CHUNK``."""
    rows = connection.execute(query).all()
    members = members_of(connection, [row.name for row in rows])
    return [
        DepartmentRecord(
            row.name, row.number, row.revision, row.pbx_wanted, row.pbx_verified, row.pbx_error, tuple(members.get(row.name, ()))
        )
        for row in rows
    ]


def members_of(connection: Connection, names: Sequence[str]) -> dict[str, list[str]]:
    """Returns department -> numbers of its extensions, sorted as texts are in Python, whatever the database's order is."""
    members: dict[str, list[str]] = {}
    for start in range(0, len(names), CHUNK):
        query = sa.select(extension.c.department, extension.c.number).where(extension.c.department.in_(names[start : start + CHUNK]))
        for row in connection.execute(query):
            members.setdefault(row.department, []).append(row.number)
    return {name: sorted(numbers) for name, numbers in members.items()}
