"""The backend on the real Asterisk: what it writes and reads back, whose objects it leaves alone, and what it does when Asterisk fails."""

from __future__ import annotations

import itertools
import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from pbx_sync.asterisk.backend import AsteriskBackend
from pbx_sync.asterisk.instance import Instance
from pbx_sync.asterisk.mailboxes import first_pin
from pbx_sync.asterisk.objects import AOR, AUTH, ENDPOINT, NOTIFIER
from pbx_sync.plan import Plan
from pbx_sync.reconcile import reconcile
from pbx_sync.state import Endpoint, PBXObject, RingGroup, State
from tests.asterisk.by_hand import Hand, backend_of, hand_at
from tests.contract.world import wait_until
from tests.phones.dialog import Dialog
from tests.phones.message import token
from tests.phones.sip import Refused

pytestmark = pytest.mark.asterisk

ALICE = Endpoint("1001", "Alice", "secret-of-alice", "alice@example.org", "Sales")
BOB = Endpoint("1002", "Bob", "secret-of-bob")
SALES = RingGroup("600", "Sales", ("1001", "1002"))


@pytest.fixture
def hand(shared_asterisk: Instance) -> Iterator[Hand]:
    with hand_at(shared_asterisk) as made:
        made.wipe()
        shared_asterisk.mailboxes.unlink(missing_ok=True)
        yield made


@pytest.fixture
def pbx(hand: Hand) -> Iterator[AsteriskBackend]:
    with backend_of(hand.instance) as backend:
        yield backend


def state(*items: PBXObject) -> State:
    return {item.number: item for item in items}


# ---- ten thousand --------------------------------------------------------------------------------------------------------------


def test_ten_thousand_extensions_are_pushed_read_changed_and_deleted(hand: Hand, pbx: AsteriskBackend) -> None:
    many = state(*(Endpoint(str(number), f"Nr. {number}", f"secret-of-{number}", department="Sales") for number in range(20_000, 30_000)))
    times = [time.perf_counter()]

    def lap() -> None:
        times.append(time.perf_counter())

    assert pbx.apply(Plan(create=tuple(many.values()))) == {}
    lap()
    assert pbx.read() == many
    lap()
    one = replace(many["25000"], display_name="Changed")
    assert reconcile(pbx, state(one)).verified == {"25000": one.hash}
    lap()
    assert pbx.apply(Plan(delete=tuple(many))) == {}
    lap()
    assert pbx.read() == {}
    spent = dict(zip(("push", "read", "one changed", "delete"), (b - a for a, b in itertools.pairwise(times)), strict=True))
    print("10,000 extensions, seconds:", {what: round(seconds, 3) for what, seconds in spent.items()})
    assert not [line for line in hand.instance.log_lines(2000) if "ERROR" in line or "WARNING" in line]


# ---- whose objects ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [ENDPOINT, AUTH, AOR])
def test_any_row_without_our_mark_is_somebody_elses(pbx: AsteriskBackend, hand: Hand, family: str) -> None:
    hand.put({(family, "1001"): '{"theirs":"yes"}'})
    assert "not ours" in pbx.apply(Plan(create=(ALICE,)))["1001"]
    assert pbx.apply(Plan(delete=("1001",))) == {}
    assert hand.get(family, "1001") == '{"theirs":"yes"}'
    assert pbx.read() == {}


def test_other_families_of_the_database_are_left_alone(pbx: AsteriskBackend, hand: Hand) -> None:
    hand.put({("cidname", "1001"): "Theirs", ("1001", "theirs"): "yes"})
    pbx.apply(Plan(create=(ALICE,)))
    pbx.apply(Plan(delete=("1001",)))
    assert (hand.get("cidname", "1001"), hand.get("1001", "theirs")) == ("Theirs", "yes")


# ---- hand edits ------------------------------------------------------------------------------------------------------------------


def test_hand_edit_is_seen_by_its_attribute_and_put_back(pbx: AsteriskBackend, hand: Hand) -> None:
    desired = state(ALICE, BOB, SALES)
    pbx.apply(Plan(create=tuple(desired.values())))
    row = json.loads(hand.get(ENDPOINT, "1001") or "")
    hand.put({(ENDPOINT, "1001"): json.dumps({**row, "context": "from-nowhere"})})
    hand.delete(AUTH, "1002")
    hand.put({("provisioner-group", "600"): "1002"})
    found = pbx.read()
    assert found["1001"].deviations == ("endpoint.context is 'from-nowhere', should be 'internal'",)
    assert found["1002"].deviations == ("auth 1002 is missing",)
    assert found["600"] == replace(SALES, members=("1002",))
    outcome = reconcile(pbx, desired, only=False)
    assert {item.number for item in outcome.plan.update} == desired.keys() and outcome.refused == {}
    assert pbx.read() == desired


