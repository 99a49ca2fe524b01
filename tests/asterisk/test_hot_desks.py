"""Hot desks at the real Asterisk: somebody dials a log-in at a phone, which becomes theirs, and is afterwards what it was."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from pbx_sync.asterisk.ami import Action
from pbx_sync.asterisk.configuration import WRONG_FAMILY
from pbx_sync.asterisk.program import Program
from provisioner.changes import PhoneInput
from provisioner.core.mac import Mac
from tests.contract.world import wait_until
from tests.phones.calls import Call, State
from tests.phones.office import MODELS, PATIENCE_S, Desk, Office, office, wait_state

pytestmark = pytest.mark.asterisk
PLACE_TEST = """
exten => 112,1,Gosub(emergency-place,s,1)
 same => n,Set(DB(place-test/called)=${PLACE_EXTENSION} at ${PLACE_SITE})
 same => n,Hangup(16)
"""


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    """A hot desk (1001), Bob with a phone of his own (1002), and Eve, who calls (1003); all in lockstep."""
    with office(asterisk_program) as made:
        for model in MODELS[:3]:
            made.desk(model)
        made.world.installation.changes.update_phone("test", made.desks[0].mac, PhoneInput(settings={"hot_desk": True}))
        made.boot()
        made.wait_in_lockstep()
        (made.pbx_folder / "custom" / "extensions.conf").write_text(PLACE_TEST)
        made.api("POST", "/pbx/reload")
        yield made


@pytest.fixture
def desk(firm: Office) -> Iterator[Desk]:
    """The hot desk, at which nobody sits; before and after the test it is what it is by itself, and nobody has dialled a wrong PIN."""
    yield firm.desks[0]
    seats, hot = firm.world.installation, firm.desks[0]
    if seats.store.seat(hot.mac):
        seats.changes.leave_seat("test", hot.mac)
    with firm.hand() as hand:
        hand.ami.ask_all([Action("DBDelTree", {"Family": WRONG_FAMILY})])
    wait_until(lambda: numbers(hot) == ["1001"] and hot.phone.is_registered, PATIENCE_S, "the desk as it was")
    firm.wait_in_lockstep(hot)


def numbers(desk: Desk) -> list[str]:
    return [line.number for line in desk.phone.config.lines]


def pin_of(firm: Office, number: str) -> str:
    with closing(sqlite3.connect(firm.pbx_folder / "voicemail.sqlite3")) as file:
        return str(file.execute("SELECT password FROM voicemail WHERE mailbox = ?", [number]).fetchone()[0])


def dialled(firm: Office, desk: Desk, code: str, keys: str = "") -> Call:
    """Dials a code at a phone, once the PBX knows that it is a hot desk, and presses keys."""
    with firm.hand() as hand:
        flag = Action("DBGet", {"Family": "provisioner-desk", "Key": numbers(desk)[0]})
        wait_until(lambda: bool(hand.ami.ask_all([flag])[0].items), PATIENCE_S, "the desk known to the PBX")
    call = firm.dial(desk, code)
    wait_state(call, State.CONFIRMED)
    call.speech.press(keys)
    return call


def sits_at(firm: Office, mac: Mac) -> str:
    seat = firm.world.installation.store.seat(mac)
    return seat.extension if seat else ""


def sat_down(firm: Office, desk: Desk) -> None:
    """Waits until the phone is Bob's, and in lockstep so."""
    wait_until(lambda: sits_at(firm, desk.mac) == "1002", PATIENCE_S, "Bob at the desk")
    wait_until(
        lambda: numbers(desk) == ["1002"] and desk.phone.is_registered, PATIENCE_S, f"the phone as 1002 ({desk.phone.failures[-3:]})"
    )
    firm.wait_in_lockstep(desk, firm.desks[1])


def place_of_a_call(firm: Office, desk: Desk) -> str:
    """Returns what the dialplan says of a call for help from a phone."""
    row = {"Family": "place-test", "Key": "called"}
    with firm.hand() as hand:
        hand.ami.ask_all([Action("DBDel", row)])
        wait_state(firm.dial(desk, "112"), State.ENDED)
        (reply,) = hand.ami.ask_all([Action("DBGet", row)])
    return str(reply.items[0]["Val"]) if reply.items else ""


