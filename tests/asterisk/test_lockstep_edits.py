"""An edit until everybody agrees: the PBX says it, the phone is told, fetches, registers again, and the stage says so. Times are printed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pbx_sync.asterisk.program import Program
from provisioner.core.lockstep import Stage
from provisioner.core.mac import Mac
from tests.contract.world import wait_until
from tests.phones.calls import State
from tests.phones.device import Device
from tests.phones.office import FIRST_NUMBER, MODELS, PATIENCE_S, Desk, Office, office_of_each_model, wait_lamp, wait_state
from tests.phones.sip import Account, Refused, UserAgent

pytestmark = pytest.mark.asterisk
NEW_SECRET = "a-new-Secret_0123456789"
TOLD_WITHIN_S = 20.0
"""A third of a second is promised on a machine of one's own, and measured by the bench; the tests share theirs."""


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    with office_of_each_model(asterisk_program) as made:
        yield made


@pytest.fixture(params=range(len(MODELS)), ids=MODELS)
def desk(request: pytest.FixtureRequest, firm: Office) -> Desk:
    firm.wait_in_lockstep()
    return firm.desks[request.param]


def edited(firm: Office, desk: Desk, what: str, edit: Callable[[], object]) -> None:
    """Makes an edit and waits until the phone was told, came, registered, and is in lockstep; prints how long each took."""
    told, changed, registered = len(desk.phone.events), desk.phone.changes, desk.phone.registrations
    began = time.time()
    edit()
    saved_s = time.time() - began
    wait_until(lambda: len(desk.phone.events) > told, PATIENCE_S, f"NOTIFY to {desk.number}")
    told_s = desk.phone.events[told][0] - began
    wait_until(lambda: desk.phone.changes > changed, PATIENCE_S, f"a change of what {desk.number} fetches")
    wait_until(lambda: desk.phone.registrations > registered, PATIENCE_S, "registering")
    registered_s = time.time() - began
    firm.wait_in_lockstep(desk)
    print(f"{what}: saved {saved_s:.3f} s, told {told_s:.3f} s, registered {registered_s:.3f} s, in lockstep {time.time() - began:.3f} s")
    assert told_s < TOLD_WITHIN_S


def keys(label: str) -> list[dict[str, Any]]:
    return [{"key": 2, "module": 0, "type": "blf", "value": f"{FIRST_NUMBER}", "label": label}]


def accepts(firm: Office, number: str, secret: str) -> bool:
    """Returns whether the PBX lets somebody register as the number with that secret. The phone's own registration stays.

    While it is changing the number it may say that something is wrong with itself (500), which is no verdict: it is asked again.
    """
    account = Account(number, secret, "127.0.0.1", firm.world.installation.settings.sip_bind.port)
    verdict = 500

    def is_clear() -> bool:
        nonlocal verdict
        verdict = firm.network.run(_tried(account))
        return verdict != 500

    wait_until(is_clear, PATIENCE_S, f"a verdict on {number}")
    assert verdict in (200, 401, 403, 404)
    return verdict == 200


async def _tried(account: Account) -> int:
    agent = await UserAgent(account).open()
    try:
        await agent.register()
        await agent.register(0)
    except Refused as refused:
        return refused.status
    finally:
        await agent.close()
    return 200


def test_a_new_label_is_on_the_key_within_moments(firm: Office, desk: Desk) -> None:
    edited(firm, desk, f"label, {desk.phone.model}", lambda: firm.api("PUT", f"/phones/{desk.mac}/keys", keys("The boss")))
    assert desk.phone.key(f"{FIRST_NUMBER}").label == "The boss"


def test_an_edit_and_its_undo_change_nothing_for_the_phone(firm: Office, desk: Desk) -> None:
    label = desk.phone.key(f"{FIRST_NUMBER}").label
    with firm.paused_worker():
        firm.api("PUT", f"/phones/{desk.mac}/keys", keys("Not for long"))
        firm.api("PUT", f"/phones/{desk.mac}/keys", keys(label))
        changes = desk.phone.changes
    firm.wait_in_lockstep(desk)
    assert desk.phone.changes == changes


def test_a_new_secret_is_known_to_the_pbx_before_the_phone_has_it_and_the_old_one_dies(firm: Office, desk: Desk) -> None:
    old, new = desk.phone.agent.account.secret, f"{NEW_SECRET}{desk.number}"
    edited(firm, desk, f"secret, {desk.phone.model}", lambda: firm.api("PATCH", f"/extensions/{desk.number}", {"secret": new}))
    assert desk.phone.agent.account.secret == new and desk.phone.is_registered
    wait_until(lambda: not accepts(firm, desk.number, old), PATIENCE_S, "the end of the old secret")
    assert accepts(firm, desk.number, new)


def test_a_new_number_moves_the_phone_and_frees_the_old_one(firm: Office, desk: Desk) -> None:
    old, new = desk.number, f"{int(desk.number) + 500}"
    secret = desk.phone.agent.account.secret
    firm.api("POST", "/extensions", {"number": new, "display_name": "Moved"})
    edited(firm, desk, f"number, {desk.phone.model}", lambda: firm.api("PUT", f"/phones/{desk.mac}/lines", [{"line": 1, "extension": new}]))
    assert desk.phone.agent.account.number == new
    call = firm.dial(next(other for other in firm.desks if other is not desk), new)
    wait_until(desk.phone.agent.ringing, PATIENCE_S, f"ringing at {new}")
    firm.hang_up(call)
    wait_state(call, State.ENDED)
    desk.number = new
    if old != f"{FIRST_NUMBER}":  # that one is watched by everybody's key
        firm.api("DELETE", f"/extensions/{old}")
        wait_until(lambda: not accepts(firm, old, secret), PATIENCE_S, f"the end of {old}")


