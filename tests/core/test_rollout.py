"""Staged roll-out as a pure rule: shares in a fixed order, nobody next before all came back, nobody at all after one did not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from provisioner.core.mac import Mac
from provisioner.core.rollout import Move, Pin, Release, in_order, next_move

PHONES = [Mac(f"805ec0{number:06x}") for number in range(40)]
TARGET = "acme/a1"
PIN = Pin(TARGET, "acme/a1", None, None, "x.rom", "f" * 64, "2.0", "", (5, 25, 100), 0, "rolling", 3600, "", 1)


def given(macs: list[Mac], at: float = 0.0, back: float | None = 1.0) -> dict[Mac, Release]:
    return {mac: Release(mac, TARGET, at, back) for mac in macs}


def test_the_first_share_is_the_same_few_phones_each_time() -> None:
    first = next_move(PIN, PHONES, {}, 0.0)
    assert len(first.release) == 2
    assert first == next_move(PIN, PHONES[::-1], {}, 9.0)
    assert in_order(TARGET, PHONES) != in_order("acme/other", PHONES), "another pin begins with others"


def test_the_next_share_waits_for_every_phone_of_the_first() -> None:
    order = in_order(TARGET, PHONES)
    assert next_move(PIN, PHONES, given(order[:1]) | given(order[1:2], back=None), 60.0) == Move()
    assert next_move(PIN, PHONES, given(order[:2]), 60.0) == Move(share=1)
    assert next_move(replace(PIN, share=1), PHONES, given(order[:2]), 60.0).release == tuple(order[2:10])


def test_a_phone_that_does_not_come_back_stops_it_and_is_named() -> None:
    order = in_order(TARGET, PHONES)
    move = next_move(PIN, PHONES, given(order[:1]) | given(order[1:2], back=None), 3601.0)
    assert move.state == "stopped"
    assert order[1].colons in move.reason
    assert "1 of 2 phones" in move.reason
    assert next_move(replace(PIN, state="stopped"), PHONES, {}, 9999.0) == Move(), "nobody else is given it"


def test_it_is_done_after_the_last_share_and_takes_new_phones_in() -> None:
    last = replace(PIN, share=2)
    assert next_move(last, PHONES, given(PHONES), 60.0) == Move(state="done")
    done = replace(last, state="done")
    new = Mac("805ec0ffffff")
    assert next_move(done, PHONES, given(PHONES), 60.0) == Move()
    assert next_move(done, [*PHONES, new], given(PHONES), 60.0).release == (new,)
    assert next_move(done, [*PHONES, new], given(PHONES) | given([new], back=None), 9e9) == Move(), (
        "one that is away for long stops nothing"
    )


@pytest.mark.parametrize(("count", "first"), [(1, 1), (3, 1), (20, 1), (21, 2), (100, 5)])
def test_a_share_is_at_least_one_phone(count: int, first: int) -> None:
    phones = [Mac(f"805ec0{number:06x}") for number in range(count)]
    assert len(next_move(PIN, phones, {}, 0.0).release) == first


def test_without_phones_nothing_is_decided() -> None:
    assert next_move(PIN, [], {}, 0.0) == Move()


def test_the_nearest_pin_counts() -> None:
    group, own = replace(PIN, group="sales"), replace(PIN, mac=PHONES[0])
    assert [PIN.closeness, group.closeness, own.closeness] == [0, 1, 2]
    assert PIN.concerns(PHONES[1], "acme/a1", None)
    assert not PIN.concerns(PHONES[1], "acme/b2", None)
    assert group.concerns(PHONES[1], "acme/a1", "sales")
    assert not group.concerns(PHONES[1], "acme/a1", "shop")
    assert own.concerns(PHONES[0], "acme/b2", "shop")
    assert not own.concerns(PHONES[1], "acme/a1", None)
