"""Reads of calls that have ended."""

from __future__ import annotations

import sqlalchemy as sa

from provisioner.models import meta
from provisioner.models_calls import call, call_party
from provisioner.records_calls import CallRecord, Held
from provisioner.store.base import StoreBase

RECORDINGS_CUT = "recordings_cut_at"
"""Where the worker keeps when recordings were last forgotten before their time."""


class CallReads(StoreBase):
    """Calls, the newest first."""

    def calls(
        self,
        *,
        before: int | None = None,
        limit: int = 100,
        extension: str = "",
        outcome: str = "",
        recorded: bool = False,
        since: float | None = None,
        until: float | None = None,
        within: sa.ColumnElement[bool] | None = None,
    ) -> list[CallRecord]:
        """Returns calls, the newest first: those that ``extension`` took part in, ended so, were recorded, and began in [since, until)."""
        query = sa.select(call).order_by(call.c.number.desc()).limit(limit)
        query = query.where(call.c.number < before) if before is not None else query
        query = query.where(took_part(call_party.c.number == extension)) if extension else query
        query = query.where(call.c.outcome == outcome) if outcome else query
        query = query.where(call.c.recording != "") if recorded else query
        query = query.where(call.c.started_at >= since) if since is not None else query
        query = query.where(call.c.started_at < until) if until is not None else query
        query = query.where(within) if within is not None else query
        with self.database.read() as connection:
            return [CallRecord(**row._mapping) for row in connection.execute(query)]

    def call(self, number: int, *, within: sa.ColumnElement[bool] | None = None) -> CallRecord | None:
        query = sa.select(call).where(call.c.number == number)
        query = query.where(within) if within is not None else query
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return CallRecord(**row._mapping) if row else None

    def recordings_held(self) -> Held:
        """Returns how many recordings there are, and how much they take."""
        columns = (sa.func.count(), sa.func.coalesce(sa.func.sum(call.c.recording_bytes), 0), sa.func.min(call.c.ended_at))
        with self.database.read() as connection:
            calls, size, oldest_at = connection.execute(sa.select(*columns).where(call.c.recording != "")).one()
        return Held(calls, int(size), oldest_at)

    def recordings_cut_at(self) -> float | None:
        """Returns when recordings were last forgotten before their time because they took too much; None where that never happened."""
        with self.database.read() as connection:
            text = connection.execute(sa.select(meta.c.value).where(meta.c.key == RECORDINGS_CUT)).scalar()
        return float(text) if text else None


def took_part(who: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Returns the condition that a row of ``call`` has a party like ``who``."""
    return call.c.number.in_(sa.select(call_party.c.call).where(who))
