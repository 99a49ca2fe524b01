"""Hot desks: whoever logs in makes the phone theirs, and logging out makes it exactly what it was before."""

from __future__ import annotations

import pytest

from provisioner.changes import KeyInput, LayoutKeyInput, LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NotFound
from provisioner.records import PhoneRecord
from tests.engines import A2, World, mac_of

DESK, HOME = mac_of(1), mac_of(2)


@pytest.fixture
def office(world: World) -> World:
    """A hot desk (1001), Bob's own phone (1002), and Eve, who has none (1003)."""
    for number, name in (("1001", "Desk"), ("1002", "Bob"), ("1003", "Eve")):
        world.extension(number, name)
    world.phone(1, "1001", settings={"hot_desk": True}, keys=[KeyInput(2, "blf", "1002", "Bob")])
    world.phone(2, "1002", keys=[KeyInput(2, "blf", "1001", "Desk"), KeyInput(3, "speed_dial", "555", "Taxi")])
    world.drain()
    return world


def seen(record: PhoneRecord | None) -> tuple[object, ...]:
    assert record is not None
    return record.lines, record.keys, record.layout, record.modules, record.settings


def numbers(world: World, mac: Mac) -> list[str]:
    record = world.store.phone(mac)
    assert record is not None
    return [line.extension for line in record.lines]


def test_the_phone_becomes_theirs_and_is_then_what_it_was(office: World) -> None:
    before, files = seen(office.store.phone(DESK)), office.live(DESK)
    taken = office.changes.take_seat("ann", DESK, "1002")
    assert (taken.extension, taken.display_name, taken.place, taken.actor) == ("1002", "Bob", "1001", "ann")
    office.drain()
    there = office.store.phone(DESK)
    assert there is not None and numbers(office, DESK) == ["1002"]
    assert [(key.key, key.value) for key in there.keys] == [(2, "1001"), (3, "555")], "Bob's keys came along"
    assert "secret-of-1002" in office.live(DESK) and "secret-of-1001" not in office.live(DESK)
    assert numbers(office, HOME) == ["1002"], "his own phone stays as it is"
    office.changes.leave_seat("ann", DESK)
    office.drain()
    assert seen(office.store.phone(DESK)) == before and office.live(DESK) == files
    assert office.store.seats() == []


def test_each_is_one_row_in_the_changes_and_says_who(office: World) -> None:
    office.changes.take_seat("ann", DESK, "1002")
    office.changes.leave_seat("bea", DESK)
    rows = office.store.changes(limit=3)
    assert [(row.actor, row.action, row.subject) for row in rows[:2]] == [("bea", "phone.seat_out", DESK), ("ann", "phone.seat_in", DESK)]
    assert rows[2].action == "phone.create"
    assert "secret-of" not in str([(row.before, row.after) for row in rows])


def test_logging_in_elsewhere_logs_out_here(office: World) -> None:
    other = office.phone(3, "1003", settings={"hot_desk": True})
    office.changes.take_seat("t", DESK, "1002")
    office.changes.take_seat("t", other, "1002")
    assert (numbers(office, DESK), numbers(office, other)) == (["1001"], ["1002"])
    assert [(row.mac, row.extension) for row in office.store.seats()] == [(other, "1002")]


def test_who_sits_down_after_somebody_logs_them_out_and_the_desk_stays_itself(office: World) -> None:
    before = seen(office.store.phone(DESK))
    office.changes.take_seat("t", DESK, "1002")
    taken = office.changes.take_seat("t", DESK, "1003")
    assert (numbers(office, DESK), taken.place) == (["1003"], "1001")
    there = office.store.phone(DESK)
    assert there is not None and [(key.key, key.value) for key in there.keys] == [(2, "1002")], (
        "Eve has no phone, and so no keys of her own"
    )
    office.changes.leave_seat("t", DESK)
    assert seen(office.store.phone(DESK)) == before


def test_keys_that_the_desk_cannot_have_stay_away_and_its_layout_comes_back(office: World) -> None:
    office.changes.update_phone("t", HOME, PhoneInput(keys=[KeyInput(1, "blf", "1001", module=1), KeyInput(2, "blf", "1001")]))
    office.changes.put_layout("t", "desks", [LayoutKeyInput(4, "speed_dial", "112")])
    office.changes.assign_layout("t", [DESK], "desks")
    before = seen(office.store.phone(DESK))
    office.changes.take_seat("t", DESK, "1002")
    there = office.store.phone(DESK)
    assert there is not None and (there.layout, there.modules) == (None, 0)
    assert [(key.module, key.key) for key in there.keys] == [(0, 2)]
    office.changes.leave_seat("t", DESK)
    assert seen(office.store.phone(DESK)) == before


