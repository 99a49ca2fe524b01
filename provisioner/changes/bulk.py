"""Writes of many extensions and phones at once, for imports: a handful of statements however many rows there are.

Rows come checked (``provisioner.importing``, with the same functions that check a single write). One change row stands for the whole
import, and one phone of each model is proof-rendered.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from provisioner.changes.departments import DepartmentWrites
from provisioner.changes.keys import KeyInput
from provisioner.changes.parts import Secrecy, extension_part, phone_part
from provisioner.changes.phones import LineInput, PhoneInput, first_epochs
from provisioner.changes.retired import refuse_retired
from provisioner.changes.rotation import RotationWrites, in_use
from provisioner.changes.seated import changes_seat, refuse_seated
from provisioner.changes.unit import Unit
from provisioner.core.mac import Mac
from provisioner.core.values import SettingValue
from provisioner.models import extension, index_log, pbx_removal, phone, phone_key, phone_line, sighting
from provisioner.models_layouts import phone_layout
from provisioner.records import ExtensionRecord, PhoneRecord
from provisioner.secrets import new_sip_secret
from provisioner.store import CHUNK


@dataclass(frozen=True, slots=True)
class ExtensionRow:
    """An extension to make, or to change where ``before`` is there. ``given``: display_name, secret, email, department, site."""

    number: str
    given: Mapping[str, str] = field(repr=False)
    before: ExtensionRecord | None = None


@dataclass(frozen=True, slots=True)
class PhoneRow:
    """A phone to list, or to change where ``before`` is there; every value is the one to stand in the end.

    ``lines``, ``keys`` and ``modules`` None leave what is there; ``settings`` holds only what changes, None taking a setting off the
    phone's own layer; ``firmware`` and ``retired``, out of service, are of a phone to list alone.
    """

    mac: Mac
    model: str
    site: str
    group: str | None
    enabled: bool
    lines: tuple[LineInput, ...] | None = None
    settings: Mapping[str, SettingValue | None] = field(default_factory=dict, repr=False)
    before: PhoneRecord | None = None
    layout: str | None = None
    modules: int | None = None
    firmware: str = ""
    keys: tuple[KeyInput, ...] | None = None
    retired: bool = False


class BulkWrites(DepartmentWrites, RotationWrites):
    """Many rows in one transaction of the caller's."""

    def import_rows(self, unit: Unit, extensions: Sequence[ExtensionRow], phones: Sequence[PhoneRow], about: Mapping[str, Any]) -> int:
        """Writes every row; ``about`` is what the change row keeps. Returns how many phones are rendered anew.

        Raises ``RenderError`` (and with it the caller's transaction rolls back) where a template fails for the new facts.
        """
        self.write_rows(unit, extensions, phones)
        named = self.store.phones_of_extensions([row.number for row in extensions], unit.connection)
        touched = unit.rerender(named | {row.mac for row in phones})
        parts = [*map(extension_part, extensions), *(phone_part(row, self.secrecy()) for row in phones)]
        unit.log("import.commit", f"{len(extensions)} extensions, {len(phones)} phones", None, dict(about), touched, parts)
        return touched

    def write_rows(self, unit: Unit, extensions: Sequence[ExtensionRow], phones: Sequence[PhoneRow]) -> None:
        """Writes every row and tells serving of the phones; what has to be rendered anew is the caller's to say."""
        refuse_retired((row.before for row in phones if row.before is not None), many=True)
        refuse_seated(unit, [row.mac for row in phones if row.before is not None and changes_seat(row.before, _input(row))])
        self._insert_extensions(unit, [row for row in extensions if row.before is None])
        self._update_extensions(unit, [row for row in extensions if row.before is not None])
        self.members_changed(unit, _departments(extensions))
        self._insert_phones(unit, [row for row in phones if row.before is None])
        self._update_phones(unit, [row for row in phones if row.before is not None])
        self._replace_rows(unit, phone_line, [(row, row.lines) for row in phones])
        self._replace_rows(unit, phone_key, [(row, row.keys) for row in phones])
        self._put_settings(unit, [row for row in phones if row.settings])
        self._put_layouts(unit, [row for row in phones if row.layout != (row.before.layout if row.before else None)])
        self._tell(unit, [row.mac for row in phones])

    def secrecy(self) -> Secrecy:
        """Returns what says of a setting, a parameter by hand included, whether it is a secret."""
        known = self.store.catalogue.settings
        return lambda name: (row := known.get(name)) is not None and row.type == "secret"

    def _insert_extensions(self, unit: Unit, rows: Sequence[ExtensionRow]) -> None:
        values = []
        for row in rows:
            given = dict(row.given)
            secret = given.pop("secret", "") or new_sip_secret()
            base = {"display_name": row.number, "email": "", "department": ""}
            values.append({"number": row.number, "secret": self._sealed(row.number, secret), **base, **given})
        numbers = [row.number for row in rows]
        self.check_numbers_free(unit, numbers)
        if values:
            unit.connection.execute(extension.insert(), values)
        for start in range(0, len(numbers), CHUNK):  # made anew: no longer to be taken off the PBX
            unit.connection.execute(pbx_removal.delete().where(pbx_removal.c.number.in_(numbers[start : start + CHUNK])))

    def _update_extensions(self, unit: Unit, rows: Sequence[ExtensionRow]) -> None:
        """Groups the rows by the columns that they set: one statement, prepared once, for each group."""
        groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        secrets = self._new_secrets(unit, [row for row in rows if row.given.get("secret")])
        for row in rows:
            values: dict[str, Any] = {name: value for name, value in row.given.items() if name != "secret"} | secrets.get(row.number, {})
            if values:
                named = {f"new_{name}": value for name, value in values.items()}
                groups.setdefault(tuple(sorted(values)), []).append({"which": row.number, **named})
        for names, parameters in groups.items():
            columns: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in names}
            statement = extension.update().where(extension.c.number == sa.bindparam("which"))
            unit.connection.execute(
                statement.values(**columns, revision=extension.c.revision + 1, pbx_wanted=None, pbx_error=""), parameters
            )

    def _new_secrets(self, unit: Unit, rows: Sequence[ExtensionRow]) -> dict[str, dict[str, Any]]:
        """Returns number -> the columns of its new secret: the old one stays accepted until its phones have moved."""
        given = {row.number: row.given["secret"] for row in rows}
        used = in_use(unit, sorted(given))
        known = self.store.extensions_with_secrets(given, unit.connection) if given else []
        return {
            record.number: self.secret_columns(
                unit, record.number, secrets, given[record.number], revoke=False, in_use=record.number in used
            )
            for record, secrets in known
        }

    def _insert_phones(self, unit: Unit, rows: Sequence[PhoneRow]) -> None:
        fresh = {"settings": {}, "created_at": unit.at, "opened_at": unit.at, "wanted_hash": None, "live_hash": None}
        fresh |= {"token_epoch": 1, "token_floor": 1}
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            again = first_epochs(unit, [row.mac for row in part])
            of_new = [{"modules": row.modules or 0, "firmware": row.firmware, **again.get(row.mac, {})} for row in part]
            since = [{"retired_at": unit.at if row.retired else None} for row in part]
            values = [{"mac": row.mac, **_columns(row), **fresh, **more, **at} for row, more, at in zip(part, of_new, since, strict=True)]
            unit.connection.execute(phone.insert(), values)

    def _update_phones(self, unit: Unit, rows: Sequence[PhoneRow]) -> None:
        statement = phone.update().where(phone.c.mac == sa.bindparam("which"))
        columns: dict[str, Any] = {name: sa.bindparam(f"new_{name}") for name in ("model", "site", "group", "enabled", "modules")}
        statement = statement.values({**columns, "revision": phone.c.revision + 1})
        parameters = [
            {"which": row.mac, **{f"new_{name}": value for name, value in _columns(row).items()}, "new_modules": _modules(row)}
            for row in rows
        ]
        if parameters:
            unit.connection.execute(statement, parameters)

    def _replace_rows(
        self, unit: Unit, table: sa.Table, rows: Sequence[tuple[PhoneRow, Sequence[LineInput] | Sequence[KeyInput] | None]]
    ) -> None:
        """Gives each phone the lines or keys that stand beside it; None leaves those that are there."""
        given = [(row, wanted) for row, wanted in rows if wanted is not None]
        known = [row.mac for row, _ in given if row.before is not None]
        for start in range(0, len(known), CHUNK):
            unit.connection.execute(table.delete().where(table.c.mac.in_(known[start : start + CHUNK])))
        names = [column.name for column in table.c if column.name != "mac"]
        made = [{"mac": row.mac, **{name: getattr(each, name) for name in names}} for row, wanted in given for each in wanted]
        if made:
            unit.connection.execute(table.insert(), made)

    def _put_layouts(self, unit: Unit, rows: Sequence[PhoneRow]) -> None:
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            unit.connection.execute(phone_layout.delete().where(phone_layout.c.mac.in_([row.mac for row in part])))
            if given := [{"mac": row.mac, "layout": row.layout} for row in part if row.layout]:
                unit.connection.execute(phone_layout.insert(), given)

    def _put_settings(self, unit: Unit, rows: Sequence[PhoneRow]) -> None:
        kept: dict[Mac, dict[str, SettingValue]] = {}
        known = [row.mac for row in rows if row.before is not None and row.before.secret_names]
        for start in range(0, len(known), CHUNK):
            kept |= self.store.phone_secret_settings(known[start : start + CHUNK])
        statement = phone.update().where(phone.c.mac == sa.bindparam("which"))
        statement = statement.values(settings=sa.bindparam("open"), secret_settings=sa.bindparam("sealed"))
        if rows:
            unit.connection.execute(statement, [self._settings_of(row, kept.get(row.mac, {})) for row in rows])

    def _settings_of(self, row: PhoneRow, kept: Mapping[str, SettingValue]) -> dict[str, Any]:
        merged = {**(row.before.settings if row.before else {}), **kept, **row.settings}
        values = {name: value for name, value in merged.items() if value is not None}
        is_secret = self.secrecy()
        hidden = {name for name in values if name in kept or is_secret(name)}
        secret = {name: value for name, value in values.items() if name in hidden and value}
        visible = {name: value for name, value in values.items() if name not in hidden}
        sealed = self.store.box.seal(json.dumps(secret, sort_keys=True).encode(), f"phone:{row.mac}") if secret else None
        return {"which": row.mac, "open": visible, "sealed": sealed}

    def _tell(self, unit: Unit, macs: Sequence[Mac]) -> None:
        """Tells serving of the phones, by name or, where they are many, all at once; and takes them off the list of those seen."""
        if len(macs) > CHUNK:
            unit.reindex_everything()
        elif macs:
            unit.connection.execute(index_log.insert(), [{"mac": mac, "at": unit.at} for mac in macs])
        for start in range(0, len(macs), CHUNK):
            unit.connection.execute(sighting.delete().where(sighting.c.mac.in_(macs[start : start + CHUNK])))

    def _sealed(self, number: str, secret: str) -> bytes:
        return self.store.box.seal(secret.encode(), f"extension:{number}")


def _departments(rows: Sequence[ExtensionRow]) -> set[str]:
    """Returns the departments whose members change."""
    before = {row.before.department for row in rows if row.before and "department" in row.given}
    return before | {row.given["department"] for row in rows if "department" in row.given}


def _columns(row: PhoneRow) -> dict[str, Any]:
    return {"model": row.model, "site": row.site, "group": row.group, "enabled": row.enabled}


def _input(row: PhoneRow) -> PhoneInput:
    return PhoneInput(model=row.model, lines=row.lines, keys=row.keys, layout=row.layout, clear_layout=row.layout is None)


def _modules(row: PhoneRow) -> int:
    return row.modules if row.modules is not None else row.before.modules if row.before else 0
