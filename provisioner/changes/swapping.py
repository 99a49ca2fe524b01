"""Swapping a broken phone for another one, in one transaction: what the old one knew is worth nothing afterwards."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from provisioner.changes.extensions import ExtensionWrites
from provisioner.changes.keys import key_inputs
from provisioner.changes.parts import phone_as_kept
from provisioner.changes.phones import LineInput, PhoneInput, PhoneWrites
from provisioner.changes.retired import refuse_retired
from provisioner.changes.rotation import in_use, phones_on_line
from provisioner.changes.unit import Unit
from provisioner.changes.uploads import UploadWrites
from provisioner.core.mac import Mac
from provisioner.errors import InputError
from provisioner.models import extension
from provisioner.records import ChangeRecord, PhoneRecord
from provisioner.records_changes import ChangePart
from provisioner.secrets import new_sip_secret


class SwapWrites(ExtensionWrites, PhoneWrites, UploadWrites):
    """Puts a phone in the place of another."""

    def swap_phone(self, actor: str, mac: Mac, new_mac: Mac, model: str | None = None) -> PhoneRecord:
        """Lists ``new_mac`` with everything that the phone ``mac`` had, takes ``mac`` off the list, and renews the secrets of its lines.

        What the user of the old phone had on it and the phone sent (contacts, call lists, own changes) goes over to one of the same maker.
        The old phone's address, password and files are dead at once, and so are its SIP secrets; only where an extension is on a line of
        another phone too, its old secret lasts until that one has moved. Raises ``NotFound``, ``AlreadyExists``, and ``InputError`` naming
        each line or key that does not fit another ``model``.
        """
        with self.unit(actor) as unit:
            before = self._phone(unit, mac)
            if new_mac == mac:
                raise InputError({"mac": "the new phone has another MAC than the old one"})
            refuse_retired([before])
            settings = {**before.settings, **self.store.own_settings(mac, unit.connection)[1]}
            return self._put_in_place(unit, before, new_mac, _as_input(before, settings, model or before.model))

    def swap_back(self, actor: str, record: ChangeRecord, expected: int | None = None) -> PhoneRecord:
        """Undoes a swap: the old phone comes back as it was before ``record``, the one in its place goes off the list.

        It is a swap like another, with the same safety: the old phone gets a new address, its first fetch is open anew, and the lines
        get new secrets, so that nothing which either phone knew opens anything. Secret settings come from the one that has them now.
        ``expected`` is the revision of that one. Raises as ``swap_phone`` does, and ``StaleWrite``.
        """
        old, new = Mac(record.subject), Mac(record.after["mac"])
        with self.unit(actor) as unit:
            before = self.store.phone(new, unit.connection)
            if before is None:
                raise InputError({"id": f"phone {new.colons}, which was put in its place, is off the list: list {old.colons} anew instead"})
            unit.expect(before.revision, expected)
            secrets = self.store.own_settings(new, unit.connection)[1]
            return self._put_in_place(unit, before, old, phone_as_kept(record.before, secrets))

    def _put_in_place(self, unit: Unit, before: PhoneRecord, new_mac: Mac, given: PhoneInput) -> PhoneRecord:
        """Takes a phone off the list and lists another one for it; every secret that the first one knew is renewed."""
        kept = self.uploads_to_carry(unit, before.mac)
        told = self._taken_off(unit, before)
        numbers = sorted({line.extension for line in before.lines} | {line.extension for line in given.lines or ()})
        shared = in_use(unit, numbers)  # by others: the old phone is gone, the new one not there yet
        after = self.add_phone(unit, new_mac, given)
        if after.model.partition("/")[0] == before.model.partition("/")[0]:  # another maker's phone reads other forms
            self.carry_uploads(unit, kept, before.mac, new_mac)
        touched = self._renew(unit, numbers, shared)
        part = ChangePart("phone", new_mac, {"mac": before.mac.colons}, {"mac": new_mac.colons})
        unit.log("phone.swap", before.mac, told, {"mac": new_mac, "model": after.model}, touched, [part])
        return after

    def _renew(self, unit: Unit, numbers: Collection[str], shared: Collection[str]) -> int:
        """Gives the extensions new secrets, leaving the old ones of those ``shared``; returns how many phones are rendered anew."""
        touched: set[Mac] = set()
        for record, secrets in self.store.extensions_with_secrets(numbers, unit.connection):
            is_shared, phones = record.number in shared, phones_on_line(unit, record.number)
            columns = self.secret_columns(unit, record.number, secrets, new_sip_secret(), revoke=not is_shared, in_use=is_shared)
            reset = {"revision": extension.c.revision + 1, "pbx_wanted": None, "pbx_error": ""}
            unit.connection.execute(extension.update().where(extension.c.number == record.number).values(**columns, **reset))
            unit.log("extension.update", record.number, {}, {"secret": "changed"}, len(phones))
            touched |= set(phones)
        return unit.rerender(touched)


def _as_input(before: PhoneRecord, settings: dict[str, Any], model: str) -> PhoneInput:
    """Returns the old phone as somebody would list it. Its firmware is not the new one's, nor need modules without keys be."""
    return PhoneInput(
        model=model,
        site=before.site,
        group=before.group,
        enabled=True,
        modules=before.modules if model == before.model else None,
        lines=[LineInput(line.line, line.extension, line.label) for line in before.lines],
        keys=key_inputs(before.keys),
        layout=before.layout,
        settings=settings,
        keeps_hidden=True,
    )
