"""Calls of a server elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provisioner.client import Client
from provisioner.commands.asking import asked, listed, seconds, time_of
from provisioner.records_calls import CallRecord

if TYPE_CHECKING:
    from provisioner.callsnow import CallNow


class CallReads:
    """Reads of calls."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def calls(
        self, *, before: int | None = None, limit: int, extension: str = "", outcome: str = "", recorded: bool = False
    ) -> list[CallRecord]:
        asked_for = self._client.calls.list(
            before=before, limit=limit, extension=extension or None, outcome=outcome or None, recorded="true" if recorded else None
        )
        return [call_of(row) for row in listed(asked_for, limit)]

    def calls_now(self) -> list[CallNow]:
        from provisioner.callsnow import CallNow

        rows = asked(self._client.calls.now)
        return [CallNow(**{**row, "called": tuple(row["called"]), "since": seconds(row["since"])}) for row in rows]


class CallWrites:
    """Writes of recordings."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def remove_recording(self, actor: str, number: int) -> CallRecord:
        asked(self._client.calls.delete_recording, number)
        return call_of(asked(self._client.calls.show, number))


def call_of(row: Mapping[str, Any]) -> CallRecord:
    """Returns a call as the API shows it; the name of its recording's file stays with the server."""
    names = ("number", "uid", "caller", "caller_name", "called", "answered_by", "outcome", "talk_s", "recording_bytes")
    return CallRecord(
        started_at=seconds(row["started_at"]), answered_at=time_of(row["answered_at"]), ended_at=seconds(row["ended_at"]),
        recording="there" if row["is_recorded"] else "", **{name: row[name] for name in names},
    )  # fmt: skip
