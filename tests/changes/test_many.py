"""Many phones at once: all or none, each with its own row in the changes, in as few statements as for one."""

from __future__ import annotations

import pytest

from provisioner.changes.unit import MOST_PHONES
from provisioner.errors import InputError
from tests.engines import World, mac_of


def test_phones_are_moved_and_rendered_anew_and_each_is_kept_in_the_changes(world: World) -> None:
    macs = [world.phone(number) for number in range(3)]
    world.drain()
    world.changes.create_site("tests", "Hanoi", {"settings": {"timezone": "Asia/Ho_Chi_Minh"}})
    assert world.changes.update_phones("tests", macs[:2], site="Hanoi") == 2
    assert [record.site for record in world.store.phones()] == ["Hanoi", "Hanoi", "default"]
    rows = world.store.changes(limit=2)
    assert {(row.action, row.subject, row.before["site"], row.after["site"]) for row in rows} == {
        ("phone.update", mac, "default", "Hanoi") for mac in macs[:2]
    }
    assert world.changes.update_phones("tests", macs, site="Hanoi") == 1, "those that are there already stay as they are"
    world.drain()
    assert "Asia/Ho_Chi_Minh" in world.live(macs[0])


def test_a_place_that_is_not_there_moves_nobody(world: World) -> None:
    mac = world.phone(1)
    with pytest.raises(InputError) as caught:
        world.changes.update_phones("tests", [mac], site="nowhere", group="none")
    assert set(caught.value.fields) == {"site", "group"}
    assert world.store.phones()[0].site == "default"


def test_phones_leave_their_group_and_are_switched(world: World) -> None:
    mac = world.phone(1)
    world.changes.put_group("tests", "Desk", {})
    world.changes.update_phones("tests", [mac], group="Desk")
    assert world.changes.update_phones("tests", [mac], group="", enabled=False) == 1
    (record,) = world.store.phones()
    assert record.group is None and not record.enabled


def test_many_are_woken_and_those_that_are_not_listed_are_left_out(world: World) -> None:
    macs = [world.phone(number) for number in range(2)]
    assert world.changes.request_resyncs("tests", [*macs, mac_of(9)], reboot=True) == 2
    assert [(row.action, row.after) for row in world.store.changes(limit=2)] == [("phone.reboot", {"reboot": True})] * 2


def test_more_than_one_change_takes_are_refused(world: World) -> None:
    with pytest.raises(InputError):
        world.changes.update_phones("tests", [mac_of(number) for number in range(MOST_PHONES + 1)], enabled=False)
