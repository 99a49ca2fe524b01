"""Taking a phone out of service: it loses everything in one transaction, and is served files that empty it; and taking it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from provisioner.changes.parts import phone_as_kept
from provisioner.changes.phones import PhoneInput, shown_for_change
from provisioner.changes.rotation import in_use
from provisioner.changes.seated import refuse_seated
from provisioner.changes.swapping import SwapWrites
from provisioner.changes.unit import Unit
from provisioner.core.mac import Mac
from provisioner.core.raw import parameter_of
from provisioner.core.retiring import KEPT
from provisioner.errors import InputError
from provisioner.models import change, phone, phone_key, phone_line, upload
from provisioner.records import PhoneRecord

RETIRE, REINSTATE = "phone.retire", "phone.reinstate"


class RetireWrites(SwapWrites):
    """Takes phones out of service, and back."""

    def retire_phone(self, actor: str, mac: Mac, expected: int | None = None) -> PhoneRecord:
        """Takes from a phone its lines, keys, settings and what it sent, and has it served files that empty it.

        Its address holds, so that it can fetch them. The secrets of its lines are renewed: what it knew is dead at once, but where an
        extension is on a line of another phone too, until that one has moved. One that was switched off is served again: what it gets
        holds nothing. Raises ``NotFound``, ``StaleWrite``, and ``InputError`` where somebody sits at it or it is retired already.
        """
        with self.unit(actor) as unit:
            before = self._phone(unit, mac)
            unit.expect(before.revision, expected)
            if before.retired_at is not None:
                raise InputError({"mac": f"phone {mac.colons} is taken out of service already"})
            refuse_seated(unit, [mac])
            self._empty(unit, before)
            numbers = sorted({line.extension for line in before.lines})
            touched = self._renew(unit, numbers, in_use(unit, numbers))  # by others: this phone has no line any more
            touched += unit.rerender([mac])
            unit.reindex(mac)
            after = self._phone(unit, mac)
            unit.log(RETIRE, mac, shown_for_change(before), shown_for_change(after), touched)
            return after

    def reinstate_phone(self, actor: str, mac: Mac, expected: int | None = None, kept: Mapping[str, Any] | None = None) -> PhoneRecord:
        """Takes a phone back into service as it was before it was retired, or as ``kept`` (the state in a change) says.

        Its lines have the secrets that they have by now. What it sent, and its secret settings, are gone. Raises ``NotFound``,
        ``StaleWrite``, and ``InputError`` where it is in service, or naming each thing of before that is no longer there.
        """
        with self.unit(actor) as unit:
            before = self._phone(unit, mac)
            unit.expect(before.revision, expected)
            if before.retired_at is None:
                raise InputError({"mac": f"phone {mac.colons} is in service"})
            kept = kept if kept is not None else self._kept_of(unit, mac)
            given = phone_as_kept(kept, {}) if kept is not None else PhoneInput()
            self._check(unit, given, given.model or before.model, before)
            unit.connection.execute(phone.update().where(phone.c.mac == mac).values(retired_at=None))
            return self._write(unit, mac, given, before, REINSTATE)

    def _empty(self, unit: Unit, before: PhoneRecord) -> None:
        mac, names = before.mac, (*before.settings, *before.secret_names)
        for table in (phone_line, phone_key, upload):
            unit.connection.execute(table.delete().where(table.c.mac == mac))
        self.lay_out(unit, [mac], None)
        kept = {name: value for name, value in before.settings.items() if name in KEPT}
        # Of what was added by hand the names alone: each is written empty into the phone's last files.
        left = {**kept, **{name: "" for name in names if parameter_of(name) is not None}}
        values = {"retired_at": unit.at, "enabled": True, "settings": left, "secret_settings": None, "revision": phone.c.revision + 1}
        unit.connection.execute(phone.update().where(phone.c.mac == mac).values(**values))

    def _kept_of(self, unit: Unit, mac: Mac) -> Mapping[str, Any] | None:
        """Returns the phone as its last retirement found it; None where the changes do not go back so far."""
        query = sa.select(change.c.before).where(change.c.subject == mac, change.c.action == RETIRE).order_by(change.c.id.desc()).limit(1)
        row = unit.connection.execute(query).first()
        return row.before if row else None
