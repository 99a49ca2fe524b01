"""A phone's directory as it is served: our speed-dial keys and the contacts of its user in one file, and lockstep none the worse for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from provisioner.changes import KeyInput, PhoneInput
from provisioner.core.lockstep import Stage, stage
from provisioner.core.values import FileRequest, Reason
from provisioner.merging import MergedDirectories
from tests.contract.inside import LOCAL, Inside, inside
from tests.contract.world import Phone


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


def entries(body: bytes) -> list[tuple[str, str]]:
    return [(item.findtext("fn", ""), item.findtext("ct", "")) for item in ElementTree.fromstring(body).iter("item")]


def lay(own: Inside, phone: Phone, number: str, label: str) -> None:
    given = PhoneInput(keys=[KeyInput(key=5, type="speed_dial", value=number, label=label)])
    own.installation.changes.update_phone("test", phone.mac, given)
    own.follow()


def send_back(own: Inside, phone: Phone, body: bytes) -> None:
    """The phone's user adds a contact: the phone sends its whole directory."""
    asked = FileRequest(f"p/{own.token(phone)}/{phone.mac}-directory.xml", "http", LOCAL, phone.agent, "PUT")
    answer, candidate = own.server.upload_rule(asked)
    assert answer.reason is Reason.STORED
    assert candidate is not None
    assert candidate.upload is not None
    assert own.uploads.keep(phone.mac, candidate.upload_name, candidate.upload, body)
    own.server.uploaded(phone.mac, candidate.upload_name)
    own.follow()


def with_contact(body: bytes, name: str, number: str) -> bytes:
    return body.replace(b"</item_list>", f"<item><fn>{name}</fn><ct>{number}</ct><sd>1</sd></item></item_list>".encode())


def boot(own: Inside, phone: Phone) -> bytes:
    """The phone fetches all its files; returns its directory."""
    bodies = [
        own.fetch(f"p/{own.token(phone)}/{name}", phone.agent).body
        for name in (f"{phone.mac}.cfg", f"{phone.mac}-user.cfg", f"{phone.mac}-directory.xml")
    ]
    own.recorder.flush()
    return bodies[2]


def stage_of(own: Inside, phone: Phone) -> Stage:
    facts = own.installation.store.lockstep(phone.mac, has_pbx=False)
    assert facts is not None
    return stage(facts)


def test_a_changed_key_and_the_users_contact_both_reach_the_phone(own: Inside) -> None:
    phone = own.phone("polycom/vvx411")
    lay(own, phone, "1111", "Taxi")
    send_back(own, phone, with_contact(boot(own, phone), "Mum", "3333"))
    lay(own, phone, "2222", "Door")
    assert entries(boot(own, phone)) == [("Door", "2222"), ("Mum", "3333")]


def test_a_directory_with_the_users_contacts_is_in_lockstep_only_once_it_was_fetched_anew(own: Inside) -> None:
    phone = own.phone("polycom/vvx411")
    lay(own, phone, "1111", "Taxi")
    send_back(own, phone, with_contact(boot(own, phone), "Mum", "3333"))
    assert stage_of(own, phone) is Stage.IN_LOCKSTEP, "what the phone sent is no change of ours"
    lay(own, phone, "2222", "Door")
    for name in (f"{phone.mac}.cfg", f"{phone.mac}-user.cfg"):
        own.fetch(f"p/{own.token(phone)}/{name}", phone.agent)
    own.recorder.flush()
    assert stage_of(own, phone) is not Stage.IN_LOCKSTEP
    boot(own, phone)
    assert stage_of(own, phone) is Stage.IN_LOCKSTEP


