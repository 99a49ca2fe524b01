"""Reads of seats: who sits where, and which phones are hot desks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from provisioner.core.mac import Mac
from provisioner.core.seats import HOT_DESK, HOT_DESK_UNTIL, NEVER, TIMEZONE
from provisioner.models import extension, meta, phone, phone_group, phone_line, site
from provisioner.models_seats import seat
from provisioner.records_seats import DeskRecord, SeatRecord, WrongPinRecord
from provisioner.store.base import StoreBase, in_chunks, settings_by_name

WRONG_PINS = "wrong_pins"
"""Where the worker keeps what the PBX counted."""

_SEATS = (
    sa.select(seat, phone.c.site, extension.c.display_name)
    .join(phone, phone.c.mac == seat.c.mac)
    .join(extension, extension.c.number == seat.c.extension)
)


class SeatReads(StoreBase):
    """Seats, in the order of the phone's MAC."""

    def seats(self, *, after: str = "", limit: int = 100, within: sa.ColumnElement[bool] | None = None) -> list[SeatRecord]:
        """Returns who sits at the phones after ``after``."""
        query = _SEATS.where(seat.c.mac > after).order_by(seat.c.mac).limit(limit)
        with self.database.read() as connection:
            return [_seat(row) for row in connection.execute(query if within is None else query.where(within))]

    def seat(self, mac: Mac, connection: Connection | None = None) -> SeatRecord | None:
        """Returns who sits at a phone; None where nobody does."""
        return self._one_seat(seat.c.mac == mac, connection)

    def seat_of(self, number: str, connection: Connection | None = None) -> SeatRecord | None:
        """Returns where the extension's owner sits; None where they sit at no hot desk."""
        return self._one_seat(seat.c.extension == number, connection)

    def _one_seat(self, which: sa.ColumnElement[bool], connection: Connection | None) -> SeatRecord | None:
        if connection is None:
            with self.database.read() as own:
                return self._one_seat(which, own)
        row = connection.execute(_SEATS.where(which)).first()
        return _seat(row) if row else None

    def seat_home(self, mac: Mac, connection: Connection) -> dict[str, Any] | None:
        """Returns ``lines``, ``keys`` and ``layout`` that a phone has by itself, as changes keep them; None where nobody sits there."""
        return connection.execute(sa.select(seat.c.home).where(seat.c.mac == mac)).scalar()

    def seated_macs(self, macs: Sequence[Mac], connection: Connection) -> list[Mac]:
        """Returns those of the phones named (at most ``CHUNK``) that somebody sits at."""
        query = sa.select(seat.c.mac).where(seat.c.mac.in_(macs)).order_by(seat.c.mac)
        return [Mac(mac) for mac in connection.execute(query).scalars()]

    def places_of(self, number: str, connection: Connection) -> list[Mac]:
        """Returns the phones whose own extension this is while somebody else sits there."""
        query = sa.select(seat.c.mac).where(seat.c.place == number).order_by(seat.c.mac)
        return [Mac(mac) for mac in connection.execute(query).scalars()]

    def home_phone(self, number: str, connection: Connection) -> Mac | None:
        """Returns the phone on whose first line the extension is by itself, the first of several; None where there is none."""
        query = (
            sa.select(phone_line.c.mac)
            .join(phone, phone.c.mac == phone_line.c.mac)
            .where(
                phone_line.c.extension == number, phone_line.c.line == 1, phone.c.enabled, phone_line.c.mac.not_in(sa.select(seat.c.mac))
            )
            .order_by(phone_line.c.mac)
            .limit(1)
        )
        mac = connection.execute(query).scalar()
        return Mac(mac) if mac else None

    def desks(self, macs: Sequence[Mac], connection: Connection | None = None) -> dict[Mac, DeskRecord]:
        """Returns what the settings say of the phones named (at most ``CHUNK``) as hot desks, in three statements."""
        if connection is None:
            with self.database.read() as own:
                return self.desks(macs, own)
        columns = (phone.c.mac, phone.c.model, phone.c.site, phone.c.group, phone.c.settings)
        rows = connection.execute(sa.select(*columns).where(phone.c.mac.in_(macs))).all()
        sites = settings_by_name(connection, site, {row.site for row in rows})
        groups = settings_by_name(connection, phone_group, {row.group for row in rows if row.group})
        return {Mac(row.mac): self._desk(row, sites.get(row.site, {}), groups.get(row.group, {})) for row in rows}

    def hot_numbers(self) -> set[str]:
        """Returns the extensions on the lines of all hot desks: with them a log-in may be dialled."""
        columns = (phone.c.mac, phone.c.model, phone.c.site, phone.c.group, phone.c.settings)
        with self.database.read() as connection:
            sites, groups = (
                {row.name: row.settings for row in connection.execute(sa.select(table.c.name, table.c.settings))}
                for table in (site, phone_group)
            )
            rows = connection.execute(sa.select(*columns).where(phone.c.enabled, self._may_be_hot([*sites.values(), *groups.values()])))
            hot = [Mac(row.mac) for row in rows if self._desk(row, sites.get(row.site, {}), groups.get(row.group, {})).is_hot]
            query = sa.select(phone_line.c.extension)
            return {row.extension for row in in_chunks(connection, query, phone_line.c.mac, hot)}

    def _may_be_hot(self, shared: Sequence[Mapping[str, Any]]) -> sa.ColumnElement[bool]:
        """Returns the condition on phones that spares reading all of them where no settings but their own make hot desks."""
        vendors = self.catalogue.vendors.values()
        more = [*(vendor.settings for vendor in vendors), *(model.settings for vendor in vendors for model in vendor.models.values())]
        if any(HOT_DESK in settings for settings in (*shared, *more, self.installation)):
            return sa.true()
        return sa.cast(phone.c.settings, sa.String).contains(f'"{HOT_DESK}"')

    def wrong_pins(self) -> list[WrongPinRecord]:
        """Returns at which phones and for which extensions wrong PINs were dialled in the last hour."""
        with self.database.read() as connection:
            text = connection.execute(sa.select(meta.c.value).where(meta.c.key == WRONG_PINS)).scalar()
        return [WrongPinRecord(*row) for row in json.loads(text)] if text else []

    def _desk(self, row: Any, of_site: Mapping[str, Any], of_group: Mapping[str, Any]) -> DeskRecord:
        model, vendor = self.catalogue.model(row.model), self.catalogue.vendors.get(row.model.partition("/")[0])
        layers: list[Mapping[str, Any]] = [
            row.settings, model.settings if model else {}, of_group, of_site, vendor.settings if vendor else {}, self.installation,
            self._defaults.values,
        ]  # fmt: skip
        is_hot, until, zone = (
            next((layer[name] for layer in layers if name in layer), "") for name in (HOT_DESK, HOT_DESK_UNTIL, TIMEZONE)
        )
        return DeskRecord(is_hot is True, str(until) or NEVER, str(zone))


def _seat(row: Row[Any]) -> SeatRecord:
    return SeatRecord(Mac(row.mac), row.extension, row.display_name, row.since, row.actor, row.place, row.site)
