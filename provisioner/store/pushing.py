"""Reads of what the PBX should say, and of what the worker has to do next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from provisioner.core.mac import Mac
from provisioner.models import (
    BEHIND,
    TO_PROMOTE,
    TO_WAKE,
    change,
    extension,
    meta,
    pbx_removal,
    phone,
    phone_line,
)
from provisioner.records import (
    ChangeRecord,
    ExtensionRecord,
)
from provisioner.store.base import CHUNK, StoreBase, extension_of


class PushingReads(StoreBase):
    """What the worker needs besides rendering."""

    def extensions_to_push(self, limit: int) -> list[tuple[ExtensionRecord, str]]:
        """Returns extensions that the PBX is not known to say as they should be, with their secrets; refused ones come last."""
        query = sa.select(extension).where(BEHIND).order_by(extension.c.pbx_error != "", extension.c.number).limit(limit)
        with self.database.read() as connection:
            return self._with_secrets(connection, query)

    def extensions_with_secrets(
        self, numbers: Iterable[str] | None = None, connection: Connection | None = None
    ) -> list[tuple[ExtensionRecord, str]]:
        """Returns every extension, or those named that exist, with its secret in clear: to compare with the PBX."""
        if connection is None:
            with self.database.read() as own:
                return self.extensions_with_secrets(numbers, own)
        query = sa.select(extension).order_by(extension.c.number)
        if numbers is None:
            return self._with_secrets(connection, query)
        wanted = sorted(numbers)
        chunks = (wanted[start : start + CHUNK] for start in range(0, len(wanted), CHUNK))
        return [found for chunk in chunks for found in self._with_secrets(connection, query.where(extension.c.number.in_(chunk)))]

    def removals(self) -> list[str]:
        """Returns deleted extensions that the PBX may still know."""
        with self.database.read() as connection:
            return list(connection.execute(sa.select(pbx_removal.c.number).order_by(pbx_removal.c.number)).scalars())

    def promotable(self, limit: int, *, has_pbx: bool) -> list[Mac]:
        """Returns phones whose next files may become live: rendered, and every line known to the PBX as it should be."""
        query = sa.select(phone.c.mac).where(TO_PROMOTE)
        if has_pbx:
            waiting = sa.select(phone_line.c.mac).join(extension, extension.c.number == phone_line.c.extension).where(BEHIND)
            query = query.where(phone.c.mac.not_in(waiting))
        with self.database.read() as connection:
            return [Mac(mac) for mac in connection.execute(query.order_by(phone.c.mac).limit(limit)).scalars()]

    def to_wake(self, limit: int) -> list[tuple[Mac, str, str]]:
        """Returns (phone, model, extension of its first line) of phones with live files that they have not been told of.

        The sites take turns, so that a small one does not wait behind a large one; within a site the phone that waits longest is first.
        """
        turn = sa.func.row_number().over(partition_by=phone.c.site, order_by=(phone.c.live_at, phone.c.mac)).label("turn")
        has_line = sa.exists().where(phone_line.c.mac == phone.c.mac)
        waiting = sa.select(phone.c.mac, phone.c.model, phone.c.live_at, turn).where(TO_WAKE, phone.c.enabled, has_line).subquery()
        line = sa.select(phone_line.c.extension).where(phone_line.c.mac == waiting.c.mac).order_by(phone_line.c.line).limit(1)
        query = sa.select(waiting.c.mac, waiting.c.model, line.scalar_subquery().label("extension"))
        query = query.order_by(waiting.c.turn, waiting.c.live_at, waiting.c.mac).limit(limit)
        with self.database.read() as connection:
            return [(Mac(row.mac), row.model, row.extension) for row in connection.execute(query)]

    def changes_after(self, change_id: int, actions: Sequence[str]) -> list[ChangeRecord]:
        """Returns changes of the kinds named with a number above ``change_id``, oldest first."""
        query = sa.select(change).where(change.c.id > change_id, change.c.action.in_(actions)).order_by(change.c.id).limit(500)
        with self.database.read() as connection:
            return [ChangeRecord(**row._mapping) for row in connection.execute(query)]

    def newest_change(self) -> int:
        """Returns the number of the newest change; 0 where there is none."""
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.max(change.c.id))).scalar() or 0)

    def meta(self, key: str) -> str | None:
        with self.database.read() as connection:
            return connection.execute(sa.select(meta.c.value).where(meta.c.key == key)).scalar()

    def _with_secrets(self, connection: Connection, query: sa.Select[Any]) -> list[tuple[ExtensionRecord, str]]:
        rows = connection.execute(query).all()
        return [(extension_of(row), self.box.open(row.secret, f"extension:{row.number}").decode()) for row in rows]
