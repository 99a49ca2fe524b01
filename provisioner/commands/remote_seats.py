"""Seats at a server elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.client import Client
from provisioner.commands.asking import asked, listed, seconds
from provisioner.core.mac import Mac
from provisioner.records_seats import SeatRecord, WrongPinRecord


class SeatReads:
    """Reads of seats."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def seats(self, *, after: str = "", limit: int) -> list[SeatRecord]:
        return [seat_of(row) for row in listed(self._client.seats.list(after=after or None, limit=limit), limit)]

    def wrong_pins(self) -> list[WrongPinRecord]:
        return [WrongPinRecord(**{**row, "since": seconds(row["since"])}) for row in asked(self._client.seats.wrong_pins)]


class SeatWrites:
    """Writes of seats."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def take_seat(self, actor: str, mac: Mac, number: str) -> SeatRecord:
        return seat_of(asked(self._client.phones.create_seat, mac, {"extension": number}))

    def leave_seat(self, actor: str, mac: Mac) -> None:
        asked(self._client.phones.delete_seat, mac)


def seat_of(row: Mapping[str, Any]) -> SeatRecord:
    return SeatRecord(**{**row, "mac": Mac.parse(row["mac"]), "since": seconds(row["since"])})
