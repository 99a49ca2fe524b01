"""Reads of key layouts: what each lays out, and which phones have it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from provisioner.core.laying import LaidKey, LayoutKey, LayoutRecord, laid_keys
from provisioner.core.mac import Mac
from provisioner.core.values import Key
from provisioner.models import extension, phone, phone_key
from provisioner.models_encryption import enciphered_phone
from provisioner.models_layouts import key_layout, layout_key, phone_layout
from provisioner.records import PhoneRecord
from provisioner.store.base import StoreBase, key_of

PHONES = (
    sa.select(phone, phone_layout.c.layout, enciphered_phone.c.since_epoch)
    .outerjoin(phone_layout, phone_layout.c.mac == phone.c.mac)
    .outerjoin(enciphered_phone, enciphered_phone.c.mac == phone.c.mac)
)
"""Every phone with the name of its layout, and since when its files are encrypted."""


class LayoutReads(StoreBase):
    """Layouts, paged by name."""

    def layouts(self, *, after: str = "", limit: int = 100) -> list[LayoutRecord]:
        """Returns layouts in the order of their name, in two statements."""
        with self.database.read() as connection:
            return _layouts(connection, key_layout.c.name > after, limit)

    def layout(self, name: str, connection: Connection | None = None) -> LayoutRecord | None:
        if connection is None:
            with self.database.read() as own:
                return self.layout(name, own)
        found = _layouts(connection, key_layout.c.name == name, 1)
        return found[0] if found else None

    def layout_names(self) -> list[str]:
        with self.database.read() as connection:
            return list(connection.execute(sa.select(key_layout.c.name).order_by(key_layout.c.name)).scalars())

    def layout_phones(self, name: str, connection: Connection) -> list[Mac]:
        """Returns the phones that have the layout, in the order of their MAC."""
        query = sa.select(phone_layout.c.mac).where(phone_layout.c.layout == name).order_by(phone_layout.c.mac)
        return [Mac(mac) for mac in connection.execute(query).scalars()]

    def layout_models(self, name: str, connection: Connection | None = None, *, within: sa.ColumnElement[bool] | None = None) -> list[str]:
        """Returns the models of the phones that have the layout, each once."""
        if connection is None:
            with self.database.read() as own:
                return self.layout_models(name, own, within=within)
        query = sa.select(phone.c.model).join(phone_layout, phone_layout.c.mac == phone.c.mac).where(phone_layout.c.layout == name)
        query = query.where(within) if within is not None else query
        return list(connection.execute(query.distinct().order_by(phone.c.model)).scalars())

    def laid_keys(self, record: PhoneRecord) -> list[LaidKey]:
        """Returns every key of a phone with where it comes from; a key without a label has the name of the extension that it watches."""
        own = (
            sa.select(phone_key, extension.c.display_name)
            .outerjoin(extension, extension.c.number == phone_key.c.value)
            .where(phone_key.c.mac == record.mac)
        )
        with self.database.read() as connection:
            keys = [key_of(row) for row in connection.execute(own)]
            return laid_keys(keys, named_keys(connection, {record.layout} if record.layout else set()).get(record.layout or "", ()))

    def layout_keys(self, name: str | None, connection: Connection | None = None) -> tuple[LayoutKey, ...]:
        """Returns what a layout lays out, each key as it was written; nothing for no layout."""
        record = self.layout(name, connection) if name else None
        return record.keys if record else ()


def named_keys(connection: Connection, layouts: Collection[str]) -> dict[str, tuple[LayoutKey, ...]]:
    """Returns layout -> its keys as phones show them: one without a label has the name of the extension that it watches."""
    if not layouts:
        return {}
    query = (
        sa.select(layout_key, extension.c.display_name)
        .outerjoin(extension, extension.c.number == layout_key.c.value)
        .where(layout_key.c.layout.in_(sorted(layouts)))
    )
    return _by_layout((row.layout, LayoutKey(key_of(row), row.slot)) for row in connection.execute(query))


def on_layout_keys(numbers: Sequence[str]) -> sa.Select[Any]:
    """Selects the phones whose layout names one of the extensions on a key without a label of its own."""
    names = sa.select(layout_key.c.layout).where(layout_key.c.value.in_(numbers), layout_key.c.label == "")
    return sa.select(phone_layout.c.mac).where(phone_layout.c.layout.in_(names))


def _layouts(connection: Connection, which: sa.ColumnElement[bool], limit: int) -> list[LayoutRecord]:
    phones = sa.select(sa.func.count()).where(phone_layout.c.layout == key_layout.c.name).scalar_subquery().label("phones")
    rows = connection.execute(sa.select(key_layout, phones).where(which).order_by(key_layout.c.name).limit(limit)).all()
    query = sa.select(layout_key).where(layout_key.c.layout.in_([row.name for row in rows])).order_by(layout_key.c.module, layout_key.c.key)
    keys = _by_layout((row.layout, LayoutKey(_key(row), row.slot)) for row in connection.execute(query))
    return [LayoutRecord(row.name, keys.get(row.name, ()), row.phones, row.revision) for row in rows]


def _key(row: Row[Any]) -> Key:
    return Key(row.module, row.key, row.type, row.value, row.label, row.line)


def _by_layout(rows: Iterable[tuple[str, LayoutKey]]) -> dict[str, tuple[LayoutKey, ...]]:
    found: dict[str, list[LayoutKey]] = {}
    for name, key in rows:
        found.setdefault(name, []).append(key)
    return {name: tuple(sorted(keys, key=lambda row: (row.key.module, row.key.key))) for name, keys in found.items()}
