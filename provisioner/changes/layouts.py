"""Writes of key layouts: each is the same on all its phones, and a change of it renders them all anew."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from provisioner.changes.keys import KeyInput, layout_mistake, value_mistakes
from provisioner.changes.parts import layout_part
from provisioner.changes.phones import PhoneWrites
from provisioner.changes.retired import refuse_retired
from provisioner.changes.seated import refuse_seated
from provisioner.changes.unit import Unit
from provisioner.core.laying import LayoutKey, LayoutRecord
from provisioner.core.mac import Mac
from provisioner.core.settings_check import text_mistakes
from provisioner.core.values import KEY_TYPES, Key
from provisioner.errors import InputError, NotFound
from provisioner.models import phone
from provisioner.models_layouts import key_layout, layout_key, phone_layout
from provisioner.records import PhoneRecord
from provisioner.store import CHUNK

NAME = re.compile(r"^[\w][\w .\-]{0,63}\Z")
MOST_KEYS, MOST_MODULES, MOST_LINES = 200, 16, 250
"""As the catalogue bounds them: no model has more."""


@dataclass(frozen=True, slots=True)
class LayoutKeyInput(KeyInput):
    """One key of a layout; a ``slot`` is filled by each phone itself."""

    slot: bool = False


class LayoutWrites(PhoneWrites):
    """Make, change, delete and give out layouts."""

    def put_layout(self, actor: str, name: str, keys: Sequence[LayoutKeyInput], expected: int | None = None) -> LayoutRecord:
        """Makes a layout or replaces its keys; its phones are rendered anew.

        Raises ``StaleWrite``, and ``InputError`` with every wrong key, those that do not fit a model of its phones among them.
        """
        with self.unit(actor) as unit:
            return self._put(unit, name, keys, expected)

    def _put(self, unit: Unit, name: str, keys: Sequence[LayoutKeyInput], expected: int | None) -> LayoutRecord:
        before = self.store.layout(name, unit.connection)
        unit.expect(before.revision if before else 0, expected)
        wanted = _record(name, keys, before)
        if mistakes := _mistakes(name, keys) or self._unfit(unit, before, wanted):
            raise InputError(mistakes)
        if before is not None and before.keys == wanted.keys:
            return before
        if before is None:
            unit.connection.execute(key_layout.insert().values(name=name))
        else:
            unit.connection.execute(key_layout.update().where(key_layout.c.name == name).values(revision=key_layout.c.revision + 1))
        self._write_keys(unit, name, wanted.keys)
        touched = self._phones_changed(unit, name)
        unit.log("layout.put", name, _shown(before) if before else None, _shown(wanted), touched)
        return self._layout(unit, name)

    def delete_layout(self, actor: str, name: str, expected: int | None = None) -> None:
        """Removes a layout that no phone has. Raises ``NotFound``, ``StaleWrite``, ``InputError``."""
        with self.unit(actor) as unit:
            before = self._layout(unit, name)
            unit.expect(before.revision, expected)
            if before.phones:
                raise InputError({"name": f"{before.phones} phones have this layout: give them another one first"})
            unit.connection.execute(key_layout.delete().where(key_layout.c.name == name))
            unit.log("layout.delete", name, _shown(before), None)

    def assign_layout(self, actor: str, macs: Sequence[Mac], name: str | None) -> int:
        """Gives the phones a layout, or takes theirs away; returns how many had another one before. All or none.

        Raises ``NotFound``, and ``InputError`` with each phone that is not listed or whose model cannot have the layout.
        """
        with self.unit(actor) as unit:
            layout = self._layout(unit, name) if name is not None else None
            records = {record.mac: record for record in unit.phones(macs)}
            if mistakes := self._assign_mistakes(macs, records, layout):
                raise InputError(mistakes)
            changed = [record for record in records.values() if record.layout != name]
            refuse_retired(changed, many=len(macs) > 1)
            refuse_seated(unit, [record.mac for record in changed])
            for start in range(0, len(changed), CHUNK):
                part = [record.mac for record in changed[start : start + CHUNK]]
                self.lay_out(unit, part, name)
                unit.connection.execute(phone.update().where(phone.c.mac.in_(part)).values(revision=phone.c.revision + 1))
            unit.rerender(record.mac for record in changed)
            self._log_given(unit, name, changed)
            return len(changed)

    def plan_layout(self, macs: Sequence[Mac], name: str) -> tuple[list[Mac], dict[Mac, str]]:
        """Returns the phones that would get the layout and had another one, and those that cannot have it with why. Raises ``NotFound``."""
        with self.store.database.read() as connection:
            unit = Unit(connection, self.store, self.renderer, "preview", self.clock())
            layout, records = self._layout(unit, name), unit.phones(macs)
        unfit = self._why_not(layout, (record.model for record in records))
        refused = {record.mac: unfit[record.model] for record in records if record.model in unfit}
        return [record.mac for record in records if record.mac not in refused and record.layout != name], refused

    def _assign_mistakes(self, macs: Sequence[Mac], records: Mapping[Mac, PhoneRecord], layout: LayoutRecord | None) -> dict[str, str]:
        unfit = self._why_not(layout, (record.model for record in records.values()))
        mistakes = {}
        for at, mac in enumerate(macs):
            if mac not in records:
                mistakes[f"phones.{at}"] = f"phone {mac.colons} is not listed"
            elif records[mac].model in unfit:
                mistakes[f"phones.{at}"] = f"{mac.colons}: {unfit[records[mac].model]}"
        return mistakes

    def _log_given(self, unit: Unit, name: str | None, changed: Sequence[PhoneRecord]) -> None:
        if changed:
            subject = changed[0].mac if len(changed) == 1 else name or "no layout"
            after = {"layout": name, "phones": [record.mac.colons for record in changed]}
            unit.log("layout.assign", subject, None, after, len(changed), [layout_part(record, name) for record in changed])

    def _unfit(self, unit: Unit, before: LayoutRecord | None, wanted: LayoutRecord) -> dict[str, str]:
        """Returns which keys do not fit a model of the phones that have the layout already."""
        models = self.store.layout_models(wanted.name, unit.connection) if before else []
        found = self._why_not(wanted, models)
        return {"keys": "; ".join(found.values())} if found else {}

    def _why_not(self, layout: LayoutRecord | None, models: Iterable[str]) -> dict[str, str]:
        """Returns model -> why its phones cannot have the layout, of those that cannot."""
        if layout is None:
            return {}
        known = (model for name in sorted(set(models)) if (model := self.store.catalogue.model(name)))
        found = ((model, layout_mistake(model, layout)) for model in known)
        return {model.id: f"the {model.title} cannot have the layout: {why}" for model, why in found if why}

    def _write_keys(self, unit: Unit, name: str, keys: Sequence[LayoutKey]) -> None:
        unit.connection.execute(layout_key.delete().where(layout_key.c.layout == name))
        fields = ("module", "key", "type", "value", "label", "line")
        rows = [{"layout": name, "slot": row.slot, **{field: getattr(row.key, field) for field in fields}} for row in keys]
        if rows:
            unit.connection.execute(layout_key.insert(), rows)

    def _phones_changed(self, unit: Unit, name: str) -> int:
        macs = phone_layout.select().with_only_columns(phone_layout.c.mac).where(phone_layout.c.layout == name)
        return unit.rerender_where(phone.c.mac.in_(macs))

    def _layout(self, unit: Unit, name: str) -> LayoutRecord:
        record = self.store.layout(name, unit.connection)
        if record is None:
            raise NotFound({"name": f"there is no layout {name[:64]}"})
        return record


def _record(name: str, keys: Sequence[LayoutKeyInput], before: LayoutRecord | None) -> LayoutRecord:
    ordered = sorted(keys, key=lambda key: (key.module, key.key))
    rows = tuple(LayoutKey(Key(key.module, key.key, key.type, key.value, key.label, key.line), key.slot) for key in ordered)
    return LayoutRecord(name, rows, before.phones if before else 0, before.revision if before else 1)


def _mistakes(name: str, keys: Sequence[LayoutKeyInput]) -> dict[str, str]:
    mistakes = {} if NAME.match(name) else {"name": "1 to 64 letters, digits, blanks, dots or dashes are needed"}
    seen: set[tuple[int, int]] = set()
    for at, key in enumerate(keys):
        if (key.module, key.key) in seen:
            mistakes[f"keys.{at}.key"] = f"key {key.key} is there twice"
        seen.add((key.module, key.key))
        mistakes |= {f"keys.{at}.{field}": sentence for field, sentence in _key_mistakes(key)}
    return mistakes


def _key_mistakes(key: LayoutKeyInput) -> Iterator[tuple[str, str]]:
    for field, value, least, most in (
        ("key", key.key, 1, MOST_KEYS),
        ("module", key.module, 0, MOST_MODULES),
        ("line", key.line, 1, MOST_LINES),
    ):
        if not least <= value <= most:
            yield field, f"{least} to {most} is possible"
    if key.type not in KEY_TYPES:
        yield "type", f"there is no key type '{key.type[:20]}'; there are {', '.join(KEY_TYPES)}"
    yield from value_mistakes(key.type, key.value).items()
    yield from text_mistakes("label", key.label, 64).items()


def _shown(record: LayoutRecord) -> dict[str, object]:
    """What the change row keeps of a layout."""
    rows = [(row.key, row.slot) for row in record.keys]
    return {"keys": [[key.module, key.key, key.type, key.value, key.label, key.line, "slot" if slot else ""] for key, slot in rows]}
