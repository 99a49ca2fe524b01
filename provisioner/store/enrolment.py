"""Reads of enrolment: newcomers, windows, the warehouse."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from provisioner.core.mac import Mac
from provisioner.models import extension, phone, phone_line
from provisioner.models_enrolment import alarm, enrolment_window, newcomer, warehouse
from provisioner.records_enrolment import NewcomerRecord, WarehouseRecord, WindowRecord
from provisioner.store.base import StoreBase, like


class EnrolmentReads(StoreBase):
    """What taking phones in needs."""

    def newcomers(self, *, after: str = "", limit: int = 100, tail: str = "") -> list[NewcomerRecord]:
        """Returns MACs that asked without being let in, in their order; those that end in ``tail``."""
        query = sa.select(newcomer).where(newcomer.c.mac > after)
        query = query.where(newcomer.c.mac.endswith(tail, autoescape=True)) if tail else query
        with self.database.read() as connection:
            return [_newcomer(row) for row in connection.execute(query.order_by(newcomer.c.mac).limit(limit))]

    def seated(self, now: float, *, most_wrong: int, limit: int) -> list[NewcomerRecord]:
        """Returns those that wait at the PBX, who asked first first; who dialled ``most_wrong`` wrong codes has no seat and takes none."""
        waits = sa.and_(newcomer.c.waits_until > now, newcomer.c.wrong_codes < most_wrong)
        query = sa.select(newcomer).where(waits).order_by(newcomer.c.first_at, newcomer.c.mac).limit(limit)
        with self.database.read() as connection:
            return [_newcomer(row) for row in connection.execute(query)]

    def newcomers_of(self, macs: Collection[Mac]) -> dict[Mac, NewcomerRecord]:
        """Returns MAC -> newcomer of those that asked without being let in (at most ``CHUNK`` are asked for)."""
        with self.database.read() as connection:
            rows = connection.execute(sa.select(newcomer).where(newcomer.c.mac.in_(sorted(macs))))
            return {found.mac: found for found in map(_newcomer, rows)}

    def numbers_to_install(self, *, search: str = "", limit: int = 30, within: sa.ColumnElement[bool] | None = None) -> list[str]:
        """Returns extensions that a search finds by number or name, those that are on no phone first."""
        is_used = sa.exists().where(phone_line.c.extension == extension.c.number)
        query = sa.select(extension.c.number).order_by(is_used, extension.c.number).limit(limit)
        query = query.where(within) if within is not None else query
        if search:
            pattern = f"%{like(search)}%"
            query = query.where(extension.c.number.ilike(pattern, escape="\\") | extension.c.display_name.ilike(pattern, escape="\\"))
        with self.database.read() as connection:
            return list(connection.execute(query).scalars())

    def newcomers_to_judge(self, limit: int) -> list[NewcomerRecord]:
        """Returns newcomers that asked since their site's policy was last applied to them, oldest first."""
        is_new = sa.or_(newcomer.c.judged_at.is_(None), newcomer.c.at > newcomer.c.judged_at)
        with self.database.read() as connection:
            return [_newcomer(row) for row in connection.execute(sa.select(newcomer).where(is_new).order_by(newcomer.c.at).limit(limit))]

    def windows(self) -> list[WindowRecord]:
        """Returns the windows that were opened and not closed by hand, in the order of their site."""
        with self.database.read() as connection:
            return [WindowRecord(**row._mapping) for row in connection.execute(sa.select(enrolment_window).order_by("site"))]

    def warehouse(self, *, after: str = "", limit: int = 100) -> list[WarehouseRecord]:
        """Returns the phones of the warehouse, in the order of their MAC."""
        query = sa.select(warehouse).where(warehouse.c.mac > after).order_by(warehouse.c.mac).limit(limit)
        with self.database.read() as connection:
            return [WarehouseRecord(**{**row._mapping, "mac": Mac(row.mac)}) for row in connection.execute(query)]

    def warehouse_models(self, macs: Collection[Mac]) -> dict[Mac, str]:
        """Returns MAC -> model of those in the warehouse (at most ``CHUNK`` are asked for)."""
        query = sa.select(warehouse.c.mac, warehouse.c.model).where(warehouse.c.mac.in_(sorted(macs)))
        with self.database.read() as connection:
            return {Mac(row.mac): row.model for row in connection.execute(query)}

    def warehouse_macs(self) -> frozenset[Mac]:
        with self.database.read() as connection:
            return frozenset(Mac(mac) for mac in connection.execute(sa.select(warehouse.c.mac)).scalars())

    def frozen_scopes(self, now: float) -> frozenset[str]:
        """Returns for whom a scan has shut the bootstrap: addresses, or ``everywhere``."""
        query = sa.select(alarm.c.scope).where(alarm.c.until > now).distinct()
        with self.database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def listed(self, macs: Collection[Mac]) -> frozenset[Mac]:
        """Returns which of the MACs are listed (at most ``CHUNK`` are asked for)."""
        with self.database.read() as connection:
            rows = connection.execute(sa.select(phone.c.mac).where(phone.c.mac.in_(sorted(macs)))).scalars()
            return frozenset(Mac(mac) for mac in rows)


def _newcomer(row: Row[Any]) -> NewcomerRecord:
    return NewcomerRecord(**{**row._mapping, "mac": Mac(row.mac)})
