"""The step that ends rotations of secrets: where every phone has moved, or where one did not in time."""

from __future__ import annotations

import logging
from collections.abc import Callable

from provisioner.changes.rotation import RotationWrites
from provisioner.records import ExtensionRecord
from provisioner.store import Store
from provisioner.worker.facts import Facts

log = logging.getLogger("provisioner.worker")

EVERY_S = 1.0
BATCH = 200


class Rotating:
    """Looks at a batch of open rotations once a second; however many are open, a step stays short."""

    def __init__(
        self,
        store: Store,
        writes: RotationWrites,
        facts: Facts,
        clock: Callable[[], float],
        timer: Callable[[], float],
        *,
        limit_s: float,
    ) -> None:
        self._store = store
        self._writes = writes
        self._facts = facts
        self._clock = clock
        self._timer = timer
        self._limit_s = limit_s
        self._next = -1.0
        self._after = ""

    def step(self) -> int:
        """Ends what can be ended; returns how many rotations it was."""
        now = self._timer()
        if now < self._next:
            return 0
        self._next = now + EVERY_S
        records = self._store.rotations(self._after, BATCH)
        self._after = records[-1].number if len(records) == BATCH else ""
        if not records:
            return 0
        waiting = self._store.rotation_waiting([record.number for record in records])
        return self._finish([record for record in records if not waiting[record.number]]) + self._roll_back(
            [record for record in records if waiting[record.number] and self._is_late(record)]
        )

    def _is_late(self, record: ExtensionRecord) -> bool:
        started = record.rotation_started_at
        return not record.rotation_rolled_back and started is not None and self._clock() >= started + self._limit_s

    def _finish(self, records: list[ExtensionRecord]) -> int:
        done = self._writes.finish_rotation({record.number: record.revision for record in records}) if records else []
        for number in done:
            log.info("event=rotated extension=%s", number)
        self._facts.counters["rotations_done"] += len(done)
        return len(done)

    def _roll_back(self, records: list[ExtensionRecord]) -> int:
        done = self._writes.roll_back({record.number: record.revision for record in records}) if records else []
        for number in done:
            log.error("event=rotation_rolled_back extension=%s", number)
        self._facts.counters["rotations_rolled_back"] += len(done)
        return len(done)
