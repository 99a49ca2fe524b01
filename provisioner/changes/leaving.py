"""What a phone that is taken off the list leaves behind at its maker's redirect service: a removal that outlives the phone's own row.

The worker does it (``worker.redirecting``). A phone that is registered again meanwhile wins: asking for it ends the removal.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from provisioner.changes.unit import Unit
from provisioner.core.mac import Mac
from provisioner.models_redirect import redirect, redirect_removal
from provisioner.records import PhoneRecord

MOST_REMOVALS = 20_000
"""Kept at a time. What services refused longest ago goes first: those phones stay registered there until somebody takes them off by hand."""
_GONE = redirect_removal.delete()


def leave_services(unit: Unit, records: Sequence[PhoneRecord]) -> None:
    """Queues the removal of those phones (at most ``CHUNK``) that their services were ever asked for, whatever is known to have come of that.

    Called before the phones' rows go, and what is known of the services with them.
    """
    asked = sa.select(redirect.c.mac).where(redirect.c.mac.in_([record.mac for record in records]))
    there = set(unit.connection.execute(asked).scalars())
    for record in records:
        if record.mac in there:
            _leave(unit, record)


def _leave(unit: Unit, record: PhoneRecord) -> None:
    stay_at_service(unit, record.mac)
    _make_room(unit)
    times = {"asked_at": unit.at, "changed_at": unit.at, "due_at": unit.at}
    vendor = record.model.partition("/")[0]
    unit.connection.execute(redirect_removal.insert().values(mac=record.mac, vendor=vendor, state="asked", **times))
    unit.log("phone.redirect_asked", record.mac, None, {"wanted": False})


def stay_at_service(unit: Unit, mac: Mac) -> bool:
    """Ends the removal of a phone; returns whether there was one."""
    return bool(unit.connection.execute(_GONE.where(redirect_removal.c.mac == mac)).rowcount)


def _make_room(unit: Unit) -> None:
    surplus = (unit.connection.execute(sa.select(sa.func.count()).select_from(redirect_removal)).scalar() or 0) - MOST_REMOVALS + 1
    if surplus <= 0:
        return
    order = (redirect_removal.c.due_at.is_not(None), redirect_removal.c.changed_at, redirect_removal.c.mac)
    oldest = list(unit.connection.execute(sa.select(redirect_removal.c.mac).order_by(*order).limit(surplus)).scalars())
    for mac in oldest:
        stay_at_service(unit, Mac(mac))
        unit.log("redirect_removal.forgotten", mac, None, {"reason": f"more than {MOST_REMOVALS} are waiting"})
