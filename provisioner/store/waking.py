"""Reads of phones that are to be told of new files, and of what people asked for by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.core.mac import Mac
from provisioner.models import TO_WAKE, WAKE_PLANNED, change, phone, phone_line
from provisioner.records import ChangeRecord, PhoneToWake, WakeRecord
from provisioner.store.base import StoreBase, by_mac


class WakingReads(StoreBase):
    """What telling phones needs."""

    def to_wake(self, limit: int) -> list[PhoneToWake]:
        """Returns phones with live files that they have not been told of and have no turn yet.

        The sites take turns, so that a small one does not wait behind a large one; within a site the phone that waits longest is first.
        """
        turn = sa.func.row_number().over(partition_by=phone.c.site, order_by=(phone.c.live_at, phone.c.mac)).label("turn")
        # One that is taken out of service has no line any more, and is told by the registrations that it still has.
        has_line = sa.or_(sa.exists().where(phone_line.c.mac == phone.c.mac), phone.c.retired_at.is_not(None))
        columns = (phone.c.mac, phone.c.model, phone.c.site, phone.c.live_at, phone.c.notify_tries)
        waiting = sa.select(*columns, turn).where(TO_WAKE, phone.c.enabled, has_line).subquery()
        with self.database.read() as connection:
            return _to_wake(connection, sa.select(waiting).order_by(waiting.c.turn, waiting.c.live_at, waiting.c.mac).limit(limit))

    def wakes_due(self, now: float, longest_s: Sequence[float], limit: int) -> list[PhoneToWake]:
        """Returns phones whose turn has come; also those whose turn is further off than any can be: the clock was set back since.

        ``longest_s`` holds the longest pause after none, one, two ... tries.
        """
        longest = sa.case(*((phone.c.notify_tries == tries, pause_s) for tries, pause_s in enumerate(longest_s)), else_=longest_s[-1])
        due = sa.or_(phone.c.notify_due_at <= now, phone.c.notify_due_at > now + longest)
        query = sa.select(phone).where(WAKE_PLANNED, due, phone.c.enabled).order_by(phone.c.notify_due_at, phone.c.mac).limit(limit)
        with self.database.read() as connection:
            return _to_wake(connection, query)

    def wakes(self, macs: Sequence[Mac]) -> dict[Mac, WakeRecord]:
        """Returns what came of telling the phones named, in one statement."""
        columns = (
            phone.c.mac, phone.c.notified_at, phone.c.notify_tries, phone.c.notify_reached, phone.c.notify_due_at, phone.c.notify_error,
        )  # fmt: skip
        with self.database.read() as connection:
            rows = connection.execute(sa.select(*columns).where(phone.c.mac.in_(macs))).all()
        return {
            Mac(row.mac): WakeRecord(row.notified_at, row.notify_tries, row.notify_reached, row.notify_due_at, row.notify_error)
            for row in rows
        }

    def changes_after(self, change_id: int, actions: Sequence[str]) -> list[ChangeRecord]:
        """Returns changes of the kinds named with a number above ``change_id``, oldest first."""
        query = sa.select(change).where(change.c.id > change_id, change.c.action.in_(actions)).order_by(change.c.id).limit(500)
        with self.database.read() as connection:
            return [ChangeRecord(**row._mapping) for row in connection.execute(query)]

    def changes_named(self, ids: Sequence[int]) -> list[ChangeRecord]:
        """Returns the changes with these numbers (at most ``CHUNK``), oldest first."""
        query = sa.select(change).where(change.c.id.in_(ids)).order_by(change.c.id)
        with self.database.read() as connection:
            return [ChangeRecord(**row._mapping) for row in connection.execute(query)]

    def newest_change(self) -> int:
        """Returns the number of the newest change; 0 where there is none."""
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.max(change.c.id))).scalar() or 0)


def _to_wake(connection: Connection, query: sa.Select[Any]) -> list[PhoneToWake]:
    rows = connection.execute(query).all()
    macs = [row.mac for row in rows]
    lines = sa.select(phone_line.c.mac, phone_line.c.extension).where(phone_line.c.mac.in_(macs)).order_by(phone_line.c.line)
    numbers = by_mac(connection.execute(lines).all() if macs else ())
    return [
        PhoneToWake(
            Mac(row.mac), row.model, row.site, tuple(line.extension for line in numbers.get(row.mac, ())), row.notify_tries, row.live_at
        )
        for row in rows
    ]