@pytest.mark.parametrize(
    ("number", "hot", "field", "words"),
    [("1002", False, "mac", "hot_desk is off"), ("4711", True, "extension", "no extension 4711"), ("1001", True, "extension", "own")],
)
def test_refused(office: World, number: str, hot: bool, field: str, words: str) -> None:
    office.changes.update_phone("t", DESK, PhoneInput(settings={"hot_desk": hot}))
    with pytest.raises(InputError) as caught:
        office.changes.take_seat("t", DESK, number)
    assert words in caught.value.fields[field]
    assert office.store.seats() == []


def test_a_desk_without_keys_takes_anybody(office: World) -> None:
    office.changes.update_phone("t", DESK, PhoneInput(model=A2, keys=[]))
    office.changes.take_seat("t", DESK, "1002")
    office.drain()
    there = office.store.phone(DESK)
    assert there is not None and there.keys == () and "secret-of-1002" in office.live(DESK)


def test_nobody_to_log_out(office: World) -> None:
    with pytest.raises(NotFound, match="nobody sits"):
        office.changes.leave_seat("t", DESK)


def test_a_site_makes_all_its_phones_hot_desks(office: World) -> None:
    office.changes.update_site("t", "default", {"settings": {"hot_desk": True}})
    office.changes.take_seat("t", HOME, "1003")
    assert numbers(office, HOME) == ["1003"]


def test_while_somebody_sits_there_nobody_changes_what_comes_back(office: World) -> None:
    office.changes.put_layout("t", "desks", [LayoutKeyInput(4, "speed_dial", "112")])
    office.changes.take_seat("t", DESK, "1002")
    office.changes.update_phone("t", HOME, PhoneInput(keys=[KeyInput(5, "blf", "1003")]))
    refused = [
        lambda: office.changes.update_phone("t", DESK, PhoneInput(lines=[LineInput(1, "1003")])),
        lambda: office.changes.update_phone("t", DESK, PhoneInput(keys=[])),
        lambda: office.changes.update_phone("t", DESK, PhoneInput(model=A2)),
        lambda: office.changes.assign_layout("t", [DESK], "desks"),
        lambda: office.changes.copy_keys("t", HOME, [DESK]),
        lambda: office.changes.swap_phone("t", DESK, mac_of(9)),
        lambda: office.changes.delete_phone("t", DESK),
    ]
    for write in refused:
        with pytest.raises(InputError, match="sits at this phone"):
            write()
    office.changes.update_phone("t", DESK, PhoneInput(firmware="1.2", settings={"hot_desk": False}))
    with pytest.raises(InputError, match="hot desk"):
        office.changes.delete_extension("t", "1001")
    office.changes.leave_seat("t", DESK)
    assert numbers(office, DESK) == ["1001"], "the setting may be off by then"


def test_what_was_deleted_meanwhile_stays_away(office: World) -> None:
    office.extension("1004", "Second")
    office.changes.put_layout("t", "desks", [LayoutKeyInput(4, "speed_dial", "112")])
    office.changes.update_phone("t", DESK, PhoneInput(lines=[LineInput(1, "1001"), LineInput(2, "1004")], layout="desks"))
    office.changes.take_seat("t", DESK, "1002")
    office.changes.delete_extension("t", "1004")
    office.changes.delete_layout("t", "desks")
    office.changes.leave_seat("t", DESK)
    assert numbers(office, DESK) == ["1001"]


def test_they_are_logged_out_at_the_time_that_the_setting_says(office: World) -> None:
    """Friday 2027-01-15 08:00 UTC is 09:00 in Amsterdam."""
    office.changes.update_phone(
        "t", DESK, PhoneInput(settings={"hot_desk": True, "hot_desk_until": "20:00", "timezone": "Europe/Amsterdam"})
    )
    office.changes.take_seat("t", DESK, "1002")
    office.later(11 * 3600 - 60)
    assert numbers(office, DESK) == ["1002"]
    office.later(120)
    assert numbers(office, DESK) == ["1001"]
    row = office.store.changes(limit=1)[0]
    assert (row.actor, row.action) == ("hot_desk_until", "phone.seat_out")
    office.changes.take_seat("t", DESK, "1002")
    office.later(3600)
    assert numbers(office, DESK) == ["1002"], "who sits down after it stays until the next evening"


def test_without_that_setting_they_stay(office: World) -> None:
    office.changes.take_seat("t", DESK, "1002")
    office.later(40 * 3600)
    assert numbers(office, DESK) == ["1002"]
