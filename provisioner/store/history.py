"""Reads of what was done: files, changes, fetches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

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
from provisioner.models_changes import change_part
from provisioner.records import (
    ChangeRecord,
    FetchRecord,
    FileRecord,
)
from provisioner.records_changes import ChangePart
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
        """Returns changes, newest first: those of ``subject`` and of the kinds ``actions``, where they are given.

        Of a change of many things that ``subject`` was one of, a row says what it made of this one.
        """
        query = sa.select(change).order_by(change.c.id.desc()).limit(limit)
        query = query.where(change.c.id < before) if before is not None else query
        query = query.where((change.c.subject == subject) | change.c.id.in_(_of_many(subject))) if subject else query
        query = query.where(change.c.action.in_(actions)) if actions else query
        query = query.where(within) if within is not None else query
        with self.database.read() as connection:
            found = [ChangeRecord(**row._mapping) for row in connection.execute(query)]
            return _narrowed(connection, found, subject) if subject else found

    def change_parts(
        self, number: int, connection: Connection | None = None, *, after: tuple[str, str] = ("", ""), limit: int | None = None
    ) -> list[ChangePart]:
        """Returns what a change of many things made of each of them, by noun and subject; of any other change nothing."""
        if connection is None:
            with self.database.read() as own:
                return self.change_parts(number, own, after=after, limit=limit)
        query = sa.select(change_part).where(change_part.c.change == number, sa.tuple_(change_part.c.noun, change_part.c.subject) > after)
        query = query.order_by(change_part.c.noun, change_part.c.subject).limit(limit)
        return [ChangePart(row.noun, row.subject, row.before, row.after) for row in connection.execute(query)]

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


def _of_many(subject: str) -> sa.Select[tuple[int]]:
    return sa.select(change_part.c.change).where(change_part.c.subject == subject)


def _narrowed(connection: Connection, rows: Sequence[ChangeRecord], subject: str) -> list[ChangeRecord]:
    """Returns the rows of changes of many things as rows of this one."""
    query = sa.select(change_part).where(change_part.c.subject == subject, change_part.c.change.in_([row.id for row in rows]))
    parts = {row.change: row for row in connection.execute(query)}
    return [
        replace(row, subject=subject, before=parts[row.id].before, after=parts[row.id].after) if row.id in parts else row for row in rows
    ]
