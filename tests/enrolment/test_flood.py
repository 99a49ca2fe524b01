"""Whoever goes through MACs shuts the bootstrap for himself, and the office goes on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.changes import PhoneInput
from provisioner.core import flood
from provisioner.core.flood import EVERYWHERE, MOST_ADDRESSES, MOST_OF_ADDRESS, MOST_OF_ALL, MOST_OF_OUI, STEP_S, WINDOW_S, FloodGuard
from provisioner.core.mac import Mac
from provisioner.core.values import Reason
from tests.contract.inside import ELSEWHERE, LOCAL, Inside, inside
from tests.contract.world import OUIS, Phone, user_agent
from tests.enrolment.test_first_fetch import of_a_stranger, on_the_wire

SCANNER = "192.168.66.6"
OFFICE = 300


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


def mac_of(number: int, oui: str = OUIS["yealink"]) -> Mac:
    return Mac(f"{oui}{0xA00000 + number:06x}")


def scan(here: Inside, many: int, peer: str = SCANNER, start: int = 0, oui: str = OUIS["yealink"]) -> set[Reason]:
    """Asks for many MACs as their phones would; returns how it was answered."""
    macs = (mac_of(start + number, oui) for number in range(many))
    return {here.fetch(f"{mac}.cfg", user_agent("yealink/t46u", mac), peer=peer).reason for mac in macs}


def office(here: Inside, many: int) -> list[Phone]:
    """Lists many phones without lines; their files are live."""
    site = here.site()
    macs = [Mac(f"{OUIS['yealink']}{0xB00000 + number:06x}") for number in range(many)]
    for mac in macs:
        here.installation.changes.create_phone("test", mac, PhoneInput("yealink/t46u", site))
    here.follow()
    return [Phone(mac, "yealink/t46u", "", "") for mac in macs]


def test_a_scan_shuts_the_bootstrap_for_its_address_while_the_office_is_served(here: Inside) -> None:
    phones = office(here, OFFICE)
    assert scan(here, MOST_OF_ADDRESS) == {Reason.UNKNOWN_PHONE}
    assert here.ask(phones[0].name, phones[0].agent, SCANNER).reason is Reason.SERVED, "so many are an office that is being set up"
    assert scan(here, 10, start=500) == {Reason.UNKNOWN_PHONE}
    refused = here.ask(phones[1].name, phones[1].agent, SCANNER)
    assert refused.reason is Reason.FROZEN
    assert on_the_wire(here, refused) == of_a_stranger(here)
    behind_one_address = [here.fetch(phone.name, phone.agent, peer="192.168.9.9") for phone in phones[1:]]
    at_their_own = [here.fetch(f"p/{here.token(phone)}/{phone.name}", phone.agent, peer=SCANNER) for phone in phones]
    assert {answer.reason for answer in (*behind_one_address, *at_their_own)} == {Reason.SERVED}, (
        "others by their MAC, and those beside the scanner by their token"
    )
    assert [answer.body for answer in behind_one_address] == [answer.body for answer in at_their_own[1:]]
    assert all(here.token(phone).encode() in answer.body for phone, answer in zip(phones, at_their_own, strict=True))


def test_an_alarm_is_kept_counted_and_logged_once(here: Inside, caplog: pytest.LogCaptureFixture) -> None:
    scan(here, MOST_OF_ADDRESS + 50)
    here.recorder.flush()
    (alarm,) = here.installation.store.alarms()
    assert (alarm.kind, alarm.scope, alarm.macs, alarm.until) == ("address", SCANNER, MOST_OF_ADDRESS + 1, here.clock.now + WINDOW_S)
    assert here.recorder.counters["alarms"] == 1
    assert [record.getMessage() for record in caplog.records if "event=mac_scan" in record.getMessage()] == [
        f"event=mac_scan kind=address scope={SCANNER} macs=65 frozen_s=600"
    ]


def test_a_freeze_ends_by_itself_and_not_while_the_scan_goes_on(here: Inside) -> None:
    phone = here.phone()
    scan(here, MOST_OF_ADDRESS + 1)
    here.clock.now += WINDOW_S - 1
    scan(here, 1, start=700)
    here.clock.now += 2
    assert here.ask(phone.name, phone.agent, SCANNER).reason is Reason.FROZEN, "it was asked for one more a moment ago"
    here.clock.now += WINDOW_S
    assert here.ask(phone.name, phone.agent, SCANNER).reason is Reason.SERVED


def test_a_freeze_that_is_prolonged_is_told_for_the_worker_to_know(here: Inside) -> None:
    here.installation.changes.update_site("test", "default", {"trusted_networks": ["192.168.0.0/16"], "enrolment": "window"})
    here.installation.changes.open_window("tech", "default", minutes=60, phones=1000)
    here.index.refresh()
    began, many = here.clock.now, 0
    while here.clock.now <= began + WINDOW_S + 100:
        scan(here, MOST_OF_ADDRESS + 1, start=many)
        many += MOST_OF_ADDRESS + 1
        here.recorder.flush()
        while here.installation.store.newcomers_to_judge(1):
            here.worker.enrolling._next = -1.0
            here.follow()
        here.clock.now += 100
    assert here.installation.store.phones(limit=10) == [], "an open window takes in nothing of a scan that goes on"
    (alarm,) = here.installation.store.alarms()
    assert (alarm.at, alarm.until) == (began, began + 700 + WINDOW_S)
    assert here.recorder.counters["alarms"] == 1
    assert here.installation.store.frozen_scopes(here.clock.now) == {SCANNER}


def test_a_prolonged_freeze_that_was_never_written_down_is(here: Inside) -> None:
    scan(here, MOST_OF_ADDRESS + 1)
    here.clock.now += WINDOW_S / 2
    scan(here, 1, start=700)
    here.recorder.flush()
    (alarm,) = here.installation.store.alarms()
    assert alarm.until == here.clock.now + WINDOW_S


def test_a_scan_from_many_addresses_shuts_first_fetches_everywhere_and_no_proven_phone(here: Inside) -> None:
    fresh, proven, at_open_site = here.phone(), here.phone(), here.phone(site=here.site("open"))
    for number in range(MOST_OF_OUI + 1):
        scan(here, 1, peer=f"192.168.{100 + number // 50}.{1 + number % 50}", start=number)
    refused = here.ask(fresh.name, fresh.agent)
    assert refused.reason is Reason.FROZEN and on_the_wire(here, refused) == of_a_stranger(here)
    assert here.ask(f"p/{here.token(proven)}/{proven.name}", proven.agent).reason is Reason.SERVED
    assert here.ask(at_open_site.name, at_open_site.agent).reason is Reason.SERVED
    here.recorder.flush()
    assert [(alarm.kind, alarm.scope) for alarm in here.installation.store.alarms()] == [("oui", EVERYWHERE)]


def test_the_internet_cannot_shut_an_office(here: Inside) -> None:
    phone = here.phone()
    site = here.site(networks=("192.168.0.0/16",))
    here.installation.changes.update_site("test", "default", {"trusted_networks": ["192.168.0.0/16"]})
    here.index.refresh()
    for number in range(2 * MOST_OF_ALL):
        here.ask(f"{mac_of(number)}.cfg", peer=f"203.0.113.{number % 250}")
    assert site
    assert here.ask(phone.name, phone.agent, LOCAL).reason is Reason.SERVED
    assert here.ask(f"{mac_of(1)}.cfg", peer=ELSEWHERE).reason is Reason.UNKNOWN_PHONE


def test_what_listed_phones_ask_for_is_no_scan(here: Inside) -> None:
    phones = office(here, OFFICE)
    assert {here.fetch(phone.name, phone.agent, peer=SCANNER).reason for phone in phones} == {Reason.SERVED}
    assert {here.fetch(phone.name, "curl/8", peer=SCANNER).reason for phone in phones} == {Reason.NOT_A_PHONE}
    assert here.ask(phones[0].name, phones[0].agent, SCANNER).reason is Reason.SERVED
    here.recorder.flush()
    assert here.installation.store.alarms() == []


# ---- the count itself ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spread", "most", "kind"), [("one", MOST_OF_ADDRESS, "address"), ("many", MOST_OF_OUI, "oui"), ("makers", MOST_OF_ALL, "all")]
)
def test_each_bound_is_passed_by_one_more_and_not_before(spread: str, most: int, kind: str) -> None:
    guard = FloodGuard()
    ouis = [f"{number:02x}0000" for number in range(0, 120, 2)] if spread == "makers" else ["805ec0"]
    found = [
        guard.note("10.0.0.1" if spread == "one" else f"10.0.{number}.1", mac_of(number, ouis[number % len(ouis)]), trusted=True, now=0.0)
        for number in range(most + 1)
    ]
    assert found[:most] == [[]] * most
    assert [alarm.kind for alarm in found[most]] == [kind]


def test_one_request_that_passes_two_bounds_is_told_as_two() -> None:
    guard = FloodGuard()
    for number in range(MOST_OF_OUI - MOST_OF_ADDRESS):
        guard.note(f"10.0.{number}.1", mac_of(number), trusted=True, now=0.0)
    found = [guard.note("10.9.9.9", mac_of(1000 + number), trusted=True, now=0.0) for number in range(MOST_OF_ADDRESS + 1)]
    assert [(alarm.kind, alarm.scope) for alarm in found[-1]] == [("address", "10.9.9.9"), ("oui", EVERYWHERE)]


def test_one_with_a_whole_ipv6_network_is_one_scanner() -> None:
    guard = FloodGuard()
    for number in range(MOST_OF_ADDRESS + 1):
        guard.note(f"2001:db8:0:7::{number:x}", mac_of(number), trusted=False, now=0.0)
    assert guard.is_frozen("2001:db8:0:7:ffff::1", everywhere=False, now=1.0)
    assert not guard.is_frozen("2001:db8:0:8::1", everywhere=False, now=1.0)


def test_the_internet_cannot_take_the_room_of_the_office_s_addresses() -> None:
    guard = FloodGuard()
    for number in range(MOST_ADDRESSES + 1):
        guard.note(f"198.51.{number >> 8}.{number & 255}", mac_of(0), trusted=False, now=0.0)
    for number in range(MOST_OF_ADDRESS + 1):
        guard.note(SCANNER, mac_of(number), trusted=True, now=0.0)
    assert guard.is_frozen(SCANNER, everywhere=False, now=1.0)


def test_a_freeze_is_told_anew_once_a_step() -> None:
    guard = FloodGuard()
    for number in range(MOST_OF_ADDRESS):
        guard.note(SCANNER, mac_of(number), trusted=True, now=0.0)
    told = [alarm for at in range(1, 62) for alarm in guard.note(SCANNER, mac_of(500 + at), trusted=True, now=float(at))]
    assert [(alarm.at, alarm.until - WINDOW_S) for alarm in told] == [(1.0, 1.0 + step * STEP_S) for step in range(7)]
    assert [alarm.is_new for alarm in told] == [True] + [False] * 6


def test_one_phone_that_asks_for_ever_is_no_scan() -> None:
    guard = FloodGuard()
    assert {tuple(guard.note("10.0.0.1", mac_of(1), trusted=True, now=float(at))) for at in range(10_000)} == {()}


@given(
    asked=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 3000), st.booleans(), st.floats(-100, 5000)), max_size=300),
    size=st.integers(1, 4),
)
@settings(max_examples=30, deadline=None)
def test_whatever_is_asked_for_the_memory_is_bounded(asked: list[tuple[int, int, bool, float]], size: int) -> None:
    guard = FloodGuard()
    before = flood.MOST_ADDRESSES, flood.MOST_OUIS, flood.MOST_OF_ADDRESS, flood.MOST_OF_OUI, flood.MOST_OF_ALL
    try:
        flood.MOST_ADDRESSES, flood.MOST_OUIS, flood.MOST_OF_ADDRESS, flood.MOST_OF_OUI, flood.MOST_OF_ALL = (size,) * 5
        for number, peer, trusted, now in asked:
            guard.note(f"10.1.{peer >> 8}.{peer & 255}", mac_of(number, f"{number % 97 * 2:02x}0000"), trusted=trusted, now=now)
            guard.is_frozen("10.1.1.1", everywhere=True, now=now)
        tables = (guard._addresses, guard._strangers, guard._ouis)
        assert all(len(table) <= size for table in tables)
        assert all(len(seen) <= size for table in tables for seen in (*table.values(), guard._all))
        assert len(guard._frozen) <= 2 * (2 * size + 1)
    finally:
        flood.MOST_ADDRESSES, flood.MOST_OUIS, flood.MOST_OF_ADDRESS, flood.MOST_OF_OUI, flood.MOST_OF_ALL = before
