"""Writes of who is told by e-mail, and of what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from provisioner.changes.unit import Unit, UnitMaker
from provisioner.changes.webhooks import event_mistakes
from provisioner.core.languages import LANGUAGES
from provisioner.errors import AlreadyExists, InputError, NotFound
from provisioner.models import change, site
from provisioner.models_mail import mail_recipient
from provisioner.records_mail import MailRecipient
from provisioner.setting_values import is_mail_address

MOST = 100
"""Recipients in all."""
URGENT = frozenset({"call.emergency"})
"""Told at once, each by itself."""
DEFAULT_EVENTS = (
    "call.emergency", "backup.failed", "pbx.lost", "pbx.back", "lockstep.behind", "lockstep.again", "certificate.ending", "disk.low",
    "recordings.full", "bootstrap.alarm", "claim_code.use",
)  # fmt: skip
"""What somebody is told of who asks for nothing in particular: trouble, and its end."""

_KEPT = ("address", "site", "language", "events", "enabled", "id")
"""What the change keeps of somebody who is removed."""


class MailWrites(UnitMaker):
    """Make, change and remove recipients; note what was sent."""

    def create_mail_recipient(self, actor: str, given: Mapping[str, Any]) -> MailRecipient:
        """Makes a recipient of ``address``, and where given ``site``, ``language``, ``events`` and ``enabled``; told of what happens from now on."""
        with self.unit(actor) as unit:
            values = {"site": None, "language": "en", "events": list(DEFAULT_EVENTS), "enabled": True, **_checked(unit, given)}
            if "address" not in values:
                raise InputError({"address": "this is needed"})
            there = self.store.mail_recipients(unit.connection)
            _expect_new(there, values["address"], values["site"])
            if len(there) >= MOST:
                raise InputError({"address": f"there are {MOST} recipients of e-mail, and not more are possible"})
            newest = unit.connection.execute(sa.select(sa.func.max(change.c.id))).scalar() or 0
            made = unit.connection.execute(mail_recipient.insert().values(**values, position=newest).returning(mail_recipient.c.id))
            number = int(made.scalar_one())
            unit.log("mail_recipient.create", values["address"][:64], None, {**values, "id": number})
            return self._recipient(unit, number)

    def update_mail_recipient(self, actor: str, number: int, given: Mapping[str, Any], expected: int | None = None) -> MailRecipient:
        """Changes what is given of a recipient."""
        with self.unit(actor) as unit:
            before = self._recipient(unit, number)
            unit.expect(before.revision, expected)
            values = _checked(unit, given)
            others = [record for record in self.store.mail_recipients(unit.connection) if record.id != number]
            _expect_new(others, values.get("address", before.address), values.get("site", before.site))
            mine = mail_recipient.c.id == number
            changed = {**values, "revision": before.revision + 1, "tries": 0, "due_at": None, "error": ""}
            unit.connection.execute(mail_recipient.update().where(mine).values(**changed))
            was = {name: getattr(before, name) for name in values}
            unit.log("mail_recipient.update", before.address[:64], {**was, "id": number}, {**values, "id": number})
            return self._recipient(unit, number)

    def delete_mail_recipient(self, actor: str, number: int, expected: int | None = None) -> None:
        """Removes a recipient."""
        with self.unit(actor) as unit:
            before = self._recipient(unit, number)
            unit.expect(before.revision, expected)
            unit.connection.execute(mail_recipient.delete().where(mail_recipient.c.id == number))
            unit.log("mail_recipient.delete", before.address[:64], {name: getattr(before, name) for name in _KEPT}, None)

    def note_mail(self, number: int, position: int) -> None:
        """Keeps that everything up to a change was told."""
        values = {"position": position, "sent_at": self.clock(), "tries": 0, "due_at": None, "error": ""}
        self._note(number, values)

    def note_mail_failed(self, number: int, error: str, pause_s: float) -> None:
        """Keeps why a try was in vain, and when the next one is."""
        self._note(number, {"tries": mail_recipient.c.tries + 1, "due_at": self.clock() + pause_s, "error": error[:300]})

    def note_mail_passed(self, number: int, position: int) -> None:
        """Keeps that up to a change there was nothing to tell."""
        self._note(number, {"position": position})

    def _note(self, number: int, values: Mapping[str, Any]) -> None:
        with self.store.database.write() as connection:
            connection.execute(mail_recipient.update().where(mail_recipient.c.id == number).values(**values))

    def _recipient(self, unit: Unit, number: int) -> MailRecipient:
        record = self.store.mail_recipient(number, unit.connection)
        if record is None:
            raise NotFound({"id": f"there is no recipient of e-mail {number}"})
        return record


def _checked(unit: Unit, given: Mapping[str, Any]) -> dict[str, Any]:
    mistakes: dict[str, str] = {}
    if "address" in given and not is_mail_address(given["address"]):
        mistakes["address"] = "an e-mail address is needed, for example office@example.com"
    if given.get("site") and not unit.connection.execute(sa.select(site.c.name).where(site.c.name == given["site"])).first():
        mistakes["site"] = f"there is no site {given['site'][:64]}"
    if "language" in given and given["language"] not in LANGUAGES:
        mistakes["language"] = f"one of {', '.join(LANGUAGES)} is needed"
    mistakes |= event_mistakes(given.get("events", ["*"]))
    if mistakes:
        raise InputError(mistakes)
    return {name: list(value) if name == "events" else (value or None) if name == "site" else value for name, value in given.items()}


def _expect_new(there: list[MailRecipient], address: str, at: str | None) -> None:
    if any((record.address.lower(), record.site) == (address.lower(), at) for record in there):
        raise AlreadyExists({"address": f"{address} is a recipient already"})
