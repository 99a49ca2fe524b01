"""Four lights and a test call, at the real Asterisk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pbx_sync.asterisk.program import Program
from tests.contract.world import wait_until
from tests.phones.calls import State
from tests.phones.office import MODELS, PATIENCE_S, Desk, Office, office, wait_state

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    """Two desks; the phone of the second one is still in its box."""
    with office(asterisk_program) as made:
        made.desk(MODELS[0])
        made.desk(MODELS[1])
        made.boot(made.desks[0])
        made.wait_in_lockstep(made.desks[0])
        yield made


def lights(firm: Office, desk: Desk) -> dict[str, bool]:
    shown = firm.api("GET", f"/phones/{desk.mac}/lights")
    return {name: shown[name]["on"] for name in ("seen", "fetched", "registered", "test_call")}


def detail(firm: Office, desk: Desk) -> str:
    return str(firm.api("GET", f"/phones/{desk.mac}/lights")["test_call"]["detail"])


def test_a_phone_that_is_answered_hears_its_number_and_all_lights_are_on(firm: Office) -> None:
    desk = firm.desks[0]
    assert lights(firm, desk) == {"seen": True, "fetched": True, "registered": True, "test_call": False}
    assert firm.api("POST", f"/phones/{desk.mac}/test-call")["test_call"]["on"] is False
    call = firm.rings(desk)
    assert firm.refused("POST", f"/phones/{desk.mac}/test-call")[1]["errors"][0]["message"] == "a test call to this phone is under way"
    firm.answer(call)
    wait_until(call.speech.hears_anything, PATIENCE_S, "its number, said")
    wait_until(lambda: lights(firm, desk)["test_call"], PATIENCE_S, f"the fourth light ({detail(firm, desk)})")
    wait_state(call, State.ENDED)


def test_a_phone_that_refuses_is_told_of(firm: Office) -> None:
    desk = firm.desks[0]
    firm.api("POST", f"/phones/{desk.mac}/test-call")
    firm.refuse(firm.rings(desk))
    wait_until(lambda: "busy" in detail(firm, desk), PATIENCE_S, f"the outcome ({detail(firm, desk)})")
    assert lights(firm, desk)["test_call"] is False


def test_a_phone_in_its_box_has_no_light(firm: Office) -> None:
    desk = firm.desks[1]
    assert set(lights(firm, desk).values()) == {False}
    firm.api("POST", f"/phones/{desk.mac}/test-call")
    wait_until(lambda: "nothing to ring" in detail(firm, desk), PATIENCE_S, "the outcome")


def test_nobody_can_dial_into_a_test_call(firm: Office) -> None:
    for number in (str(firm.desks[0].mac), "test-call"):
        call = firm.dial(firm.desks[0], number)
        wait_state(call, State.ENDED)
        assert call.cause == 404
