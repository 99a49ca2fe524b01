"""Reads of the serving processes: all phones in a handful of statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from sys import intern
from typing import Any, Literal, NamedTuple, get_args

import sqlalchemy as sa
from sqlalchemy.engine import Row

from provisioner.core.mac import Mac
from provisioner.models import (
    index_log,
    phone,
    rendered_file,
    upload,
)
from provisioner.models_encryption import enciphered_phone
from provisioner.models_enrolment import first_fetch
from provisioner.models_install import install_link
from provisioner.records import (
    LiveFile,
    ServingRecord,
    UploadRecord,
)
from provisioner.store.base import StoreBase, in_chunks
from provisioner.store.installs import LINK_COLUMNS, link_of

IndexPart = Literal["sites", "warehouse"]
"""What serving knows besides phones: ``sites`` are their rules, networks and open windows."""


class IndexChanges(NamedTuple):
    """What changed since a reader last looked; with ``is_everything`` any phone may have."""

    position: int
    macs: frozenset[Mac] = frozenset()
    parts: frozenset[str] = frozenset()
    is_everything: bool = False


class ServingReads(StoreBase):
    """What serving needs."""

    def index_position(self) -> int:
        """Returns the number of the newest entry of the index log; 0 where there is none."""
        with self.database.read() as connection:
            return int(connection.execute(sa.select(sa.func.max(index_log.c.id))).scalar() or 0)

    def index_changes(self, since: int) -> IndexChanges:
        """Returns what changed after entry ``since`` of the index log."""
        query = sa.select(index_log.c.id, index_log.c.mac, index_log.c.part).where(index_log.c.id > since).order_by(index_log.c.id)
        with self.database.read() as connection:
            oldest = connection.execute(sa.select(sa.func.min(index_log.c.id))).scalar()
            rows = connection.execute(query).all()
        if oldest is None:  # never written, or trimmed to nothing while the reader was away
            return IndexChanges(0, is_everything=bool(since))
        newest = rows[-1].id if rows else since
        if oldest > since + 1 or any(row.mac is None and row.part not in get_args(IndexPart) for row in rows):
            return IndexChanges(newest, is_everything=True)
        parts = frozenset(row.part for row in rows if row.part is not None)
        return IndexChanges(newest, frozenset(Mac(row.mac) for row in rows if row.mac is not None), parts)

    def serving_records(self, macs: Iterable[Mac] | None = None) -> list[ServingRecord]:
        """Returns what serving needs of all phones, or of those named that exist."""
        columns = (
            phone.c.mac, phone.c.model, phone.c.site, phone.c.enabled, phone.c.token_epoch, phone.c.token_floor,
            phone.c.opened_at, phone.c.first_success_at, phone.c.live_hash, first_fetch.c.peer.label("first_peer"),
            enciphered_phone.c.since_epoch, phone.c.retired_at, *LINK_COLUMNS,
        )  # fmt: skip
        taken = sa.and_(first_fetch.c.mac == phone.c.mac, first_fetch.c.opened_at == phone.c.opened_at)
        query = sa.select(*columns).select_from(
            phone.outerjoin(first_fetch, taken)
            .outerjoin(install_link, install_link.c.mac == phone.c.mac)
            .outerjoin(enciphered_phone, enciphered_phone.c.mac == phone.c.mac)
        )
        with self.database.read() as connection:
            rows = in_chunks(connection, query, phone.c.mac, macs)
            return [
                ServingRecord(
                    Mac(row.mac), intern(row.model), intern(row.model.partition("/")[0]), intern(row.site), row.enabled, row.token_epoch, row.token_floor,
                    row.opened_at, row.first_success_at, row.live_hash, row.first_peer or "", link_of(row), row.since_epoch,
                    row.retired_at is not None,
                )
                for row in rows
            ]  # fmt: skip

    def live_files(self, macs: Iterable[Mac] | None = None) -> Iterator[LiveFile]:
        """Yields the live files, in clear, of all phones or of those named."""
        query = sa.select(rendered_file).where(rendered_file.c.state == "live")
        with self.database.read() as connection:
            for row in in_chunks(connection, query, rendered_file.c.mac, macs):
                yield self._live_file(row)

    def live_facts(self, macs: Iterable[Mac]) -> list[tuple[Mac, str, str, str]]:
        """Returns (mac, name, sha256, content type) of the live files of the phones named."""
        columns = (rendered_file.c.mac, rendered_file.c.name, rendered_file.c.sha256, rendered_file.c.content_type)
        query = sa.select(*columns).where(rendered_file.c.state == "live")
        with self.database.read() as connection:
            rows = in_chunks(connection, query, rendered_file.c.mac, macs)
            return [(Mac(row.mac), row.name, row.sha256, row.content_type) for row in rows]

    def live_file(self, mac: Mac, name: str, state: Literal["live", "boot"] = "live") -> LiveFile | None:
        """Returns one live file, or with ``boot`` what a first fetch gets in its place, in clear: one indexed read."""
        query = sa.select(rendered_file).where(rendered_file.c.mac == mac, rendered_file.c.state == state, rendered_file.c.name == name)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        return self._live_file(row) if row else None

    def _live_file(self, row: Row[Any]) -> LiveFile:
        body = self.box.open(row.body, f"file:{row.mac}:{row.name}")
        return LiveFile(Mac(row.mac), row.name, row.sha256, row.size, row.content_type, body)

    def uploads_of(self, mac: Mac) -> list[UploadRecord]:
        columns = [column for column in upload.c if column.name != "body"]
        query = sa.select(*columns).where(upload.c.mac == mac).order_by(upload.c.name)
        with self.database.read() as connection:
            return [UploadRecord(**{**row._mapping, "mac": Mac(row.mac)}) for row in connection.execute(query)]

    def upload_body(self, mac: Mac, name: str) -> tuple[UploadRecord, bytes] | None:
        """Returns one upload with its bytes in clear, or None."""
        query = sa.select(upload).where(upload.c.mac == mac, upload.c.name == name)
        with self.database.read() as connection:
            row = connection.execute(query).first()
        if row is None:
            return None
        record = UploadRecord(mac, row.name, row.kind, row.content_type, row.received_at, row.size, row.sha256)
        return record, self.box.open(row.body, f"upload:{mac}:{name}")

    def upload_names(self) -> list[tuple[Mac, str]]:
        """Returns (mac, name) of every upload kept, for the serving index."""
        with self.database.read() as connection:
            return [(Mac(row.mac), row.name) for row in connection.execute(sa.select(upload.c.mac, upload.c.name))]
