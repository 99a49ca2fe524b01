"""The backend while the real Asterisk is restarted, hangs, lets nobody in, cannot load what it is given, or is somebody else's."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from pbx_sync.asterisk.backend import AsteriskBackend
from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.objects import AUTH, ENDPOINT, MARK
from pbx_sync.asterisk.program import Program
from pbx_sync.backend import PBXUnavailable
from pbx_sync.plan import Plan
from pbx_sync.reconcile import reconcile
from pbx_sync.state import Endpoint, PBXObject, RingGroup, State
from tests.asterisk.by_hand import Hand, address_of, backend_of, hand_at
from tests.asterisk.running import fresh_instance
from tests.contract.world import wait_until

pytestmark = pytest.mark.asterisk

ALICE = Endpoint("1001", "Alice", "secret-of-alice", "alice@example.org", "Sales")
BOB = Endpoint("1002", "Bob", "secret-of-bob")
SALES = RingGroup("600", "Sales", ("1001", "1002"))


@pytest.fixture
def pbx(asterisk: Instance) -> Iterator[AsteriskBackend]:
    with backend_of(asterisk) as backend:
        yield backend


@pytest.fixture
def hand(asterisk: Instance) -> Iterator[Hand]:
    with hand_at(asterisk) as made:
        yield made


def state(*items: PBXObject) -> State:
    return {item.number: item for item in items}


def test_asterisk_that_is_restarted_in_the_middle_of_a_push_converges(pbx: AsteriskBackend, hand: Hand) -> None:
    desired = state(*(Endpoint(str(number), "Name", f"secret-{number}") for number in range(20_000, 22_000)))
    killer = threading.Timer(0.3, hand.kill)
    killer.start()
    with pytest.raises(PBXUnavailable):
        while True:
            pbx.apply(Plan(create=tuple(desired.values())))
            pbx.apply(Plan(delete=tuple(desired)))
    killer.join()
    hand.start()
    partly = pbx.read()
    assert all(number in desired for number in partly)
    assert reconcile(pbx, desired, only=False, confirmed=True).refused == {}
    assert pbx.read() == desired


def test_hanging_asterisk_is_noticed_within_seconds_and_forgiven(pbx: AsteriskBackend, hand: Hand) -> None:
    reconcile(pbx, state(ALICE))
    hand.register(pbx, "1001")
    with hand.frozen():
        begun = time.monotonic()
        with pytest.raises(PBXUnavailable, match="does not answer within 5 s"):
            pbx.read(["1001"])
        for ask in (pbx.contacts, pbx.busy, lambda: pbx.notify("1001", "check-sync")):
            with pytest.raises(PBXUnavailable):
                ask()
        assert time.monotonic() - begun < 15, "only the first waits for five seconds, the others know by then"
    assert pbx.read(["1001"]) == state(ALICE)
    wait_until(lambda: _is_up(pbx), what="the watching")
    assert [contact.number for contact in pbx.contacts()] == ["1001"]


def test_hanging_is_noticed_by_who_only_watches(pbx: AsteriskBackend, hand: Hand) -> None:
    assert pbx.contacts() == ()
    with hand.frozen():
        wait_until(lambda: not _is_up(pbx), what="a doubt")
    wait_until(lambda: _is_up(pbx), what="the watching")


def test_wrong_password_names_the_setting_and_is_no_secret(asterisk: Instance) -> None:
    backend = AsteriskBackend(address_of(asterisk, password="not-this-one"))
    for ask in (backend.read, backend.contacts, backend.about):
        with pytest.raises(PBXUnavailable, match="PROVISIONER_PBX_AMI_PASSWORD must be what its") as raised:
            ask()
        assert "not-this-one" not in str(raised.value)
    backend.close()


def test_unwritable_mailboxes_are_told(asterisk: Instance, pbx: AsteriskBackend) -> None:
    asterisk.mailboxes.unlink()
    asterisk.mailboxes.mkdir()
    with pytest.raises(PBXUnavailable, match=r"the file of mailboxes .* cannot be used"):
        pbx.apply(Plan(create=(ALICE,)))
    asterisk.mailboxes.rmdir()
    assert reconcile(pbx, state(ALICE)).verified == {"1001": ALICE.hash}


def test_closed_backend_may_be_used_again(pbx: AsteriskBackend) -> None:
    pbx.apply(Plan(create=(ALICE,)))
    assert pbx.contacts() == ()
    threads = threading.active_count()
    pbx.close()
    assert threading.active_count() == threads - 1
    assert pbx.read() == state(ALICE) and pbx.contacts() == ()


def _is_up(pbx: AsteriskBackend) -> bool:
    try:
        pbx.contacts()
    except PBXUnavailable:
        return False
    return True


# ---- what Asterisk cannot take, or takes from elsewhere --------------------------------------------------------------------------


def test_endpoint_from_a_file_is_not_ours(asterisk: Instance, pbx: AsteriskBackend, hand: Hand) -> None:
    custom = asterisk.folder / "custom" / "pjsip.conf"
    custom.write_text("[1001]\ntype = endpoint\ncontext = internal\ndisallow = all\nallow = ulaw\n")
    asterisk.reload()
    wait_until(lambda: hand.ask("PJSIPShowEndpoint", Endpoint="1001").is_success, what="the file's endpoint")
    outcome = reconcile(pbx, state(ALICE, BOB))
    assert "not ours" in outcome.refused["1001"] and outcome.verified == {"1001": None, "1002": BOB.hash}
    assert hand.get(MARK, "1001") is hand.get(ENDPOINT, "1001") is hand.get(AUTH, "1001") is None


def test_file_that_later_hides_an_extension_of_ours_is_told(asterisk: Instance, pbx: AsteriskBackend, hand: Hand) -> None:
    pbx.apply(Plan(create=(ALICE,)))
    custom = asterisk.folder / "custom" / "pjsip.conf"
    custom.write_text("[1001]\ntype = auth\nauth_type = userpass\nusername = 1001\npassword = of-the-file\n")
    asterisk.reload()

    def hidden() -> bool:
        return "of-the-file" in {item.get("Password") for item in hand.ask("PJSIPShowEndpoint", Endpoint="1001").items}

    wait_until(hidden, what="the file's credentials")
    refused = pbx.apply(Plan(update=(replace(ALICE, display_name="Al"),)))
    assert refused["1001"] == "Asterisk takes other credentials of the name 1001, from a file of its own (pjsip.conf)"
    assert pbx.read(["1001"]) == state(ALICE), "it went back to what was there"


def test_change_that_asterisk_cannot_load_goes_back_to_what_was_there(pbx: AsteriskBackend, hand: Hand) -> None:
    reconcile(pbx, state(ALICE, BOB))
    before = hand.get(ENDPOINT, "1001")
    hand.spoil("1001", "Spoilt")
    changed = state(replace(ALICE, display_name="Spoilt"), replace(BOB, display_name="Fine"))
    outcome = reconcile(pbx, changed)
    assert outcome.refused == {"1001": "Asterisk cannot load it: Unable to retrieve endpoint 1001"}
    assert outcome.verified == {"1001": ALICE.hash, "1002": changed["1002"].hash}
    assert hand.get(ENDPOINT, "1001") == before


# ---- somebody else's Asterisk ----------------------------------------------------------------------------------------------------

LEAST_RIGHTS = "read = system,call,security\nwrite = system,reporting,call\n"
"""As docs/howto/external-pbx.md says."""


def test_asterisk_of_somebody_else_is_kept_with_the_least_rights(asterisk_program: Program) -> None:
    with fresh_instance(asterisk_program, started=False) as instance:
        manager, pjsip = (instance.folder / "etc" / f"{name}.conf" for name in ("manager", "pjsip"))
        general, _, user = manager.read_text().partition(f"[{instance.user}]")
        secret = next(line for line in user.splitlines() if line.startswith("secret"))
        manager.write_text(f"{general}[{instance.user}]\n{secret}\n{LEAST_RIGHTS}")
        pjsip.write_text(re.sub(r"default_outbound_endpoint = .*\n", "", pjsip.read_text()))
        instance.start()
        instance.wait_until_ready()
        with closing(AsteriskBackend(address_of(instance))) as pbx, hand_at(instance) as hand:
            many = state(*(Endpoint(str(number), "Name", f"secret-{number}") for number in range(20_000, 22_000)), ALICE, SALES)
            assert reconcile(pbx, many, only=False).refused == {}
            assert pbx.read() == many, "its mailboxes are its owner's business"
            phone, _ = (hand.register(pbx, "1001") for _ in range(2))
            assert pbx.notify("1001", "check-sync", [f"sip:1001@{phone.link.host}:{phone.link.port}"]) == 1
            wait_until(lambda: phone.events == ["check-sync"], what="the NOTIFY to one of two")
            assert pbx.about().version.startswith("Asterisk ") and pbx.busy() == frozenset()


def test_rows_that_vanish_while_they_are_pushed_are_no_refusal(pbx: AsteriskBackend, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: whoever was being pushed while somebody emptied the database was held, as if Asterisk could not load it."""
    shown = pbx._shown

    def emptied(numbers: list[str]) -> object:
        if hand.get(ENDPOINT, ALICE.number):
            hand.wipe()
        return shown(numbers)

    with monkeypatch.context() as patch:
        patch.setattr(pbx, "_shown", emptied)
        with pytest.raises(PBXUnavailable, match="taken 1 extensions, 1001 the first of them, and they are gone again"):
            pbx.apply(Plan(create=(ALICE,)))
    assert reconcile(pbx, state(ALICE, BOB)).refused == {}
