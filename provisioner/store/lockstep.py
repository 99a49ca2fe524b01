"""Reads of the facts that stages are decided from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Row

from provisioner.core.lockstep import LockstepFacts, has_moved, names_hash
from provisioner.core.mac import Mac
from provisioner.models import (
    BEHIND,
    GROUP_BEHIND,
    ROTATING,
    department,
    extension,
    phone,
    phone_line,
    registration,
    rendered_file,
    served_file,
)
from provisioner.records import ExtensionRecord
from provisioner.store.base import CHUNK, StoreBase, by_mac, extension_of


class LockstepReads(StoreBase):
    """What lockstep is proven from."""

    def lockstep(self, mac: Mac, *, has_pbx: bool) -> LockstepFacts | None:
        """Returns the facts that the stage of one phone is decided from, or None where there is no such phone."""
        return self.locksteps([mac], has_pbx=has_pbx).get(mac)

    def locksteps(self, macs: Sequence[Mac], *, has_pbx: bool) -> dict[Mac, LockstepFacts]:
        """Returns the facts of each phone named that exists, in three statements."""
        of_line = sa.and_(registration.c.mac == phone_line.c.mac, registration.c.extension == phone_line.c.extension)
        with self.database.read() as connection:
            phones = connection.execute(sa.select(phone).where(phone.c.mac.in_(macs))).all()
            live = connection.execute(
                sa.select(rendered_file.c.mac, rendered_file.c.name, served_file.c.sha256, served_file.c.since)
                .outerjoin(served_file, sa.and_(served_file.c.mac == rendered_file.c.mac, served_file.c.name == rendered_file.c.name))
                .where(rendered_file.c.mac.in_(macs), rendered_file.c.state == "live")
            ).all()
            extensions = connection.execute(
                sa.select(
                    phone_line.c.mac, extension.c.pbx_wanted, extension.c.pbx_verified, extension.c.pbx_error, registration.c.registered_at
                )
                .join(extension, extension.c.number == phone_line.c.extension)
                .outerjoin(registration, of_line)
                .where(phone_line.c.mac.in_(macs))
                .order_by(phone_line.c.mac, phone_line.c.line)
            ).all()
        live_of, extensions_of = by_mac(live), by_mac(extensions)
        return {Mac(row.mac): _facts(row, live_of.get(row.mac, ()), extensions_of.get(row.mac, ()), has_pbx) for row in phones}

    def rotations(self, after: str, limit: int) -> list[ExtensionRecord]:
        """Returns extensions whose secret is on its way to the phones, in the order of their number."""
        query = sa.select(extension).where(ROTATING, extension.c.number > after).order_by(extension.c.number).limit(limit)
        with self.database.read() as connection:
            return [extension_of(row) for row in connection.execute(query)]

    def rotation_waiting(self, numbers: Sequence[str]) -> dict[str, list[Mac]]:
        """Returns number -> the phones that are not proven to use the extension's secret, of those named (at most ``CHUNK``).

        Only enabled phones count: one that is not gets no files, and is not meant to be in use.
        """
        query = sa.select(phone_line.c.extension, phone.c.mac, registration.c.registered_at).distinct()
        query = query.join(phone, phone.c.mac == phone_line.c.mac)
        of_line = sa.and_(registration.c.mac == phone_line.c.mac, registration.c.extension == phone_line.c.extension)
        query = query.outerjoin(registration, of_line).where(phone.c.enabled, phone_line.c.extension.in_(numbers))
        waiting: dict[str, list[Mac]] = {number: [] for number in numbers}
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(phone_line.c.extension, phone.c.mac)).all()
        for start in range(0, len(rows), CHUNK):
            part = rows[start : start + CHUNK]
            facts = self.locksteps([Mac(row.mac) for row in part], has_pbx=True)
            for row in part:
                if Mac(row.mac) not in facts or not has_moved(facts[Mac(row.mac)], row.registered_at):
                    waiting[row.extension].append(Mac(row.mac))
        return waiting

    def pbx_counts(self) -> dict[str, int]:
        """Returns how many extensions there are, and how many of them and of departments the PBX does not yet say as wanted, or refused."""
        queries = (_counted(extension, BEHIND), _counted(department, GROUP_BEHIND))
        with self.database.read() as connection:
            extensions, groups = (connection.execute(query).one() for query in queries)
        drift, errors = extensions.drift + groups.drift, extensions.errors + groups.errors
        return {"extensions": int(extensions.all), "drift": int(drift), "errors": int(errors)}


def _counted(table: sa.Table, behind: sa.ColumnElement[bool]) -> sa.Select[int, int, int]:
    return sa.select(
        sa.func.count().label("all"),
        sa.func.count(sa.case((behind, 1))).label("drift"),
        sa.func.count(sa.case((table.c.pbx_error != "", 1))).label("errors"),
    ).select_from(table)


def _facts(row: Row[Any], live: Sequence[Row[Any]], extensions: Sequence[Row[Any]], has_pbx: bool) -> LockstepFacts:
    # A directory that went out with the phone's own contacts in it is noted under the hash of ours.
    served = [(item.name, item.sha256) for item in live]
    complete = bool(served) and all(sha256 for _, sha256 in served)
    errors = [row.error] if row.error else [f"extension: {item.pbx_error}" for item in extensions if item.pbx_error and has_pbx]
    wanted, verified = _joined(item.pbx_wanted for item in extensions), _joined(item.pbx_verified for item in extensions)
    return LockstepFacts(
        wanted=row.wanted_hash,
        live=row.live_hash,
        served=names_hash(served) if complete else None,
        pbx_wanted=wanted,
        pbx_verified=verified,
        live_at=row.live_at,
        notified_at=row.notified_at,
        notify_error=row.notify_error,
        fetched_at=max((item.since for item in live if item.since), default=None),
        registered_at=_oldest([item.registered_at for item in extensions]),
        error=errors[0] if errors else "",
        has_lines=bool(extensions),
        has_pbx=has_pbx,
        retired_at=row.retired_at,
    )


def _oldest(times: Sequence[float | None]) -> float | None:
    known = [at for at in times if at is not None]
    return min(known) if known and len(known) == len(times) else None


def _joined(hashes: Iterable[str | None]) -> str | None:
    known = list(hashes)
    return None if any(item is None for item in known) or not known else names_hash((str(at), item or "") for at, item in enumerate(known))