def test_wiped_database_is_filled_again(pbx: AsteriskBackend, hand: Hand) -> None:
    desired = state(*(Endpoint(str(number), "Name", f"secret-{number}") for number in range(3000, 3100)), SALES)
    reconcile(pbx, desired)
    hand.wipe()
    assert pbx.read() == {}
    outcome = reconcile(pbx, desired, only=False)
    assert len(outcome.plan.create) == 101 and outcome.refused == {}
    assert pbx.read() == desired


def test_update_of_ours_waits_for_nobody(pbx: AsteriskBackend, hand: Hand) -> None:
    many = state(SALES, *(Endpoint(str(number), f"Nr. {number}", f"secret-of-{number}") for number in range(2000, 2020)))
    pbx.apply(Plan(create=tuple(many.values())))
    for number in many:
        for family, field in (("provisioner", "form"), (ENDPOINT, "message_context")):
            row = hand.get(family, number)
            if row:
                hand.put({(family, number): json.dumps({key: value for key, value in json.loads(row).items() if key != field})})
    outcome = reconcile(pbx, many, owned=len(many), only=False)
    assert len(outcome.plan.update) == len(many)
    assert outcome.verified == {number: item.hash for number, item in many.items()}
    assert pbx.read() == many


def test_extension_becomes_a_group_and_back(pbx: AsteriskBackend, hand: Hand) -> None:
    pbx.apply(Plan(create=(ALICE, BOB)))
    group = RingGroup("1001", "All", ("1002",))
    assert reconcile(pbx, state(group)).verified == {"1001": group.hash}
    assert hand.get(ENDPOINT, "1001") is hand.get(AUTH, "1001") is None
    assert reconcile(pbx, state(ALICE)).verified == {"1001": ALICE.hash}
    assert hand.get("provisioner-group", "1001") is None


# ---- what Asterisk cannot take ---------------------------------------------------------------------------------------------------


def test_number_that_asterisk_cannot_hold_never_reaches_it(pbx: AsteriskBackend, hand: Hand) -> None:
    bad = [replace(ALICE, number=NOTIFIER), replace(BOB, display_name="🙂" * 128, department="🙂" * 128)]
    refused = pbx.apply(Plan(create=(*bad, ALICE)))
    assert refused.keys() == {NOTIFIER, "1002"}
    assert pbx.read() == state(ALICE)
    assert pbx.read(["10\r\n01"]) == {} and pbx.apply(Plan(delete=("10\r\n01",))) == {}


@pytest.mark.parametrize("number", ["1", "*97", "#1", "+41441234567", "a.b_c-d", "Z*#+._-9", "9" * 32, "x-1001", "1001-x"])
def test_every_number_that_an_extension_may_have_registers(pbx: AsteriskBackend, hand: Hand, number: str) -> None:
    item = replace(ALICE, number=number)
    assert reconcile(pbx, state(item)).verified == {number: item.hash}
    if "#" not in number:  # in a SIP address "#" is written "%23", which Asterisk does not undo in a user's name
        hand.register(pbx, number)
        assert [contact.number for contact in pbx.contacts()] == [number]
    assert reconcile(pbx, {}, [number]).verified == {number: None}
    assert pbx.read() == {}


# ---- secrets, mailboxes, registrations -------------------------------------------------------------------------------------------


def test_phone_gets_in_with_each_secret_that_stands_and_no_other(pbx: AsteriskBackend, hand: Hand) -> None:
    moving = replace(ALICE, secret="the-next-one", former_secrets=(ALICE.secret, "an-older-one"))
    reconcile(pbx, state(moving))
    phones = {secret: hand.phone("1001", secret) for secret in ("the-next-one", ALICE.secret, "an-older-one", "a-wrong-one")}
    for secret, phone in phones.items():
        if secret == "a-wrong-one":
            with pytest.raises(Refused):
                hand.network.run(phone.register())
        else:
            hand.network.run(phone.register())
    reconcile(pbx, state(replace(moving, former_secrets=())))
    hand.network.run(phones["the-next-one"].register())
    for ended in (ALICE.secret, "an-older-one"):
        with pytest.raises(Refused):
            hand.network.run(phones[ended].register())


def test_phone_is_never_turned_away_while_its_secret_moves(pbx: AsteriskBackend, hand: Hand) -> None:
    reconcile(pbx, state(ALICE))
    phone, done, old = hand.phone("1001"), threading.Event(), ALICE.secret
    failures: list[str] = []

    def keep_registering() -> None:
        while not done.is_set():
            try:
                hand.network.run(phone.register())
            except Refused as error:
                failures.append(str(error))

    thread = threading.Thread(target=keep_registering)
    thread.start()
    first, *others = (f"secret-{number}" for number in range(4))
    for secrets in 10 * [(first, old), (others[0], first, old), (old, others[0], first), (others[1], old), (old,)]:
        reconcile(pbx, state(replace(ALICE, secret=secrets[0], former_secrets=secrets[1:])))
    done.set()
    thread.join()
    assert failures == [] and phone.registrations > 20
    assert pbx.read() == state(ALICE)


