"""Reads of what was done: files, changes, fetches."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.models import (
    HELD,
    TO_RENDER,
    UNLISTED,
    change,
    extension,
    fetch,
    phone,
    rendered_file,
)
from provisioner.records import (
    ChangeRecord,
    FetchRecord,
    FileRecord,
)
from provisioner.store.base import StoreBase


class HistoryReads(StoreBase):
    """What was made, changed and fetched."""

    def files(self, mac: Mac) -> list[tuple[FileRecord, bytes]]:
        """Returns every rendered file of a phone with its bytes in clear; the caller masks. ``content`` is left empty."""
        query = sa.select(rendered_file).where(rendered_file.c.mac == mac).order_by(rendered_file.c.state, rendered_file.c.name)
        with self.database.read() as connection:
            rows = connection.execute(query).all()
        return [
            (
                FileRecord(row.name, row.state, row.sha256, row.size, row.content_type, ""),
                self.box.open(row.body, f"file:{mac}:{row.name}"),
            )
            for row in rows
        ]

    def changes(
        self,
        *,
        before: int | None = None,
        limit: int = 100,
        subject: str = "",
        actions: Collection[str] = (),
        within: sa.ColumnElement[bool] | None = None,
    ) -> list[ChangeRecord]:
        """Returns changes, newest first: those of ``subject`` and of the kinds ``actions``, where they are given."""
        query = sa.select(change).order_by(change.c.id.desc()).limit(limit)
        query = query.where(change.c.id < before) if before is not None else query
        query = query.where(change.c.subject == subject) if subject else query
        query = query.where(change.c.action.in_(actions)) if actions else query
        query = query.where(within) if within is not None else query
        with self.database.read() as connection:
            return [ChangeRecord(**row._mapping) for row in connection.execute(query)]

    def change(self, number: int, *, within: sa.ColumnElement[bool] | None = None) -> ChangeRecord | None:
        query = sa.select(change).where(change.c.id == number)
        query = query.where(within) if within is not None else query
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return ChangeRecord(**row._mapping) if row else None

    def fetches(self, *, mac: Mac | None = None, before: int | None = None, limit: int = 100, reason: str = "") -> list[FetchRecord]:
        """Returns fetches, newest first."""
        query = sa.select(fetch).order_by(fetch.c.id.desc()).limit(limit)
        query = query.where(fetch.c.mac == mac) if mac is not None else query
        query = query.where(fetch.c.id < before) if before is not None else query
        query = query.where(fetch.c.reason == reason) if reason else query
        with self.database.read() as connection:
            return [FetchRecord(**row._mapping) for row in connection.execute(query)]

    def phones_held(self, limit: int = 10, *, within: sa.ColumnElement[bool] | None = None) -> list[tuple[Mac, str]]:
        """Returns phones whose last render failed, with the reason, in the order of their MAC."""
        query = sa.select(phone.c.mac, phone.c.error).where(HELD).order_by(phone.c.mac).limit(limit)
        query = query.where(within) if within is not None else query
        with self.database.read() as connection:
            return [(Mac(row.mac), row.error) for row in connection.execute(query)]

    def counts(self) -> dict[str, int]:
        """Returns how many phones, extensions, phones to render, phones held and phones seen that are not listed there are, and the newest change's number."""
        queries = {
            "phones": sa.select(sa.func.count()).select_from(phone),
            "extensions": sa.select(sa.func.count()).select_from(extension),
            "phones_to_render": sa.select(sa.func.count()).select_from(phone).where(TO_RENDER),
            "phones_held": sa.select(sa.func.count()).select_from(phone).where(HELD),
            "sightings": sa.select(sa.func.count()).where(UNLISTED),
            "changes": sa.select(sa.func.max(change.c.id)),
        }
        with self.database.read() as connection:
            return {name: int(connection.execute(query).scalar() or 0) for name, query in queries.items()}
