"""Telling phones: by their own contact, paced, not in a call, again until they fetched, and then with a reason."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from pbx_sync.state import Contact
from provisioner.changes import PhoneInput
from provisioner.core.lockstep import Stage, stage
from provisioner.core.mac import Mac
from provisioner.models import fetch, phone, served_file
from provisioner.worker.pacing import EVERYBODY, SITE
from provisioner.worker.pushing import RETRY_S
from provisioner.worker.waking import ASKED_FOR_S, BUSY_AGAIN_S, GIVEN_UP, IN_A_CALL, NOT_REGISTERED, PAUSES_S
from tests.engines import A2, World, mac_of

NEW_FILES = PhoneInput(settings={"timezone": "Asia/Tokyo"})
EVENT = "check-sync;reboot=false"


def registered(world: World, *numbers: str, agent: str = "", address: str = "192.0.2.1") -> None:
    world.pbx.registrations = [Contact(number, f"sip:{number}@{address}", agent, world.clock.now, address) for number in numbers]


def fetched(world: World, mac: Mac) -> None:
    """The phone takes all of its live files, now."""
    with world.installation.database.write() as connection:
        connection.execute(served_file.delete().where(served_file.c.mac == mac))
        for file in world.store.live_files([mac]):
            row = {"mac": mac, "name": file.name, "sha256": file.sha256, "at": world.clock.now, "since": world.clock.now}
            connection.execute(served_file.insert().values(**row))


def wake(world: World, mac: Mac):
    return world.store.wakes([mac])[mac]


def stage_of(world: World, mac: Mac) -> Stage:
    facts = world.store.lockstep(mac, has_pbx=True)
    assert facts
    return stage(facts)


def test_phone_is_told_by_its_vendors_own_event(world: World) -> None:
    mac = world.phone(1, world.extension())
    registered(world, "1001")
    world.drain()
    assert world.pbx.notified == [("1001", EVENT)]
    assert wake(world, mac) == world.store.wakes([mac])[mac]
    assert (wake(world, mac).tries, wake(world, mac).reached, wake(world, mac).error) == (1, 1, "")
    assert wake(world, mac).notified_at == world.clock.now
    assert stage_of(world, mac) is Stage.NOTIFIED
    world.changes.request_resync("t", mac, reboot=False)
    world.changes.request_resync("t", mac, reboot=True)
    world.drain()
    assert [event for _, event in world.pbx.notified[1:]] == [EVENT, "check-sync;reboot=true"]


def test_only_the_phones_own_contact_is_told(world: World) -> None:
    first, second = world.phone(1, world.extension()), world.phone(2, "1001")
    world.pbx.registrations = [
        Contact("1001", "sip:one", f"Acme A1 1.0 {first}", 1.0),
        Contact("1001", "sip:two", f"Acme A1 1.0 {second}", 1.0),
        Contact("1001", "sip:soft", "Zoiper", 1.0),
    ]
    world.drain()
    assert sorted(world.pbx.notified_uris) == ["sip:one", "sip:two"], "each once, and the soft phone not"
    world.changes.request_resync("t", second, reboot=False)
    world.drain()
    assert world.pbx.notified_uris[2:] == ["sip:two"]


def test_phones_that_share_an_extension_are_told_apart_by_where_they_fetch_from(world: World) -> None:
    first, second = world.phone(1, world.extension()), world.phone(2, "1001")
    with world.installation.database.write() as connection:
        row = {"at": 1.0, "name": "x", "transport": "http", "user_agent": "", "method": "GET", "reason": "served", "sha256": ""}
        for mac, peer in ((first, "192.0.2.9"), (first, "192.0.2.1"), (second, "192.0.2.2")):
            connection.execute(fetch.insert().values(**row, mac=mac, peer=peer, bytes=1, duration_ms=1.0))
    world.pbx.registrations = [Contact("1001", f"sip:{last}", "", 1.0, f"192.0.2.{last}") for last in (1, 2)]
    world.drain()
    world.pbx.notified_uris.clear()
    world.changes.request_resync("t", first, reboot=False)
    world.drain()
    assert world.pbx.notified_uris == ["sip:1"]


def test_phone_is_told_by_another_line_where_the_first_is_not_registered(world: World) -> None:
    world.phone(1, world.extension("1001"), world.extension("1002"))
    registered(world, "1002")
    world.drain()
    assert world.pbx.notified == [("1002", EVENT)]


def test_phone_that_fetched_is_not_told_again(world: World) -> None:
    mac = world.phone(1, world.extension())
    registered(world, "1001")
    world.drain()
    fetched(world, mac)
    world.later(sum(PAUSES_S) + 1)
    assert world.pbx.notified == [("1001", EVENT)]
    assert (wake(world, mac).due_at, wake(world, mac).error) == (None, "")


def test_phone_that_does_not_fetch_is_told_three_times_and_then_shown_with_the_reason(world: World) -> None:
    """A NOTIFY that the PBX took and did not send looks just like this."""
    mac = world.phone(1, world.extension())
    registered(world, "1001")
    world.drain()
    for told, pause in enumerate(PAUSES_S, 1):
        assert (len(world.pbx.notified), wake(world, mac).tries) == (told, told)
        world.later(pause - 1)
        assert len(world.pbx.notified) == told
        world.later(1)
    assert len(world.pbx.notified) == len(PAUSES_S)
    assert wake(world, mac).error == GIVEN_UP and wake(world, mac).due_at is None
    assert stage_of(world, mac) is Stage.WAITING_FOR_PHONE
    assert world.worker.counters["wakes_given_up_total"] == 1
    world.later(10_000)
    assert len(world.pbx.notified) == len(PAUSES_S)
    world.changes.update_phone("t", mac, NEW_FILES)
    world.drain()
    assert len(world.pbx.notified) == len(PAUSES_S) + 1 and wake(world, mac).error == ""


def test_phone_that_is_away_is_shown_so_and_told_when_it_comes_back(world: World) -> None:
    mac = world.phone(1, world.extension())
    world.drain()
    assert wake(world, mac).error == NOT_REGISTERED and stage_of(world, mac) is Stage.WAITING_FOR_PHONE
    assert world.drain() == 0
    registered(world, "1001")
    world.later(1)
    assert world.pbx.notified == [], "while it starts it fetches by itself"
    world.later(10)
    assert world.pbx.notified == [("1001", EVENT)] and wake(world, mac).error == ""


def test_phone_that_fetched_while_it_started_is_not_told(world: World) -> None:
    mac = world.phone(1, world.extension())
    world.drain()
    fetched(world, mac)
    registered(world, "1001")
    world.later(1)
    world.later(10)
    assert world.pbx.notified == [] and wake(world, mac).error == ""
    assert stage_of(world, mac) is Stage.IN_LOCKSTEP
    assert world.drain() == 0


def test_phone_in_a_call_is_left_alone_until_it_is_over(world: World) -> None:
    mac = world.phone(1, world.extension("1001"), world.extension("1002"))
    registered(world, "1001")
    world.pbx.in_call = {"1002"}
    world.drain()
    world.later(60)
    assert world.pbx.notified == [] and wake(world, mac).error == IN_A_CALL and wake(world, mac).tries == 0
    world.changes.request_resync("t", mac, reboot=True)
    world.drain()
    assert world.pbx.notified == []
    world.pbx.in_call.clear()
    world.later(BUSY_AGAIN_S)
    assert sorted(event for _, event in world.pbx.notified) == [EVENT, "check-sync;reboot=true"]
    assert wake(world, mac).error == ""


def test_asked_resync_outlives_a_restart_and_an_outage_and_is_sent_once(world: World) -> None:
    world.phone(1, world.extension())
    registered(world, "1001")
    world.drain()
    world.pbx.is_down = True
    world.changes.request_resync("t", mac_of(1), reboot=True)
    world.drain()
    world.restarted()
    world.pbx.is_down = False
    told = len(world.pbx.notified)
    world.later(RETRY_S)
    assert len(world.pbx.notified) == told + 1
    world.restarted()
    world.drain()
    assert len(world.pbx.notified) == told + 1


def test_asked_resync_of_long_ago_is_not_sent(world: World) -> None:
    mac = world.phone(1, world.extension())
    registered(world, "1001")
    world.drain()
    fetched(world, mac)
    world.changes.request_resync("t", mac_of(1), reboot=True)
    told = len(world.pbx.notified)
    world.later(ASKED_FOR_S + 1)
    assert len(world.pbx.notified) == told


def test_asked_resync_of_a_phone_that_is_away_says_so(world: World) -> None:
    mac = world.phone(1, world.extension())
    registered(world, "1001")
    world.drain()
    world.pbx.registrations = []
    world.changes.request_resync("t", mac, reboot=False)
    world.drain()
    assert (wake(world, mac).reached, wake(world, mac).error) == (0, NOT_REGISTERED)


def test_waking_is_paced_and_sites_take_turns(world: World) -> None:
    world.changes.create_site("t", "small", {})
    many = 60
    for number in range(many):
        world.extension(str(1000 + number))
        world.phone(number, str(1000 + number))
    world.extension("9000")
    world.phone(900, "9000", site="small")
    numbers = [*(str(1000 + number) for number in range(many)), "9000"]
    world.pbx.registrations = [Contact(number, f"sip:{number}", "", 1.0, f"192.0.2.{at}") for at, number in enumerate(numbers)]
    world.drain()
    assert len(world.pbx.notified) == SITE.at_once + 1
    assert ("9000", EVENT) in world.pbx.notified, "the small site does not wait behind the large one"
    for _ in range(40):
        world.later(0.25)
    assert len(world.pbx.notified) == len(set(world.pbx.notified)) == many + 1, "each was told, once"
    world.later(EVERYBODY.refill_s * 10)
    world.changes.update_phone("t", mac_of(7), NEW_FILES)
    world.pbx.notified.clear()
    world.drain()
    assert world.pbx.notified == [("1007", EVENT)]


def test_turns_outlive_a_restart(world: World) -> None:
    for number in range(20):
        world.extension(str(1000 + number))
        world.phone(number, str(1000 + number))
    registered(world, *(str(1000 + number) for number in range(20)))
    world.drain()
    told = len(world.pbx.notified)
    assert told < 20
    world.restarted()
    world.later(120)
    assert len(set(world.pbx.notified)) == 20


def test_phone_is_not_told_when_disabled_or_without_a_line(world: World) -> None:
    world.phone(1, world.extension(), enabled=False)
    world.phone(2, model=A2)
    registered(world, "1001")
    world.drain()
    assert world.pbx.notified == []


@pytest.mark.parametrize("jump_s", [-86_400.0, 86_400.0])
def test_clock_that_jumps_neither_stops_nor_repeats_anything(world: World, jump_s: float) -> None:
    """Was: after a jump back nothing was pushed for a day, and each phone was told again on every step."""
    mac = world.phone(1, world.extension())
    registered(world, "1001")
    world.drain()
    fetched(world, mac)
    world.clock.now += jump_s
    world.changes.update_extension("t", "1001", {"display_name": "After the jump", "secret": "after-the-jump"})
    told = len(world.pbx.notified)
    world.drain()
    assert "after-the-jump" in world.live(mac)
    assert len(world.pbx.notified) == told + 1
    world.drain()
    assert len(world.pbx.notified) == told + 1
    world.later(PAUSES_S[0])
    assert len(world.pbx.notified) == told + 2, "it did not fetch, and is told again in its time"


@pytest.mark.parametrize("jump_s", [-3600.0, 3600.0])
def test_turn_keeps_its_distance_when_the_clock_is_set(world: World, jump_s: float) -> None:
    """Was: after a jump an hour back within the longest pause of all, a phone was told an hour late."""
    mac = world.phone(1, world.extension())
    registered(world, "1001")
    world.drain()
    world.clock.now += jump_s
    world.later(PAUSES_S[0] - 1)
    assert wake(world, mac).tries == 1
    world.later(1)
    assert wake(world, mac).tries == 2


def test_turn_that_is_further_off_than_any_can_be_comes_at_once(world: World) -> None:
    """The machine was started anew, and its clock said the future before."""
    mac = world.phone(1, world.extension())
    registered(world, "1001")
    world.drain()
    with world.installation.database.write() as connection:
        connection.execute(phone.update().values(notify_due_at=world.clock.now + PAUSES_S[0] + 5))
    world.drain()
    assert wake(world, mac).tries == 2
    assert world.drain() == 0


def test_files_that_became_live_while_their_phone_was_told_of_older_ones_are_told_of(world: World) -> None:
    mac = world.phone(1, world.extension())
    registered(world, "1001")
    notify, told = world.pbx.notify, []

    def promotes_meanwhile(number: str, event: str, uris: object = None) -> int:
        told.append(number)
        if len(told) == 1:
            world.clock.now += 1
            world.changes.update_phone("t", mac, NEW_FILES)
            assert world.worker.make_files() == 2, "rendered and promoted, as the other lane does"
        return notify(number, event, uris)

    world.pbx.notify = promotes_meanwhile
    world.drain()
    assert len(told) == 2
    assert (wake(world, mac).tries, wake(world, mac).notified_at) == (1, world.clock.now)


def test_reboot_that_waits_for_the_end_of_a_call_outlives_the_worker(world: World) -> None:
    mac = world.phone(1, world.extension())
    registered(world, "1001")
    world.drain()
    world.pbx.in_call = frozenset({"1001"})
    world.changes.request_resync("t", mac, reboot=True)
    world.drain()
    told = len(world.pbx.notified)
    world.restarted()
    world.drain()
    assert len(world.pbx.notified) == told
    world.pbx.in_call = frozenset()
    world.drain()
    assert world.pbx.notified[told:] == [("1001", "check-sync;reboot=true")]
    world.restarted()
    world.drain()
    assert len(world.pbx.notified) == told + 1, "once"


def test_outage_in_the_middle_notes_who_was_told(world: World) -> None:
    for number in range(3):
        world.extension(str(1000 + number))
        world.phone(number, str(1000 + number))
    registered(world, "1000", "1001", "1002")
    notify, told = world.pbx.notify, []

    def breaks(number: str, event: str, uris: object = None) -> int:
        if len(told) == 1:
            world.pbx.is_down = True
        told.append(number)
        return notify(number, event, uris)

    world.pbx.notify = breaks
    world.drain()
    assert len(world.pbx.notified) == 1
    world.pbx.is_down = False
    world.later(RETRY_S)
    assert sorted(world.pbx.notified) == [(str(number), EVENT) for number in (1000, 1001, 1002)], "each once"


def test_nothing_waits_for_ever_in_the_index(world: World) -> None:
    """Whatever became of a phone, it is not looked at on every step for good."""
    world.phone(1, world.extension())
    world.phone(2, model=A2)
    world.phone(3, world.extension("1002"), enabled=False)
    world.drain()
    with world.installation.database.read() as connection:
        rows = connection.execute(sa.select(phone.c.mac, phone.c.notify_error)).all()
    assert {row.mac: row.notify_error for row in rows}[mac_of(1)] == NOT_REGISTERED
    assert world.store.to_wake(10) == []
