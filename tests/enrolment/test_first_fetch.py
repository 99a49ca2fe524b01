"""One safe first fetch: to one address, of one model, while it is open; whoever else asks gets the bytes of a stranger, and is shown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from provisioner.api.bootstrap import what_of
from provisioner.changes import LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.core.values import FileAnswer, Reason
from provisioner.transports.http import PhonesHTTP
from provisioner.transports.http_reply import Conditions
from provisioner.transports.tftp_packets import refusal
from tests.contract.inside import LOCAL, Inside, inside
from tests.contract.world import OUIS, Phone, user_agent
from tests.installations import toy_catalogue

OTHER = "192.168.1.99"


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


def on_the_wire(here: Inside, answer: FileAnswer) -> tuple[object, ...]:
    """Returns all that goes out, over HTTP and over TFTP."""
    reply = PhonesHTTP(here.server, here.credentials, here.uploads).encoded(answer, "GET", Conditions())
    return (*reply[:3], refusal(answer.reason))


def of_a_stranger(here: Inside) -> tuple[object, ...]:
    unknown = f"{OUIS['yealink']}fffffe"
    return on_the_wire(here, here.ask(f"{unknown}.cfg", user_agent("yealink/t46u", unknown), OTHER))


def told(here: Inside, phone: Phone) -> list[tuple[str, str, int]]:
    """Returns what a technician is shown of the phone's refusals."""
    here.recorder.flush()
    return [(what_of(row), row.peer, row.count) for row in here.installation.store.bootstrap_refusals(mac=phone.mac)]


def own_path(here: Inside, phone: Phone) -> str:
    return f"p/{here.token(phone)}/{phone.name}"


def reopen(here: Inside, phone: Phone) -> None:
    here.clock.now += 1
    here.installation.changes.reopen_first_fetch("technician", phone.mac)
    here.follow()


def test_a_replay_from_another_address_gets_nothing_and_is_shown(here: Inside) -> None:
    phone = here.phone()
    assert here.fetch(phone.name, phone.agent).reason is Reason.SERVED
    assert here.fetch(phone.name, phone.agent).reason is Reason.SERVED, "the phone itself may ask again until it has its own address"
    answer = here.fetch(phone.name, phone.agent, peer=OTHER)
    assert answer.reason is Reason.REPLAYED
    assert on_the_wire(here, answer) == of_a_stranger(here)
    assert told(here, phone) == [("another_address", OTHER, 1)]


def test_a_replay_is_refused_by_every_process_and_after_a_restart(here: Inside) -> None:
    phone, second = here.phone(), here.restart()
    second.index.refresh()
    here.fetch(phone.name, phone.agent)
    here.recorder.flush()
    second.index.refresh()
    for process in (second, here.restart()):
        assert process.ask(phone.name, phone.agent, OTHER).reason is Reason.REPLAYED
        assert process.ask(phone.name, phone.agent, OTHER, transport="tftp").reason is Reason.REPLAYED
        assert process.ask(phone.name, phone.agent).reason is Reason.SERVED


def test_of_two_processes_the_first_address_stays(here: Inside) -> None:
    phone, second = here.phone(), here.restart()
    here.fetch(phone.name, phone.agent)
    second.fetch(phone.name, phone.agent, peer=OTHER)  # in the moment before it has heard of the first
    for recorder in (here.recorder, second.recorder):
        recorder.flush()
    assert here.restart().ask(phone.name, phone.agent).reason is Reason.SERVED
    assert here.restart().ask(phone.name, phone.agent, OTHER).reason is Reason.REPLAYED
    second.recorder._database.dispose()


def test_who_breaks_off_in_the_middle_has_taken_it(here: Inside) -> None:
    phone = here.phone()
    here.done(here.ask(phone.name, phone.agent), phone.name, phone.agent, Reason.ABORTED)
    assert here.ask(phone.name, phone.agent, OTHER).reason is Reason.REPLAYED


def test_a_look_at_the_headers_takes_nothing(here: Inside) -> None:
    phone = here.phone()
    assert here.fetch(phone.name, phone.agent, method="HEAD").reason is Reason.SERVED
    assert here.ask(phone.name, phone.agent, OTHER).reason is Reason.SERVED


