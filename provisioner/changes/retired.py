"""Refuses writes to phones that are taken out of service: what they would be given, their files would not hold."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from provisioner.changes.unit import Unit
from provisioner.core.mac import Mac
from provisioner.errors import InputError
from provisioner.models import phone
from provisioner.store import CHUNK


def refuse_retired(unit: Unit, macs: Sequence[Mac]) -> None:
    """Raises ``InputError`` naming those of the phones that are taken out of service."""
    query = sa.select(phone.c.mac).where(phone.c.retired_at.is_not(None))
    chunks = (macs[start : start + CHUNK] for start in range(0, len(macs), CHUNK))
    gone = [Mac(mac) for chunk in chunks for mac in unit.connection.execute(query.where(phone.c.mac.in_(chunk))).scalars()]
    if gone:
        why = "this phone is taken out of service: take it back into service first"
        raise InputError({"mac": why} if len(macs) == 1 else {f"phones.{mac.colons}": why for mac in gone})
