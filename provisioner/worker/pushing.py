"""The step from extensions to what the PBX is read to say."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from pbx_sync.backend import Backend, PBXUnavailable
from pbx_sync.plan import Plan, TooMuchChange, diff
from pbx_sync.reconcile import Outcome, reconcile
from pbx_sync.state import Endpoint
from provisioner.models import extension, pbx_removal, phone, phone_line
from provisioner.pbxview import endpoint_of
from provisioner.records import ExtensionRecord
from provisioner.store import CHUNK, Store

log = logging.getLogger("provisioner.worker")

BATCH = 200
CHECK_EVERY_S = 300.0
RETRY_S = 2.0

Desired = Mapping[str, tuple[ExtensionRecord, Endpoint]]
"""Number -> the row as it was read, and what the PBX should say of it."""


class Pushing:
    """Keeps the PBX as the extensions say. While it is away, only phones whose extensions changed wait.

    ``timer`` only ever runs forward: a clock that is set back must not stop the pushing until it has caught up.
    """

    def __init__(
        self, store: Store, backend: Backend, clock: Callable[[], float] = time.time, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._backend = backend
        self._clock = clock
        self._timer = timer
        self._retry_at = self._check_at = -1.0
        self._refused: dict[str, str | None] = {}
        self.is_up = True
        self.drift = 0

    def step(self) -> int:
        """Pushes one batch; where nothing is left to push, compares everything once in a while. Returns how many extensions it touched."""
        now = self._timer()
        if now < self._retry_at:
            return 0
        try:
            done = self._push()
            if done or now < self._check_at:
                return done
            done = self.check(confirmed=False)
            self._check_at = now + CHECK_EVERY_S
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

    def check(self, *, confirmed: bool) -> int:
        """Compares everything of ours in the PBX with the rows and puts right what drifted. Raises ``PBXUnavailable``.

        What the guard forbids is counted in ``drift`` and left alone; with ``confirmed`` it is done.
        """
        self._refused.clear()
        desired = self._desired(self._store.extensions_with_secrets())
        endpoints = _endpoints(desired)
        try:
            outcome = reconcile(self._backend, endpoints, self._store.removals(), owned=len(desired), confirmed=confirmed, only=False)
        except TooMuchChange as error:
            log.error("event=pbx_guard detail=%s", error)
            self._up()
            self.drift = error.touched
            return 0
        self._up()
        self.drift = len(outcome.plan.update) + len(outcome.plan.delete)
        self._write(desired, outcome)
        return len(outcome.plan.create) + self.drift

    def plan(self) -> Plan:
        """Returns what ``check`` would do. Raises ``PBXUnavailable``."""
        desired = _endpoints(self._desired(self._store.extensions_with_secrets()))
        actual = self._backend.read()
        return diff(actual, desired, actual.keys() - desired.keys())

    def _push(self) -> int:
        open_ones = self._desired(self._store.extensions_to_push(BATCH))
        desired = {number: pair for number, pair in open_ones.items() if self._refused.get(number, "") != pair[1].hash}
        removed = [number for number in self._store.removals() if self._refused.get(number, "") is not None]
        if not desired and not removed:
            return 0
        outcome = reconcile(self._backend, _endpoints(desired), removed, confirmed=True)
        self._up()
        self._write(desired, outcome)
        return len(desired) + len(removed)

    def _desired(self, rows: Sequence[tuple[ExtensionRecord, str]]) -> Desired:
        return {record.number: (record, endpoint_of(record, secret)) for record, secret in rows}

    def _write(self, desired: Desired, outcome: Outcome) -> None:
        """Keeps what the PBX was read to say. What it refused is tried again when it changes, and at every full check."""
        for number, reason in outcome.refused.items():
            self._refused[number] = desired[number][1].hash if number in desired else None
            log.error("event=pbx_refused extension=%s reason=%s", number, reason)
        news = {number: pair[1] for number, pair in desired.items() if _known(pair[0]) != _found(pair[1], outcome)}
        gone = [number for number, verified in outcome.verified.items() if verified is None and number not in desired]
        if not news and not gone:
            return
        with self._store.database.write() as connection:
            # Read again under the write lock: what was edited, or deleted and made anew, since it was read has not been pushed.
            now = _endpoints(self._desired(self._store.extensions_with_secrets(news, connection)))
            rows = [_row(endpoint, outcome) for number, endpoint in news.items() if now.get(number) == endpoint]
            if rows:
                connection.execute(_VERIFIED, rows)
            for start in range(0, len(gone), CHUNK):
                connection.execute(pbx_removal.delete().where(pbx_removal.c.number.in_(gone[start : start + CHUNK])))

    def _up(self) -> None:
        if not self.is_up:
            log.info("event=pbx_back")
        self.is_up = True


_VERIFIED = (
    extension.update()
    .where(extension.c.number == sa.bindparam("which"))
    .values(pbx_wanted=sa.bindparam("wanted"), pbx_verified=sa.bindparam("verified"), pbx_error=sa.bindparam("reason"))
)


def _endpoints(desired: Desired) -> dict[str, Endpoint]:
    return {number: endpoint for number, (_, endpoint) in desired.items()}


def _known(record: ExtensionRecord) -> tuple[str | None, str | None, str]:
    return record.pbx_wanted, record.pbx_verified, record.pbx_error


def _found(endpoint: Endpoint, outcome: Outcome) -> tuple[str | None, str | None, str]:
    return endpoint.hash, outcome.verified.get(endpoint.number), outcome.refused.get(endpoint.number, "")[:500]


def _row(endpoint: Endpoint, outcome: Outcome) -> dict[str, Any]:
    wanted, verified, reason = _found(endpoint, outcome)
    return {"which": endpoint.number, "wanted": wanted, "verified": verified, "reason": reason}


class Observing:
    """Notes registrations as the PBX tells them."""

    EVERY_S = 1.0

    def __init__(
        self, store: Store, backend: Backend, clock: Callable[[], float] = time.time, timer: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._backend = backend
        self._clock = clock
        self._timer = timer
        self._next = -1.0
        self._known: dict[str, float] = {}

    def step(self) -> int:
        """Looks once a second; returns how many extensions registered anew. Raises ``PBXUnavailable``."""
        now = self._timer()
        if now < self._next:
            return 0
        self._next = now + self.EVERY_S
        newest: dict[str, float] = {}
        for contact in self._backend.contacts():
            newest[contact.number] = max(newest.get(contact.number, 0.0), contact.registered_at)
        news = [{"number": number, "at": at} for number, at in newest.items() if self._known.get(number) != at]
        if news:
            with self._store.database.write() as connection:
                connection.execute(_REGISTERED, news)
        self._known = newest
        return len(news)


# A phone with several lines is as new as the newest of its registrations, whatever their order here.
_REGISTERED = (
    phone.update()
    .where(
        phone.c.mac.in_(sa.select(phone_line.c.mac).where(phone_line.c.extension == sa.bindparam("number"))),
        sa.or_(phone.c.registered_at.is_(None), phone.c.registered_at < sa.bindparam("at")),
    )
    .values(registered_at=sa.bindparam("at"))
)