def test_a_technician_opens_it_again_for_another_address(here: Inside) -> None:
    phone = here.phone()
    here.fetch(phone.name, phone.agent)
    here.fetch(phone.name, phone.agent, peer=OTHER)
    here.recorder.flush()
    reopen(here, phone)
    assert told(here, phone) == []
    assert here.fetch(phone.name, phone.agent, peer=OTHER).reason is Reason.SERVED
    assert here.fetch(phone.name, phone.agent).reason is Reason.REPLAYED
    assert told(here, phone) == [("another_address", LOCAL, 2)]


@pytest.mark.parametrize(
    "model", ["yealink/t31p", "polycom/vvx411", "grandstream/gxp2170"], ids=["its maker's", "another maker's", "a third one's"]
)
def test_another_model_gets_nothing_and_is_shown(here: Inside, model: str) -> None:
    phone = here.phone()
    answer = here.fetch(phone.name, user_agent(model, phone.mac))
    assert answer.reason in (Reason.CONFLICT, Reason.NOT_A_PHONE)
    assert on_the_wire(here, answer) == of_a_stranger(here)
    if answer.reason is Reason.CONFLICT:
        assert told(here, phone) == [("another_model", LOCAL, 1)]
    assert here.fetch(phone.name, phone.agent, peer=OTHER).reason is Reason.SERVED, "a refusal takes nothing"


def test_a_phone_that_was_reset_is_recognised_and_let_in_by_one_action(here: Inside) -> None:
    phone = here.phone()
    here.fetch(phone.name, phone.agent)
    here.clock.now += 1
    here.fetch(own_path(here, phone), phone.agent)
    here.clock.now += 3600
    answer = here.fetch(phone.name, phone.agent, peer=OTHER)
    assert answer.reason is Reason.BOOTSTRAP_CLOSED
    assert on_the_wire(here, answer) == of_a_stranger(here)
    assert told(here, phone) == [("reset", OTHER, 1)]
    reopen(here, phone)
    assert here.fetch(phone.name, phone.agent, peer=OTHER).reason is Reason.SERVED
    assert told(here, phone) == []


def test_a_phone_that_came_too_late_is_shown_as_such(here: Inside) -> None:
    phone = here.phone()
    here.clock.now += 25 * 3600
    assert here.fetch(phone.name, phone.agent).reason is Reason.BOOTSTRAP_CLOSED
    assert told(here, phone) == [("expired", LOCAL, 1)]


def test_a_phone_that_asks_both_ways_was_not_reset(here: Inside) -> None:
    phone = here.phone()
    here.fetch(phone.name, phone.agent)
    here.fetch(own_path(here, phone), phone.agent)
    for _ in range(3):  # DHCP sends it to the server's root at every start, and its own address stands in its flash
        here.clock.now += 60
        here.fetch(phone.name, phone.agent)
        here.clock.now += 1
        here.fetch(own_path(here, phone), phone.agent)
        assert told(here, phone) == []


def test_a_stranger_does_not_look_like_a_phone_that_was_reset(here: Inside) -> None:
    phone = here.phone()
    here.fetch(own_path(here, phone), phone.agent)
    here.clock.now += 60
    assert here.fetch(phone.name, "curl/8.5.0").reason is Reason.NOT_A_PHONE
    assert told(here, phone) == []


def test_a_phone_that_comes_again_at_once_gets_no_password_before_it_has_its_own_address(tmp_path: Path) -> None:
    with inside(tmp_path, catalogue_dir=toy_catalogue(tmp_path / "catalogue")) as here:
        mac, secret, site = Mac("02acde000077"), "S1pS3cret-of-a-toy", here.site()
        here.installation.changes.create_extension("test", "1001", secret=secret)
        here.installation.changes.create_phone("test", mac, PhoneInput("acme/a1", site, lines=[LineInput(1, "1001")]))
        here.follow()
        token = here.installation.box.token(mac, 1)
        first = here.fetch(f"{mac}.acme", f"Acme A1 1.2 {mac}")
        assert first.reason is Reason.SERVED
        assert token.encode() in first.body, "the way to its own address"
        passwords = [here.installation.box.phone_password(mac, use) for use in ("admin", "user")]
        assert not any(word.encode() in first.body for word in (secret, "line.", *passwords))
        whole = here.fetch(f"p/{token}/{mac}.acme", f"Acme A1 1.2 {mac}")
        assert whole.reason is Reason.SERVED
        assert secret.encode() in whole.body
        assert here.ask(f"{mac}.acme", f"Acme A1 1.2 {mac}").reason is Reason.BOOTSTRAP_CLOSED
