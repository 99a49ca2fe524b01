"""What is done to many phones at once: one transaction, however many they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from provisioner.changes.phones import PhoneWrites, shown_for_change
from provisioner.changes.retired import refuse_retired
from provisioner.changes.unit import Unit
from provisioner.core.mac import Mac
from provisioner.errors import InputError
from provisioner.models import change, phone
from provisioner.records import PhoneRecord
from provisioner.store import CHUNK


class ManyWrites(PhoneWrites):
    """Wakes, moves and switches many phones."""

    def request_resyncs(self, actor: str, macs: Sequence[Mac], *, reboot: bool) -> int:
        """Asks the worker to wake the phones now, paced as ever; returns how many of them are listed."""
        with self.unit(actor) as unit:
            records = unit.phones(macs)
            action = "phone.reboot" if reboot else "phone.resync"
            _log(unit, action, {record.mac: (None, {"reboot": reboot}) for record in records})
            return len(records)

    def update_phones(
        self, actor: str, macs: Sequence[Mac], *, site: str | None = None, group: str | None = None, enabled: bool | None = None
    ) -> int:
        """Gives the phones another site or group (empty: none), or switches them; returns how many were otherwise before.

        All or none: raises ``InputError``, or ``RenderError`` where a template fails for one of their models.
        """
        with self.unit(actor) as unit:
            self._check_many(unit, site, group)
            values: dict[str, object] = {"site": site, "group": group or None, "enabled": enabled}
            given = {"site": site is not None, "group": group is not None, "enabled": enabled is not None}
            values = {name: value for name, value in values.items() if given[name]}
            before = [record for record in unit.phones(macs) if any(getattr(record, name) != value for name, value in values.items())]
            changed = [record.mac for record in before]
            refuse_retired(before, many=len(macs) > 1)
            for start in range(0, len(changed), CHUNK):
                which = phone.c.mac.in_(changed[start : start + CHUNK])
                unit.connection.execute(phone.update().where(which).values(**values, revision=phone.c.revision + 1))
            unit.rerender(changed)
            unit.reindex(*changed)
            _log(unit, "phone.update", {record.mac: _shown_pair(record, values) for record in before})
            return len(changed)

    def _check_many(self, unit: Unit, site: str | None, group: str | None) -> None:
        mistakes: dict[str, str] = {}
        if site is not None and self.store.site(site, unit.connection) is None:
            mistakes["site"] = f"there is no site {site[:60]}"
        if group and group not in {record.name for record in self.store.groups(unit.connection)}:
            mistakes["group"] = f"there is no group {group[:60]}"
        if mistakes:
            raise InputError(mistakes)


def _shown_pair(record: PhoneRecord, values: Mapping[str, object]) -> tuple[object, object]:
    return shown_for_change(record), shown_for_change(replace(record, **cast("Any", values)))


def _log(unit: Unit, action: str, rows: Mapping[Mac, tuple[object, object]]) -> None:
    about = {"at": unit.at, "actor": unit.actor, "action": action, "phones": 1}
    if rows:
        unit.connection.execute(
            change.insert(), [{**about, "subject": mac, "before": before, "after": after} for mac, (before, after) in rows.items()]
        )
