"""What is kept of phones that were seen: merged, bounded for each MAC and in all, forgotten after a time; and the thread that keeps it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner.core.mac import Mac
from provisioner.core.sightings import FORGET_S, GUESSED, SHOWN, TOLD, Fact, Observation
from provisioner.db import Database
from provisioner.discovery import keeping
from provisioner.discovery.keeping import Keeper
from provisioner.models import sighting
from provisioner.models_sightings import evidence
from provisioner.seen import SightingWriter
from provisioner.wiring import Installation
from tests.contract.inside import Inside, inside

MAC = Mac("805ec0aabbcc")
NOW = 1_700_000_000.0


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


def seen(mac: Mac = MAC, source: str = "pnp", at: float = NOW, **facts: str) -> Observation:
    return Observation(mac, source, at, tuple(Fact(name, value, SHOWN if source != "dhcp" else TOLD) for name, value in facts.items()))


def write(installation: Installation, *observations: Observation) -> None:
    with installation.database.write() as connection:
        SightingWriter(installation.catalogue, is_sqlite=installation.database.is_sqlite).write(connection, observations)


def counted(installation: Installation) -> tuple[int, int]:
    with installation.database.read() as connection:
        return tuple(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() for table in (sighting, evidence))


def test_sources_merge_to_one_sighting(own: Inside) -> None:
    place = own.installation
    write(
        place,
        seen(source="dhcp", vendor="yealink", address="192.168.1.5"),
        seen(source="pnp", at=NOW + 5, model="T46U", firmware="108.86.0.90"),
    )
    write(place, seen(source="arp", at=NOW + 9, address="192.168.1.6"))
    (found,) = place.store.sightings()
    assert (found.vendor, found.model, found.firmware, found.peer) == ("yealink", "T46U", "108.86.0.90", "192.168.1.6")
    assert (found.first_seen, found.last_seen, found.count, found.conflict) == (NOW, NOW + 9, 3, "")
    assert [(row.source, row.confidence) for row in found.evidence if row.fact == "vendor"] == [("dhcp", TOLD), ("oui", GUESSED)]


def test_a_conflict_is_shown_and_ends_when_it_is_taken_back(own: Inside) -> None:
    place, mac = own.installation, Mac("64167faabbcc")
    write(place, seen(mac, vendor="yealink"))
    assert place.store.conflict_of(mac) == "vendor: polycom by oui, yealink by pnp"
    write(place, seen(mac, vendor="polycom"))
    assert place.store.conflict_of(mac) == ""


def test_a_mac_has_one_row_for_each_source_and_fact(own: Inside) -> None:
    for number in range(50):
        write(own.installation, seen(at=NOW + number, model=f"T{number}", user_agent=f"agent {number}"))
    assert counted(own.installation) == (1, 3)


def test_the_ones_seen_longest_ago_go_with_their_evidence(own: Inside) -> None:
    place = own.installation
    write(place, *(seen(Mac(f"805ec0{number:06x}"), at=NOW + number, model="T46U") for number in range(300)))
    with place.database.write() as connection:
        SightingWriter(place.catalogue, is_sqlite=True).trim(connection, 100, NOW + 300)
    assert counted(place) == (100, 200)
    assert min(row.first_seen for row in place.store.sightings(limit=1000)) == NOW + 200


def test_what_nobody_repeats_is_forgotten(own: Inside) -> None:
    place, other = own.installation, Mac("805ec0aabbcd")
    write(place, seen(model="T46U"), seen(other, model="T46U"), seen(other, "sip", NOW + FORGET_S, firmware="1.2.3.4"))
    with place.database.write() as connection:
        SightingWriter(place.catalogue, is_sqlite=True).trim(connection, 100, NOW + FORGET_S + 10)
    (left,) = place.store.sightings()
    assert left.mac == other and {row.source for row in left.evidence} == {"oui", "sip"}


def keeper(own: Inside, most: int = 1000) -> Keeper:
    return Keeper(Database(own.installation.settings.database, durable=False), own.installation.catalogue, most=most, clock=own.clock)


def test_a_hundred_thousand_macs_take_bounded_memory(own: Inside) -> None:
    kept = keeper(own)
    kept.take(seen(Mac(f"805e{number:08x}"), model="T46U") for number in range(100_000))
    assert kept.counters["seen_pnp"] == 100_000
    assert kept.counters["dropped"] == 100_000 - keeping.QUEUE
    assert len(kept._queue) == len(kept._recent) == keeping.QUEUE


def test_the_same_said_again_is_written_once(own: Inside) -> None:
    kept = keeper(own)
    for _ in range(5):
        kept.take([seen(model="T46U")])
    kept.start()
    kept.stop()
    assert (kept.counters["written"], kept.counters["repeated"]) == (1, 4)
    assert [row.count for row in own.installation.store.sightings()] == [1]


def test_a_forged_word_does_not_stand_because_the_true_one_was_said_before(own: Inside) -> None:
    kept = keeper(own)
    for model in ("T46U", "T19", "T46U"):
        kept.take([seen(model=model)])
    kept.settle()
    assert [row.model for row in own.installation.store.sightings()] == ["T46U"]
    kept._database.dispose()


def test_a_database_that_is_locked_costs_what_was_seen_and_nothing_else(own: Inside) -> None:
    kept = keeper(own)
    sa.event.listen(kept._database.engine, "connect", lambda raw, _: raw.execute("PRAGMA busy_timeout=50"))
    holder = sqlite3.connect(own.installation.settings.data_dir / "provisioner.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    kept.take([seen(model="T46U")])
    assert not kept.flush()
    holder.execute("COMMIT")
    holder.close()
    kept.take([seen(Mac("805ec0aabbcd"), model="T46U")])
    assert kept.flush()
    assert [row.mac for row in own.installation.store.sightings()] == ["805ec0aabbcd"]
    kept._database.dispose()
