"""Writes of sites and groups."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from provisioner.changes.phones import checked_settings, merged_settings
from provisioner.changes.unit import Unit, UnitMaker
from provisioner.core.enrolment import POLICIES, pool_problem
from provisioner.core.values import SettingValue
from provisioner.errors import AlreadyExists, InputError, NotFound
from provisioner.models import extension, phone, phone_group, site
from provisioner.records import GroupRecord, SiteRecord, TokenRecord, UserRecord

NAME = re.compile(r"^[\w][\w .\-]{0,63}\Z")
ACCESS = ("open", "first-fetch", "token", "digest", "mtls")


class SiteWrites(UnitMaker):
    """Create, update and delete sites and groups."""

    site_defaults: Mapping[str, Any]

    def create_site(self, actor: str, name: str, given: Mapping[str, Any]) -> SiteRecord:
        """Makes a site; what is not given is as ``PROVISIONER_ACCESS``, ``_TRUSTED_NETWORKS`` and ``_ENROLMENT`` say."""
        with self.unit(actor) as unit:
            if self.store.site(name, unit.connection):
                raise AlreadyExists({"name": f"site {name} exists already"})
            values = {**self.site_defaults, "settings": {}, **self._checked_site(name, given)}
            unit.connection.execute(site.insert().values(name=name, **values))
            unit.reindex_part("sites")
            unit.log("site.create", name, None, values)
            return self._site(unit, name)

    def update_site(
        self, actor: str, name: str, given: Mapping[str, Any], expected: int | None = None, *, merge_settings: bool = False
    ) -> SiteRecord:
        """Changes what is given; a changed setting renders every phone of the site anew.

        ``settings`` replace those that are there; with ``merge_settings`` they are laid over them, None taking one away.
        """
        with self.unit(actor) as unit:
            before = self._site(unit, name)
            unit.expect(before.revision, expected)
            if merge_settings and "settings" in given:
                given = {**given, "settings": merged_settings(before.settings, given["settings"], known=self.store.catalogue.settings)}
            values = self._checked_site(name, given, before)
            unit.connection.execute(site.update().where(site.c.name == name).values(**values, revision=site.c.revision + 1))
            touched = unit.rerender_where(phone.c.site == name) if "settings" in values and values["settings"] != before.settings else 0
            unit.reindex_part("sites")
            unit.log("site.update", name, {key: _plain(getattr(before, key)) for key in values}, values, touched)
            return self._site(unit, name)

    def delete_site(self, actor: str, name: str, expected: int | None = None) -> None:
        """Removes a site that has no phones. ``default`` stays."""
        with self.unit(actor) as unit:
            before = self._site(unit, name)
            unit.expect(before.revision, expected)
            used = unit.connection.execute(sa.select(sa.func.count()).select_from(phone).where(phone.c.site == name)).scalar()
            if name == "default" or used:
                raise InputError({"name": "the site default stays" if name == "default" else f"{used} phones are at this site"})
            numbers, holders = self._still_named(unit, name)
            if numbers or holders:
                sentence = f"{numbers} extensions and {holders} users or tokens are of this site: give them another one first"
                raise InputError({"name": sentence})
            unit.connection.execute(site.delete().where(site.c.name == name))
            unit.reindex_part("sites")
            kept = {field: _plain(getattr(before, field)) for field in ("access", "trusted_networks", "enrolment", "pool", "settings")}
            unit.log("site.delete", name, kept, None)

    def put_group(self, actor: str, name: str, settings: Mapping[str, object], expected: int | None = None) -> GroupRecord:
        """Makes a group of phones or replaces its settings; its phones are rendered anew."""
        with self.unit(actor) as unit:
            if not NAME.match(name):
                raise InputError({"name": "1 to 64 letters, digits, blanks, dots or dashes are needed"})
            before = next((group for group in self.store.groups(unit.connection) if group.name == name), None)
            values = self._open_settings(settings, before.settings if before else {})
            unit.expect(before.revision if before else 0, expected)
            if before is None:
                unit.connection.execute(phone_group.insert().values(name=name, settings=values))
            else:
                statement = phone_group.update().where(phone_group.c.name == name)
                unit.connection.execute(statement.values(settings=values, revision=phone_group.c.revision + 1))
            touched = unit.rerender_where(phone.c.group == name)
            unit.log("group.put", name, dict(before.settings) if before else None, values, touched)
            return next(group for group in self.store.groups(unit.connection) if group.name == name)

    def delete_group(self, actor: str, name: str, expected: int | None = None) -> None:
        """Removes a group that has no phones."""
        with self.unit(actor) as unit:
            before = next((group for group in self.store.groups(unit.connection) if group.name == name), None)
            if before is None:
                raise NotFound({"name": f"there is no group {name[:64]}"})
            unit.expect(before.revision, expected)
            used = unit.connection.execute(sa.select(sa.func.count()).select_from(phone).where(phone.c.group == name)).scalar()
            if used:
                raise InputError({"name": f"{used} phones are in this group"})
            unit.connection.execute(phone_group.delete().where(phone_group.c.name == name))
            unit.log("group.delete", name, dict(before.settings), None)

    def _checked_site(self, name: str, given: Mapping[str, Any], before: SiteRecord | None = None) -> dict[str, Any]:
        mistakes: dict[str, str] = {}
        values: dict[str, Any] = {}
        if not NAME.match(name):
            mistakes["name"] = "1 to 64 letters, digits, blanks, dots or dashes are needed"
        for field, choices in (("access", ACCESS), ("enrolment", POLICIES)):
            if field in given and given[field] not in choices:
                mistakes[field] = f"one of {', '.join(choices)} is needed"
            elif field in given:
                values[field] = given[field]
        if "pool" in given:
            values["pool"] = str(given["pool"] or "")
            if why := pool_problem(values["pool"]):
                mistakes["pool"] = why
        if "trusted_networks" in given:
            values["trusted_networks"] = networks(given["trusted_networks"], mistakes)
        settings = dict(given.get("settings", before.settings if before else {}))
        settings |= {shortcut: given[shortcut] for shortcut in ("timezone", "language") if given.get(shortcut)}
        if given.keys() & {"settings", "timezone", "language"}:
            try:
                values["settings"] = self._open_settings(settings, before.settings if before else {})
            except InputError as error:
                mistakes |= error.fields
        if mistakes:
            raise InputError(mistakes)
        return values

    def _open_settings(self, settings: Mapping[str, object], standing: Mapping[str, SettingValue]) -> dict[str, Any]:
        checked, rows = checked_settings(self.store.catalogue, settings, standing), self.store.catalogue.settings
        secret = sorted(name for name in checked if name in rows and rows[name].type == "secret")
        if secret:
            raise InputError({f"settings.{name}": "a secret is set for each phone, not for many" for name in secret})
        return checked

    def _still_named(self, unit: Unit, name: str) -> tuple[int, int]:
        """Returns how many extensions, and users and tokens, would be left with a site that is not there; a new one of that name gets them."""
        count = sa.select(sa.func.count()).select_from(extension).where(extension.c.site == name)
        holders: list[UserRecord | TokenRecord] = [*self.store.users(unit.connection), *self.store.api_tokens(unit.connection)]
        return unit.connection.execute(count).scalar() or 0, sum(name in (holder.sites or ()) for holder in holders)

    def _site(self, unit: Unit, name: str) -> SiteRecord:
        record = self.store.site(name, unit.connection)
        if record is None:
            raise NotFound({"name": f"there is no site {name[:64]}"})
        return record


def networks(texts: Any, mistakes: dict[str, str]) -> list[str]:
    """Returns networks in their usual form; adds to ``mistakes`` what is none."""
    found = []
    for at, text in enumerate(texts):
        try:
            found.append(str(ipaddress.ip_network(str(text).strip(), strict=False)))
        except ValueError:
            mistakes[f"trusted_networks.{at}"] = f"'{str(text)[:40]}' is not a network, for example 192.168.1.0/24"
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else dict(value) if isinstance(value, Mapping) else value
