"""The history of calls as pages show it: which part of it is asked for, and how the extensions in it are called."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.api.context import installation
from provisioner.errors import InputError
from provisioner.records_calls import CallRecord
from web.i18n import _
from web.outcomes import OUTCOMES

LONGEST_NUMBER = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """Which calls are asked for; what is empty does not matter. ``day`` is one of the server's time zone, as ``2026-11-26``."""

    extension: str = ""
    outcome: str = ""
    day: str = ""

    def given(self) -> dict[str, Any]:
        """Returns what is asked for, as an address says it; empty where every call is."""
        fields = {"extension": self.extension, "outcome": self.outcome, "day": self.day}
        return {name: text for name, text in fields.items() if text}

    def rows(self, *, limit: int, before: int | None = None) -> list[CallRecord]:
        """Returns the newest of these calls as far as who asks sees them, older than that of the key ``before``.

        Raises ``InputError`` where ``day`` is none.
        """
        since, until = _bounds(self.day)
        store = installation().store
        return store.calls(before=before, limit=limit, extension=self.extension, outcome=self.outcome, since=since, until=until)


def asked_by(given: Mapping[str, str]) -> Asked:
    """Returns what the address of a page asks for; an outcome that there is not is left out."""
    outcome = given.get("outcome", "")
    return Asked(
        given.get("extension", "").strip()[:LONGEST_NUMBER],
        outcome if outcome in OUTCOMES else "",
        given.get("day", "").strip()[:10],
    )


def names_in(rows: Iterable[CallRecord], *more: str) -> dict[str, str]:
    """Returns number -> name of the extensions in calls, and of those of ``more``, as far as who asks sees them."""
    numbers = sorted({number for row in rows for number in (row.caller, row.called, row.answered_by)}.union(more) - {""})
    found = installation().store.extensions(numbers=numbers, limit=len(numbers)) if numbers else []
    return {record.number: record.display_name for record in found}


def _bounds(day: str) -> tuple[float | None, float | None]:
    """Returns when a day begins and when the next one does: a day of which the clock is set has 23 or 25 hours."""
    if not day:
        return None, None
    try:
        first = datetime.date.fromisoformat(day)
        following = first + datetime.timedelta(days=1)
        return _midnight(first), _midnight(following)
    except (ValueError, OverflowError) as error:
        raise InputError({"day": _("A day is needed, as 2026-11-26.")}) from error


def _midnight(day: datetime.date) -> float:
    return datetime.datetime.combine(day, datetime.time()).timestamp()
