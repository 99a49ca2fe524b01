"""Registrations by phone: who has which contact, since when, and that only what changed is written."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from pbx_sync.state import Contact
from provisioner.changes import LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.models import fetch
from provisioner.worker.observing import UNSURE_EVERY_S
from provisioner.worker.pushing import RETRY_S
from tests.engines import World, mac_of


def rows(world: World, mac: Mac) -> dict[str, tuple[float, float | None, str]]:
    return {row.extension: (row.registered_at, row.ended_at, row.address) for row in world.store.registrations([mac]).get(mac, ())}


def contact(number: str, at: float, agent: str = "", address: str = "192.0.2.1") -> Contact:
    return Contact(number, f"sip:{number}@{address}", agent, at, address)


def test_newest_registration_of_each_line_counts_and_the_oldest_line_for_the_phone(world: World) -> None:
    for number in ("1001", "1002"):
        world.extension(number)
    mac = world.phone(1, "1001", "1002")
    world.pbx.registrations = [contact("1002", 500.0), contact("1001", 400.0), contact("1001", 450.0, address="192.0.2.2")]
    world.drain()
    assert rows(world, mac) == {"1001": (450.0, None, "192.0.2.2"), "1002": (500.0, None, "192.0.2.1")}
    facts = world.store.lockstep(mac, has_pbx=True)
    assert facts and facts.registered_at == 450.0
    world.pbx.registrations = [contact("1001", 510.0), contact("1002", 500.0)]
    world.later(1)
    facts = world.store.lockstep(mac, has_pbx=True)
    assert facts and facts.registered_at == 500.0


def test_line_that_never_registered_keeps_the_phone_unproven(world: World) -> None:
    for number in ("1001", "1002"):
        world.extension(number)
    mac = world.phone(1, "1001", "1002")
    world.pbx.registrations = [contact("1001", 400.0)]
    world.drain()
    facts = world.store.lockstep(mac, has_pbx=True)
    assert facts and facts.registered_at is None


def test_registration_that_ends_is_shown_with_its_end_and_comes_back(world: World) -> None:
    mac = world.phone(1, world.extension())
    world.pbx.registrations = [contact("1001", 400.0)]
    world.drain()
    world.pbx.registrations = []
    world.later(1)
    ended = world.clock.now
    assert rows(world, mac) == {"1001": (400.0, ended, "192.0.2.1")}
    world.later(100)
    assert rows(world, mac)["1001"][1] == ended
    world.pbx.registrations = [contact("1001", 600.0, address="192.0.2.7")]
    world.later(1)
    assert rows(world, mac) == {"1001": (600.0, None, "192.0.2.7")}


def test_registration_counts_for_the_phone_that_made_it_alone(world: World) -> None:
    """Was: it counted for every phone with that extension, so that one of them was in lockstep that had never registered."""
    first, second = world.phone(1, world.extension()), world.phone(2, "1001")
    world.pbx.registrations = [contact("1001", 400.0, f"Acme A1 1.0 {first}")]
    world.drain()
    assert rows(world, first) and not rows(world, second)


def test_phone_that_is_told_apart_later_is_looked_at_again(world: World) -> None:
    first, second = world.phone(1, world.extension()), world.phone(2, "1001")
    world.pbx.registrations = [contact("1001", 400.0, address="192.0.2.2")]
    world.drain()
    assert not rows(world, first) and not rows(world, second)
    with world.installation.database.write() as connection:
        row = {"at": 1.0, "name": "x", "transport": "http", "user_agent": "", "method": "GET", "reason": "served", "sha256": ""}
        connection.execute(fetch.insert().values(**row, mac=second, peer="192.0.2.2", bytes=1, duration_ms=1.0))
    world.later(UNSURE_EVERY_S)
    assert rows(world, second) == {"1001": (400.0, None, "192.0.2.2")} and not rows(world, first)


def test_line_that_is_taken_off_or_given_later_takes_its_registration_along(world: World) -> None:
    for number in ("1001", "1002"):
        world.extension(number)
    mac = world.phone(1, "1001")
    world.pbx.registrations = [contact("1001", 400.0), contact("1002", 500.0)]
    world.drain()
    assert set(rows(world, mac)) == {"1001"}
    world.changes.update_phone("t", mac, PhoneInput(lines=[LineInput(1, "1002")]))
    world.later(1)
    assert set(rows(world, mac)) == {"1001", "1002"}, "by the old number it is reached until it has fetched the new one"
    world.pbx.registrations = [contact("1002", 500.0)]
    world.later(1)
    assert set(rows(world, mac)) == {"1002"}
    world.changes.delete_phone("t", mac)
    world.later(1)
    assert world.store.registrations_of() == []


@pytest.mark.parametrize("restarts", [False, True], ids=["outage", "restart"])
def test_after_a_gap_everything_is_read_again(world: World, restarts: bool) -> None:
    first, second = world.phone(1, world.extension("1001")), world.phone(2, world.extension("1002"))
    world.pbx.registrations = [contact("1001", 400.0)]
    world.drain()
    if restarts:
        world.restarted()
    else:
        world.pbx.is_down = True
        world.later(1)
    world.pbx.is_down = False
    world.pbx.registrations = [contact("1002", 500.0)]
    world.later(RETRY_S)
    assert rows(world, first)["1001"][1] == world.clock.now
    assert rows(world, second)["1002"][1] is None


def test_nothing_is_written_while_nothing_changes(world: World) -> None:
    for number in range(20):
        world.extension(str(1000 + number))
        world.phone(number, str(1000 + number))
    world.pbx.registrations = [contact(str(1000 + number), 400.0) for number in range(20)]
    world.drain()
    world.later(100)
    written: list[str] = []

    @sa.event.listens_for(world.installation.database.engine, "before_cursor_execute")
    def note(_connection, _cursor, statement: str, *_more) -> None:
        written.extend([statement] if not statement.startswith(("SELECT", "BEGIN", "PRAGMA", "SET")) else [])

    for _ in range(5):
        world.later(1)
    assert written == []
    world.pbx.registrations[3] = contact("1003", 500.0)
    world.later(1)
    assert len(written) == 3, "one registration, out and in, and whether its phone is told again"


def test_calls_and_what_the_pbx_says_of_itself_are_kept(world: World) -> None:
    world.phone(1, world.extension())
    world.drain()
    world.pbx.in_call = {"1001"}
    world.later(1)
    assert world.store.pbx_busy() == {"1001"}
    world.later(10)
    facts = world.store.pbx_facts()
    assert (facts["is_up"], facts["version"], facts["channels"]) == (True, "fake", 2)
    world.pbx.is_down = True
    world.later(1)
    facts = world.store.pbx_facts()
    assert (facts["is_up"], facts["since"], facts["reason"]) == (False, world.clock.now, "the PBX does not answer")
    assert world.store.pbx_busy() == frozenset()
    assert world.worker.counters["pbx_outages_total"] == 1


def test_contact_of_a_phone_that_is_gone_by_then_is_left_out(world: World) -> None:
    world.phone(1, world.extension())
    world.drain()
    observing = world.worker.lockstep.observing
    judged = observing._judged

    def deletes_meanwhile(numbers):
        news = judged(numbers)
        if news.changed:
            world.changes.delete_phone("t", mac_of(1))
        return news

    observing._judged = deletes_meanwhile
    world.pbx.registrations = [contact("1001", 400.0)]
    world.later(1)
    assert world.store.registrations_of() == []
