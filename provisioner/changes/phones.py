"""Writes of phones: record, lines, keys, settings, and how they may prove themselves."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from provisioner.changes.keys import KeyInput, kept_mistakes, key_inputs, key_mistakes, layout_mistake
from provisioner.changes.leaving import leave_services
from provisioner.changes.retired import refuse_retired
from provisioner.changes.seated import changes_seat, refuse_seated
from provisioner.changes.unit import Unit, UnitMaker
from provisioner.core.catalogue import Catalogue, Model, Vendor
from provisioner.core.mac import Mac
from provisioner.core.raw import parameter_of, why_refused, why_wrong_form
from provisioner.core.settings_check import checked_setting, text_mistakes
from provisioner.core.values import SettingValue
from provisioner.errors import AlreadyExists, InputError, NotFound
from provisioner.models import extension, phone, phone_group, phone_key, phone_line, retired_token, sighting, site
from provisioner.models_layouts import phone_layout
from provisioner.records import PhoneRecord

SHOWN_SECRET = "***"
"""How a secret setting is shown; sent back, it leaves the secret as it is."""


@dataclass(frozen=True, slots=True)
class LineInput:
    line: int
    extension: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class PhoneInput:
    """What a person says of a phone; None leaves what is there (or takes the default for a new one)."""

    model: str | None = None
    site: str | None = None
    group: str | None = None
    enabled: bool | None = None
    modules: int | None = None
    firmware: str | None = None
    lines: Sequence[LineInput] | None = None
    keys: Sequence[KeyInput] | None = None
    settings: Mapping[str, object] | None = None
    layout: str | None = None
    clear_group: bool = field(default=False)
    clear_layout: bool = field(default=False)
    merge_settings: bool = field(default=False)
    """True lays ``settings`` over what is there, None taking one away; False replaces them whole."""
    keeps_hidden: bool = field(default=False)
    """True: these are the keys of a phone as it was, so that those which its layout has the place of come along, hidden."""
    retired: bool = field(default=False)
    """True: a phone that was out of service when it was taken off the list, and is listed anew so."""


class PhoneWrites(UnitMaker):
    """Create, update and delete phones."""

    def create_phone(self, actor: str, mac: Mac, given: PhoneInput) -> PhoneRecord:
        """Lists a phone; its first fetch is open from now. Raises ``InputError`` with every wrong field."""
        with self.unit(actor) as unit:
            return self.add_phone(unit, mac, given)

    def add_phone(self, unit: Unit, mac: Mac, given: PhoneInput) -> PhoneRecord:
        """As ``create_phone``, inside a transaction of the caller's."""
        if self.store.phone(mac, unit.connection):
            raise AlreadyExists({"mac": f"phone {mac.colons} is listed already"})
        if given.model is None:
            raise InputError({"model": "a model is needed, for example yealink/t46u"})
        row = {
            "mac": mac,
            "model": given.model,
            "site": given.site or "default",
            "group": given.group,
            "enabled": given.enabled is not False,
            "settings": {},
            "created_at": unit.at,
            "opened_at": unit.at,
            "retired_at": unit.at if given.retired else None,
            **first_epochs(unit, [mac]).get(mac, {}),
            **_results_unknown(),
        }
        self._check(unit, given, given.model)
        unit.connection.execute(phone.insert().values(**row))
        return self._write(unit, mac, given, None, "phone.create")

    def update_phone(self, actor: str, mac: Mac, given: PhoneInput, expected: int | None = None) -> PhoneRecord:
        """Changes what is given. Raises ``NotFound``, ``StaleWrite``, ``InputError``, ``RenderError``."""
        with self.unit(actor) as unit:
            before = self._phone(unit, mac)
            unit.expect(before.revision, expected)
            return self.set_phone(unit, before, given)

    def set_phone(self, unit: Unit, before: PhoneRecord, given: PhoneInput) -> PhoneRecord:
        model = given.model or before.model
        if given.model not in (None, before.model):  # a new model must take the lines and keys that stay
            lines = tuple(LineInput(line.line, line.extension, line.label) for line in before.lines)
            keys = key_inputs(before.keys)
            given = replace(given, lines=lines if given.lines is None else given.lines, keys=keys if given.keys is None else given.keys)
        refuse_retired([before])
        if changes_seat(before, given):
            refuse_seated(unit, [before.mac])
        self._check(unit, given, model, before)
        return self._write(unit, before.mac, given, before, "phone.update")

    def delete_phone(self, actor: str, mac: Mac, expected: int | None = None) -> None:
        """Takes a phone off the list; its token, files and history of uploads are gone at once."""
        with self.unit(actor) as unit:
            before = self._phone(unit, mac)
            unit.expect(before.revision, expected)
            unit.log("phone.delete", mac, self._taken_off(unit, before), None)

    def _taken_off(self, unit: Unit, before: PhoneRecord) -> dict[str, Any]:
        """Takes the phone off the list, its token retired for ever; returns what the change row keeps of it."""
        self.take_off(unit, [before])
        return shown_for_change(before)

    def take_off(self, unit: Unit, records: Sequence[PhoneRecord]) -> None:
        """Takes phones (at most ``CHUNK``) that nobody sits at off the list, their tokens retired for ever."""
        macs = [record.mac for record in records]
        refuse_seated(unit, macs)
        leave_services(unit, records)
        unit.connection.execute(phone.delete().where(phone.c.mac.in_(macs)))
        unit.connection.execute(retired_token.delete().where(retired_token.c.mac.in_(macs)))
        unit.connection.execute(retired_token.insert(), [{"mac": record.mac, "epoch": record.token_epoch} for record in records])
        unit.reindex(*macs)

    def reopen_first_fetch(self, actor: str, mac: Mac) -> PhoneRecord:
        """Opens the first fetch again, for a phone that was reset: the next ``FIRST_FETCH_HOURS`` count from now."""
        with self.unit(actor) as unit:
            return self._opened_again(unit, mac)

    def renew_token(self, actor: str, mac: Mac) -> PhoneRecord:
        """Gives the phone a new address; the old one is accepted until the first success at the new one."""
        return self._prove_anew(actor, mac, "phone.renew_token", {"token_epoch": phone.c.token_epoch + 1})

    def revoke_token(self, actor: str, mac: Mac) -> PhoneRecord:
        """Gives the phone a new address and refuses the old one at once."""
        values = {"token_epoch": phone.c.token_epoch + 1, "token_floor": phone.c.token_epoch + 1}
        return self._prove_anew(actor, mac, "phone.revoke_token", values)

    def request_resync(self, actor: str, mac: Mac, *, reboot: bool) -> None:
        """Asks the worker to wake the phone now."""
        with self.unit(actor) as unit:
            self._phone(unit, mac)
            unit.log("phone.reboot" if reboot else "phone.resync", mac, None, {"reboot": reboot}, 1)

    def note_secrets_shown(self, actor: str, action: str, subject: str) -> None:
        """Appends to the audit that ``actor`` was shown secrets; ``action`` is e.g. ``phone.files_with_secrets``."""
        with self.unit(actor) as unit:
            unit.log(action, subject, None, None)

    def _prove_anew(self, actor: str, mac: Mac, action: str, values: Mapping[str, Any]) -> PhoneRecord:
        with self.unit(actor) as unit:
            return self._proven_anew(unit, mac, action, values)

    def _opened_again(self, unit: Unit, mac: Mac) -> PhoneRecord:
        return self._proven_anew(unit, mac, "phone.reopen", {"opened_at": unit.at, "first_success_at": None})

    def _proven_anew(self, unit: Unit, mac: Mac, action: str, values: Mapping[str, Any]) -> PhoneRecord:
        """Has the phone prove itself anew; what it is does not change."""
        self._phone(unit, mac)
        unit.connection.execute(phone.update().where(phone.c.mac == mac).values(**values, revision=phone.c.revision + 1))
        unit.rerender([mac])
        unit.reindex(mac)
        unit.log(action, mac, None, None, 1)
        return self._phone(unit, mac)

    def _write(self, unit: Unit, mac: Mac, given: PhoneInput, before: PhoneRecord | None, action: str) -> PhoneRecord:
        columns: dict[str, Any] = {
            name: value
            for name, value in (
                ("model", given.model), ("site", given.site), ("group", given.group), ("enabled", given.enabled),
                ("modules", given.modules), ("firmware", given.firmware),
            )
            if value is not None
        }  # fmt: skip
        if given.clear_group:
            columns["group"] = None
        if given.keys is not None:
            columns["modules"] = self._modules(given.keys, given, before)
        columns |= self._settings_columns(unit, mac, given)
        if before is not None:
            columns["revision"] = phone.c.revision + 1
        if columns:
            unit.connection.execute(phone.update().where(phone.c.mac == mac).values(**columns))
        self._replace(unit, phone_line, mac, given.lines)
        self._replace(unit, phone_key, mac, given.keys)
        if given.layout is not None or given.clear_layout:
            self.lay_out(unit, [mac], None if given.clear_layout else given.layout)
        unit.rerender([mac])
        unit.reindex(mac)
        unit.connection.execute(sighting.delete().where(sighting.c.mac == mac))
        after = self._phone(unit, mac)
        unit.log(action, mac, shown_for_change(before) if before else None, shown_for_change(after), 1)
        return after

    def _modules(self, keys: Sequence[KeyInput], given: PhoneInput, before: PhoneRecord | None) -> int:
        """Returns how many modules are attached. One stays attached when its keys are cleared: only a person, or a model without, takes it off."""
        model = self.store.catalogue.model(given.model or (before.model if before else ""))
        most = model.expansion.modules if model and model.expansion else 0
        attached = given.modules if given.modules is not None else min(before.modules if before else 0, most)
        return max([attached, *(key.module for key in keys)])

    def lay_out(self, unit: Unit, macs: Sequence[Mac], layout: str | None) -> None:
        """Gives the phones (at most ``CHUNK``) a layout, or takes it away."""
        unit.connection.execute(phone_layout.delete().where(phone_layout.c.mac.in_(macs)))
        if layout is not None and macs:
            unit.connection.execute(phone_layout.insert(), [{"mac": mac, "layout": layout} for mac in macs])

    def _replace(self, unit: Unit, table: sa.Table, mac: Mac, rows: Sequence[LineInput] | Sequence[KeyInput] | None) -> None:
        if rows is None:
            return
        unit.connection.execute(table.delete().where(table.c.mac == mac))
        if rows:
            names = [column.name for column in table.c if column.name != "mac"]
            unit.connection.execute(table.insert(), [{"mac": mac, **{name: getattr(row, name) for name in names}} for row in rows])

    def _settings_columns(self, unit: Unit, mac: Mac, given: PhoneInput) -> dict[str, Any]:
        if given.settings is None:
            return {}
        there, secrets = self.store.own_settings(mac, unit.connection)
        wanted = self._wanted_settings(there, secrets, given.settings, given.merge_settings)
        checked = checked_settings(self.store.catalogue, wanted, {**there, **secrets})
        open_ones = {name: value for name, value in checked.items() if not self._is_secret(name, secrets)}
        secret_ones = {name: value for name, value in checked.items() if self._is_secret(name, secrets) and value}
        sealed = self.store.box.seal(json.dumps(secret_ones, sort_keys=True).encode(), f"phone:{mac}") if secret_ones else None
        return {"settings": open_ones, "secret_settings": sealed}

    def _wanted_settings(
        self, there: Mapping[str, object], secrets: Mapping[str, object], settings: Mapping[str, object], merge: bool
    ) -> dict[str, object]:
        """Returns the settings meant: ``***`` stands for the secret that is there, and merging lays them over what is there."""
        known = self.store.catalogue.settings
        wanted: dict[str, object] = merged_settings({**there, **secrets}, settings, known=known) if merge else dict(settings)
        hidden = [name for name, value in wanted.items() if value == SHOWN_SECRET and self._is_secret(name, secrets)]
        missing = [name for name in hidden if name not in secrets]
        if missing:
            raise InputError(
                {f"settings.{name}": f"{SHOWN_SECRET} keeps a secret that is there, and none is: send the secret" for name in missing}
            )
        return wanted | {name: secrets[name] for name in hidden}

    def _is_secret(self, name: str, secrets: Container[str]) -> bool:
        """Returns whether a setting is kept as a secret; one that no list takes any more stays what it is."""
        row = self.store.catalogue.settings.get(name)
        return row.type == "secret" if row is not None else name in secrets

    def _check(self, unit: Unit, given: PhoneInput, model_id: str, before: PhoneRecord | None = None) -> None:
        mistakes: dict[str, str] = {}
        model = self.store.catalogue.model(model_id)
        if model is None:
            mistakes["model"] = f"the catalogue has no model {model_id[:60]}; 'provisioner check' lists them"
        if given.site is not None and not _exists(unit, site.c.name, given.site):
            mistakes["site"] = f"there is no site {given.site[:60]}"
        if given.group is not None and not _exists(unit, phone_group.c.name, given.group):
            mistakes["group"] = f"there is no group {given.group[:60]}"
        if model is not None:
            mistakes |= line_mistakes(model, given.lines or (), lambda number: _exists(unit, extension.c.number, number))
            lines = given.lines if given.lines is not None else before.lines if before else ()
            mistakes |= key_mistakes(model, given.keys or (), given.modules, [line.line for line in lines])
            mistakes |= self._layout_mistakes(unit, given, model, before)
            mistakes |= raw_mistakes(self.store.catalogue.vendors[model.vendor], model, self._new_settings(unit, given, before))
        laid_out = max((key.module for key in before.keys), default=0) if before and given.keys is None else 0
        if given.modules is not None and given.modules < laid_out:
            mistakes.setdefault("modules", f"keys are laid out on module {laid_out}: take them off first")
        mistakes |= text_mistakes("firmware", given.firmware or "", 64)
        if mistakes:
            raise InputError(mistakes)

    def _new_settings(self, unit: Unit, given: PhoneInput, before: PhoneRecord | None) -> dict[str, object]:
        """Returns what is given of settings and does not stand already; for another model nothing stands."""
        if not given.settings or before is None or given.model not in (None, before.model):
            return dict(given.settings or {})
        there, secrets = self.store.own_settings(before.mac, unit.connection)
        named = ((name, secrets.get(name) if value == SHOWN_SECRET else value) for name, value in given.settings.items())
        return {name: value for name, value in named if not _stands(name, value, {**there, **secrets})}

    def _layout_mistakes(self, unit: Unit, given: PhoneInput, model: Model, before: PhoneRecord | None) -> dict[str, str]:
        name = None if given.clear_layout else given.layout or (before.layout if before else None)
        layout = self.store.layout(name, unit.connection) if name else None
        if name and layout is None:
            return {"layout": f"there is no layout {name[:64]}"}
        if layout is None:
            return {}
        why = layout_mistake(model, layout) if before is None or (model.id, name) != (before.model, before.layout) else ""
        mistakes = {"layout": f"the {model.title} cannot have the layout {layout.name}: {why}"} if why else {}
        if given.keeps_hidden:
            return mistakes
        return mistakes | kept_mistakes(given.keys or (), before.keys if before else (), layout)

    def _phone(self, unit: Unit, mac: Mac) -> PhoneRecord:
        record = self.store.phone(mac, unit.connection)
        if record is None:
            raise NotFound({"mac": f"phone {mac.colons} is not listed"})
        return record


