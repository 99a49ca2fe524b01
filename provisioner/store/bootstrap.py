"""Reads of what the bootstrap refused, and of scans for MACs."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from provisioner.core.mac import Mac
from provisioner.models import phone, served_file
from provisioner.models_enrolment import alarm, bootstrap_refusal
from provisioner.records_enrolment import AlarmRecord, RefusalRecord
from provisioner.store.base import StoreBase

_SERVED = sa.select(sa.func.max(served_file.c.at)).where(served_file.c.mac == phone.c.mac).correlate(phone).scalar_subquery()


class BootstrapReads(StoreBase):
    """What a person has to look at."""

    def bootstrap_refusals(
        self, *, after: str = "", limit: int = 100, mac: Mac | None = None, within: sa.ColumnElement[bool] | None = None
    ) -> list[RefusalRecord]:
        """Returns listed phones whose first fetch was refused since it was opened, in the order of their MAC.

        One that was served after that has found its way: it is not among them.
        """
        columns = (*bootstrap_refusal.c, phone.c.site, phone.c.first_success_at)
        is_open = sa.and_(
            bootstrap_refusal.c.at >= phone.c.opened_at,
            sa.or_(_SERVED.is_(None), bootstrap_refusal.c.at >= _SERVED),
            bootstrap_refusal.c.mac > after,
        )
        query = sa.select(*columns).join_from(bootstrap_refusal, phone, bootstrap_refusal.c.mac == phone.c.mac).where(is_open)
        query = query.where(phone.c.mac == mac) if mac is not None else query
        query = query.where(within) if within is not None else query
        with self.database.read() as connection:
            return [_refusal(row) for row in connection.execute(query.order_by(bootstrap_refusal.c.mac).limit(limit))]

    def alarms(self, *, before: int | None = None, limit: int = 100) -> list[AlarmRecord]:
        """Returns scans for MACs, newest first."""
        query = sa.select(alarm).order_by(alarm.c.id.desc()).limit(limit)
        query = query.where(alarm.c.id < before) if before is not None else query
        with self.database.read() as connection:
            return [AlarmRecord(**row._mapping) for row in connection.execute(query)]


def _refusal(row: Row[Any]) -> RefusalRecord:
    named = {name: value for name, value in row._mapping.items() if name != "first_success_at"}
    return RefusalRecord(**{**named, "mac": Mac(row.mac), "succeeded_at": row.first_success_at})
