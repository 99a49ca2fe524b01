"""Refuses writes to phones that are taken out of service: what they would be given, their files would not hold."""

from __future__ import annotations

from collections.abc import Iterable

from provisioner.errors import InputError
from provisioner.records import PhoneRecord

WHY = "this phone is taken out of service: take it back into service first"


def refuse_retired(records: Iterable[PhoneRecord], *, many: bool = False) -> None:
    """Raises ``InputError`` naming those of the phones that are taken out of service, as of one phone or of ``many``."""
    gone = [record.mac for record in records if record.retired_at is not None]
    if gone:
        raise InputError({f"phones.{mac.colons}": WHY for mac in gone} if many else {"mac": WHY})
