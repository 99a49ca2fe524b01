"""A phone of each maker is taken out of service: told through the real PBX although what it knew is dead there, emptied, and back again."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pbx_sync.asterisk.program import Program
from provisioner.core.lockstep import Stage
from tests.asterisk.test_lockstep_edits import accepts
from tests.contract.world import wait_until
from tests.phones.office import MODELS, PATIENCE_S, Desk, Office, office_of_each_model

pytestmark = pytest.mark.asterisk


@pytest.fixture(scope="module")
def firm(asterisk_program: Program) -> Iterator[Office]:
    with office_of_each_model(asterisk_program) as made:
        yield made


@pytest.fixture(params=range(len(MODELS)), ids=MODELS)
def desk(request: pytest.FixtureRequest, firm: Office) -> Desk:
    return firm.desks[request.param]


def test_a_phone_is_told_to_empty_itself_and_comes_back_whole(firm: Office, desk: Desk) -> None:
    secret, watched, url = desk.phone.agent.account.secret, desk.phone.config.watched, desk.phone.url
    told = len(desk.phone.events)
    firm.api("POST", f"/phones/{desk.mac}/retire")
    wait_until(lambda: len(desk.phone.events) > told, PATIENCE_S, f"NOTIFY to {desk.number}")
    wait_until(lambda: not desk.phone.agents, PATIENCE_S, "the end of its account")
    assert (desk.phone.config.lines, desk.phone.config.watched, desk.phone.url) == ((), (), url)
    wait_until(lambda: firm.stage(desk) is Stage.RETIRED, PATIENCE_S, "the record of its last fetch")
    wait_until(lambda: not accepts(firm, desk.number, secret), PATIENCE_S, "the end of its password")
    firm.api("POST", f"/phones/{desk.mac}/reinstate")
    firm.wait_live(desk)
    desk.phone.boot()
    firm.wait_in_lockstep(desk)
    assert desk.phone.config.watched == watched and desk.phone.agent.account.secret != secret
