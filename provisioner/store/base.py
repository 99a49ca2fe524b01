"""What all reads share: the database, the box that opens secrets, and a few ways to read rows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Row

from provisioner.core.catalogue import Catalogue
from provisioner.core.layers import Layer
from provisioner.core.mac import Mac
from provisioner.core.values import Key, SettingValue
from provisioner.db import Database
from provisioner.models import change, extension, phone
from provisioner.records import ExtensionRecord, Secrets
from provisioner.secrets import SecretBox

CHUNK = 400
"""MACs in one IN list: SQLite takes 999 variables at the least."""
LAST_EDITS = 100
"""Changes that are looked through for what was edited by itself."""


def has_secrets(database: Database) -> bool:
    """Returns whether anything in the database was sealed, or derived, with a key."""
    with database.read() as connection:
        return any(connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() for table in (extension, phone))


class StoreBase:
    """Reads. ``installation`` are the settings that the installation itself fills in (SIP server and port)."""

    def __init__(
        self, database: Database, box: SecretBox, catalogue: Catalogue, *, base_url: str, installation: Mapping[str, SettingValue]
    ) -> None:
        self.database = database
        self.box = box
        self.catalogue = catalogue
        self.base_url = base_url
        self.installation = dict(installation)
        self._defaults = Layer("default", "", {name: row.default for name, row in catalogue.settings.items()})

    def secret_settings(self, row: Any) -> dict[str, SettingValue]:
        """Returns a phone row's own settings of type secret, in clear."""
        if not row.secret_settings:
            return {}
        return dict(json.loads(self.box.open(row.secret_settings, f"phone:{row.mac}")))

    def secrets_of(self, row: Any) -> Secrets:
        """Returns an extension row's secrets in clear: the one that phones are given, then the former ones, newest first."""
        former = json.loads(self.box.open(row.former_secrets, f"former:{row.number}")) if row.former_secrets else []
        return (self.box.open(row.secret, f"extension:{row.number}").decode(), *former)


def in_chunks(connection: Connection, query: sa.Select[Any], column: sa.Column[Any], macs: Iterable[Mac] | None) -> Iterator[Row[Any]]:
    """Yields the rows of ``query`` for all phones, or for those named, ``CHUNK`` at a time."""
    if macs is None:
        yield from connection.execution_options(yield_per=1000).execute(query)
        return
    wanted = list(macs)
    for start in range(0, len(wanted), CHUNK):
        yield from connection.execute(query.where(column.in_(wanted[start : start + CHUNK])))


def settings_by_name(connection: Connection, table: sa.Table, names: set[str]) -> dict[str, Any]:
    """Returns name -> settings of the sites or groups named."""
    query = sa.select(table.c.name, table.c.settings).where(table.c.name.in_(sorted(names)))
    return {row.name: row.settings for row in connection.execute(query)}


def by_mac(rows: Iterable[Any]) -> dict[str, list[Any]]:
    """Returns rows by their phone, in the order they came."""
    grouped: dict[str, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row.mac, []).append(row)
    return grouped


def key_of(row: Row[Any]) -> Key:
    """Returns the key of a row that is joined with the extension it watches, whose name labels a key without a label."""
    return Key(row.module, row.key, row.type, row.value, row.label or (row.display_name or ""), row.line)


def extension_of(row: Row[Any]) -> ExtensionRecord:
    """Returns an extension row, without its secret."""
    return ExtensionRecord(
        row.number, row.display_name, row.email, row.department, row.revision, row.rotation_started_at, row.rotation_rolled_back,
        row.pbx_wanted, row.pbx_verified, row.pbx_error, row.site, row.record_calls,
    )  # fmt: skip


def like(text: str) -> str:
    """Returns ``text`` as the literal part of a LIKE pattern with ESCAPE backslash."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def edited_alone(connection: Connection, many: int) -> set[str]:
    """Returns what was changed by itself after the newest change that touched more than ``many`` phones."""
    newest = sa.select(sa.func.max(change.c.id)).scalar_subquery()
    query = sa.select(change.c.subject, change.c.phones).where(change.c.id > newest - LAST_EDITS).order_by(change.c.id.desc())
    rows = connection.execute(query).all()
    return {row.subject for row in takewhile(lambda row: row.phones <= many, rows)}
