"""The step from extensions to what the PBX is read to say."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import sqlalchemy as sa

from pbx_sync.backend import Backend, PBXUnavailable
from pbx_sync.plan import Plan, TooMuchChange, diff
from pbx_sync.reconcile import Outcome, reconcile
from pbx_sync.state import Endpoint
from provisioner.models import extension, pbx_removal, phone, phone_line
from provisioner.pbxview import endpoint_of
from provisioner.store import Store

log = logging.getLogger("provisioner.worker")

BATCH = 200
CHECK_EVERY_S = 300.0
RETRY_S = 2.0


class Pushing:
    """Keeps the PBX as the extensions say. While it is away, only phones whose extensions changed wait."""

    def __init__(self, store: Store, backend: Backend, clock: Callable[[], float]) -> None:
        self._store = store
        self._backend = backend
        self._clock = clock
        self._retry_at = 0.0
        self._check_at = 0.0
        self._refused: dict[str, tuple[int, str]] = {}
        self.is_up = True
        self.drift = 0

    def step(self) -> int:
        """Pushes one batch, and compares everything once in a while; returns how many extensions it touched."""
        now = self._clock()
        if now < self._retry_at:
            return 0
        try:
            if now >= self._check_at:
                self._check_at = now + CHECK_EVERY_S
                return self.check(confirmed=False)
            return self._push()
        except PBXUnavailable as error:
            self._retry_at = now + RETRY_S
            if self.is_up:
                log.error("event=pbx_away detail=%s", error)
            self.is_up = False
            return 0

    def check(self, *, confirmed: bool) -> int:
        """Compares everything of ours in the PBX with the rows and puts right what drifted. Raises ``PBXUnavailable``."""
        desired = self._desired_all()
        try:
            outcome = reconcile(self._backend, desired, self._store.removals(), owned=len(desired), confirmed=confirmed, only=False)
        except TooMuchChange as error:
            log.error("event=pbx_guard detail=%s", error)
            if confirmed:
                raise
            return 0
        self._up()
        self.drift = len(outcome.plan.update) + len(outcome.plan.delete)
        self._write(desired, outcome)
        return len(outcome.plan.create) + self.drift

    def plan(self) -> Plan:
        """Returns what ``check`` would do. Raises ``PBXUnavailable``."""
        desired = self._desired_all()
        actual = self._backend.read()
        return diff(actual, desired, actual.keys() - desired.keys())

    def _push(self) -> int:
        rows = [
            (record, secret)
            for record, secret in self._store.extensions_to_push(BATCH)
            if not self._was_refused(record.number, record.revision)
        ]
        removed = self._store.removals()
        if not rows and not removed:
            return 0
        desired = {record.number: endpoint_of(record, secret) for record, secret in rows}
        outcome = reconcile(self._backend, desired, removed, owned=self._store.counts()["extensions"], confirmed=True)
        self._up()
        self._refused |= {
            record.number: (record.revision, outcome.refused[record.number]) for record, _ in rows if record.number in outcome.refused
        }
        self._write(desired, outcome, {record.number: record.revision for record, _ in rows})
        return len(rows) + len(removed)

    def _was_refused(self, number: str, revision: int) -> bool:
        """An extension that the PBX refused is tried again when it changes, and at every full check."""
        return self._refused.get(number, (0, ""))[0] == revision

    def _desired_all(self) -> dict[str, Endpoint]:
        self._refused.clear()
        return {record.number: endpoint_of(record, secret) for record, secret in self._store.extensions_with_secrets()}

    def _write(self, desired: Mapping[str, Endpoint], outcome: Outcome, revisions: Mapping[str, int] | None = None) -> None:
        changed = {
            number: endpoint for number, endpoint in desired.items() if revisions is not None or self._is_news(number, endpoint, outcome)
        }
        with self._store.database.write() as connection:
            for number, endpoint in changed.items():
                here = extension.c.number == number
                if revisions is not None:
                    here = sa.and_(here, extension.c.revision == revisions[number])
                values = {
                    "pbx_wanted": endpoint.hash,
                    "pbx_verified": outcome.verified.get(number),
                    "pbx_error": outcome.refused.get(number, "")[:500],
                }
                connection.execute(extension.update().where(here).values(**values))
            gone = [number for number, verified in outcome.verified.items() if verified is None and number not in desired]
            if gone:
                connection.execute(pbx_removal.delete().where(pbx_removal.c.number.in_(gone)))

    def _is_news(self, number: str, endpoint: Endpoint, outcome: Outcome) -> bool:
        known = self._known.get(number)
        return known != (endpoint.hash, outcome.verified.get(number), outcome.refused.get(number, ""))

    @property
    def _known(self) -> dict[str, tuple[str | None, str | None, str]]:
        with self._store.database.read() as connection:
            columns = (extension.c.number, extension.c.pbx_wanted, extension.c.pbx_verified, extension.c.pbx_error)
            return {row.number: (row.pbx_wanted, row.pbx_verified, row.pbx_error) for row in connection.execute(sa.select(*columns))}

    def _up(self) -> None:
        if not self.is_up:
            log.info("event=pbx_back")
        self.is_up = True


class Observing:
    """Notes registrations as the PBX tells them."""

    EVERY_S = 1.0

    def __init__(self, store: Store, backend: Backend, clock: Callable[[], float]) -> None:
        self._store = store
        self._backend = backend
        self._clock = clock
        self._next = 0.0
        self._known: dict[str, float] = {}

    def step(self) -> int:
        now = self._clock()
        if now < self._next:
            return 0
        self._next = now + self.EVERY_S
        try:
            contacts = self._backend.contacts()
        except PBXUnavailable:
            return 0
        newest: dict[str, float] = {}
        for contact in contacts:
            newest[contact.number] = max(newest.get(contact.number, 0.0), contact.registered_at)
        news = {number: at for number, at in newest.items() if self._known.get(number) != at}
        if news:
            with self._store.database.write() as connection:
                for number, at in news.items():
                    on_line = sa.select(phone_line.c.mac).where(phone_line.c.extension == number)
                    connection.execute(phone.update().where(phone.c.mac.in_(on_line)).values(registered_at=at))
        self._known = newest
        return len(news)
