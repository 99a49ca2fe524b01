"""Calls that a test puts into the database as the worker would."""

from __future__ import annotations

from typing import Any

from provisioner.db import Database
from provisioner.models_calls import call, call_party

AT = 1_800_000_000.0


def add_call(
    database: Database, at: float = AT, *, caller: str = "1001", called: str = "1002", parties: tuple[str, ...] = (), **more: Any
) -> int:
    """Puts an answered call of a minute in; returns its number. ``parties``: who took part, if not caller and called."""
    row = {
        "uid": f"{at}.{caller}.{called}", "started_at": at, "answered_at": at + 5, "ended_at": at + 65, "caller": caller, "caller_name": "Alice",
        "called": called, "answered_by": called, "outcome": "answered", "talk_s": 60.0, **more,
    }  # fmt: skip
    with database.write() as connection:
        number = int(connection.execute(call.insert().values(**row)).inserted_primary_key[0])
        connection.execute(call_party.insert(), [{"number": each, "call": number} for each in parties or {caller, called}])
    return number


MISSED: dict[str, Any] = {"answered_at": None, "answered_by": "", "outcome": "missed", "talk_s": 0.0}