def test_a_dialled_log_in_makes_the_phone_theirs_and_a_log_out_what_it_was(firm: Office, desk: Desk) -> None:
    bob, eve = firm.desks[1], firm.desks[2]
    assert place_of_a_call(firm, desk) == "1001 at "
    wait_state(dialled(firm, desk, "*56", f"1002#{pin_of(firm, '1002')}#"), State.ENDED)
    sat_down(firm, desk)
    row = firm.api("GET", f"/phones/{desk.mac}/seat")
    assert (row["actor"], row["place"]) == (f"phone {desk.mac}", "1001")

    call = firm.dial(eve, "1002")
    there, own = firm.rings(desk), firm.rings(bob)
    firm.answer(there)
    wait_state(call, State.CONFIRMED)
    wait_state(own, State.ENDED)
    firm.hang_up(call)
    wait_state(there, State.ENDED)

    wait_until(lambda: place_of_a_call(firm, desk) == "1001 at default", PATIENCE_S, "the place of the desk")
    assert place_of_a_call(firm, bob) == "1002 at ", "Bob's own phone has the same number, and another place"

    wait_state(dialled(firm, desk, "*57"), State.ENDED)
    wait_until(lambda: sits_at(firm, desk.mac) == "", PATIENCE_S, "nobody at the desk")
    wait_until(lambda: numbers(desk) == ["1001"] and desk.phone.is_registered, PATIENCE_S, "the desk as it was")
    firm.wait_in_lockstep(desk, bob)


def test_who_is_told_late_is_not_locked_out_though_the_worker_dies_in_between(firm: Office, desk: Desk) -> None:
    call = dialled(firm, desk, "*56", f"1002#{pin_of(firm, '1002')}#")
    wait_until(lambda: sits_at(firm, desk.mac) == "1002", PATIENCE_S, "Bob at the desk")
    os.kill(firm.part_pid("worker"), signal.SIGKILL)
    wait_state(call, State.ENDED)
    sat_down(firm, desk)


def test_wrong_pins_are_counted_and_guessing_is_stopped(firm: Office, desk: Desk) -> None:
    pin = pin_of(firm, "1002")
    wrong = f"1002#{(int(pin) + 1) % 10**6:06d}#"
    wait_state(dialled(firm, desk, "*56", wrong * 3), State.ENDED)
    wait_until(lambda: counts(firm) == {("phone", "1001"): 3, ("extension", "1002"): 3}, PATIENCE_S, f"three wrong PINs ({counts(firm)})")
    wait_state(dialled(firm, desk, "*56", wrong * 3), State.ENDED)
    wait_until(lambda: counts(firm).get(("extension", "1002")) == 5, PATIENCE_S, f"five wrong PINs ({counts(firm)})")
    wait_state(dialled(firm, desk, "*56", f"1002#{pin}#"), State.ENDED)
    assert sits_at(firm, desk.mac) == "", "after five wrong ones not even the right one is looked at"


def counts(firm: Office) -> dict[tuple[str, str], int]:
    return {(row["kind"], row["number"]): row["count"] for row in firm.api("GET", "/seats/wrong-pins")}


def test_a_mailbox_without_a_pin_lets_nobody_in(firm: Office, desk: Desk) -> None:
    with closing(sqlite3.connect(firm.pbx_folder / "voicemail.sqlite3")) as file, file:
        file.execute("UPDATE voicemail SET password = '' WHERE mailbox = '1003'")
    wait_state(dialled(firm, desk, "*56", "1003##" + "1003#0#" + "1003#000000#"), State.ENDED)
    assert sits_at(firm, desk.mac) == ""


def test_elsewhere_there_is_no_such_number(firm: Office) -> None:
    for code in ("*56", "*57"):
        call = firm.dial(firm.desks[2], code)
        wait_state(call, State.ENDED)
        assert call.cause == 404
