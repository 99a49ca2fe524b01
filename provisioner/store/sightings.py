"""Reads of finding phones: sightings with their evidence, and scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.core.sightings import Evidence
from provisioner.models import UNLISTED, sighting
from provisioner.models_sightings import evidence, scan
from provisioner.records import ScanRecord, SightingRecord
from provisioner.store.base import CHUNK, StoreBase


class SightingReads(StoreBase):
    """What was seen, and where was looked."""

    def sightings(self, *, after: str = "", limit: int = 100, mac: Mac | None = None, listed: bool = False) -> list[SightingRecord]:
        """Returns phones seen, in the order of their MAC, with their evidence; those that are listed only with ``listed``."""
        query = sa.select(sighting).where(sighting.c.mac > after)
        query = query if listed else query.where(UNLISTED)
        query = query.where(sighting.c.mac == mac) if mac is not None else query
        with self.database.read() as connection:
            rows = connection.execute(query.order_by(sighting.c.mac).limit(limit)).all()
            found = _evidence(connection, [row.mac for row in rows])
        return [SightingRecord(**{**row._mapping, "mac": Mac(row.mac)}, evidence=tuple(found.get(row.mac, ()))) for row in rows]

    def newest_sightings(
        self, *, tail: str = "", limit: int = 30, fits: Callable[[SightingRecord], bool] | None = None
    ) -> list[SightingRecord]:
        """Returns phones seen and not listed, those seen last first, without their evidence; with ``tail`` whose MAC ends so."""
        query = sa.select(sighting).where(UNLISTED)
        query = query.where(sighting.c.mac.endswith(tail, autoescape=True)) if tail else query
        query = query.order_by(sighting.c.last_seen.desc(), sighting.c.mac).execution_options(yield_per=CHUNK)
        with self.database.read() as connection:
            rows = (SightingRecord(**{**row._mapping, "mac": Mac(row.mac)}, evidence=()) for row in connection.execute(query))
            return list(islice((row for row in rows if fits is None or fits(row)), limit))

    def conflict_of(self, mac: Mac) -> str:
        """Returns in words what the evidence of one phone disagrees about; empty where it does not, or was never seen."""
        with self.database.read() as connection:
            return str(connection.execute(sa.select(sighting.c.conflict).where(sighting.c.mac == mac)).scalar() or "")

    def scan(self, number: int) -> ScanRecord | None:
        """Returns one scan, or None."""
        with self.database.read() as connection:
            row = connection.execute(sa.select(scan).where(scan.c.id == number)).first()
        return ScanRecord(**row._mapping) if row else None

    def scans(self, *, before: int | None = None, limit: int = 100, state: str = "") -> list[ScanRecord]:
        """Returns scans, newest first; with ``state`` those alone."""
        query = sa.select(scan).order_by(scan.c.id.desc()).limit(limit)
        query = query.where(scan.c.id < before) if before is not None else query
        query = query.where(scan.c.state == state) if state else query
        with self.database.read() as connection:
            return [ScanRecord(**row._mapping) for row in connection.execute(query)]


def _evidence(connection: sa.Connection, macs: Sequence[str]) -> dict[str, list[Evidence]]:
    found: dict[str, list[Evidence]] = {}
    order = (evidence.c.mac, evidence.c.confidence.desc(), evidence.c.source, evidence.c.fact)
    for start in range(0, len(macs), CHUNK):
        chosen = evidence.c.mac.in_(macs[start : start + CHUNK]), evidence.c.value != ""
        for row in connection.execute(sa.select(evidence).where(*chosen).order_by(*order)):
            found.setdefault(row.mac, []).append(Evidence(row.source, row.fact, row.value, row.confidence, row.at))
    return found
