"""Reads of seats by somebody who sees some sites only, or only their own phones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy.engine import Connection

from provisioner.core.mac import Mac
from provisioner.records_seats import DeskRecord, SeatRecord, WrongPinRecord
from provisioner.store.reach import phones_within

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from provisioner.scope import Scope
    from provisioner.store import Store


class ScopedSeats:
    """Part of ``ScopedStore``: seats at the phones that are seen."""

    _whole: Store
    _reach: Scope

    if TYPE_CHECKING:

        def macs_seen(self, macs: Iterable[Mac]) -> list[Mac]: ...

        def numbers_seen(self, numbers: Collection[str]) -> set[str]: ...

    def seats(self, *, after: str = "", limit: int = 100, within: Any = None) -> list[SeatRecord]:
        return self._whole.seats(after=after, limit=limit, within=phones_within(self._reach))

    def seat(self, mac: Mac, connection: Connection | None = None) -> SeatRecord | None:
        return self._whole.seat(mac, connection) if self.macs_seen([mac]) else None

    def desks(self, macs: Sequence[Mac], connection: Connection | None = None) -> dict[Mac, DeskRecord]:
        return self._whole.desks(self.macs_seen(macs), connection)

    def wrong_pins(self) -> list[WrongPinRecord]:
        rows = self._whole.wrong_pins()
        seen = self.numbers_seen([row.number for row in rows])
        return [row for row in rows if row.number in seen]
