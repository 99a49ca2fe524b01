"""A phone of each vendor, from its box to a lamp that follows the calls of the others: nothing but a URL is typed into it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from pbx_sync.asterisk.program import Program
from tests.contract.world import wait_until
from tests.phones.calls import State
from tests.phones.device import Device
from tests.phones.office import FIRST_NUMBER, MODELS, Office, office, wait_lamp, wait_state

pytestmark = pytest.mark.asterisk
NUMBERS = [f"{FIRST_NUMBER + place}" for place in range(len(MODELS))]


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    """Four desks, a phone of each model; everybody has a key for everybody else."""
    with office(asterisk_program) as made:
        for place, model in enumerate(MODELS):
            made.desk(model, [number for number in NUMBERS if number != NUMBERS[place]])
        made.boot()
        yield made


def test_each_vendors_phone_boots_from_the_url_alone_and_registers(firm: Office) -> None:
    for desk in firm.desks:
        wait_until(lambda desk=desk: desk.phone.is_registered, what=f"registration of {desk.number}")
        assert "/p/" in desk.phone.url, "it was moved to its own address"
    print(f"in lockstep after {firm.wait_in_lockstep():.2f} s")
    assert {desk.number: desk.phone.failures for desk in firm.desks if desk.phone.failures} == {}
    assert firm.api("GET", "/pbx")["state"] == "in_lockstep"


@pytest.mark.parametrize("place", range(len(MODELS)), ids=MODELS)
def test_its_lamps_follow_the_calls_of_the_others(firm: Office, place: int) -> None:
    watching = firm.desks[place]
    caller, called = (desk for desk in (firm.desks * 2)[place + 1 : place + 3])
    for desk in (caller, called):
        wait_lamp(watching, desk.number, "terminated")
    call = firm.dial(caller, called.number)
    there = firm.rings(called)
    wait_lamp(watching, called.number, "early")
    firm.answer(there)
    wait_state(call, State.CONFIRMED)
    for desk in (caller, called):
        wait_lamp(watching, desk.number, "confirmed")
    firm.hang_up(call)
    for desk in (caller, called):
        wait_lamp(watching, desk.number, "terminated")
        seen = watching.phone.lamp(desk.number).seen
        assert all(before != after for before, after in pairwise(seen)) and seen[-2:] == ["confirmed", "terminated"]


def test_a_phone_that_nobody_listed_gets_nothing(firm: Office) -> None:
    stranger = Device(firm.network, "yealink/t46u", "805ec0fffffe", firm.url).boot()
    assert [status for path, status in stranger.asked if stranger.mac in path] == [404, 404], "its boot file and its own"
    assert (stranger.config.url, stranger.config.lines, stranger.agents) == ("", (), {}) and stranger.failures == []