def merged_settings(there: Mapping[str, object], given: Mapping[str, object], *, known: Container[str]) -> dict[str, object]:
    """Returns ``given`` laid over ``there``; None takes one away (RFC 7396). None for a name that is nowhere stays, to be refused."""
    laid = {**there, **given}
    return {name: value for name, value in laid.items() if value is not None or (name not in known and name not in there)}


def checked_settings(catalogue: Catalogue, settings: Mapping[str, object], standing: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
    """Returns settings in their types. Raises ``InputError`` with every wrong one that does not stand already.

    What stands was right when it was set. A newer catalogue may take it no more: that must not keep anybody from setting something else.
    """
    checked: dict[str, SettingValue] = {}
    mistakes: dict[str, str] = {}
    for name, value in settings.items():
        if _stands(name, value, standing):
            checked[name] = standing[name]
            continue
        try:
            checked[name] = checked_setting(catalogue.settings, catalogue.zones, name, value)
        except InputError as error:
            mistakes |= error.fields
    if mistakes:
        raise InputError(mistakes)
    return checked


def _stands(name: str, value: object, standing: Mapping[str, object]) -> bool:
    """Returns whether a setting has this very value already; 1 is not true."""
    return name in standing and type(value) is type(standing[name]) and value == standing[name]


def raw_mistakes(vendor: Vendor, model: Model, settings: Mapping[str, object]) -> dict[str, str]:
    """Returns which parameters by hand phones of ``model`` do not take; a site or a group may have those of any vendor, in any form."""
    named = {name: parameter for name in settings if (parameter := parameter_of(name)) is not None and settings[name] is not None}
    rules = [vendor.raw] if vendor.raw else []
    reasons = {name: why_refused(rules, word) or why_wrong_form(vendor.raw, model.quirks, word) for name, word in named.items()}
    return {f"settings.{name}": f"{vendor.name}: {why}" for name, why in reasons.items() if why}


def first_epochs(unit: Unit, macs: Sequence[Mac]) -> dict[Mac, dict[str, int]]:
    """Returns the token columns of phones that were on the list before: their old addresses must not open again."""
    query = sa.select(retired_token).where(retired_token.c.mac.in_(macs))
    found = {Mac(row.mac): row.epoch + 1 for row in unit.connection.execute(query)}
    return {mac: {"token_epoch": epoch, "token_floor": epoch} for mac, epoch in found.items()}


def _results_unknown() -> dict[str, Any]:
    return {"wanted_hash": None, "live_hash": None}


def _exists(unit: Unit, column: sa.Column[Any], value: str) -> bool:
    return unit.connection.execute(sa.select(column).where(column == value)).first() is not None


def line_mistakes(model: Model, lines: Sequence[LineInput], has_extension: Callable[[str], bool]) -> dict[str, str]:
    """Returns what is wrong with the lines of a phone of ``model``: ``lines.<at>.<field>`` -> sentence."""
    mistakes: dict[str, str] = {}
    seen: set[int] = set()
    for at, line in enumerate(lines):
        if not 1 <= line.line <= model.lines:
            mistakes[f"lines.{at}.line"] = f"the {model.title} has lines 1 to {model.lines}"
        elif line.line in seen:
            mistakes[f"lines.{at}.line"] = f"line {line.line} is there twice"
        seen.add(line.line)
        if not has_extension(line.extension):
            mistakes[f"lines.{at}.extension"] = f"there is no extension {line.extension[:32]}"
        mistakes |= text_mistakes(f"lines.{at}.label", line.label, 64)
    return mistakes


def shown_for_change(record: PhoneRecord) -> dict[str, Any]:
    """What the change row keeps of a phone: everything but secrets."""
    return {
        "model": record.model,
        "site": record.site,
        "group": record.group,
        "layout": record.layout,
        "enabled": record.enabled,
        "modules": record.modules,
        "firmware": record.firmware,
        "settings": dict(record.settings),
        "secret_settings": list(record.secret_names),
        "lines": [[line.line, line.extension, line.label] for line in record.lines],
        "keys": [[key.module, key.key, key.type, key.value, key.label, key.line] for key in record.keys],
        **({"retired": True} if record.retired_at is not None else {}),
    }
