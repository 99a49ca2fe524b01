"""Numbers of the whole installation, for the first page and for metrics; remembered for moments, since anybody may ask for them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from provisioner.db import DatabaseError
from provisioner.wiring import Installation

REMEMBERED_S = 5.0


@dataclass(frozen=True, slots=True)
class Overview:
    """``counts`` as ``Store.counts``, ``stages`` by stage, ``pbx`` as ``Store.pbx_counts`` and more; all empty where the database cannot be read."""

    counts: Mapping[str, int]
    stages: Mapping[str, int]
    pbx: Mapping[str, int]

    @property
    def is_known(self) -> bool:
        return bool(self.counts)


class Numbers:
    """Reads the numbers at most every ``REMEMBERED_S`` seconds, one reader at a time. Safe to share between threads."""

    def __init__(self, installation: Installation, clock: Callable[[], float] = time.monotonic) -> None:
        self._installation = installation
        self._clock = clock
        self._lock = threading.Lock()
        self._read_at: float | None = None
        self._last = Overview({}, {}, {})

    def __call__(self) -> Overview:
        with self._lock:
            if self._read_at is None or self._clock() - self._read_at >= REMEMBERED_S:
                self._last = self._read()
                self._read_at = self._clock()
            return self._last

    def _pbx(self) -> dict[str, int]:
        store = self._installation.store
        facts = store.pbx_facts()
        drift = facts.get("drift") or {"count": 0}
        held = int(drift["count"]) if facts.get("guard") else 0
        return {**store.pbx_counts(), **store.registration_counts(), "up": int(facts.get("is_up") is True), "guarded": held}

    def _read(self) -> Overview:
        store, has_pbx = self._installation.store, self._installation.settings.has_pbx
        try:
            return Overview(store.counts(), store.stage_counts(has_pbx=has_pbx), self._pbx() if has_pbx else {"drift": 0, "errors": 0})
        except DatabaseError:
            return Overview({}, {}, {})
