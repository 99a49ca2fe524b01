"""Phones that nobody listed, at the real Asterisk: they wait there, are claimed, and come in hands off."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from pbx_sync.asterisk.ami import Action
from pbx_sync.asterisk.configuration import DIALLED_FAMILY
from pbx_sync.asterisk.program import Program
from tests.contract.world import OUIS, wait_until
from tests.phones.calls import State
from tests.phones.device import Device
from tests.phones.office import MODELS, PATIENCE_S, Office, office, send_message, wait_state

pytestmark = pytest.mark.asterisk
_numbers = count(0xE00001)
_devices: list[Device] = []


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    """A site that takes in what a technician claims, and a desk with a phone already."""
    with office(asterisk_program) as made:
        made.desk(MODELS[0])
        made.boot()
        made.wait_in_lockstep()
        made.api("PATCH", "/sites/default", {"enrolment": "claim", "pool": "2000-2099"})
        yield made
        while _devices:
            _devices.pop().power_off()


def fresh(firm: Office, model: str) -> Device:
    """Plugs in a phone from its box; returns once it waits at the PBX."""
    number = next(_numbers)
    mac = f"{OUIS[model.partition('/')[0]]}{number:06x}"
    device = Device(firm.network, model, mac, firm.url, number=number & 255, host=f"127.0.9.{number & 255}")

    _devices.append(device)

    def waits() -> bool:
        if not device.agents:  # the listener hears of the site's new policy a moment after it was changed
            device.boot()
        return device.is_registered

    wait_until(waits, PATIENCE_S, f"{mac} in the waiting room ({device.failures[-3:]})")
    assert [line.number for line in device.config.lines] == [f"wait-{mac}"]
    return device


def has_come_in(device: Device, number: str) -> bool:
    return device.is_registered and [line.number for line in device.config.lines] == [number] and "/p/" in device.url


@pytest.mark.parametrize("model", MODELS)
def test_a_claimed_phone_registers_hands_off(firm: Office, model: str, record_property: Callable[[str, object], None]) -> None:
    device = fresh(firm, model)
    began = time.monotonic()
    phone = firm.api("POST", "/claims", {"mac_tail": device.mac[6:]})
    number = phone["lines"][0]["extension"]
    wait_until(lambda: has_come_in(device, number), PATIENCE_S, f"{device.mac} with {number} ({device.asked[-4:]}, {device.failures[-3:]})")
    record_property("registered_s_after_claim", round(time.monotonic() - began, 2))
    assert phone["model"] == model
    wait_until(lambda: firm.api("GET", f"/phones/{device.mac}/lockstep")["stage"] == "in_lockstep", PATIENCE_S, "lockstep")
    wait_until(lambda: firm.api("GET", "/newcomers")["items"] == [], PATIENCE_S, "an empty waiting room")


def test_a_code_that_is_dialled_on_the_phone_makes_it_that_extension(firm: Office) -> None:
    device = fresh(firm, MODELS[0])
    firm.api("POST", "/extensions", {"number": "3001", "display_name": "Alice"})
    code = firm.api("POST", "/claim-codes", {"extension": "3001"})["dial"]
    call = firm.network.run(device.agent.call(code))
    wait_state(call, State.CONFIRMED)
    wait_until(lambda: has_come_in(device, "3001"), PATIENCE_S, f"{device.mac} with 3001 ({device.asked[-4:]}, {device.failures[-3:]})")


def test_a_phone_that_waits_can_call_nobody_and_nobody_can_call_it(firm: Office) -> None:
    device, desk = fresh(firm, MODELS[0]), firm.desks[0]
    for number in (desk.number, "*97", "*43", "*99", "8000", "700", "*551234", "*55123456789", f"*8{desk.number}", f"*80{desk.number}"):
        call = firm.network.run(device.agent.call(number))
        wait_state(call, State.ENDED)
        assert call.cause in (404, 484), (number, call.cause)
    for number in (f"wait-{device.mac}", f"*80wait-{device.mac}"):
        call = firm.dial(desk, number)
        wait_state(call, State.ENDED)
        assert call.cause == 404, (number, call.cause)
    assert [call for call in device.agent.calls if call.is_incoming] == []


def dialled(firm: Office) -> list[tuple[str, str]]:
    """Returns the rows of AstDB that stand for dialled codes."""
    with firm.hand() as hand:
        (reply,) = hand.ami.ask_all([Action("DBGetTree", {"Family": DIALLED_FAMILY})])
    return [(item["Key"], item["Val"]) for item in reply.items]


def test_a_message_of_a_phone_that_waits_is_no_code(firm: Office) -> None:
    device = fresh(firm, MODELS[0])
    with firm.paused_worker():
        assert send_message(device, "*5500000000") == 404
        assert dialled(firm) == []


def test_what_is_no_call_of_a_phone_that_waits_is_no_code(firm: Office) -> None:
    with firm.paused_worker(), firm.hand() as hand:
        call = {"Channel": "Local/*5500000000@waiting/n", "Application": "Wait", "Data": "1"}
        (reply,) = hand.ami.ask_all([Action("Originate", call)])
        assert (reply.is_success, dialled(firm)) == (False, [])


def test_a_code_may_be_dialled_in_groups(firm: Office) -> None:
    """Asterisk passes over hyphens where it compares a number with a pattern: they are in what was dialled, and not in the code."""
    device = fresh(firm, MODELS[0])
    with firm.paused_worker():
        wait_state(firm.network.run(device.agent.call("*55-0000-0000")), State.CONFIRMED)
        assert dialled(firm) == [(f"/{DIALLED_FAMILY}/wait-{device.mac}", "00000000")]


def test_a_wrong_code_lets_nobody_in(firm: Office) -> None:
    device = fresh(firm, MODELS[0])
    call = firm.network.run(device.agent.call("*5500000000"))
    wait_state(call, State.CONFIRMED)

    def noted() -> bool:
        rows = firm.world.installation.store.newcomers(tail=device.mac)
        return bool(rows) and rows[0].wrong_codes == 1

    wait_until(noted, PATIENCE_S, "the wrong code noted")
    assert firm.refused("GET", f"/phones/{device.mac}")[0] == 404
