"""What phones do all day, between simulated phones over the real Asterisk: speech both ways, pickup, parking, voicemail, intercom."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pbx_sync.asterisk.program import Program
from tests.contract.world import wait_until
from tests.phones.calls import State
from tests.phones.office import FIRST_NUMBER, MODELS, PATIENCE_S, Desk, Office, office, send_message, wait_lamp, wait_speech, wait_state

pytestmark = pytest.mark.asterisk
SLOT = "701"


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    """A phone of each model. The last three watch the first one and a parking slot; the first three are one department."""
    with office(asterisk_program) as made:
        for model in MODELS:
            made.desk(model, [made.desks[0].number, SLOT] if made.desks else [SLOT], department="" if len(made.desks) == 3 else "Sales")
        made.boot()
        made.wait_in_lockstep()
        yield made


@pytest.fixture
def desks(firm: Office) -> Iterator[list[Desk]]:
    """The four desks; nobody is in a call before or after."""
    yield firm.desks
    calls = [call for desk in firm.desks for call in desk.phone.agent.calls]
    firm.hang_up(*(call for call in calls if call.state != State.ENDED))
    wait_until(lambda: all(call.state == State.ENDED for call in calls), what="the end of all calls")


@pytest.mark.parametrize("number", ["*43", f"{FIRST_NUMBER}"])
def test_a_text_message_runs_nothing_of_the_dialplan(desks: list[Desk], number: str) -> None:
    assert send_message(desks[3].phone, number) == 404


@pytest.mark.parametrize("place", range(len(MODELS)), ids=MODELS)
def test_two_phones_hear_each_other(firm: Office, desks: list[Desk], place: int) -> None:
    caller, called = (desks * 2)[place : place + 2]
    out, there = firm.connect(caller, called)
    wait_speech(out, called)
    wait_speech(there, caller)
    assert there.peer == caller.number
    firm.hang_up(there)
    wait_state(out, State.ENDED)


def test_a_call_on_hold_hears_music_and_comes_back(firm: Office, desks: list[Desk]) -> None:
    out, there = firm.connect(desks[0], desks[1])
    wait_speech(there, desks[0])
    firm.network.run(out.hold())
    there.speech.forget()
    wait_until(there.speech.hears_anything, PATIENCE_S, "music")
    assert not there.hears(desks[0].phone.agent)
    firm.network.run(out.hold(on=False))
    wait_speech(there, desks[0])


@pytest.mark.parametrize("place", [1, 2, 3], ids=MODELS[1:])
def test_a_press_on_a_flashing_key_takes_the_call(firm: Office, desks: list[Desk], place: int) -> None:
    called, caller, taker = desks[0], desks[1 if place != 1 else 2], desks[place]
    out = firm.dial(caller, called.number)
    there = firm.rings(called)
    wait_lamp(taker, called.number, "early")
    taken = firm.dial(taker, taker.phone.key(called.number).pickup)
    wait_state(taken, State.CONFIRMED)
    wait_state(there, State.ENDED)
    wait_speech(taken, caller)
    wait_speech(out, taker)


def test_the_department_takes_each_others_calls_and_others_do_not(firm: Office, desks: list[Desk]) -> None:
    out = firm.dial(desks[3], desks[0].number)
    firm.rings(desks[0])
    stranger = firm.dial(desks[3], "*8")
    wait_state(stranger, State.ENDED)
    taken = firm.dial(desks[1], "*8")
    wait_state(taken, State.CONFIRMED)
    wait_speech(out, desks[1])
    wait_speech(taken, desks[3])


def test_a_parked_call_shows_on_the_keys_and_is_taken_back_elsewhere(firm: Office, desks: list[Desk]) -> None:
    out, there = firm.connect(desks[0], desks[1])
    assert firm.network.run(there.transfer("700")) == 202
    wait_state(there, State.ENDED)
    for desk in desks:
        wait_lamp(desk, SLOT, "confirmed")
    out.speech.forget()
    wait_until(out.speech.hears_anything, PATIENCE_S, "music for the parked caller")
    back = firm.dial(desks[2], SLOT)
    wait_state(back, State.CONFIRMED)
    wait_speech(back, desks[0])
    wait_speech(out, desks[2])
    for desk in desks:
        wait_lamp(desk, SLOT, "terminated")


def test_a_message_lights_the_lamp_of_its_owner_alone(firm: Office, desks: list[Desk]) -> None:
    owner = desks[1].phone.agent
    assert not owner.messages.is_lit
    out = firm.dial(desks[0], desks[1].number)
    firm.refuse(firm.rings(desks[1]))
    wait_state(out, State.CONFIRMED)
    wait_until(out.speech.hears_anything, PATIENCE_S, "the greeting")
    out.speech.press("#")
    wait_until(lambda: not out.speech.hears_anything(), PATIENCE_S, "the silence after the tone")
    spoken = out.speech.said
    wait_until(lambda: out.speech.said > spoken + 150, PATIENCE_S, "three seconds of a message")
    firm.hang_up(out)
    wait_until(lambda: owner.messages.is_lit, PATIENCE_S, "the lamp")
    assert owner.messages.new == 1
    assert not any(desk.phone.agent.messages.is_lit for desk in desks if desk is not desks[1])


def test_the_owner_hears_the_message_without_a_pin_and_the_lamp_goes_out(firm: Office, desks: list[Desk]) -> None:
    owner, caller = desks[1].phone.agent, desks[0].phone.agent
    assert owner.messages.is_lit, "the test before left a message"
    call = firm.dial(desks[1], "*97")
    wait_state(call, State.CONFIRMED)
    wait_until(call.speech.hears_anything, PATIENCE_S, "the voicemail system")
    call.speech.press("1")
    wait_until(lambda: call.speech.hears(caller.frequency_hz), PATIENCE_S, "the caller's tone in the message")
    call.speech.press("7")
    wait_until(lambda: not call.hears(caller), PATIENCE_S, "deletion")
    firm.hang_up(call)
    wait_until(lambda: not owner.messages.is_lit, PATIENCE_S, "the dark lamp")


@pytest.mark.parametrize("place", range(len(MODELS)), ids=MODELS)
def test_intercom_is_answered_at_once(firm: Office, desks: list[Desk], place: int) -> None:
    called, caller = desks[place], (desks * 2)[place + 1]
    out = firm.dial(caller, f"*80{called.number}")
    wait_state(out, State.CONFIRMED)
    wait_speech(out, called)


def test_a_conference_room_joins_those_who_dial_it(firm: Office, desks: list[Desk]) -> None:
    first, second = (firm.dial(desk, "8123") for desk in desks[:2])
    wait_speech(first, desks[1])
    wait_speech(second, desks[0])


@pytest.mark.parametrize("number", ["*99", "*43"], ids=["the own number is said", "the echo test"])
def test_a_service_speaks(firm: Office, desks: list[Desk], number: str) -> None:
    call = firm.dial(desks[0], number)
    wait_state(call, State.CONFIRMED)
    wait_until(call.speech.hears_anything, PATIENCE_S, "an announcement")


def test_a_number_that_nobody_has_is_refused_in_words(firm: Office, desks: list[Desk]) -> None:
    call = firm.dial(desks[0], "5555")
    wait_state(call, State.ENDED)
    assert call.cause == 404


def test_an_emergency_call_is_told_while_it_goes_on(firm: Office, desks: list[Desk]) -> None:
    """The trunk is a stand-in that answers: nobody has dialled one away, and its record comes only when the call is over."""
    (firm.pbx_folder / "custom" / "extensions.conf").write_text("exten => 112,1,Answer()\n same => n,Wait(120)\n")
    firm.api("POST", "/pbx/reload")
    desk = desks[1]
    call = firm.dial(desk, "112")

    def told() -> list[dict[str, object]]:
        rows = firm.api("GET", "/changes?limit=50")["items"]
        return [row["after"] for row in rows if row["action"] == "call.emergency"]

    wait_until(lambda: len(told()) == 1, PATIENCE_S, "the event")
    assert call.state == State.CONFIRMED, "it goes on"
    (about,) = told()
    assert (about["number"], about["extension"], about["site"], about["mac"]) == ("112", desk.number, "default", desk.mac)
    assert f" {desk.phone.host}:" in str(about["detail"]), "the phone is known by where it called from"
    firm.hang_up(call)
    wait_state(call, State.ENDED)
    wait_until(lambda: [row["called"] for row in firm.api("GET", "/calls?limit=1")["items"]] == ["112"], PATIENCE_S, "its record")
    assert len(told()) == 1, "one call, one event"
