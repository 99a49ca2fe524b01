"""Keeps what is seen of phones: evidence, one row for each source and fact, and the sighting that it merges to, one row a MAC.

Serving, the worker and the discovery process write here, each within a transaction of its own. Bounded: a MAC has at most one row for each
source and fact, the oldest sightings go with their evidence, and what was not repeated for a month is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.engine import Connection

from provisioner.core.catalogue import Catalogue
from provisioner.core.sightings import FORGET_S, GUESSED, SHOWN, Evidence, Fact, Observation, fact, maker_of, merge
from provisioner.models import sighting
from provisioner.models_sightings import evidence, scan

CHUNK = 400
SCANS = 100
"""Scans kept."""


class SightingWriter:
    """Writes observations. Has no state: any process and thread may have its own."""

    def __init__(self, catalogue: Catalogue, *, is_sqlite: bool, trusts: Callable[[str], bool] = lambda peer: True) -> None:
        self._catalogue = catalogue
        self._trusts = trusts
        self._insert = sqlite_insert if is_sqlite else postgres_insert

    def write(self, connection: Connection, observations: Sequence[Observation]) -> None:
        """Adds what was observed and merges the sightings that it touches anew."""
        if not observations:
            return
        self._note(connection, observations)
        observations = self._without_strangers(connection, observations)
        # The last one of several that say the same counts: an upsert takes each key once.
        rows = {(row["mac"], row["source"], row["fact"]): row for seen in observations for row in self._rows(seen)}
        insert: Any = self._insert(evidence)
        update = {name: insert.excluded[name] for name in ("value", "confidence", "at")}
        connection.execute(insert.on_conflict_do_update(index_elements=["mac", "source", "fact"], set_=update), list(rows.values()))
        self._merge(connection, sorted({seen.mac for seen in observations}))

    def trim(self, connection: Connection, most: int, now: float) -> None:
        """Forgets what is too old, and the sightings over ``most`` that were seen longest ago, with their evidence."""
        old = now - FORGET_S
        connection.execute(evidence.delete().where(evidence.c.at < old, evidence.c.source != "oui"))
        connection.execute(sighting.delete().where(sighting.c.last_seen < old))
        count = connection.execute(sa.select(sa.func.count()).select_from(sighting)).scalar() or 0
        if count > most:
            oldest = sa.select(sighting.c.mac).order_by(sighting.c.last_seen).limit(count - most)
            connection.execute(sighting.delete().where(sighting.c.mac.in_(oldest)))
        newest = connection.execute(sa.select(sa.func.max(scan.c.id))).scalar() or 0
        connection.execute(scan.delete().where(scan.c.id <= newest - SCANS))

    def _without_strangers(self, connection: Connection, observations: Sequence[Observation]) -> Sequence[Observation]:
        """Returns what counts: of who fetched from outside the trusted networks in the name of a phone within one only that it did."""
        strangers = {seen.mac for seen in observations if not self._is_trusted(seen)}
        if not strangers:
            return observations
        here = {seen.mac for seen in observations if seen.source == "fetch" and self._is_trusted(seen)}
        query = sa.select(evidence.c.mac, evidence.c.value).where(evidence.c.fact == "address", evidence.c.mac.in_(strangers))
        here |= {row.mac for row in connection.execute(query) if self._trusts(row.value)}
        return [
            seen if self._is_trusted(seen) or seen.mac not in here else seen._replace(facts=fact("stranger", _address(seen), SHOWN))
            for seen in observations
        ]

    def _is_trusted(self, seen: Observation) -> bool:
        """Returns whether it may stand for the phone: a registration is proven by a secret, and what was heard was heard on the spot."""
        return seen.source != "fetch" or self._trusts(_address(seen))

    def _note(self, connection: Connection, observations: Iterable[Observation]) -> None:
        seen: dict[str, dict[str, Any]] = {}
        for item in observations:
            first, count = item.first_at or item.at, item.times
            if item.mac in seen:
                first, count = min(first, seen[item.mac]["first_seen"]), count + seen[item.mac]["count"]
            seen[item.mac] = {"mac": item.mac, "first_seen": first, "last_seen": item.at, "count": count}
        insert: Any = self._insert(sighting)
        update = {"last_seen": insert.excluded.last_seen, "count": sighting.c.count + insert.excluded.count}
        connection.execute(insert.on_conflict_do_update(index_elements=["mac"], set_=update), list(seen.values()))

    def _rows(self, seen: Observation) -> Iterable[dict[str, Any]]:
        maker = maker_of(self._catalogue, seen.mac)
        said = [(seen.source, item) for item in seen.facts] + ([("oui", Fact("vendor", maker, GUESSED))] if maker else [])
        for source, item in said:
            row = {"mac": seen.mac, "source": source, "fact": item.name, "value": item.value}
            yield row | {"confidence": item.confidence, "at": seen.at}

    def _merge(self, connection: Connection, macs: Sequence[str]) -> None:
        for start in range(0, len(macs), CHUNK):
            chunk = macs[start : start + CHUNK]
            found: dict[str, list[Evidence]] = {mac: [] for mac in chunk}
            for row in connection.execute(sa.select(evidence).where(evidence.c.mac.in_(chunk))):
                found[row.mac].append(Evidence(row.source, row.fact, row.value, row.confidence, row.at))
            connection.execute(_MERGED, [self._merged(mac, rows) for mac, rows in found.items()])

    def _merged(self, mac: str, rows: Sequence[Evidence]) -> dict[str, Any]:
        known = merge(self._catalogue, rows)
        bounded = {"vendor": known.vendor[:32], "model": known.model[:64], "firmware": known.firmware[:64], "peer": known.address[:45]}
        return {"which": mac, **bounded, "conflict": known.conflict}


def _address(seen: Observation) -> str:
    return next((item.value for item in seen.facts if item.name == "address"), "")


_MERGED = sighting.update().where(sighting.c.mac == sa.bindparam("which"))
