"""What a person changes in Asterisk behind our back: it shows, it is put back, what is not ours stays, and no mistake empties the PBX."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbx_sync.asterisk.program import Program
from provisioner.core.lockstep import Stage
from tests.contract.world import wait_until
from tests.phones.office import FIRST_NUMBER, MODELS, PATIENCE_S, Hand, Office, office

pytestmark = pytest.mark.asterisk
MANY = 12
UNASKED = Path(__file__).parents[1] / "phones" / "unasked"
FOREIGN = {"context": "internal", "allow": "!all,ulaw", "callerid": '"By hand" <7001>'}


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    """Four phones, and as many extensions without a phone as the guard wants to see before it speaks. The worker compares when it is asked."""
    with office(asterisk_program, beside={"PYTHONPATH": str(UNASKED)}) as made:
        for model in MODELS:
            made.desk(model)
        for place in range(MANY):
            made.world.installation.changes.create_extension("test", f"{3000 + place}")
        made.boot()
        made.wait_in_lockstep()
        wait_until(lambda: made.api("GET", "/pbx")["drift"] == 0, PATIENCE_S, "everything pushed")
        yield made


@pytest.fixture
def hand(firm: Office) -> Iterator[Hand]:
    """A person at the Asterisk; whatever was done is put right afterwards."""
    with firm.hand() as made:
        yield made
    firm.api("POST", "/pbx/sync", {"confirm": True})
    assert firm.api("GET", "/pbx")["state"] == "in_lockstep"


def test_a_hand_edit_shows_in_the_plan_and_is_put_back(firm: Office, hand: Hand) -> None:
    number = f"{FIRST_NUMBER}"
    was = hand.get("endpoint", number)
    hand.edit("endpoint", number, callerid='"Not the boss" <999>', codec_prefs_outgoing_offer="prefer:pending")
    plan = firm.api("GET", "/pbx/plan")
    assert (plan["create"], plan["update"], plan["delete"], plan["applied"]) == (0, 1, 0, False)
    assert any(number in line and "callerid" in line for line in plan["lines"])
    assert hand.get("endpoint", number) != was, "a plan touches nothing"
    done = firm.api("POST", "/pbx/sync")
    assert done["applied"] and done["update"] == 1
    assert hand.get("endpoint", number) == was
    shown = firm.api("GET", "/pbx")
    assert shown["last_drift"]["numbers"] == [number] and shown["last_drift"]["is_put_back"]
    assert firm.stage(firm.desks[0]) == Stage.IN_LOCKSTEP


@pytest.mark.parametrize("kind", ["endpoint", "aor", "auth"])
def test_an_object_deleted_by_hand_is_there_again(firm: Office, hand: Hand, kind: str) -> None:
    number = firm.desks[1].number
    was = hand.get(kind, number)
    hand.delete(kind, number)
    done = firm.api("POST", "/pbx/sync")
    assert done["create"] + done["update"] == 1 and done["refused"] == {}
    assert hand.get(kind, number) == was


def test_a_secret_changed_by_hand_is_put_back_and_never_shown(firm: Office, hand: Hand) -> None:
    number = firm.desks[2].number
    was = hand.get("auth", number)
    hand.edit("auth", number, password="secret-of-the-hand")
    plan = firm.api("GET", "/pbx/plan")
    assert any(number in line for line in plan["lines"])
    assert "secret-of-the-hand" not in str(plan) and str(was["password"] if was else "") not in str(plan)
    firm.api("POST", "/pbx/sync")
    assert hand.get("auth", number) == was
    log = firm.world.serve.log()
    assert "secret-of-the-hand" not in log and str(was["password"] if was else "") not in log


def test_drift_shows_in_the_metrics(firm: Office, hand: Hand) -> None:
    before = settled(firm, "provisioner_worker_drift_put_back_total")
    hand.edit("aor", firm.desks[3].number, max_contacts="1")
    firm.api("POST", "/pbx/sync")
    wait_until(lambda: firm.metric("provisioner_worker_drift_put_back_total") == before + 1, PATIENCE_S, "the metric")


def settled(firm: Office, name: str) -> float:
    """Returns a metric that has stopped moving: the worker tells its counts once in a while."""
    last, now = -1.0, firm.metric(name)
    while now != last:
        time.sleep(2.5)
        last, now = now, firm.metric(name)
    return now


def test_an_object_that_is_not_ours_is_never_touched(firm: Office, hand: Hand) -> None:
    hand.put("endpoint", "7001", FOREIGN)
    assert not any("7001" in line for line in firm.api("GET", "/pbx/plan")["lines"])
    firm.api("POST", "/pbx/sync", {"confirm": True})
    assert hand.get("endpoint", "7001") == FOREIGN


def test_an_extension_whose_number_somebody_else_has_is_held_until_it_is_free(firm: Office, hand: Hand) -> None:
    hand.put("endpoint", "7002", FOREIGN)
    desk = firm.desk("yealink/t46u", number="7002")
    wait_until(lambda: firm.stage(desk) == Stage.HELD, PATIENCE_S, "the refusal")
    assert "not ours" in firm.facts(desk).error
    assert hand.get("endpoint", "7002") == FOREIGN
    assert firm.stages(firm.desks[:4]) == {"in_lockstep": [other.number for other in firm.desks[:4]]}, "nobody else is held"
    assert firm.api("GET", "/pbx")["state"] == "held"
    hand.delete("endpoint", "7002")
    firm.api("POST", "/pbx/sync")
    firm.boot(desk)
    firm.wait_in_lockstep(desk)


def test_the_guard_refuses_until_a_person_confirms(firm: Office, hand: Hand) -> None:
    numbers = [f"{3000 + place}" for place in range(MANY // 2)]
    for number in numbers:
        hand.edit("endpoint", number, callerid='"Hand" <1>')
    status, problem = firm.refused("POST", "/pbx/sync")
    assert (status, problem["reason"]) == (409, "needs_confirmation") and "--confirm" in problem["detail"]
    shown = firm.api("GET", "/pbx")
    assert shown["state"] == "drifting" and shown["guard"] and shown["last_drift"]["is_put_back"] is False
    assert (hand.get("endpoint", numbers[0]) or {})["callerid"] == '"Hand" <1>', "nothing was touched"
    done = firm.api("POST", "/pbx/sync", {"confirm": True})
    assert done["applied"] and done["update"] == len(numbers)
    assert (hand.get("endpoint", numbers[0]) or {})["callerid"] == f'"{numbers[0]}" <{numbers[0]}>'


def test_a_wiped_database_is_filled_again_without_a_question(firm: Office, hand: Hand) -> None:
    hand.wipe()
    done = firm.api("POST", "/pbx/sync")
    assert done["applied"] and done["create"] == MANY + len(firm.desks)
    for desk in firm.desks:
        desk.phone.agent.renew_now()
    firm.wait_in_lockstep()
