"""What the backend sees of phones on the real Asterisk: registrations, calls, wrong passwords; after an outage as well."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from pbx_sync.asterisk.ami import Message
from pbx_sync.asterisk.backend import AsteriskBackend
from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.logins import MOST_NUMBERS, FailedLogins
from pbx_sync.asterisk.objects import AOR, REGISTRATION_S
from pbx_sync.asterisk.registrations import Registration
from pbx_sync.backend import PBXUnavailable
from pbx_sync.plan import Plan
from pbx_sync.state import Contact, Endpoint
from tests.asterisk.by_hand import Hand, address_of, backend_of, hand_at
from tests.asterisk.relay import Relay
from tests.contract.world import wait_until
from tests.phones.sip import Refused, UserAgent

pytestmark = pytest.mark.asterisk

ALICE = Endpoint("1001", "Alice", "secret-of-alice")
BOB = Endpoint("1002", "Bob", "secret-of-bob")
SOON_S = 30.0
"""The events are looked at within a tenth of a second; a busy machine takes longer. Without them, everything is read once a minute."""


@pytest.fixture
def hand(shared_asterisk: Instance) -> Iterator[Hand]:
    with hand_at(shared_asterisk) as made:
        made.wipe()
        yield made


@pytest.fixture
def relay(hand: Hand) -> Iterator[Relay]:
    made = Relay(hand.instance.facts.ami)
    yield made
    made.close()


@pytest.fixture
def pbx(hand: Hand, relay: Relay) -> Iterator[AsteriskBackend]:
    with backend_of(hand.instance, relay.address) as backend:
        backend.apply(Plan(create=(ALICE, BOB)))
        backend.contacts()
        yield backend


def uri_of(phone: UserAgent) -> str:
    return f"sip:{phone.account.number}@{phone.link.host}:{phone.link.port}"


def contact_of(pbx: AsteriskBackend, phone: UserAgent) -> Contact | None:
    return next((contact for contact in pbx.contacts() if contact.uri == uri_of(phone)), None)


def register(pbx: AsteriskBackend, hand: Hand, phone: UserAgent) -> Contact:
    """Registers a phone and returns its contact as soon as it is newer than the call."""
    begun = time.time()
    hand.network.run(phone.register())

    def newer() -> bool:
        contact = contact_of(pbx, phone)
        return contact is not None and contact.registered_at >= begun

    wait_until(newer, SOON_S, "the registration")
    contact = contact_of(pbx, phone)
    assert contact is not None
    assert begun <= contact.registered_at <= time.time()
    return contact


# ---- registrations ---------------------------------------------------------------------------------------------------------------


def test_first_registration_shows_who_where_and_when(pbx: AsteriskBackend, hand: Hand) -> None:
    phone = hand.phone("1001", agent="Yealink SIP-T46U 108.86.0.90")
    contact = register(pbx, hand, phone)
    assert (contact.number, contact.user_agent, contact.address) == ("1001", "Yealink SIP-T46U 108.86.0.90", "127.0.0.1")


def test_each_refresh_is_newer_to_the_millisecond_and_nothing_else_wavers(pbx: AsteriskBackend, hand: Hand) -> None:
    phone, other = hand.phone("1001"), hand.phone("1001")
    first, beside = register(pbx, hand, phone), register(pbx, hand, other)
    seen = [first.registered_at]
    for _ in range(4):
        seen.append(register(pbx, hand, phone).registered_at)
        time.sleep(0.2)
    assert seen == sorted(set(seen)), "two registrations within one second are told apart"
    assert contact_of(pbx, other) == beside


def test_phone_that_started_anew_is_newer_although_asterisk_keeps_its_first_call_id(pbx: AsteriskBackend, hand: Hand) -> None:
    phone = hand.phone("1001")
    register(pbx, hand, phone)
    time.sleep(1.0)
    phone._registration.call_id = "of-the-second-life"
    register(pbx, hand, phone)
    stored = hand.ask("DBGetTree", Family="registrar/contact").items
    assert len(stored) == 1 and "of-the-second-life" not in stored[0]["Val"]


def test_phone_that_unregisters_is_gone(pbx: AsteriskBackend, hand: Hand) -> None:
    phone, other = hand.phone("1001"), hand.phone("1002")
    register(pbx, hand, phone)
    register(pbx, hand, other)
    hand.network.run(phone.register(expires_s=0))
    wait_until(lambda: contact_of(pbx, phone) is None, SOON_S, "its end")
    assert contact_of(pbx, other) is not None


def test_registration_that_runs_out_is_gone_unasked(pbx: AsteriskBackend, hand: Hand) -> None:
    short = {"max_contacts": "10", "minimum_expiration": "3", "default_expiration": "3", "maximum_expiration": "3"}
    hand.put({(AOR, "1001"): json.dumps(short)})
    phone = hand.phone("1001")
    hand.network.run(phone.register())
    wait_until(lambda: contact_of(pbx, phone) is not None, SOON_S, "the registration")
    wait_until(lambda: contact_of(pbx, phone) is None, SOON_S, "its end")


@pytest.mark.parametrize("wish_s", [60, REGISTRATION_S - 60, 7200])
def test_interval_is_ours_whatever_the_phone_asks_for(pbx: AsteriskBackend, hand: Hand, wish_s: int) -> None:
    phone = hand.phone("1001")
    assert REGISTRATION_S - 1 <= hand.network.run(phone.register(expires_s=wish_s)) <= REGISTRATION_S


@pytest.mark.parametrize(
    ("uri", "source"),
    [
        ("sip:1001@192.0.2.7:5062", ("192.0.2.7", "5062")),
        ("sip:1001@192.0.2.7", ("192.0.2.7", "5060")),
        ("sip:%2A97@192.0.2.7:5062;transport=TCP;x-ast-orig-host=10.0.0.1:5060", ("192.0.2.7", "5062")),
        ("sips:1001@[2001:db8::7]:5061;transport=TLS", ("2001:db8::7", "5061")),
        ("sip:192.0.2.7", ("192.0.2.7", "5060")),
        ("tel:1001", ("", "")),
    ],
)
def test_source_of_a_contact(uri: str, source: tuple[str, str]) -> None:
    assert Registration(uri, "", "", 0).source == source


# ---- after an outage -------------------------------------------------------------------------------------------------------------


def test_what_happened_while_nobody_watched_is_read_afterwards(pbx: AsteriskBackend, hand: Hand, relay: Relay) -> None:
    stays, goes, comes = (hand.phone(number) for number in ("1001", "1001", "1002"))
    before = register(pbx, hand, stays)
    register(pbx, hand, goes)
    with relay.cut():
        wait_until(lambda: not is_up(pbx), SOON_S, "the outage")
        hand.network.run(goes.register(expires_s=0))
        hand.network.run(comes.register())
    wait_until(lambda: is_up(pbx) and contact_of(pbx, comes) is not None, what="the whole state")
    assert contact_of(pbx, goes) is None
    assert contact_of(pbx, stays) == before
    register(pbx, hand, comes)


def test_restarted_asterisk_keeps_its_registrations_and_its_events_are_seen(pbx: AsteriskBackend, hand: Hand) -> None:
    phone = hand.phone("1001")
    register(pbx, hand, phone)
    time.sleep(1.5)  # AstDB is on disk after a second
    started_at = pbx.about().started_at
    hand.kill()
    wait_until(lambda: not is_up(pbx), what="the outage")
    hand.start()
    wait_until(lambda: is_up(pbx), what="the watching")
    wait_until(lambda: contact_of(pbx, phone) is not None, SOON_S, "the registration of before")
    assert pbx.about().started_at > started_at
    register(pbx, hand, phone)


def test_foreign_clock_is_told_in_ours(pbx: AsteriskBackend, hand: Hand) -> None:
    skewed = AsteriskBackend(address_of(hand.instance))
    skewed._observer._clock = lambda: time.time() - 3600.0
    try:
        phone = hand.phone("1001")
        hand.network.run(phone.register())
        wait_until(lambda: contact_of(skewed, phone) is not None, SOON_S, "the registration")
        (contact,) = skewed.contacts()
        assert abs(contact.registered_at - (time.time() - 3600.0)) < 3
        assert abs(skewed.about().started_at - (time.time() - 3600.0)) < 60
    finally:
        skewed.close()


# ---- calls -----------------------------------------------------------------------------------------------------------------------


def test_phone_is_busy_from_ringing_to_hanging_up(pbx: AsteriskBackend, hand: Hand, relay: Relay) -> None:
    caller, called = (hand.register(pbx, number) for number in ("1001", "1002"))
    call = hand.network.run(caller.call("1002"))
    wait_until(lambda: called.ringing() is not None, what="ringing")
    wait_until(lambda: pbx.busy() == {"1001", "1002"}, SOON_S, "both busy")
    assert pbx.about().channels == 2
    rung = called.ringing()
    assert rung is not None
    hand.network.run(rung.answer())
    with relay.cut():
        wait_until(lambda: not is_up(pbx), SOON_S, "the outage")
    wait_until(lambda: is_up(pbx) and pbx.busy() == {"1001", "1002"}, what="both busy after an outage, too")
    hand.network.run(call.hang_up())
    wait_until(lambda: pbx.busy() == frozenset(), SOON_S, "the end")
    assert pbx.about().channels == 0


# ---- NOTIFY ----------------------------------------------------------------------------------------------------------------------


def test_notify_reaches_the_one_phone_that_is_meant(pbx: AsteriskBackend, hand: Hand) -> None:
    one, other = (hand.register(pbx, "1001") for _ in range(2))
    assert pbx.notify("1001", "check-sync;reboot=false", [uri_of(one)]) == 1
    wait_until(lambda: one.events == ["check-sync;reboot=false"], SOON_S, "the NOTIFY")
    assert pbx.notify("1001", "check-sync;reboot=true") == 2
    wait_until(lambda: other.events == ["check-sync;reboot=true"] and len(one.events) == 2, SOON_S, "both NOTIFYs")


@pytest.mark.parametrize("name", ["default_outbound_endpoint", "provisioner-notify"])
def test_nobody_gets_in_as_the_endpoint_that_notifies(pbx: AsteriskBackend, hand: Hand, name: str) -> None:
    one, _ = (hand.register(pbx, "1001") for _ in range(2))
    pbx.notify("1001", "check-sync", [uri_of(one)])
    stranger = hand.phone(name, "any-secret")
    with pytest.raises(Refused, match="401"):
        hand.network.run(stranger.register())
    call = hand.network.run(stranger.call("1001"))
    wait_until(lambda: call.cause == 401, what="a refusal")


# ---- wrong passwords -------------------------------------------------------------------------------------------------------------


def test_locked_out_phone_is_counted_until_it_gets_in(pbx: AsteriskBackend, hand: Hand) -> None:
    wrong = hand.phone("1001", "a-wrong-secret")
    for _ in range(3):
        with pytest.raises(Refused):
            hand.network.run(wrong.register())
    wait_until(lambda: "1001" in pbx.failed_logins() and pbx.failed_logins()["1001"].count == 3, SOON_S, "the count")
    failed = pbx.failed_logins()["1001"]
    assert failed.address == "127.0.0.1" and abs(failed.last_at - time.time()) < 10
    hand.register(pbx, "1001")
    wait_until(lambda: "1001" not in pbx.failed_logins(), SOON_S, "its end")
    with pytest.raises(Refused):
        hand.network.run(hand.phone("7777", "any").register())
    wait_until(lambda: "7777" in pbx.failed_logins(), SOON_S, "the number that is none")


def test_guessers_do_not_fill_the_memory() -> None:
    logins = FailedLogins()
    for number in range(3 * MOST_NUMBERS):
        logins.wrong(event(f"{number}"))
    assert len(logins.all()) == MOST_NUMBERS
    assert str(3 * MOST_NUMBERS - 1) in logins.all()


def test_right_password_from_elsewhere_does_not_hide_a_phone_that_is_locked_out() -> None:
    logins = FailedLogins()
    logins.wrong(event("1001", "192.0.2.1"))
    logins.right(event("1001", "192.0.2.2"))
    assert logins.all()["1001"].count == 1
    logins.right(event("1001", "192.0.2.1"))
    assert logins.all() == {}


# ---- many ------------------------------------------------------------------------------------------------------------------------


def test_flood_of_registrations_is_seen_whole_and_costs_little(pbx: AsteriskBackend, hand: Hand, relay: Relay) -> None:
    many = tuple(Endpoint(str(number), "Name", f"secret-{number}") for number in range(20_000, 20_500))
    pbx.apply(Plan(create=many))
    phones = [hand.phone(item.number, item.secret) for item in many]
    begun, before = time.time(), relay.asked
    hand.network.all([phone.register(patience_s=60) for phone in phones], 120)
    wait_until(lambda: len(pbx.contacts()) == len(many), SOON_S, "all registrations")
    spent = time.time() - begun
    print(f"{len(many)} registrations in {spent:.1f} s, {relay.asked - before} questions")
    assert relay.asked - before < len(many) / 2, "looked at together, not one by one"
    assert all(contact.registered_at >= begun - 1 for contact in pbx.contacts())


def event(number: str, address: str = "192.0.2.1") -> Message:
    return {"Service": "PJSIP", "AccountID": number, "RemoteAddress": f"IPV4/UDP/{address}/5060", "EventTV": "2026-01-01T00:00:00.000+0000"}


def is_up(pbx: AsteriskBackend) -> bool:
    try:
        pbx.contacts()
    except PBXUnavailable:
        return False
    return True
