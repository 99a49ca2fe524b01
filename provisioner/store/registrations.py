"""Reads of who is registered: which phone a contact may be of, and what each phone's lines have."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.core.mac import Mac
from provisioner.models import ROTATING, extension, fetch, phone, phone_line, registration
from provisioner.records import RegistrationRecord
from provisioner.store.base import CHUNK, StoreBase, by_mac


@dataclass(frozen=True, slots=True)
class LinePhone:
    """A phone with a line of an extension. ``address`` is where it last fetched from, known only where several phones share it."""

    number: str
    mac: Mac
    model: str
    enabled: bool
    address: str = ""


class RegistrationReads(StoreBase):
    """What observing and its readers need."""

    def phones_with_lines(self, numbers: Collection[str]) -> dict[str, list[LinePhone]]:
        """Returns number -> the phones that have it on a line, in the order of their MAC."""
        found: dict[str, list[LinePhone]] = {}
        wanted = sorted(numbers)
        with self.database.read() as connection:
            for start in range(0, len(wanted), CHUNK):
                for row in connection.execute(_line_phones(wanted[start : start + CHUNK])):
                    found.setdefault(row.extension, []).append(LinePhone(row.extension, Mac(row.mac), row.model, row.enabled))
            shared = {phone.mac for phones in found.values() if len(phones) > 1 for phone in phones}
            peers = {mac: _last_peer(connection, mac) for mac in sorted(shared)}
        return {
            number: [LinePhone(item.number, item.mac, item.model, item.enabled, peers.get(item.mac, "")) for item in phones]
            for number, phones in found.items()
        }

    def registrations(self, macs: Sequence[Mac], connection: Connection | None = None) -> dict[Mac, list[RegistrationRecord]]:
        """Returns the registrations of the phones named (at most ``CHUNK``)."""
        if connection is None:
            with self.database.read() as own:
                return self.registrations(macs, own)
        rows = connection.execute(sa.select(registration).where(registration.c.mac.in_(macs))).all()
        return {Mac(mac): [registration_of(row) for row in found] for mac, found in by_mac(rows).items()}

    def registrations_of(self, numbers: Iterable[str] | None = None) -> list[RegistrationRecord]:
        """Returns the registrations of every extension, or of those named."""
        with self.database.read() as connection:
            if numbers is None:
                return [registration_of(row) for row in connection.execute(sa.select(registration))]
            wanted = sorted(numbers)
            chunks = (wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK))
            query = sa.select(registration)
            return [
                registration_of(row) for chunk in chunks for row in connection.execute(query.where(registration.c.extension.in_(chunk)))
            ]

    def numbers_on(self, macs: Collection[Mac]) -> set[str]:
        """Returns the numbers on the lines of the phones named."""
        wanted = sorted(macs)
        with self.database.read() as connection:
            return {
                number
                for start in range(0, len(wanted), CHUNK)
                for number in connection.execute(
                    sa.select(phone_line.c.extension).where(phone_line.c.mac.in_(wanted[start : start + CHUNK]))
                ).scalars()
            }

    def registration_counts(self) -> dict[str, int]:
        """Returns how many registrations of phones hold, and how many extensions have a secret on its way."""
        queries = {
            "registrations": sa.select(sa.func.count()).select_from(registration).where(registration.c.ended_at.is_(None)),
            "rotating": sa.select(sa.func.count()).select_from(extension).where(ROTATING),
        }
        with self.database.read() as connection:
            return {name: int(connection.execute(query).scalar() or 0) for name, query in queries.items()}


def registration_of(row: Any) -> RegistrationRecord:
    return RegistrationRecord(Mac(row.mac), row.extension, row.registered_at, row.ended_at, row.uri, row.address, row.user_agent)


def _line_phones(numbers: Sequence[str]) -> sa.Select[Any]:
    return (
        sa.select(phone_line.c.extension, phone.c.mac, phone.c.model, phone.c.enabled)
        .distinct()
        .join(phone, phone.c.mac == phone_line.c.mac)
        .where(phone_line.c.extension.in_(numbers))
        .order_by(phone.c.mac)
    )


def _last_peer(connection: Connection, mac: Mac) -> str:
    query = sa.select(fetch.c.peer).where(fetch.c.mac == mac, fetch.c.reason.in_(("served", "not_modified")))
    return str(connection.execute(query.order_by(fetch.c.id.desc()).limit(1)).scalar() or "")
