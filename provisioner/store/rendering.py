"""Reads of what phone files are made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from provisioner.core.layers import Layer, Origin, explained, merged
from provisioner.core.laying import effective_keys
from provisioner.core.mac import Mac
from provisioner.core.retiring import emptied_layers, emptying
from provisioner.core.values import Key, Line, PhoneConfig, SettingValue
from provisioner.models import (
    TO_RENDER,
    extension,
    phone,
    phone_group,
    phone_key,
    phone_line,
    site,
)
from provisioner.models_encryption import enciphered_phone
from provisioner.records import (
    PhoneAccess,
    PhoneRecord,
)
from provisioner.records_rendering import RenderJob
from provisioner.store.base import StoreBase, by_mac, edited_alone, key_of, settings_by_name
from provisioner.store.firmware import PinnedFile, pinned_files
from provisioner.store.layouts import PHONES, named_keys


class _OwnAddress(NamedTuple):
    url: str
    epoch: int
    file_key: str
    """Empty where the phone's files go out in clear."""


class RenderingReads(StoreBase):
    """What rendering needs."""

    def macs_to_render(self, limit: int) -> list[Mac]:
        """Returns phones whose wanted files are not known and whose last try did not fail.

        Where ``limit`` of them or more wait, as after a change of a whole site, those that were edited by themselves come first and alone:
        whoever waits for one phone waits for no thousand.
        """
        query = sa.select(phone.c.mac).where(TO_RENDER)
        with self.database.read() as connection:
            found = connection.execute(query.order_by(phone.c.mac).limit(limit)).scalars().all()
            if len(found) == limit:
                edited = edited_alone(connection, limit)
                found = connection.execute(query.where(phone.c.mac.in_(edited)).limit(limit)).scalars().all() or found
        return [Mac(mac) for mac in found]

    def render_jobs(self, macs: Sequence[Mac], connection: Connection | None = None) -> list[RenderJob]:
        """Returns the facts of the phones named, in six statements however many they are (at most ``CHUNK``), and one more for layouts."""
        if connection is None:
            with self.database.read() as own:
                return self.render_jobs(macs, own)
        phones = connection.execute(PHONES.where(phone.c.mac.in_(macs)).order_by(phone.c.mac)).all()
        lines = connection.execute(
            sa.select(phone_line, extension.c.display_name, extension.c.secret)
            .join(extension, extension.c.number == phone_line.c.extension)
            .where(phone_line.c.mac.in_(macs))
            .order_by(phone_line.c.mac, phone_line.c.line)
        ).all()
        keys = connection.execute(
            sa.select(phone_key, extension.c.display_name)
            .outerjoin(extension, extension.c.number == phone_key.c.value)
            .where(phone_key.c.mac.in_(macs))
            .order_by(phone_key.c.mac, phone_key.c.module, phone_key.c.key)
        ).all()
        sites = settings_by_name(connection, site, {row.site for row in phones})
        groups = settings_by_name(connection, phone_group, {row.group for row in phones if row.group})
        layouts = named_keys(connection, {row.layout for row in phones if row.layout})
        lines_of, keys_of, images = by_mac(lines), by_mac(keys), pinned_files(connection, macs)
        laid = {row.mac: effective_keys(map(key_of, keys_of.get(row.mac, ())), layouts.get(row.layout, ())) for row in phones}
        return [
            self._job(
                row, merged(self._layers(row, sites, groups)), tuple(map(self._line, lines_of.get(row.mac, ()))), laid[row.mac], images
            )
            for row in phones
        ]

    def _job(
        self,
        row: Row[Any],
        settings: dict[str, SettingValue],
        lines: tuple[Line, ...],
        keys: tuple[Key, ...],
        images: Mapping[Mac, PinnedFile],
    ) -> RenderJob:
        is_retired = row.retired_at is not None
        address = self._own_address(row, settings)
        config = PhoneConfig(
            mac=Mac(row.mac),
            model=row.model,
            lines=lines,
            keys=keys,
            settings=settings if is_retired else self._own_values(row, settings, address.url, images),
            provisioning_url=address.url,
            modules=max([row.modules, *(key.module for key in keys)]),
            firmware=row.firmware,
            file_key=address.file_key,
        )
        config = emptying(config) if is_retired else config
        return RenderJob(config, row.render_revision, row.created_at, address.epoch, row.since_epoch)

    def explain(self, mac: Mac, name: str) -> Origin | None:
        """Returns where the phone's setting ``name`` comes from, or None where there is no such phone or setting."""
        return self.explain_all(mac, [name]).get(name)

    def explain_all(self, mac: Mac, names: Iterable[str]) -> dict[str, Origin]:
        """Returns where each of the phone's settings named comes from that any layer sets, in three statements."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(phone).where(phone.c.mac == mac)).first()
            if row is None:
                return {}
            sites = settings_by_name(connection, site, {row.site})
            groups = settings_by_name(connection, phone_group, {row.group} if row.group else set())
        layers = self._layers(row, sites, groups)
        found = ((name, explained(layers, name)) for name in names)
        return {name: origin for name, origin in found if origin is not None}

    def _layers(self, row: Row[Any], sites: Mapping[str, Any], groups: Mapping[str, Any]) -> list[Layer]:
        model = self.catalogue.model(row.model)
        vendor = self.catalogue.vendors.get(row.model.partition("/")[0])
        layers = [
            self._defaults,
            Layer("installation", "", self.installation),
            Layer("vendor", vendor.id if vendor else "", vendor.settings if vendor else {}),
            Layer("site", row.site, sites.get(row.site, {})),
            Layer("group", row.group or "", groups.get(row.group, {}) if row.group else {}),
            Layer("model", row.model, model.settings if model else {}),
            Layer("phone", row.mac, {**row.settings, **self.secret_settings(row)}),
        ]
        return layers if row.retired_at is None else emptied_layers(layers, vendor.factory if vendor else {})

    def phone_access(self, record: PhoneRecord) -> PhoneAccess:
        """Returns the phone's own address and its credentials, in clear."""
        url = f"{self.base_url}p/{self.box.token(record.mac, record.token_epoch)}/"
        query = sa.select(enciphered_phone.c.mac).where(enciphered_phone.c.mac == record.mac)
        with self.database.read() as connection:
            is_encrypted = connection.execute(query).first() is not None
        return PhoneAccess(url, str(record.mac), self.box.phone_password(record.mac, "digest"), is_encrypted)

    def _own_address(self, row: Row[Any], settings: Mapping[str, SettingValue]) -> _OwnAddress:
        """Returns the address that goes into the phone's files, with its key where they are encrypted.

        A phone is known to have a key by the address that it comes by. So who gets a key gets a new address too: of the one before, a
        phone may have been told without it, in a file, by SIP PnP or by a person.
        """
        mac, epoch = Mac(row.mac), int(row.token_epoch)
        model = self.catalogue.model(row.model)
        characters = self.catalogue.vendors[model.vendor].key_characters(model, settings) if model else 0
        if characters and row.since_epoch is None:
            epoch += 1
        key = self.box.file_key(mac, epoch, characters) if characters else ""
        return _OwnAddress(f"{self.base_url}p/{self.box.token(mac, epoch)}/", epoch, key)

    def _own_values(
        self, row: Row[Any], settings: dict[str, SettingValue], address: str, images: Mapping[Mac, PinnedFile]
    ) -> dict[str, SettingValue]:
        """Returns the settings with what is this phone's alone: its passwords, and the address at which it finds the image pinned for it."""
        mac = Mac(row.mac)
        if mac in images:
            settings["firmware_url"] = f"{address}{mac}/{images[mac].file.rpartition('/')[2]}"
        return self._own_passwords(mac, settings)

    def _own_passwords(self, mac: Mac, settings: dict[str, SettingValue]) -> dict[str, SettingValue]:
        for name, purpose in (("admin_password", "admin"), ("user_password", "user")):
            settings[name] = settings.get(name) or self.box.phone_password(mac, purpose)
        return settings

    def _line(self, row: Row[Any]) -> Line:
        secret = self.box.open(row.secret, f"extension:{row.extension}").decode()
        return Line(row.line, row.extension, row.display_name, secret, row.label)

    def own_settings(self, mac: Mac, connection: Connection) -> tuple[dict[str, SettingValue], dict[str, SettingValue]]:
        """Returns a phone's own settings, and those of type secret in clear; empty where there is no such phone."""
        row = connection.execute(sa.select(phone).where(phone.c.mac == mac)).first()
        return (dict(row.settings), self.secret_settings(row)) if row else ({}, {})