def test_a_phone_in_a_call_is_told_after_it(firm: Office, desk: Desk) -> None:
    other = next(one for one in firm.desks if one is not desk)
    out, _ = firm.connect(other, desk)
    told, changed = len(desk.phone.events), desk.phone.changes
    firm.api("PUT", f"/phones/{desk.mac}/keys", keys("During a call"))
    wait_until(lambda: firm.facts(desk).live == firm.facts(desk).wanted, PATIENCE_S, "promotion")
    time.sleep(1.5)
    assert (len(desk.phone.events), desk.phone.changes) == (told, changed)
    firm.hang_up(out)
    wait_until(lambda: len(desk.phone.events) > told, PATIENCE_S, "NOTIFY after the call")
    firm.wait_in_lockstep(desk)
    assert desk.phone.key(f"{FIRST_NUMBER}").label == "During a call"


def test_a_change_of_the_whole_site_reaches_everybody_once(firm: Office) -> None:
    told = {desk.number: len(desk.phone.events) for desk in firm.desks}
    firm.api("PATCH", "/sites/default", {"settings": {"ntp_server": "ntp.example"}})
    wait_until(lambda: all(len(desk.phone.events) > told[desk.number] for desk in firm.desks), PATIENCE_S, "NOTIFY to all")
    print(f"a site of {len(firm.desks)} in lockstep after {firm.wait_in_lockstep():.3f} s")
    assert {len(desk.phone.events) - told[desk.number] for desk in firm.desks} == {1}


def test_the_lamps_still_work_after_all_of_that(firm: Office) -> None:
    watched, watching, caller = firm.desks[0], firm.desks[2], firm.desks[3]
    firm.api("PUT", f"/phones/{watching.mac}/keys", [{"key": 2, "module": 0, "type": "blf", "value": watched.number, "label": "Boss"}])
    wait_until(lambda: watching.phone.agent.lamps.keys() == {watched.number}, PATIENCE_S, "the new key")
    firm.wait_in_lockstep(watching)
    out, _ = firm.connect(caller, watched)
    wait_lamp(watching, watched.number, "confirmed")
    firm.hang_up(out)
    wait_lamp(watching, watched.number, "terminated")


def test_a_phone_that_is_off_during_a_change_comes_back_right(firm: Office) -> None:
    desk = firm.desks[1]
    desk.phone.power_off()
    firm.api("PUT", f"/phones/{desk.mac}/keys", keys("While it was off"))
    wait_until(lambda: firm.stage(desk) in (Stage.NOTIFIED, Stage.WAITING_FOR_PHONE), PATIENCE_S, "promotion")
    desk.phone.boot()
    firm.wait_in_lockstep(desk)
    assert desk.phone.key(f"{FIRST_NUMBER}").label == "While it was off"


def test_old_and_new_secret_are_both_good_until_the_phone_has_moved(firm: Office) -> None:
    desk = firm.desks[2]
    old, new = desk.phone.agent.account.secret, f"{NEW_SECRET}rotated"
    desk.phone.power_off()
    firm.api("PATCH", f"/extensions/{desk.number}", {"secret": new})
    wait_until(lambda: accepts(firm, desk.number, new), PATIENCE_S, "the new secret")
    assert accepts(firm, desk.number, old), "the phone does not know the new one yet"
    wait_until(lambda: firm.stage(desk) in (Stage.NOTIFIED, Stage.WAITING_FOR_PHONE), PATIENCE_S, "promotion")
    desk.phone.boot()
    firm.wait_in_lockstep(desk)
    assert desk.phone.agent.account.secret == new
    wait_until(lambda: not accepts(firm, desk.number, old), PATIENCE_S, "the end of the old secret")


def test_a_phone_that_is_swapped_takes_everything_over_and_the_old_one_is_dead(firm: Office) -> None:
    broken = firm.desks[3]
    old_url, secret, watched = broken.phone.url, broken.phone.agent.account.secret, broken.phone.config.watched
    broken.phone.power_off()
    place = len(firm.desks) + 1
    mac = Mac(f"64167f{place:06x}")
    firm.api("POST", f"/phones/{broken.mac}/swap", {"mac": mac})
    spare = Desk(broken.number, mac, Device(firm.network, broken.phone.model, str(mac), firm.url, number=place))
    firm.desks[3] = spare
    firm.boot(spare)
    firm.wait_in_lockstep(spare)
    assert [key.number for key in spare.phone.config.watched] == [key.number for key in watched]
    wait_until(lambda: not accepts(firm, spare.number, secret), PATIENCE_S, "the end of the broken phone's secret")
    thief = Device(firm.network, broken.phone.model, str(broken.mac), old_url).boot()
    assert thief.config.lines == () and {status for path, status in thief.asked if str(broken.mac) in path} == {404}
