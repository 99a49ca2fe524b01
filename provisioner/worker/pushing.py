"""The step from extensions and departments to what the PBX is read to say."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from pbx_sync.backend import Backend, PBXUnavailable
from pbx_sync.plan import Plan, TooMuchChange, diff, guard
from pbx_sync.reconcile import Outcome, reconcile
from pbx_sync.state import PBXObject
from provisioner.models import department, extension, pbx_removal
from provisioner.pbxview import endpoint_of, ring_group_of
from provisioner.records import DepartmentRecord, ExtensionRecord, Secrets
from provisioner.store import CHUNK, Store
from provisioner.worker.facts import Facts

log = logging.getLogger("provisioner.worker")

BATCH = 200
CHECK_EVERY_S = 300.0
SPOT_EVERY_S = 2.0
"""One extension is compared so often, the next one each time: a PBX that was emptied behind our back is found out at once, whichever it is."""
RETRY_S = 2.0
GUARD_MEND = "'provisioner plan' shows it; 'provisioner sync --confirm' applies it"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row as it was read, and what the PBX should say of it."""

    record: ExtensionRecord | DepartmentRecord
    item: PBXObject

    @property
    def known(self) -> tuple[str | None, str | None, str]:
        return self.record.pbx_wanted, self.record.pbx_verified, self.record.pbx_error


Desired = Mapping[str, Wanted]
"""By number: extensions and departments share one space of numbers."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a comparison of everything came to: the plan, why parts of it were refused, and the guard's sentence where it was not applied."""

    plan: Plan
    refused: Mapping[str, str] = field(default_factory=dict)
    guard: str = ""


