"""Copying keys from one phone to many: what would change on each, what does not fit, and doing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provisioner.changes.keys import KeyInput, kept_mistakes, key_inputs, key_mistakes
from provisioner.changes.layouts import LayoutWrites
from provisioner.changes.phones import PhoneInput
from provisioner.changes.retired import WHY as IS_RETIRED
from provisioner.changes.unit import Unit
from provisioner.core.mac import Mac
from provisioner.core.values import Key
from provisioner.errors import InputError
from provisioner.records import PhoneRecord

Place = tuple[int, int]
"""(module, key)"""


@dataclass(frozen=True, slots=True)
class CopyPlan:
    """What copying would do to one phone. ``mistakes`` say which keys do not fit, and where they would go; then it gets none."""

    mac: Mac
    model: str
    added: tuple[Place, ...]
    changed: tuple[Place, ...]
    mistakes: tuple[str, ...]
    keys: tuple[KeyInput, ...]

    @property
    def is_same(self) -> bool:
        return not (self.added or self.changed or self.mistakes)


class CopyWrites(LayoutWrites):
    """Copies keys."""

    def plan_copy(self, source: Mac, macs: Sequence[Mac], places: Sequence[Place] | None = None) -> list[CopyPlan]:
        """Returns what copying the phone's own keys (those at ``places``; None: all) would do to each of the others.

        Keys at other places of a phone stay as they are. Raises ``NotFound``; ``InputError`` for phones that are not listed.
        """
        with self.store.database.read() as connection:
            unit = Unit(connection, self.store, self.renderer, "preview", self.clock())
            return self._plans(unit, source, macs, places)

    def copy_keys(
        self, actor: str, source: Mac, macs: Sequence[Mac], places: Sequence[Place] | None = None, *, only_fitting: bool = False
    ) -> list[CopyPlan]:
        """Copies the keys to each phone, all or none; with ``only_fitting`` those that a key does not fit are left out.

        Returns what it did. Raises ``InputError`` with every phone that a key does not fit.
        """
        with self.unit(actor) as unit:
            plans = self._plans(unit, source, macs, places)
            unfit = {f"phones.{plan.mac.colons}": "; ".join(plan.mistakes) for plan in plans if plan.mistakes}
            if unfit and not only_fitting:
                raise InputError(unfit)
            done = [plan for plan in plans if not plan.mistakes and not plan.is_same]
            before = {record.mac: record for record in unit.phones([plan.mac for plan in done])}
            for plan in done:
                self.set_phone(unit, before[plan.mac], PhoneInput(keys=plan.keys))
            return done

    def _plans(self, unit: Unit, source: Mac, macs: Sequence[Mac], places: Sequence[Place] | None) -> list[CopyPlan]:
        chosen = [key for key in self._phone(unit, source).keys if places is None or (key.module, key.key) in places]
        others = [mac for mac in dict.fromkeys(macs) if mac != source]
        records = {record.mac: record for record in unit.phones(others)}
        if missing := {f"phones.{mac.colons}": "this phone is not listed" for mac in others if mac not in records}:
            raise InputError(missing)
        return [self._plan(unit, records[mac], chosen) for mac in others]

    def _plan(self, unit: Unit, record: PhoneRecord, chosen: Sequence[Key]) -> CopyPlan:
        there = {(key.module, key.key): key for key in record.keys}
        copied = {(key.module, key.key): key for key in chosen}
        keys = key_inputs(key for _, key in sorted({**there, **copied}.items()))
        model = self.store.catalogue.model(record.model)
        layout = self.store.layout(record.layout, unit.connection) if record.layout else None
        found = {**key_mistakes(model, keys, None, [line.line for line in record.lines])} if model else {}
        if record.retired_at is not None:
            found["mac"] = IS_RETIRED
        return CopyPlan(
            mac=record.mac,
            model=record.model,
            added=tuple(sorted(place for place in copied if place not in there)),
            changed=tuple(sorted(place for place, key in copied.items() if place in there and there[place] != key)),
            mistakes=tuple({**found, **kept_mistakes(keys, record.keys, layout)}.values()),
            keys=keys,
        )