def test_a_merged_directory_has_an_entity_tag_of_its_own(own: Inside) -> None:
    phone = own.phone("polycom/vvx411")
    lay(own, phone, "1111", "Taxi")
    path = f"p/{own.token(phone)}/{phone.mac}-directory.xml"
    rendered = own.ask(path, phone.agent)
    send_back(own, phone, with_contact(rendered.body, "Mum", "3333"))
    merged = own.ask(path, phone.agent)
    assert merged.sha256 != rendered.sha256
    assert merged.noted_hash == rendered.sha256
    assert merged._replace(sha256="").noted_hash == "", "a part of it proves nothing"
    assert own.server.lasting.grounds(FileRequest(path, "http", LOCAL, phone.agent), merged) is None, (
        "no listener keeps it for another time"
    )


def test_an_upload_that_is_no_directory_is_given_back_as_it_came(own: Inside) -> None:
    phone = own.phone("polycom/vvx411")
    lay(own, phone, "1111", "Taxi")
    send_back(own, phone, b"<not a directory")
    assert own.ask(f"p/{own.token(phone)}/{phone.mac}-directory.xml", phone.agent).body == b"<not a directory"


def test_the_memory_for_merged_directories_is_bounded() -> None:
    ours = b"<directory><item_list><item><fn>A</fn><ct>1</ct><sd>1001</sd></item></item_list></directory>"
    merging = MergedDirectories(kept_bytes=600)
    for at in range(50):
        merging.merged([("ours", ours)], (str(at), with_contact(ours, f"B{at}", "2")), 1000)
    assert sum(len(body) for _, body in merging._merged.values()) == merging._size <= 600


def phone_with_names(own: Inside) -> Phone:
    """Returns a phone with a speed dial (Taxi), a colleague in its book (Bob) and a contact that its user typed in (Mum)."""
    site = own.site()
    phone = own.phone("polycom/vvx411", site)
    own.installation.changes.create_extension("test", "201", display_name="Bob")
    own.installation.changes.update_site("test", site, {"settings": {"phonebook": "all"}})
    own.worker.phonebooks._next = -1.0
    lay(own, phone, "1111", "Taxi")
    send_back(own, phone, with_contact(boot(own, phone), "Mum", "3333"))
    return phone


def test_a_first_fetch_brings_neither_the_book_nor_what_its_user_sent(own: Inside) -> None:
    phone = phone_with_names(own)
    proven = entries(boot(own, phone))
    assert {("Taxi", "1111"), ("Bob", "201"), ("Mum", "3333")} <= set(proven)
    own.clock.now += 1
    own.installation.changes.reopen_first_fetch("test", phone.mac)
    own.follow()
    answer = own.fetch(f"{phone.mac}-directory.xml", phone.agent)
    assert answer.reason is Reason.SERVED
    assert entries(answer.body) == [("Taxi", "1111")]
    assert entries(boot(own, phone)) == proven, "at its own address it has all of it"


def test_a_retired_phone_is_given_no_names_and_none_are_taken_from_it(own: Inside) -> None:
    phone = phone_with_names(own)
    assert {("Taxi", "1111"), ("Bob", "201"), ("Mum", "3333")} <= set(entries(boot(own, phone)))
    book = f"p/{own.token(phone)}/{phone.mac}/phonebook.xml"
    assert own.fetch(book, phone.agent).reason is Reason.SERVED
    own.installation.changes.retire_phone("test", phone.mac)
    own.follow()
    assert entries(boot(own, phone)) == []
    assert stage_of(own, phone) is Stage.RETIRED
    assert own.fetch(book, phone.agent).reason is Reason.NO_SUCH_FILE
    asked = FileRequest(f"p/{own.token(phone)}/{phone.mac}-directory.xml", "http", LOCAL, phone.agent, "PUT")
    answer, candidate = own.server.upload_rule(asked)
    assert (answer.reason, candidate) == (Reason.METHOD_NOT_ALLOWED, None)
    own.installation.changes.reinstate_phone("test", phone.mac)
    own.follow()
    names = set(entries(boot(own, phone)))
    assert {("Taxi", "1111"), ("Bob", "201")} <= names
    assert ("Mum", "3333") not in names, "what it had sent is gone"