class Pushing:
    """Keeps the PBX as the rows say. While it is away, only phones whose extensions changed wait.

    ``timer`` only ever runs forward: a clock that is set back must not stop the pushing until it has caught up.
    """

    def __init__(
        self,
        store: Store,
        backend: Backend,
        facts: Facts,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._backend = backend
        self._facts = facts
        self._clock = clock
        self._timer = timer
        self._retry_at = self._check_at = self._spot_at = -1.0
        self._spot = ""
        self._refused: dict[str, str | None] = {}
        self.is_up = True
        self.drift = 0

    def step(self) -> int:
        """Pushes one batch; where nothing is left to push, compares everything once in a while. Returns how many objects it touched."""
        now = self._timer()
        if now < self._retry_at:
            return 0
        try:
            done = self._push()
            if done or (now < self._check_at and self._is_as_it_was(now)):
                return done
            done = self.check(confirmed=False)
        except PBXUnavailable as error:
            self.away(error)
            return 0
        return done

    def away(self, error: PBXUnavailable) -> None:
        """Notes that the PBX does not answer. When it does again, everything is compared: it may have come back with anything."""
        self._retry_at = self._timer() + RETRY_S
        self._check_at = -1.0
        if self.is_up:
            log.error("event=pbx_away detail=%s", error)
        self.is_up = False
        self._facts.away(str(error))

    def check(self, *, confirmed: bool) -> int:
        """As ``compare``; returns how many objects were put right."""
        checked = self.compare(confirmed=confirmed)
        return 0 if checked.guard else len(checked.plan.create) + checked.plan.touched

    def compare(self, *, confirmed: bool) -> Checked:
        """Compares everything of ours in the PBX with the rows and puts right what drifted. Raises ``PBXUnavailable``.

        What the guard forbids is counted in ``drift`` and left alone; with ``confirmed`` it is done.
        """
        self._refused.clear()
        desired = self._everything()
        try:
            outcome = reconcile(self._backend, _items(desired), self._store.removals(), owned=len(desired), confirmed=confirmed, only=False)
        except TooMuchChange as error:
            log.error("event=pbx_guard detail=%s", error)
            checked = Checked(error.plan, guard=f"{error}: {GUARD_MEND}")
        else:
            checked = Checked(outcome.plan, outcome.refused)
            self._write(desired, outcome)
        self._check_at = self._timer() + CHECK_EVERY_S
        self._up()
        drifted = _drifted(desired, checked.plan)
        self.drift = len(drifted)
        self._facts.checked(drifted, checked.guard)
        return checked

    def sync(self, *, confirmed: bool) -> Checked:
        """Pushes what is open, then compares everything, now. Raises ``PBXUnavailable``."""
        self._refused.clear()
        while self._push():
            continue
        return self.compare(confirmed=confirmed)

    def plan(self) -> Plan:
        """Returns what ``sync`` would do. Raises ``PBXUnavailable``."""
        return self.planned().plan

    def planned(self) -> Checked:
        """Returns what ``sync`` would do, and the guard's sentence where it would need a confirmation. Raises ``PBXUnavailable``."""
        desired = _items(self._everything())
        actual = self._backend.read()
        plan = diff(actual, desired, actual.keys() - desired.keys())
        try:
            guard(plan, max(len(desired), len(actual)), confirmed=False)
        except TooMuchChange as error:
            return Checked(plan, guard=f"{error}: {GUARD_MEND}")
        return Checked(plan)

    def _push(self) -> int:
        open_ones = _desired(self._store.extensions_to_push(BATCH), self._store.departments_to_push(BATCH))
        desired = {number: wanted for number, wanted in open_ones.items() if self._refused.get(number, "") != wanted.item.hash}
        removed = [number for number in self._store.removals() if self._refused.get(number, "") is not None]
        if not desired and not removed:
            return 0
        outcome = reconcile(self._backend, _items(desired), removed, confirmed=True)
        self._up()
        self._write(desired, outcome)
        return len(desired) + len(removed)

    def _is_as_it_was(self, now: float) -> bool:
        """Returns whether the next extension is in the PBX as it was last read there; True while none is due."""
        if now < self._spot_at:
            return True
        self._spot_at = now + SPOT_EVERY_S
        found = self._store.extension_verified_after(self._spot)
        self._spot, verified = found or ("", "")
        if not found:
            return True
        item = self._backend.read([self._spot]).get(self._spot)
        return item is not None and item.hash == verified

    def _everything(self) -> Desired:
        return _desired(self._store.extensions_with_secrets(), self._store.ring_groups())

    def _write(self, desired: Desired, outcome: Outcome) -> None:
        """Keeps what the PBX was read to say. What it refused is tried again when it changes, and at every full check."""
        for number, reason in outcome.refused.items():
            self._refused[number] = desired[number].item.hash if number in desired else None
            log.error("event=pbx_refused number=%s reason=%s", number, reason)
        news = {number: wanted for number, wanted in desired.items() if wanted.known != _found(wanted.item, outcome)}
        gone = [number for number, verified in outcome.verified.items() if verified is None and number not in desired]
        if not news and not gone:
            return
        with self._store.database.write() as connection:
            # Read again under the write lock: what was edited, or deleted and made anew, since it was read has not been pushed.
            extensions = [number for number, wanted in news.items() if isinstance(wanted.record, ExtensionRecord)]
            groups = [wanted.record.name for wanted in news.values() if isinstance(wanted.record, DepartmentRecord)]
            now = _items(
                _desired(
                    self._store.extensions_with_secrets(extensions, connection) if extensions else (),
                    self._store.ring_groups(groups, connection) if groups else (),
                )
            )
            same = [wanted for number, wanted in news.items() if now.get(number) == wanted.item]
            for statement, kind in ((_EXTENSION, ExtensionRecord), (_DEPARTMENT, DepartmentRecord)):
                if rows := [_row(wanted, outcome) for wanted in same if isinstance(wanted.record, kind)]:
                    connection.execute(statement, rows)
            for start in range(0, len(gone), CHUNK):
                connection.execute(pbx_removal.delete().where(pbx_removal.c.number.in_(gone[start : start + CHUNK])))

    def _up(self) -> None:
        if not self.is_up:
            log.info("event=pbx_back")
        self.is_up = True
        self._facts.up()


def _verified(table: sa.Table, key: sa.Column[Any]) -> sa.Update:
    values: dict[str, Any] = {
        "pbx_wanted": sa.bindparam("wanted"),
        "pbx_verified": sa.bindparam("verified"),
        "pbx_error": sa.bindparam("reason"),
    }
    return table.update().where(key == sa.bindparam("which")).values(**values)


_EXTENSION = _verified(extension, extension.c.number)
_DEPARTMENT = _verified(department, department.c.name)


def _desired(extensions: Iterable[tuple[ExtensionRecord, Secrets]], groups: Sequence[DepartmentRecord]) -> dict[str, Wanted]:
    endpoints = (Wanted(record, endpoint_of(record, secrets)) for record, secrets in extensions)
    rings = (Wanted(record, ring_group_of(record)) for record in groups)
    return {wanted.item.number: wanted for wanted in (*endpoints, *rings)}


def _items(desired: Desired) -> dict[str, PBXObject]:
    return {number: wanted.item for number, wanted in desired.items()}


def _found(item: PBXObject, outcome: Outcome) -> tuple[str | None, str | None, str]:
    return item.hash, outcome.verified.get(item.number), outcome.refused.get(item.number, "")[:500]


def _row(wanted: Wanted, outcome: Outcome) -> dict[str, Any]:
    hash_, verified, reason = _found(wanted.item, outcome)
    which = wanted.record.number if isinstance(wanted.record, ExtensionRecord) else wanted.record.name
    return {"which": which, "wanted": hash_, "verified": verified, "reason": reason}


def _drifted(desired: Desired, plan: Plan) -> dict[str, str]:
    """Returns number -> what the PBX said that it was not told, in words. What it was never proven to have is no drift."""
    missing = {
        item.number: "it is gone" for item in plan.create if item.number in desired and desired[item.number].record.pbx_verified is not None
    }
    changed = {item.number: "; ".join(plan.reasons.get(item.number, ())) for item in plan.update}
    return {**missing, **changed, **dict.fromkeys(plan.delete, "it carries our mark and is none of our extensions")}
