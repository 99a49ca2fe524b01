"""What was dialled at hot desks, and what the PBX is told of them, with a PBX that only keeps what it is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from pbx_sync.hotdesks import SeatAsked, WrongPins
from provisioner.changes import PhoneInput
from provisioner.changes.seats import SeatWrites
from provisioner.models import registration
from provisioner.worker.hotdesks import Desks
from tests.engines import World, mac_of

DESK = mac_of(1)


@dataclass
class Told:
    """Keeps what it is told."""

    accounts: set[str] = field(default_factory=set)
    places: Mapping[str, str] = field(default_factory=dict)
    waiting: list[SeatAsked] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    wrong: list[WrongPins] = field(default_factory=list)

    def open(self, accounts: Collection[str]) -> None:
        self.accounts = set(accounts)

    def put_places(self, places: Mapping[str, str]) -> None:
        self.places = places

    def asked(self) -> Sequence[SeatAsked]:
        return [item for item in self.waiting if item.name not in self.answers]

    def answer(self, name: str, word: str) -> None:
        self.answers[name] = word

    def wrong_pins(self, forget_before: float) -> Sequence[WrongPins]:
        return [row for row in self.wrong if row.since >= forget_before]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def desks(world: World, told: Told) -> Desks:
    """Two hot desks with an extension each, and Bob (1003), who has no phone."""
    for number in ("1001", "1002", "1003"):
        world.extension(number)
    world.phone(1, "1001", settings={"hot_desk": True})
    world.phone(2, "1002")
    world.drain()
    return Desks(world.store, SeatWrites(world.store, world.installation.renderer, world.clock), told, world.clock, world.timer)


def stepped(world: World, desks: Desks) -> int:
    world.timer.now += 10
    return desks.step()


def registered(world: World, *rows: tuple[int, str, str]) -> None:
    with world.installation.database.write() as connection:
        for phone, number, address in rows:
            row = {
                "registered_at": world.clock.now,
                "uri": f"sip:{number}@{address};ob",
                "address": address.rpartition(":")[0],
                "user_agent": "",
            }
            connection.execute(registration.insert().values(mac=mac_of(phone), extension=number, **row))


def asks(world: World, account: str, address: str, number: str, age_s: float = 0.0) -> SeatAsked:
    return SeatAsked(f"call-{number}-{age_s}", account, address, number, world.clock.now - age_s)


def test_hot_desks_are_told_of_whatever_layer_says_so(world: World, desks: Desks, told: Told) -> None:
    stepped(world, desks)
    assert told.accounts == {"1001"}
    world.changes.update_site("t", "default", {"settings": {"hot_desk": True}})
    world.changes.update_phone("t", DESK, PhoneInput(settings={"hot_desk": False}))
    stepped(world, desks)
    assert told.accounts == {"1002"}
    world.changes.update_site("t", "default", {"settings": {}})
    stepped(world, desks)
    assert told.accounts == set()


def test_who_dials_sits_down_and_gets_up(world: World, desks: Desks, told: Told) -> None:
    told.waiting = [asks(world, "1001", "10.0.0.1:5060", "1003")]
    assert stepped(world, desks) == 1
    seat = world.store.seat(DESK)
    assert seat is not None and (seat.extension, seat.actor) == ("1003", f"phone {DESK}")
    told.waiting.append(asks(world, "1003", "10.0.0.1:5060", ""))
    assert stepped(world, desks) == 1
    assert world.store.seat(DESK) is None
    assert list(told.answers.values()) == ["in", "out"] and told.accounts == {"1003"}


def test_a_log_in_that_was_done_by_a_worker_that_died_is_answered(world: World, desks: Desks, told: Told) -> None:
    world.changes.take_seat(f"phone {DESK}", DESK, "1003")
    told.waiting = [asks(world, "1001", "10.0.0.1:5060", "1003")]
    stepped(world, desks)
    assert list(told.answers.values()) == ["in"]


@pytest.mark.parametrize(
    ("account", "number", "age_s"), [("1001", "1003", 60.0), ("1001", "4711", 0.0), ("1002", "1003", 0.0), ("1001", "", 0.0)]
)
def test_refused(world: World, desks: Desks, told: Told, account: str, number: str, age_s: float) -> None:
    """Too old, nobody's extension, no hot desk, nobody to log out."""
    told.waiting = [asks(world, account, "10.0.0.1:5060", number, age_s)]
    stepped(world, desks)
    assert list(told.answers.values()) == ["no"] and world.store.seats() == []


def test_of_phones_that_share_an_extension_the_one_that_called_is_meant(world: World, desks: Desks, told: Told) -> None:
    world.phone(4, "1001", settings={"hot_desk": True})
    told.waiting = [asks(world, "1001", "10.0.0.4:5060", "1003")]
    stepped(world, desks)
    assert list(told.answers.values()) == ["no"], "nothing tells the two apart"
    registered(world, (1, "1001", "10.0.0.1:5060"), (4, "1001", "10.0.0.4:5060"))
    told.waiting = [asks(world, "1001", "10.0.0.4:5060", "1003", 1.0)]
    stepped(world, desks)
    assert [row.mac for row in world.store.seats()] == [mac_of(4)]


def test_places_are_told_by_address_where_the_extension_has_another_phone(world: World, desks: Desks, told: Told) -> None:
    world.changes.take_seat("t", DESK, "1003")
    stepped(world, desks)
    assert told.places == {"1003": "1001,default"}
    world.changes.leave_seat("t", DESK)
    world.changes.take_seat("t", DESK, "1002")
    registered(world, (1, "1002", "[2001:db8::1]:5060"), (2, "1002", "10.0.0.2:5060"))
    stepped(world, desks)
    assert told.places == {"1002/[2001:db8::1]:5060": "1001,default"}
    world.changes.leave_seat("t", DESK)
    stepped(world, desks)
    assert told.places == {}


def test_wrong_pins_are_shown_for_an_hour(world: World, desks: Desks, told: Told) -> None:
    told.wrong = [WrongPins("extension/1003", 5, world.clock.now - 10), WrongPins("phone/1001", 2, world.clock.now - 4000)]
    stepped(world, desks)
    assert [(row.kind, row.number, row.count) for row in world.store.wrong_pins()] == [("extension", "1003", 5)]
    world.clock.now += 3600
    stepped(world, desks)
    assert world.store.wrong_pins() == []
