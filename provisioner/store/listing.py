"""Reads of desired state, as API, pages and command line show it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from provisioner.core.mac import Mac
from provisioner.core.values import Key, SettingValue
from provisioner.models import (
    extension,
    phone,
    phone_group,
    phone_key,
    phone_line,
    site,
)
from provisioner.records import (
    ExtensionRecord,
    GroupRecord,
    LineRecord,
    PhoneFilter,
    PhoneRecord,
    SiteRecord,
)
from provisioner.store.base import CHUNK, by_mac, extension_of, like
from provisioner.store.layouts import PHONES, on_layout_keys
from provisioner.store.stages import StageReads

EVERY_PHONE = PhoneFilter()


class ListingReads(StageReads):
    """Extensions, phones, sites and groups, paged by key."""

    def extensions(
        self,
        *,
        after: str = "",
        limit: int = 100,
        search: str = "",
        numbers: Sequence[str] | None = None,
        within: sa.ColumnElement[bool] | None = None,
    ) -> list[ExtensionRecord]:
        query = sa.select(extension).where(extension.c.number > after).order_by(extension.c.number).limit(limit)
        if within is not None:
            query = query.where(within)
        if numbers is not None:
            query = query.where(extension.c.number.in_(numbers))
        if search:
            pattern = f"%{like(search)}%"
            query = query.where(extension.c.number.ilike(pattern, escape="\\") | extension.c.display_name.ilike(pattern, escape="\\"))
        with self.database.read() as connection:
            return [extension_of(row) for row in connection.execute(query)]

    def extensions_named(self, numbers: Sequence[str], connection: Connection) -> list[ExtensionRecord]:
        """Returns the extensions named, however many, as a transaction sees them."""
        chunks = (numbers[start : start + CHUNK] for start in range(0, len(numbers), CHUNK))
        query = sa.select(extension).order_by(extension.c.number)
        return [extension_of(row) for chunk in chunks for row in connection.execute(query.where(extension.c.number.in_(chunk)))]

    def extension(self, number: str, connection: Connection | None = None) -> ExtensionRecord | None:
        if connection is None:
            with self.database.read() as own:
                return self.extension(number, own)
        row = connection.execute(sa.select(extension).where(extension.c.number == number)).first()
        return extension_of(row) if row else None

    def extension_secret(self, number: str) -> str | None:
        """Returns the SIP password in clear: for ``pbxview`` and for the right to see secrets."""
        with self.database.read() as connection:
            sealed = connection.execute(sa.select(extension.c.secret).where(extension.c.number == number)).scalar()
        return self.box.open(sealed, f"extension:{number}").decode() if sealed else None

    def extension_secrets(self, numbers: Sequence[str]) -> dict[str, str]:
        """Returns the SIP passwords in clear of those named (at most ``CHUNK``): to compare and to export."""
        query = sa.select(extension.c.number, extension.c.secret).where(extension.c.number.in_(numbers))
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return {row.number: self.box.open(row.secret, f"extension:{row.number}").decode() for row in rows}

    def phone_secret_settings(self, macs: Sequence[Mac]) -> dict[Mac, dict[str, SettingValue]]:
        """Returns the phones' own settings of type secret, in clear, of those named (at most ``CHUNK``): to merge and to export."""
        query = sa.select(phone.c.mac, phone.c.secret_settings).where(phone.c.mac.in_(macs))
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return {Mac(row.mac): self.secret_settings(row) for row in rows}

    def phones(
        self,
        *,
        after: str = "",
        limit: int = 100,
        macs: Sequence[Mac] | None = None,
        wanted: PhoneFilter = EVERY_PHONE,
        within: sa.ColumnElement[bool] | None = None,
    ) -> list[PhoneRecord]:
        """Returns phones in the order of their MAC, with lines and keys, in three statements.

        ``within`` is a condition on ``phone``, of ``store.reach``.
        """
        query = self._fitting(PHONES, wanted, within)
        query = query.where(phone.c.mac.in_(macs)) if macs is not None else query
        with self.database.read() as connection:
            return self._phones(connection, connection.execute(query.where(phone.c.mac > after).order_by(phone.c.mac).limit(limit)).all())

    def phone_macs(self, *, limit: int, wanted: PhoneFilter = EVERY_PHONE, within: sa.ColumnElement[bool] | None = None) -> list[Mac]:
        """Returns the MACs of the phones that ``phones`` gives for the same filter."""
        query = self._fitting(sa.select(phone.c.mac), wanted, within)
        with self.database.read() as connection:
            return [Mac(mac) for mac in connection.execute(query.order_by(phone.c.mac).limit(limit)).scalars()]

    def _fitting(self, query: sa.Select[Any], wanted: PhoneFilter, within: sa.ColumnElement[bool] | None) -> sa.Select[Any]:
        query = query.where(within) if within is not None else query
        query = query.where(phone.c.site == wanted.site) if wanted.site else query
        query = query.where(phone.c.model == wanted.model) if wanted.model else query
        query = query.where(self.stage_column(has_pbx=wanted.has_pbx) == wanted.stage) if wanted.stage else query
        if not wanted.search:
            return query
        pattern = f"%{like(wanted.search)}%"
        on_line = sa.select(phone_line.c.mac).where(phone_line.c.extension.ilike(pattern, escape="\\"))
        bare = f"%{like(wanted.search.replace(':', '').replace('-', '').lower())}%"
        return query.where(phone.c.mac.like(bare, escape="\\") | phone.c.mac.in_(on_line))

    def models_listed(self, *, within: sa.ColumnElement[bool] | None = None) -> list[str]:
        """Returns the models that phones of the list have, each once, in order."""
        query = sa.select(phone.c.model).distinct().order_by(phone.c.model)
        query = query.where(within) if within is not None else query
        with self.database.read() as connection:
            return list(connection.execute(query).scalars())

    def phones_of_places(self, *, within: sa.ColumnElement[bool] | None = None) -> dict[tuple[str, str], int]:
        """Returns how many phones each ``("site", name)`` and each ``("group", name)`` has, where it has any."""
        with self.database.read() as connection:
            return {
                (place, row[0]): int(row[1])
                for place in ("site", "group")
                for row in connection.execute(
                    sa.select(phone.c[place], sa.func.count())
                    .where(phone.c[place].is_not(None), sa.true() if within is None else within)
                    .group_by(phone.c[place])
                )
            }

    def phones_named(self, macs: Sequence[Mac], connection: Connection) -> list[PhoneRecord]:
        """Returns the phones named (at most ``CHUNK``), as a transaction sees them."""
        return self._phones(connection, connection.execute(PHONES.where(phone.c.mac.in_(macs)).order_by(phone.c.mac)).all())

    def phones_on_lines(self, numbers: Sequence[str]) -> list[PhoneRecord]:
        """Returns the phones that have one of the extensions (at most ``CHUNK``) on a line."""
        if not numbers:
            return []
        on_line = sa.select(phone_line.c.mac).where(phone_line.c.extension.in_(numbers))
        with self.database.read() as connection:
            return self._phones(connection, connection.execute(PHONES.where(phone.c.mac.in_(on_line)).order_by(phone.c.mac)).all())

    def phone(self, mac: Mac, connection: Connection | None = None) -> PhoneRecord | None:
        if connection is None:
            with self.database.read() as own:
                return self.phone(mac, own)
        found = self._phones(connection, connection.execute(PHONES.where(phone.c.mac == mac)).all())
        return found[0] if found else None

    def _phones(self, connection: Connection, rows: Sequence[Row[Any]]) -> list[PhoneRecord]:
        macs = [row.mac for row in rows]
        lines = by_mac(connection.execute(sa.select(phone_line).where(phone_line.c.mac.in_(macs)).order_by(phone_line.c.line)).all())
        keys = by_mac(
            connection.execute(sa.select(phone_key).where(phone_key.c.mac.in_(macs)).order_by(phone_key.c.module, phone_key.c.key)).all()
        )
        return [
            PhoneRecord(
                mac=Mac(row.mac),
                model=row.model,
                site=row.site,
                group=row.group,
                enabled=row.enabled,
                modules=row.modules,
                firmware=row.firmware,
                settings=dict(row.settings),
                secret_names=tuple(sorted(self.secret_settings(row))),
                lines=tuple(LineRecord(line.line, line.extension, line.label) for line in lines.get(row.mac, ())),
                keys=tuple(Key(key.module, key.key, key.type, key.value, key.label, key.line) for key in keys.get(row.mac, ())),
                created_at=row.created_at,
                revision=row.revision,
                render_revision=row.render_revision,
                token_epoch=row.token_epoch,
                opened_at=row.opened_at,
                first_success_at=row.first_success_at,
                layout=row.layout,
                retired_at=row.retired_at,
            )
            for row in rows
        ]

    def phones_of_extension(self, number: str, connection: Connection) -> list[Mac]:
        """Returns the phones whose files name the extension: on a line, or on a key without a label of its own."""
        on_line = sa.select(phone_line.c.mac).where(phone_line.c.extension == number)
        on_key = sa.select(phone_key.c.mac).where(phone_key.c.value == number, phone_key.c.label == "")
        return [Mac(mac) for mac in connection.execute(sa.union(on_line, on_key, on_layout_keys([number]))).scalars()]

    def phones_of_extensions(self, numbers: Sequence[str], connection: Connection) -> set[Mac]:
        """As ``phones_of_extension`` for however many."""
        found: set[Mac] = set()
        for start in range(0, len(numbers), CHUNK):
            chunk = numbers[start : start + CHUNK]
            on_line = sa.select(phone_line.c.mac).where(phone_line.c.extension.in_(chunk))
            on_key = sa.select(phone_key.c.mac).where(phone_key.c.value.in_(chunk), phone_key.c.label == "")
            found |= {Mac(mac) for mac in connection.execute(sa.union(on_line, on_key, on_layout_keys(chunk))).scalars()}
        return found

    def sites(self, connection: Connection | None = None) -> list[SiteRecord]:
        if connection is None:
            with self.database.read() as own:
                return self.sites(own)
        return [
            SiteRecord(row.name, row.access, tuple(row.trusted_networks), row.enrolment, dict(row.settings), row.revision, row.pool)
            for row in connection.execute(sa.select(site).order_by(site.c.name))
        ]

    def site(self, name: str, connection: Connection | None = None) -> SiteRecord | None:
        return next((record for record in self.sites(connection) if record.name == name), None)

    def groups(self, connection: Connection | None = None) -> list[GroupRecord]:
        if connection is None:
            with self.database.read() as own:
                return self.groups(own)
        return [
            GroupRecord(row.name, dict(row.settings), row.revision) for row in connection.execute(sa.select(phone_group).order_by("name"))
        ]
