"""The waiting room: what a phone is given that was not let in, that it tells nobody which MACs are listed, and how it is claimed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pbx_sync.fake import FakePBX
from pbx_sync.state import Contact
from pbx_sync.waiting import Dialled
from provisioner import bootstrap_notes
from provisioner.changes import LineInput, PhoneInput
from provisioner.core.enrolment import WAITS_S
from provisioner.core.flood import MOST_OF_ADDRESS
from provisioner.core.mac import Mac
from provisioner.core.values import FileAnswer, Reason
from provisioner.records import PhoneRecord
from provisioner.waiting_room import A_SECOND, KEPT
from provisioner.worker import Worker
from provisioner.worker import waiting as worker_waiting
from provisioner.worker.waiting import MOST_WRONG
from tests.contract.inside import ELSEWHERE, LOCAL, Inside, inside
from tests.contract.world import OUIS, OWN_NAME, user_agent
from tests.engines import Clock

T46U = "yealink/t46u"
LAN = ["192.168.0.0/16"]


@dataclass
class Room:
    """An installation with a claim site, and a PBX in memory."""

    own: Inside
    pbx: FakePBX
    timer: Clock

    def __post_init__(self) -> None:
        place = self.own.installation
        self.own.worker = Worker(place.store, place.renderer, self.pbx, self.own.clock, self.timer)

    def plug_in(self, mac: Mac, agent: str = "", peer: str = LOCAL, transport: str = "http") -> FileAnswer:
        """A phone asks as from its box, and everybody does his part."""
        vendor = next((name for name, oui in OUIS.items() if oui == mac.oui), "yealink")
        answer = self.own.fetch(OWN_NAME[vendor].format(mac=mac), agent or user_agent(T46U, mac), peer=peer, transport=transport)
        self.settle()
        return answer

    def settle(self) -> None:
        self.own.recorder.flush()
        for _ in range(3):
            self.timer.now += 10
            self.own.clock.now += 1
            self.own.follow()

    def register(self, mac: Mac) -> None:
        self.pbx.registrations.append(Contact(f"wait-{mac}", f"sip:wait-{mac}@{LOCAL}", user_agent(T46U, mac), self.own.clock.now, LOCAL))

    @property
    def seated(self) -> set[str]:
        return {phone.account for phone in self.pbx.seated}


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    with inside(tmp_path, pbx="fake") as own:
        own.installation.changes.update_site("test", "default", {"trusted_networks": LAN, "enrolment": "claim", "pool": "2000-2099"})
        own.index.refresh()
        yield Room(own, FakePBX(), Clock())


def mac_of(number: int) -> Mac:
    return Mac(f"{OUIS['yealink']}{0xD00000 + number:06x}")


def test_a_phone_that_nobody_listed_waits_with_nothing_of_worth(room: Room) -> None:
    mac, box = mac_of(1), room.own.installation.box
    answer = room.plug_in(mac)
    assert answer.reason is Reason.SERVED
    assert box.waiting_code(mac).encode() in answer.body
    assert f"wait-{mac}".encode() in answer.body
    secrets = [box.token(mac, 1), *(box.phone_password(mac, use) for use in ("admin", "user", "digest"))]
    assert not any(secret.encode() in answer.body for secret in secrets)
    assert b"/p/" not in answer.body
    assert room.seated == {f"wait-{mac}"}
    (row,) = room.own.installation.store.newcomers()
    assert (row.waits, row.outcome) == (True, "it waits to be claimed")


def test_whether_a_mac_is_listed_is_not_told_by_what_it_gets(room: Room) -> None:
    listed, own = mac_of(1), room.own
    before = room.plug_in(listed)
    own.installation.changes.create_extension("test", "1001", secret="S1pS3cret000001")
    own.installation.changes.create_phone("test", listed, PhoneInput(T46U, "default"))
    own.follow()
    own.clock.now += 25 * 3600
    closed = room.plug_in(listed)
    own.installation.changes.update_phone("test", listed, PhoneInput(enabled=False))
    own.follow()
    disabled = room.plug_in(listed)
    own.installation.changes.update_phone("test", listed, PhoneInput(model="yealink/t31p", enabled=True))
    own.follow()
    another_model = room.plug_in(listed)
    assert before == closed == disabled == another_model


@pytest.mark.parametrize(
    ("agent", "peer", "transport"),
    [
        ("curl/8.5.0", LOCAL, "http"),
        ("", ELSEWHERE, "http"),
        (user_agent(T46U, "805ec0eeeeee"), LOCAL, "http"),
        (user_agent("polycom/vvx411", "805ec0d00001"), LOCAL, "http"),
        (" ", LOCAL, "tftp"),
    ],
    ids=["no phone", "from elsewhere", "another MAC", "another maker", "no User-Agent"],
)
def test_whoever_is_no_fresh_phone_here_is_refused_as_ever(room: Room, agent: str, peer: str, transport: str) -> None:
    answer = room.plug_in(mac_of(1), agent, peer, transport)
    assert (answer.reason, answer.body) == (Reason.UNKNOWN_PHONE, b"")
    assert room.seated == set()


@pytest.mark.parametrize("enrolment", ["never", "listed", "window"])
def test_a_site_that_takes_nobody_in_has_no_waiting_room(room: Room, enrolment: str) -> None:
    room.own.installation.changes.update_site("test", "default", {"enrolment": enrolment})
    room.own.index.refresh()
    assert room.plug_in(mac_of(1)).reason is Reason.UNKNOWN_PHONE


def test_without_a_pbx_of_ours_nobody_waits(tmp_path: Path) -> None:
    with inside(tmp_path, pbx="none") as own:
        own.installation.changes.update_site("test", "default", {"trusted_networks": LAN, "enrolment": "claim"})
        own.index.refresh()
        assert own.ask(f"{mac_of(1)}.cfg", user_agent(T46U, mac_of(1))).reason is Reason.UNKNOWN_PHONE


def test_a_scan_finds_no_waiting_room(room: Room) -> None:
    answers = [room.own.ask(f"{mac_of(at)}.cfg", user_agent(T46U, mac_of(at))) for at in range(MOST_OF_ADDRESS + 2)]
    assert answers[0].reason is Reason.SERVED
    assert {answer.reason for answer in answers[1:]} == {Reason.UNKNOWN_PHONE}, "one address is given the files of one phone a second"
    room.own.clock.now += 5
    assert room.own.ask(f"{mac_of(0)}.cfg", user_agent(T46U, mac_of(0))).reason is Reason.UNKNOWN_PHONE


def test_so_many_files_are_made_in_a_second(room: Room) -> None:
    many = range(A_SECOND + 3)
    answers = [room.own.ask(f"{mac_of(at)}.cfg", user_agent(T46U, mac_of(at)), f"192.168.7.{at}").reason for at in many]
    assert answers == [Reason.SERVED] * A_SECOND + [Reason.UNKNOWN_PHONE] * 3
    again = [room.own.ask(f"{mac_of(at)}.cfg", user_agent(T46U, mac_of(at)), f"192.168.7.{at}").reason for at in range(A_SECOND)]
    assert set(again) == {Reason.SERVED}, "what was made is kept"


def test_what_is_kept_for_phones_that_wait_is_bounded_and_who_asked_last_stays(room: Room) -> None:
    first = mac_of(0)
    for number in range(KEPT + 40):
        room.own.clock.now += 1
        peer = f"192.168.{number // 50 + 1}.{number % 50 + 1}"
        assert room.own.ask(f"{mac_of(number)}.cfg", user_agent(T46U, mac_of(number)), peer).reason is Reason.SERVED
        assert room.own.ask(f"{first}.cfg", user_agent(T46U, first), LOCAL).reason is Reason.SERVED
    kept = room.own.server._waiting._kept
    assert (len(kept), first in kept, mac_of(1) in kept) == (KEPT, True, False)


def test_a_phone_that_names_another_model_takes_no_second_place_and_no_waiting_file_counts_as_served(room: Room) -> None:
    mac, own = mac_of(1), room.own
    on_its_way = own.ask(f"{mac}.cfg", user_agent(T46U, mac))
    own.clock.now += 1
    other = own.ask(f"{mac}.cfg", user_agent("yealink/t31p", mac))
    assert (on_its_way.reason, other.reason) == (Reason.SERVED, Reason.SERVED)
    assert len(own.server._waiting._kept) == 1
    assert all(own.server._waiting.gave(mac, answer.sha256) for answer in (on_its_way, other))


def test_a_code_that_is_dialled_puts_its_extension_on_the_phone_and_tells_it(room: Room) -> None:
    mac, changes = mac_of(1), room.own.installation.changes
    changes.create_extension("test", "1001", display_name="Alice")
    code, _ = changes.make_claim_code("tech", "1001", 60)
    room.plug_in(mac)
    room.register(mac)
    room.pbx.codes.append(Dialled(f"wait-{mac}", code))
    room.settle()
    record = room.own.installation.store.phone(mac)
    assert record is not None
    assert (record.site, record.lines[0].extension) == ("default", "1001")
    assert (f"wait-{mac}", "check-sync;reboot=false") in room.pbx.notified
    assert ("tech", "phone.create") in [(row.actor, row.action) for row in room.own.installation.store.changes(subject=mac)]
    assert changes.claim_by_code(mac_of(2), code, PhoneInput(T46U)) is None, "it is good once"


def listed_and_reset(room: Room, mac: Mac) -> PhoneRecord:
    """Lists a phone with 1001 on its line, has it come in, and resets it: it waits. Returns it as it was before it asked again."""
    own = room.own
    for number in ("1001", "1002"):
        own.installation.changes.create_extension("test", number)
    own.installation.changes.create_phone("test", mac, PhoneInput(T46U, "default", lines=[LineInput(1, "1001")]))
    own.follow()
    own.fetch(f"p/{own.installation.box.token(mac, 1)}/{mac}.cfg", user_agent(T46U, mac))
    room.settle()
    assert b"Claim" in room.plug_in(mac).body
    record = own.installation.store.phone(mac)
    assert record is not None
    return record


def test_a_code_lets_a_listed_phone_in_again_that_has_its_extension_and_changes_nothing_of_it(room: Room) -> None:
    mac, own = mac_of(1), room.own
    before = listed_and_reset(room, mac)
    code, _ = own.installation.changes.make_claim_code("tech", "1001", 60)
    room.pbx.codes.append(Dialled(f"wait-{mac}", code))
    room.settle()
    after = own.installation.store.phone(mac)
    assert after is not None
    assert (after.lines, after.model, after.site, after.keys) == (before.lines, before.model, before.site, before.keys)
    assert after.opened_at > before.opened_at
    latest = own.installation.store.changes(subject=mac)[0]
    assert (latest.actor, latest.action) == ("tech", "phone.reopen")
    answer = own.fetch(f"{mac}.cfg", user_agent(T46U, mac))
    assert answer.reason is Reason.SERVED
    assert b"Claim" not in answer.body


def test_a_code_for_another_extension_takes_no_listed_phone_over(room: Room, caplog: pytest.LogCaptureFixture) -> None:
    mac, own = mac_of(1), room.own
    before = listed_and_reset(room, mac)
    code, _ = own.installation.changes.make_claim_code("tech", "1002", 60)
    room.pbx.codes.append(Dialled(f"wait-{mac}", code))
    room.settle()
    assert own.installation.store.phone(mac) == before
    assert b"Claim" in own.fetch(f"{mac}.cfg", user_agent(T46U, mac)).body
    (said,) = [record.getMessage() for record in caplog.records if "event=claim_failed" in record.getMessage()]
    assert "is listed without 1002: put it on a line of the phone first" in said
    assert f"provisioner phone reopen {mac}" in said
    assert own.installation.changes.claim_by_code(mac_of(2), code, PhoneInput(T46U)) is not None, "the code is not used up"


def test_a_phone_that_came_in_leaves_the_waiting_room(room: Room) -> None:
    mac, own = mac_of(1), room.own
    room.plug_in(mac)
    room.register(mac)
    own.installation.changes.adopt_phone("tech", mac, PhoneInput(T46U), LOCAL)
    room.settle()
    agent = user_agent(T46U, mac)
    assert own.fetch(f"{mac}.cfg", agent).reason is Reason.SERVED
    assert own.fetch(f"p/{own.installation.box.token(mac, 1)}/{mac}.cfg", agent).reason is Reason.SERVED
    room.settle()
    assert room.seated == set()
    assert own.installation.store.newcomers() == []


def test_codes_cannot_be_guessed_by_a_phone_that_waits(room: Room) -> None:
    mac = mac_of(1)
    room.plug_in(mac)
    for number in range(MOST_WRONG):
        assert room.seated == {f"wait-{mac}"}
        room.pbx.codes.append(Dialled(f"wait-{mac}", f"{number:08d}"))
        room.settle()
    assert room.seated == set()
    room.plug_in(mac)
    assert room.seated == set(), "asking again does not help"


def test_who_guessed_wrong_takes_no_seat_of_another(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_waiting, "MOST", 2)
    for guesser in (mac_of(1), mac_of(2)):
        room.plug_in(guesser)
        room.pbx.codes.extend(Dialled(f"wait-{guesser}", f"{number:08d}") for number in range(MOST_WRONG))
        room.settle()
    room.plug_in(mac_of(9))
    assert room.seated == {f"wait-{mac_of(9)}"}


def test_who_came_first_keeps_the_seat_whatever_its_mac(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_waiting, "MOST", 2)
    for number in (9, 8, 1):
        room.plug_in(mac_of(number))
    assert room.seated == {f"wait-{mac_of(9)}", f"wait-{mac_of(8)}"}


def test_what_was_told_to_a_phone_that_never_came_is_forgotten(room: Room) -> None:
    room.plug_in(mac_of(1))
    room.own.installation.changes.adopt_phone("tech", mac_of(1), PhoneInput(T46U), LOCAL)
    room.settle()
    assert room.own.worker.lockstep is not None
    step = room.own.worker.lockstep.waiting
    assert step is not None
    assert step._told.keys() == {mac_of(1)}
    room.own.clock.now += WAITS_S + 1
    room.settle()
    assert step._told == {}


def test_strangers_who_invent_macs_drive_no_phone_out_of_the_waiting_room(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap_notes, "NEWCOMERS", 20)
    waiting, former = mac_of(1), mac_of(2)
    room.plug_in(former)
    room.own.clock.now += WAITS_S + 1
    room.plug_in(waiting)
    room.pbx.codes.extend(Dialled(f"wait-{waiting}", f"{number:08d}") for number in range(MOST_WRONG - 1))
    room.settle()
    for number in range(100, 121):
        room.own.clock.now += 1
        room.own.fetch(f"{mac_of(number)}.cfg", peer=ELSEWHERE)
    room.settle()
    assert room.seated == {f"wait-{waiting}"}
    kept = {row.mac: row.wrong_codes for row in room.own.installation.store.newcomers()}
    assert kept[waiting] == MOST_WRONG - 1, "the count of its guesses does not begin anew"
    assert (len(kept), former in kept) == (20, False), "who waits no more goes like any other"


def test_who_waits_for_nothing_is_forgotten(room: Room) -> None:
    room.plug_in(mac_of(1))
    room.own.clock.now += WAITS_S + 1
    room.settle()
    assert room.seated == set()


def test_a_phone_that_was_reset_waits_and_comes_back_by_itself_when_it_is_let_in_again(room: Room) -> None:
    own, mac = room.own, mac_of(1)
    own.installation.changes.create_phone("test", mac, PhoneInput(T46U, "default"))
    own.follow()
    token, agent = own.installation.box.token(mac, 1), user_agent(T46U, mac)
    own.fetch(f"p/{token}/{mac}.cfg", agent)
    room.settle()
    assert b"Claim" in room.plug_in(mac).body
    room.register(mac)
    (refusal,) = own.installation.store.bootstrap_refusals(mac=mac)
    assert (refusal.reason, refusal.succeeded_at is not None) == ("waiting", True)
    assert room.pbx.notified == []
    own.installation.changes.reopen_first_fetch("tech", mac)
    room.settle()
    assert (f"wait-{mac}", "check-sync;reboot=false") in room.pbx.notified
    assert own.fetch(f"{mac}.cfg", agent).reason is Reason.SERVED


def test_a_stranger_who_names_a_phone_that_waits_changes_nothing_of_it_and_is_shown(room: Room) -> None:
    """Was: the row took the stranger's address, was judged by it, and the phone lost its seat at the PBX."""
    mac, store = mac_of(1), room.own.installation.store
    room.plug_in(mac)
    (before,) = store.newcomers()
    assert room.plug_in(mac, user_agent("yealink/t31p", mac), peer=ELSEWHERE).reason is Reason.UNKNOWN_PHONE
    (row,) = store.newcomers()
    assert (row.peer, row.user_agent, row.waits, row.outcome, row.at) == (LOCAL, before.user_agent, True, before.outcome, before.at)
    assert row.stranger == ELSEWHERE and row.stranger_at > row.at
    assert room.seated == {f"wait-{mac}"}
    (seen,) = store.sightings()
    said = {item.fact: item.value for item in seen.evidence if item.source == "fetch"}
    assert (seen.peer, seen.model, seen.conflict) == (LOCAL, "T46U", "")
    assert (said["address"], said["stranger"]) == (LOCAL, ELSEWHERE)


def test_a_stranger_who_came_first_or_in_the_same_moment_gives_way_to_the_phone(room: Room) -> None:
    store, earlier, meanwhile = room.own.installation.store, mac_of(1), mac_of(2)
    room.plug_in(earlier, peer=ELSEWHERE)
    assert [(row.peer, row.stranger) for row in store.newcomers()] == [(ELSEWHERE, "")], "nobody else is there to be kept"
    room.plug_in(earlier)
    for peer in (LOCAL, ELSEWHERE):
        room.own.fetch(f"{meanwhile}.cfg", user_agent(T46U, meanwhile), peer=peer)
    room.settle()
    assert {row.mac: (row.peer, row.stranger, row.waits) for row in store.newcomers()} == dict.fromkeys(
        (earlier, meanwhile), (LOCAL, ELSEWHERE, True)
    )
    assert {seen.mac: seen.peer for seen in store.sightings()} == {earlier: LOCAL, meanwhile: LOCAL}
