"""An Asterisk that hangs, or was emptied, under a running server: what needs it waits, nothing else does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pbx_sync.asterisk.instance import processes_of
from pbx_sync.asterisk.program import Program
from tests.contract.world import wait_until
from tests.phones.office import FIRST_NUMBER, MODELS, PATIENCE_S, Office, office

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    """Two phones in lockstep."""
    with office(asterisk_program) as made:
        for model in MODELS[:2]:
            made.desk(model, [f"{FIRST_NUMBER}"])
        made.boot()
        made.wait_in_lockstep()
        yield made


@contextmanager
def stopped(firm: Office) -> Iterator[None]:
    """Has Asterisk hang for as long as the block lasts: its ports are open, and nothing answers."""
    pids = processes_of(firm.pbx_folder)
    assert pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def test_labels_are_live_one_after_the_other_while_asterisk_hangs(firm: Office) -> None:
    desk, other = firm.desks
    with stopped(firm):
        firm.api("PATCH", f"/extensions/{other.number}", {"display_name": "Waits for the PBX"})
        for label in ("First", "Second", "Third"):
            before = firm.facts(desk).live
            firm.api(
                "PUT", f"/phones/{desk.mac}/keys", [{"key": 2, "module": 0, "type": "blf", "value": f"{FIRST_NUMBER}", "label": label}]
            )
            wait_until(lambda was=before: firm.facts(desk).live not in (None, was), PATIENCE_S, f"the label {label}")
        assert firm.counted().get("pushing") == 1, "the name still waits"
    firm.wait_in_lockstep()
    assert desk.phone.key(f"{FIRST_NUMBER}").label == "Third"


def test_a_secret_is_served_only_when_asterisk_took_it(firm: Office) -> None:
    desk = firm.desks[1]
    before = firm.facts(desk).live
    with stopped(firm):
        firm.api("PATCH", f"/extensions/{desk.number}", {"secret": "a-new-Secret_0123456789"})
        wait_until(lambda: firm.facts(desk).wanted not in (None, before), PATIENCE_S, "the rendering")
        assert firm.facts(desk).live == before
    firm.wait_in_lockstep()
    assert desk.phone.agent.account.secret == "a-new-Secret_0123456789"


def test_an_asterisk_that_was_emptied_is_filled_before_anybody_asks(firm: Office) -> None:
    """Was: by the comparison of everything, up to five minutes later."""
    with firm.hand() as hand:
        with firm.paused_worker():
            hand.wipe()
            assert hand.get("endpoint", firm.desks[0].number) is None
        wait_until(lambda: all(hand.get("endpoint", desk.number) for desk in firm.desks), PATIENCE_S, "the extensions")
    for desk in firm.desks:
        desk.phone.agent.renew_now()
    firm.wait_in_lockstep()
