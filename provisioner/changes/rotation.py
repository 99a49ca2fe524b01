"""Secrets on their way: the PBX takes the new one and the former ones until every phone is proven to use the new one.

Everything that a crash could leave half stands in the extension's row, written with the secret itself in one transaction: there is no
moment at which a phone holds a secret that the PBX was not told to take, and none at which a step would have to be undone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from provisioner.changes.unit import Unit, UnitMaker
from provisioner.core.mac import Mac
from provisioner.errors import InputError
from provisioner.models import ROTATING, extension, phone, phone_line
from provisioner.records import ExtensionRecord, Secrets
from provisioner.store import CHUNK

MOST_FORMER = 3
"""Former secrets that a PBX is asked to take besides. A fourth change waits, or revokes: no phone may be left behind unasked."""
ACTOR = "rotation"
"""Under whose name the end of a rotation, and its being put back, stand in the changes."""


class RotationWrites(UnitMaker):
    """Sets secrets so that no phone is locked out, and ends what was begun."""

    keeps_former = True
    """False where no PBX is kept in lockstep: then nothing could ever prove that a phone has moved."""

    def secret_columns(self, unit: Unit, number: str, secrets: Secrets, new: str, *, revoke: bool, in_use: bool) -> dict[str, Any]:
        """Returns the columns of an extension that is given the secret ``new`` (empty: it keeps its own); empty where nothing changes.

        ``in_use``: an enabled phone has it on a line. ``revoke`` ends the former ones at once. Raises ``InputError`` where too many are open.
        """
        if new and new != secrets[0]:
            kept = (
                () if revoke or not (in_use and self.keeps_former) else (secrets[0], *(former for former in secrets[1:] if former != new))
            )
            if len(kept) > MOST_FORMER:
                raise InputError({"secret": _TOO_MANY.format(number=number, count=MOST_FORMER)})
            sealed = self.store.box.seal(new.encode(), f"extension:{number}")
            return {"secret": sealed, **self._former(number, kept, unit.at, is_back=False)}
        return self._former(number, (), unit.at, is_back=False) if revoke and len(secrets) > 1 else {}

    def finish_rotation(self, moved: Mapping[str, int]) -> list[str]:
        """Ends the rotations of the extensions (number -> revision that was judged) whose phones have all moved; returns which it were."""
        with self.unit(ACTOR) as unit:
            done = [record for record, _ in self._still(unit, moved) if record.revision == moved[record.number]]
            for record in done:
                values = self._former(record.number, (), unit.at, is_back=False)
                unit.connection.execute(_pushed_anew().where(extension.c.number == record.number).values(**values))
                unit.log("extension.rotated", record.number, {"rotation": record.rotation}, {"rotation": "none"})
        return [record.number for record in done]

    def roll_back(self, failed: Mapping[str, int]) -> list[str]:
        """Gives the extensions (number -> revision that was judged) their last secret back; returns which it were.

        The one that failed stays accepted: a phone may have it. Templates are not proven first: these files were served before.
        """
        with self.unit(ACTOR) as unit:
            known = [pair for pair in self._still(unit, failed) if pair[0].revision == failed[pair[0].number] and len(pair[1]) > 1]
            for record, (current, last, *older) in known:
                sealed = self.store.box.seal(last.encode(), f"extension:{record.number}")
                values = {"secret": sealed, **self._former(record.number, (current, *older), unit.at, is_back=True)}
                unit.connection.execute(_pushed_anew().where(extension.c.number == record.number).values(**values))
                touched = unit.rerender(phones_on_line(unit, record.number), proven=False)
                unit.log("extension.rolled_back", record.number, {"rotation": "moving"}, {"rotation": "rolled_back"}, touched)
        return [record.number for record, _ in known]

    def _still(self, unit: Unit, numbers: Mapping[str, int]) -> list[tuple[ExtensionRecord, Secrets]]:
        found = self.store.extensions_with_secrets(numbers, unit.connection)
        return [pair for pair in found if pair[0].rotation_started_at is not None]

    def _former(self, number: str, former: Sequence[str], at: float, *, is_back: bool) -> dict[str, Any]:
        sealed = self.store.box.seal(json.dumps(list(former)).encode(), f"former:{number}") if former else None
        return {"former_secrets": sealed, "rotation_started_at": at if former else None, "rotation_rolled_back": is_back and bool(former)}


def in_use(unit: Unit, numbers: Sequence[str]) -> set[str]:
    """Returns those of the numbers that an enabled phone has on a line."""
    found: set[str] = set()
    for start in range(0, len(numbers), CHUNK):
        query = sa.select(phone_line.c.extension).join(phone, phone.c.mac == phone_line.c.mac)
        query = query.where(phone.c.enabled, phone_line.c.extension.in_(numbers[start : start + CHUNK])).distinct()
        found |= set(unit.connection.execute(query).scalars())
    return found


def phones_on_line(unit: Unit, number: str) -> list[Mac]:
    """Returns the phones whose files hold the extension's secret."""
    return [Mac(mac) for mac in unit.connection.execute(sa.select(phone_line.c.mac).where(phone_line.c.extension == number)).scalars()]


def _pushed_anew() -> sa.Update:
    return extension.update().where(ROTATING).values(revision=extension.c.revision + 1, pbx_wanted=None, pbx_error="")


_TOO_MANY = (
    "{count} earlier secrets of {number} are still accepted, since a phone may use any of them: wait until its phones have moved, "
    "or revoke the earlier ones (revoke_former)"
)