def test_mailbox_is_there_for_asterisk_and_its_pin_is_the_owners(pbx: AsteriskBackend, hand: Hand) -> None:
    reconcile(pbx, state(ALICE, BOB))

    def exists(number: str) -> str:
        return hand.ask("Getvar", Variable=f"VM_INFO({number}@default,exists)").fields["Value"]

    assert (exists("1001"), exists("1002"), exists("1003")) == ("1", "1", "0")
    assert hand.ask("Getvar", Variable="VM_INFO(1001@default,email)").fields["Value"] == "alice@example.org"
    with closing(sqlite3.connect(hand.instance.mailboxes)) as file, file:
        pins = dict(file.execute("SELECT mailbox, password FROM voicemail"))
        assert pins == {"1001": first_pin(ALICE), "1002": first_pin(BOB)} and all(len(pin) == 6 for pin in pins.values())
        file.execute("UPDATE voicemail SET password = '4711', email = 'typed@example.org' WHERE mailbox = '1001'")
    assert pbx.read(["1001"])["1001"].deviations == ("mailbox.email is 'typed@example.org', should be 'alice@example.org'",)
    moved = state(replace(ALICE, secret="another-secret"), BOB)
    assert reconcile(pbx, moved, only=False).refused == {}
    assert pbx.read() == moved
    reconcile(pbx, {}, ["1002"])
    assert (exists("1001"), exists("1002")) == ("1", "0")
    with closing(sqlite3.connect(hand.instance.mailboxes)) as file:
        assert file.execute("SELECT mailbox, password, email FROM voicemail").fetchall() == [("1001", "4711", "alice@example.org")]


def test_deleted_extension_leaves_no_registration(pbx: AsteriskBackend, hand: Hand) -> None:
    many = state(ALICE, BOB, *(Endpoint(str(number), "Name", f"secret-{number}") for number in range(3000, 3060)))
    reconcile(pbx, many)
    for number in ("1001", "1002", "3000"):
        hand.register(pbx, number)
    reconcile(pbx, {}, ["1001"])
    wait_until(lambda: {contact.number for contact in pbx.contacts()} == {"1002", "3000"}, what="the end of one registration")
    reconcile(pbx, {}, list(many), confirmed=True)
    wait_until(lambda: not pbx.contacts(), what="the end of all registrations")
    assert hand.ask("DBGetTree", Family="registrar/contact").items == ()


NAMES = [
    "Zoë Müller-Lüdenscheidt",
    "Ольга Иванова",
    "Σωκράτης",
    "山田 太郎",
    "สมชาย ใจดี",
    'Zoë <b> & "quoted"; $x',
    "a\\b, c%d|e",
    "ឡ" * 60,
]


@pytest.mark.parametrize("name", NAMES)
def test_called_phone_sees_the_name(pbx: AsteriskBackend, hand: Hand, name: str) -> None:
    reconcile(pbx, state(replace(ALICE, display_name=name), BOB))
    caller, called = (hand.register(pbx, number) for number in ("1001", "1002"))
    call = hand.network.run(caller.call("1002"))
    wait_until(lambda: called.ringing() is not None, what="ringing")
    rung = called.ringing()
    assert rung is not None and rung.invited is not None
    header = rung.invited.get("From")
    seen = header[header.index('"') + 1 : header.rindex('"')].replace('\\"', '"').replace("\\\\", "\\")
    assert seen == name.encode()[:79].decode(errors="ignore")
    hand.network.run(call.hang_up())
    wait_until(lambda: not pbx.busy(), what="the end of the call")


@pytest.mark.parametrize(
    ("offered", "key"),
    [("RTP/SAVP", "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + "\r\n"), ("RTP/AVP", "")],
    ids=["encrypted where the phone asks for it", "plain where it does not"],
)
def test_speech_is(pbx: AsteriskBackend, hand: Hand, offered: str, key: str) -> None:
    reconcile(pbx, state(ALICE))
    phone = hand.register(pbx, "1001")
    body = f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 {offered} 0\r\n{key}"
    echo = phone.uri_of("*43")
    dialog = Dialog(token(), f"{phone.identity};tag={token()}", f"<{echo}>", echo)
    answer = hand.network.run(phone.ask_in(dialog, "INVITE", [("Content-Type", "application/sdp")], body))
    hand.ask("Hangup", Channel="/^PJSIP.*/")
    assert answer.status == 200
    assert f" {offered} 0" in answer.body and ("a=crypto" in answer.body) == bool(key)
