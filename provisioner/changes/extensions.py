"""Writes of extensions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from provisioner.changes.departments import DepartmentWrites
from provisioner.changes.rotation import RotationWrites, in_use, phones_on_line
from provisioner.changes.unit import Unit
from provisioner.core.mac import Mac
from provisioner.core.numbers import number_mistake
from provisioner.core.settings_check import CONTROL
from provisioner.errors import AlreadyExists, InputError, NotFound
from provisioner.models import extension, pbx_removal, phone_line
from provisioner.records import ExtensionRecord
from provisioner.secrets import new_sip_secret

_TEXTS: Mapping[str, int] = {"display_name": 128, "email": 254, "department": 64, "site": 64}
_FLAGS = ("record_calls",)
"""Fields that are true or false."""


class ExtensionWrites(DepartmentWrites, RotationWrites):
    """Create, update and delete extensions. The secret goes in and never comes out."""

    def create_extension(self, actor: str, number: str, **given: Any) -> ExtensionRecord:
        """Makes an extension; a secret is made where none is given. Fields: display_name, secret, email, department, site, record_calls."""
        with self.unit(actor) as unit:
            return self.add_extension(unit, number, given)

    def add_extension(self, unit: Unit, number: str, given: Mapping[str, Any]) -> ExtensionRecord:
        """As ``create_extension``, inside a transaction of the caller's."""
        values = checked_extension(number, given)
        if self.store.extension(number, unit.connection):
            raise AlreadyExists({"number": f"extension {number} exists already"})
        self.check_numbers_free(unit, [number])
        self._check_site(unit, values)
        secret = values.pop("secret", "") or new_sip_secret()
        sealed = self.store.box.seal(secret.encode(), f"extension:{number}")
        row = {"display_name": number, "email": "", "department": "", "site": "", **values}
        unit.connection.execute(extension.insert().values(number=number, secret=sealed, **row))
        unit.connection.execute(pbx_removal.delete().where(pbx_removal.c.number == number))
        self.members_changed(unit, [row["department"]])
        touched = unit.rerender(self.store.phones_of_extension(number, unit.connection))
        unit.log("extension.create", number, None, row, touched)
        return self._found(unit, number)

    def update_extension(
        self, actor: str, number: str, given: Mapping[str, Any], expected: int | None = None, *, revoke_former: bool = False
    ) -> ExtensionRecord:
        """Changes the fields given. ``expected`` is the revision that the writer read. Raises ``NotFound``, ``StaleWrite``.

        A new secret leaves the old one accepted until the phones have moved; with ``revoke_former`` nothing but the newest is, at once.
        """
        with self.unit(actor) as unit:
            return self.set_extension(unit, number, given, expected, revoke_former=revoke_former)

    def rotate_secret(self, actor: str, number: str, *, revoke_former: bool = False) -> ExtensionRecord:
        """Gives the extension a new secret of its own making, as ``update_extension`` does."""
        return self.update_extension(actor, number, {"secret": new_sip_secret()}, revoke_former=revoke_former)

    def set_extension(
        self, unit: Unit, number: str, given: Mapping[str, Any], expected: int | None = None, *, revoke_former: bool = False
    ) -> ExtensionRecord:
        """As ``update_extension``, inside a transaction of the caller's."""
        before = self._found(unit, number)
        unit.expect(before.revision, expected)
        values: dict[str, Any] = checked_extension(number, given)
        self._check_site(unit, values)
        secret = values.pop("secret", "")
        after = dict(values)
        changed = {name: value for name, value in values.items() if getattr(before, name) != value}
        if secret or revoke_former:
            ((_, secrets),) = self.store.extensions_with_secrets([number], unit.connection)
            used = number in in_use(unit, [number])
            columns = self.secret_columns(unit, number, secrets, secret, revoke=revoke_former, in_use=used)
            changed |= columns
            after |= ({"secret": "changed"} if "secret" in columns else {}) | ({"former_secrets": "revoked"} if revoke_former else {})
        if not changed:
            return before
        statement = extension.update().where(extension.c.number == number)
        reset = {"revision": extension.c.revision + 1, "pbx_wanted": None, "pbx_error": ""}
        unit.connection.execute(statement.values(**changed, **reset))
        if "department" in changed:
            self.members_changed(unit, [before.department, changed["department"]])
        touched = unit.rerender(self._concerned(unit, number, changed))
        kept = {name: getattr(before, name) for name in after if name in (*_TEXTS, *_FLAGS)}
        unit.log("extension.update", number, kept, after, touched)
        return self._found(unit, number)

    def _check_site(self, unit: Unit, values: Mapping[str, Any]) -> None:
        name = values.get("site", "")
        if name and self.store.site(name, unit.connection) is None:
            raise InputError({"site": f"there is no site {name[:60]}"})

    def _concerned(self, unit: Unit, number: str, changed: Mapping[str, Any]) -> list[Mac]:
        """Returns the phones whose files hold what changed: a name stands on keys of others too, a secret only on lines."""
        if "display_name" in changed:
            return self.store.phones_of_extension(number, unit.connection)
        return phones_on_line(unit, number) if "secret" in changed else []

    def delete_extension(self, actor: str, number: str, expected: int | None = None) -> None:
        """Removes an extension that is on no line and nobody's own. Keys that watch it stay, dark. Raises ``InputError`` naming the phones."""
        with self.unit(actor) as unit:
            before = self._found(unit, number)
            unit.expect(before.revision, expected)
            users = list(unit.connection.execute(sa.select(phone_line.c.mac).where(phone_line.c.extension == number).limit(5)).scalars())
            if users:
                raise InputError({"number": f"extension {number} is on a line of {', '.join(users)}: take it off there first"})
            if places := self.store.places_of(number, unit.connection):
                where = ", ".join(mac.colons for mac in places)
                raise InputError({"number": f"extension {number} is the own one of the hot desk {where}: log out whoever sits there first"})
            owners = sum(number in (record.extensions or ()) for record in self.store.users(unit.connection))
            if owners:  # whoever gets a new extension of that number would be theirs too
                raise InputError({"number": f"{owners} users have extension {number} as their own: give them another one first"})
            watching = self.store.phones_of_extension(number, unit.connection)
            unit.connection.execute(extension.delete().where(extension.c.number == number))
            unit.connection.execute(pbx_removal.insert().values(number=number))
            self.members_changed(unit, [before.department])
            touched = unit.rerender(watching)  # after it is gone: the proof is of the files without its name
            unit.log("extension.delete", number, _kept(before), None, touched)

    def _found(self, unit: Unit, number: str) -> ExtensionRecord:
        record = self.store.extension(number, unit.connection)
        if record is None:
            raise NotFound({"number": f"there is no extension {number[:32]}"})
        return record


