"""Taking phones in at a server elsewhere: windows, the warehouse, newcomers, claims, refusals and alarms."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from provisioner.client import Client
from provisioner.commands.asking import asked, listed, seconds, time_of
from provisioner.core.enrolment import CLAIM_PREFIX
from provisioner.core.mac import Mac
from provisioner.records_enrolment import AlarmRecord, NewcomerRecord, RefusalRecord, WarehouseRecord, WindowRecord

if TYPE_CHECKING:
    from provisioner.changes.enrolment import Stocked

_LONGEST_TAIL = 11
"""Digits of a MAC that are only its end."""


class EnrolmentReads:
    """Reads of what waits to be taken in."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def windows(self) -> list[WindowRecord]:
        return [window_of(row) for row in listed(self._client.windows.list())]

    def warehouse(self, *, limit: int) -> list[WarehouseRecord]:
        rows = listed(self._client.warehouse.list(), limit)
        return [WarehouseRecord(Mac.parse(row["mac"]), row["model"], row["note"], seconds(row["added_at"])) for row in rows]

    def newcomers(self, *, limit: int) -> list[NewcomerRecord]:
        return [newcomer_of(row) for row in listed(self._client.newcomers.list(), limit)]

    def bootstrap_refusals(self, *, limit: int) -> list[RefusalRecord]:
        return [refusal_of(row) for row in listed(self._client.bootstrap.refusals(), limit)]

    def alarms(self, *, limit: int) -> list[AlarmRecord]:
        rows = listed(self._client.bootstrap.alarms(), limit)
        return [AlarmRecord(**{**row, "at": seconds(row["at"]), "until": seconds(row["until"])}) for row in rows]

    def model_names(self) -> dict[str, str | None]:
        """Returns what models are called in files of the warehouse -> id; None for a name that two of them have."""
        names: dict[str, str | None] = {}
        for row in listed(self._client.models.list()):
            for text in {row["id"], row["id"].partition("/")[2], row["title"]}:
                bare = re.sub(r"[^a-z0-9]", "", text.lower())
                names[bare] = row["id"] if names.get(bare, row["id"]) == row["id"] else None
        return names


class EnrolmentWrites:
    """Takes phones in."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def open_window(self, actor: str, site: str, minutes: int, phones: int) -> WindowRecord:
        return window_of(asked(self._client.sites.put_window, site, {"minutes": minutes, "phones": phones}))

    def close_window(self, actor: str, site: str) -> None:
        asked(self._client.sites.delete_window, site)

    def add_to_warehouse(self, actor: str, stock: Sequence[Stocked]) -> int:
        phones = [{"mac": row.mac.colons, "model": row.model, "note": row.note} for row in stock]
        return int(asked(self._client.warehouse.create, {"phones": phones})["added"])

    def remove_from_warehouse(self, actor: str, mac: Mac) -> None:
        asked(self._client.warehouse.delete, mac)

    def make_claim_code(self, actor: str, extension: str, minutes: int) -> tuple[str, float]:
        made = asked(self._client.claim_codes.create, {"extension": extension, "minutes": minutes})
        return made["dial"].removeprefix(CLAIM_PREFIX), seconds(made["expires_at"])

    def claim(self, tail: str, extension: str | None) -> Mapping[str, Any]:
        """Takes in the phone whose MAC ends in ``tail``; returns it as the API shows it."""
        named = {"mac_tail" if len(tail) <= _LONGEST_TAIL else "mac": tail, **({"extension": extension} if extension else {})}
        phone: Mapping[str, Any] = asked(self._client.claims.create, named)
        return phone


def window_of(row: Mapping[str, Any]) -> WindowRecord:
    return WindowRecord(**{**row, "opened_at": seconds(row["opened_at"]), "closes_at": seconds(row["closes_at"])})


def newcomer_of(row: Mapping[str, Any]) -> NewcomerRecord:
    times: dict[str, Any] = {name: time_of(row[name]) for name in ("first_at", "at", "judged_at", "waits_until", "stranger_at")}
    return NewcomerRecord(**{**{name: value for name, value in row.items() if name != "code"}, **times, "mac": Mac.parse(row["mac"])})


def refusal_of(row: Mapping[str, Any]) -> RefusalRecord:
    names = ("site", "reason", "count", "peer", "user_agent")
    times: dict[str, Any] = {name: time_of(row[name]) for name in ("first_at", "at", "succeeded_at")}
    return RefusalRecord(mac=Mac.parse(row["mac"]), **{name: row[name] for name in names}, **times)
