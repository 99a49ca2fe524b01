"""The step that rings phones which somebody wants to hear, and notes what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import sqlalchemy as sa

from pbx_sync.testcalls import TestCalls
from provisioner.core.contacts import wake_uris
from provisioner.models_testcall import test_call
from provisioner.records_enrolment import TestCallRecord
from provisioner.store import Store
from provisioner.worker.contacts import Contacts

EVERY_S = 0.3
PATIENCE_S = 75.0
"""After so long nobody hears of a call any more: the PBX was started anew in the middle of it."""
HEARD = "HEARD"
WORDS = {
    "ANSWER": "it was answered, and hung up before its number was said",
    "NOANSWER": "it rang, and nobody answered",
    "BUSY": "it is busy, or refused the call",
    "CHANUNAVAIL": "the PBX does not reach it",
    "CONGESTION": "the PBX does not reach it, or it refused the call",
    "CANCEL": "the call was given up",
}
NOT_REGISTERED = "it is not registered: there is nothing to ring"


class Trying:
    """Rings and notes. Raises ``PBXUnavailable``."""

    def __init__(self, store: Store, contacts: Contacts, calls: TestCalls, clock: Callable[[], float], timer: Callable[[], float]) -> None:
        self._store = store
        self._contacts = contacts
        self._calls = calls
        self._clock = clock
        self._timer = timer
        self._next = -1.0

    def step(self) -> int:
        """Rings what is asked for, and notes what ended; returns how many calls changed."""
        now = self._timer()
        if now < self._next:
            return 0
        self._next = now + EVERY_S
        open_ones = self._store.test_calls({"asked", "ringing"})
        if not open_ones:
            return 0
        self._contacts.refresh()
        ringing = [item for item in open_ones if item.state == "ringing"]
        done = [self._rung(item) for item in open_ones if item.state == "asked"]
        done += self._ended(ringing) if ringing else []
        if done:
            with self._store.database.write() as connection:
                connection.execute(_NOTED, done)
        return len(done)

    def _rung(self, item: TestCallRecord) -> dict[str, object]:
        record = self._store.phone(item.mac)
        numbers = [line.extension for line in record.lines] if record else []
        phones = self._store.phones_with_lines(numbers)
        for number in numbers:
            uris = wake_uris(item.mac, self._contacts.of(number), self._contacts.phones(phones.get(number, ())))
            if uris:
                why = self._calls.ring(str(item.mac), number, uris[0])
                return self._noted(item, "failed" if why else "ringing", why)
        return self._noted(item, "failed", NOT_REGISTERED)

    def _ended(self, ringing: Sequence[TestCallRecord]) -> list[dict[str, object]]:
        outcomes, done = self._calls.outcomes(), []
        for item in ringing:
            outcome = outcomes.get(str(item.mac))
            if outcome == HEARD:
                done.append(self._noted(item, "heard", ""))
            elif outcome is not None:
                done.append(self._noted(item, "failed", WORDS.get(outcome, f"the PBX says {outcome[:40]}")))
            elif not item.at <= self._clock() < item.at + PATIENCE_S:
                done.append(self._noted(item, "failed", "the PBX never told what became of it"))
        return done

    def _noted(self, item: TestCallRecord, state: str, detail: str) -> dict[str, object]:
        return {"which": item.mac, "now_state": state, "why": detail[:200], "now": self._clock()}


_NOTED = (
    test_call.update()
    .where(test_call.c.mac == sa.bindparam("which"))
    .values(state=sa.bindparam("now_state"), detail=sa.bindparam("why"), at=sa.bindparam("now"))
)