def checked_extension(number: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields checked. Raises ``InputError`` with every wrong field."""
    mistakes: dict[str, str] = {}
    if why := number_mistake(number):
        mistakes["number"] = why
    for name, longest in _TEXTS.items():
        value = given.get(name, "")
        if len(value) > longest:
            mistakes[name] = f"at most {longest} characters; these are {len(value)}"
        elif CONTROL.search(value):
            mistakes[name] = "line breaks and control characters are not possible here"
    if given.get("email") and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", given["email"]):
        mistakes["email"] = "this is not an e-mail address"
    secret = given.get("secret", "")
    if secret and not re.fullmatch(r"[\x21-\x7e]{8,64}", secret):
        mistakes["secret"] = "8 to 64 printable characters without blanks are needed (or leave it out: one is made)"
    mistakes |= {name: "true or false is needed" for name in _FLAGS if not isinstance(given.get(name, False), bool)}
    unknown = given.keys() - {*_TEXTS, *_FLAGS, "secret"}
    mistakes |= dict.fromkeys(sorted(unknown), "there is no such field")
    if mistakes:
        raise InputError(mistakes)
    return dict(given)


def _kept(record: ExtensionRecord) -> dict[str, Any]:
    """Returns what a change keeps of an extension that goes; that it was recorded only where it was."""
    return {name: getattr(record, name) for name in _TEXTS} | {name: True for name in _FLAGS if getattr(record, name)}
