"""What the worker knows of the PBX and other processes do not: kept as one row, written only where it changed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from pbx_sync.state import About
from provisioner.models import meta
from provisioner.store import Store
from provisioner.store.requests import PBX_BUSY, PBX_FACTS

SHOWN = 20
"""Numbers that a drift names; beyond them it is only counted."""
MOST_BUSY = 2000
COUNTED = (
    "checks", "drift_put_back", "drift_refused", "notifies", "pbx_outages", "registrations_seen", "rotations_done", "rotations_rolled_back",
    "wakes_given_up",
)  # fmt: skip
"""All that is counted: a counter that is not there cannot be told from one that stands still."""


class Facts:
    """The facts, and counters of what was done since the worker started."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._said = store.pbx_facts()
        self._busy = store.pbx_busy()
        self.counters: Counter[str] = Counter(dict.fromkeys(COUNTED, 0))
        self.contacts = 0

    def up(self) -> None:
        """The PBX answers."""
        if self._said.get("is_up") is not True:
            self._put(is_up=True, since=self._clock(), reason="")

    def away(self, reason: str) -> None:
        """The PBX does not answer, and why. Of the time before only what it was is kept."""
        if self._said.get("is_up") is not False:
            self.counters["pbx_outages"] += 1
            self._put(is_up=False, since=self._clock(), reason=reason[:500], channels=0)
            self.busy(frozenset())
        elif self._said.get("reason") != reason[:500]:
            self._put(reason=reason[:500])

    def about(self, about: About) -> None:
        """What the PBX says of itself."""
        self._put(version=about.version, started_at=round(about.started_at, 1), channels=about.channels)

    def checked(self, drifted: Mapping[str, str], guard: str) -> None:
        """Everything was compared: number -> what the PBX said otherwise, put back unless ``guard`` says why not."""
        now = self._clock()
        news: dict[str, Any] = {"checked_at": now, "guard": guard}
        self.counters["checks"] += 1
        if drifted:
            numbers = sorted(drifted)[:SHOWN]
            details = [f"{number}: {drifted[number]}" for number in numbers]
            news["drift"] = {"at": now, "count": len(drifted), "numbers": numbers, "details": details, "is_put_back": not guard}
            self.counters["drift_refused" if guard else "drift_put_back"] += len(drifted)
        self._put(**news)

    def busy(self, numbers: frozenset[str]) -> None:
        """Who is in a call or rings."""
        if numbers != self._busy:
            self._busy = numbers
            self._store_row(PBX_BUSY, sorted(numbers)[:MOST_BUSY])

    def _put(self, **news: Any) -> None:
        said = {**self._said, **news}
        if said != self._said:
            self._said = said
            self._store_row(PBX_FACTS, said)

    def _store_row(self, key: str, value: Any) -> None:
        with self._store.database.write() as connection:
            connection.execute(meta.delete().where(meta.c.key == key))
            connection.execute(meta.insert().values(key=key, value=json.dumps(value)))
