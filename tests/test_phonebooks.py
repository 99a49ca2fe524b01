"""Phone books of the extensions, from the edit to what each maker's phone reads: right people, right form, nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from provisioner.bookshelf import Bookshelf
from provisioner.changes import LineInput, PhoneInput
from provisioner.core.values import FileAnswer, FileRequest, Reason
from provisioner.models_phonebook import phonebook
from provisioner.records import BookRecord
from provisioner.worker import Worker
from tests.contract.inside import ELSEWHERE, LOCAL, Inside, inside
from tests.contract.world import Phone

Names = list[tuple[str, str]]


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Inside]:
    with inside(tmp_path) as made:
        yield made


def extension(own: Inside, number: str, name: str, department: str = "") -> None:
    own.installation.changes.create_extension("test", number, display_name=name, department=department)


def with_book(own: Inside, model: str, scope: str, site: str = "") -> Phone:
    phone = own.phone(model, site)
    where = own.installation.store.phone(phone.mac)
    assert where is not None
    allow(own, where.site, scope)
    own.installation.changes.update_phone("test", phone.mac, PhoneInput(settings={"phonebook": scope}))
    make(own)
    return phone


def allow(own: Inside, site: str, scope: str) -> None:
    """Has the site itself say that its phones may show this."""
    own.installation.changes.update_site("test", site, {"settings": {"phonebook": scope}})


def make(own: Inside) -> None:
    """What the worker does a second later: here it need not wait."""
    own.worker.phonebooks._next = -1.0
    own.follow()


def ask(own: Inside, phone: Phone, name: str = "{mac}/phonebook.xml", query: str = "") -> FileAnswer:
    return own.ask(f"p/{own.token(phone)}/{name.format(mac=phone.mac)}{query}", phone.agent)


def yealink(body: bytes) -> Names:
    root = ElementTree.fromstring(body)
    assert root.tag == "YealinkIPPhoneDirectory"
    return [(entry.findtext("Name", ""), entry.findtext("Telephone", "")) for entry in root]


def grandstream(body: bytes) -> list[tuple[str, str, str]]:
    root = ElementTree.fromstring(body)
    assert root.tag == "AddressBook"
    groups = {group.findtext("id"): group.findtext("name", "") for group in root.iter("pbgroup")}
    return [
        (item.findtext("FirstName", ""), item.findtext("Phone/phonenumber", ""), groups.get(item.findtext("Group"), ""))
        for item in root.iter("Contact")
    ]


def polycom(body: bytes) -> Names:
    return [(item.findtext("fn", ""), item.findtext("ct", "")) for item in ElementTree.fromstring(body).iter("item")]


def own_line(phone: Phone) -> tuple[str, str]:
    return phone.extension, phone.extension


def test_a_yealink_phone_reads_everybody_in_the_order_of_names(own: Inside) -> None:
    extension(own, "201", "bob <b@x> & Sons")
    extension(own, "202", "Anh Nguyễn")
    phone = with_book(own, "yealink/t46u", "all")
    assert yealink(ask(own, phone).body) == [own_line(phone), ("Anh Nguyễn", "202"), ("bob <b@x> & Sons", "201")]


def test_a_grandstream_phone_reads_departments_as_groups_under_both_names(own: Inside) -> None:
    extension(own, "201", "Bob", "Sales & more")
    extension(own, "202", "Carl")
    phone = with_book(own, "grandstream/gxp2170", "all")
    expected = [(*own_line(phone), ""), ("Bob", "201", "Sales & more"), ("Carl", "202", "")]
    assert grandstream(ask(own, phone).body) == expected
    assert grandstream(ask(own, phone, "{mac}/gs_phonebook.xml").body) == expected


def test_a_polycom_phone_has_the_book_in_its_directory_and_its_users_contacts_too(own: Inside) -> None:
    extension(own, "201", "Bob")
    phone = with_book(own, "polycom/vvx411", "all")
    answer = ask(own, phone, "{mac}-directory.xml")
    assert polycom(answer.body) == [own_line(phone), ("Bob", "201")]
    sent = answer.body.replace(b"</item_list>", b"<item><fn>Mum</fn><ct>3333</ct><sd>1</sd></item></item_list>")
    asked = FileRequest(f"p/{own.token(phone)}/{phone.mac}-directory.xml", "http", LOCAL, phone.agent, "PUT")
    _, candidate = own.server.upload_rule(asked)
    assert candidate is not None
    assert candidate.upload is not None
    own.uploads.keep(phone.mac, candidate.upload_name, candidate.upload, sent)
    own.installation.changes.delete_extension("test", "201")
    make(own)
    assert polycom(ask(own, phone, "{mac}-directory.xml").body) == [own_line(phone), ("Mum", "3333")], "who left is not the user's contact"


@pytest.mark.parametrize("model", ["yealink/t46u", "grandstream/gxp2170"])
def test_the_phones_file_names_its_book_at_its_own_address(own: Inside, model: str) -> None:
    phone = with_book(own, model, "all")
    body = ask(own, phone, phone.name).body.decode()
    assert f"prov.example:1/p/{own.token(phone)}/{phone.mac}" in body
    assert "#SEARCH" in body or model.startswith("grandstream")


def test_only_a_proven_phone_reads_names_and_only_with_the_setting(own: Inside) -> None:
    phone = with_book(own, "yealink/t46u", "all")
    without = own.phone("yealink/t46u")
    path = f"{phone.mac}/phonebook.xml"
    assert own.ask(path, phone.agent, peer=ELSEWHERE).reason is Reason.UNPROVEN
    assert own.ask(f"p/{'a' * 24}/{path}", phone.agent).reason is Reason.BAD_TOKEN
    assert own.ask(f"p/{own.token(without)}/{path}", phone.agent).reason is Reason.BAD_TOKEN
    assert ask(own, without).reason is Reason.NO_SUCH_FILE
    assert ask(own, phone).secret, "no cache on the way keeps names"


def test_a_site_and_a_department_read_their_own_people(own: Inside) -> None:
    north, south = own.site(), own.site()
    extension(own, "201", "Bob", "Sales")
    extension(own, "202", "Carl", "Sales")
    here, there = with_book(own, "yealink/t46u", "site", north), with_book(own, "yealink/t46u", "site", south)
    lines = [LineInput(1, here.extension), LineInput(2, "201")]
    own.installation.changes.update_phone("test", here.mac, PhoneInput(lines=lines))
    make(own)
    assert [number for _, number in yealink(ask(own, here).body)] == [here.extension, "201"]
    assert [number for _, number in yealink(ask(own, there).body)] == [there.extension]
    allow(own, north, "department")
    own.installation.changes.update_phone(
        "test", here.mac, PhoneInput(lines=[LineInput(1, "201"), LineInput(2, here.extension)], settings={"phonebook": "department"})
    )
    make(own)
    assert yealink(ask(own, here).body) == [("Bob", "201"), ("Carl", "202")]
    own.installation.changes.update_extension("test", "201", {"department": ""})
    make(own)
    assert [number for _, number in yealink(ask(own, here).body)] == [here.extension, "201"], "the site's, where there is no department"


@pytest.mark.parametrize("scope", ["all", "department"])
def test_people_of_other_sites_are_shown_only_where_the_site_itself_says_so(own: Inside, scope: str) -> None:
    """Was: a setting of one phone, or of a group, had it read the names of every site."""
    north, south = own.site(), own.site()
    here, there = own.phone(site=north), own.phone(site=south)
    changes = own.installation.changes
    for phone in (here, there):
        changes.update_extension("test", phone.extension, {"department": "Sales"})
    changes.put_group("test", "readers", {"phonebook": scope})
    changes.update_phone("test", here.mac, PhoneInput(group="readers"))
    make(own)
    assert yealink(ask(own, here).body) == [own_line(here)]
    changes.update_phone("test", here.mac, PhoneInput(settings={"phonebook": scope}))
    allow(own, south, scope)
    make(own)
    assert yealink(ask(own, here).body) == [own_line(here)], "what another site says is of no account"
    allow(own, north, scope)
    make(own)
    assert sorted(yealink(ask(own, here).body)) == sorted([own_line(here), own_line(there)])


def test_the_only_site_has_nobody_elses_people(own: Inside) -> None:
    extension(own, "201", "Bob")
    phone = own.phone(site="default")
    own.installation.changes.update_site("test", "default", {"trusted_networks": ["192.168.0.0/16"]})
    own.installation.changes.update_phone("test", phone.mac, PhoneInput(settings={"phonebook": "all"}))
    make(own)
    assert ("Bob", "201") in yealink(ask(own, phone).body)


def test_an_edit_makes_the_book_anew_and_leaves_files_and_lockstep_alone(own: Inside) -> None:
    extension(own, "201", "Bob")
    phone = with_book(own, "yealink/t46u", "all")
    before, live = ask(own, phone), ask(own, phone, phone.name).sha256
    own.installation.changes.update_extension("test", "201", {"display_name": "Robert"})
    make(own)
    after = ask(own, phone)
    assert ("Robert", "201") in yealink(after.body)
    assert after.sha256 != before.sha256
    assert ask(own, phone, phone.name).sha256 == live


def test_books_are_made_when_something_changed_and_not_when_somebody_asks(own: Inside) -> None:
    phone = with_book(own, "yealink/t46u", "all")
    bodies = {ask(own, phone).body for _ in range(3)}
    assert len(bodies) == 1
    assert own.worker.phonebooks.step() == 0
    own.installation.changes.update_phone("test", phone.mac, PhoneInput(firmware="108.86.0.90"))
    own.worker.phonebooks._next = -1.0
    assert own.worker.phonebooks.step() == 0, "looked at again, and the same"


def test_fifty_edits_cost_one_making(own: Inside) -> None:
    with_book(own, "yealink/t46u", "all")
    own.worker.phonebooks._timer = lambda: 100.0
    own.worker.phonebooks._next = 100.0
    made = []
    for number in range(50):
        extension(own, str(4000 + number), f"Name {number}")
        made.append(own.worker.phonebooks.step())
    assert made == [1] + [0] * 49


def test_who_no_longer_has_the_setting_no_longer_reads(own: Inside) -> None:
    phone = with_book(own, "yealink/t46u", "all")
    record = own.installation.store.phone(phone.mac)
    assert record is not None
    allow(own, record.site, "off")
    own.installation.changes.update_phone("test", phone.mac, PhoneInput(settings={}))
    make(own)
    assert ask(own, phone).reason is Reason.NO_SUCH_FILE
    assert own.installation.store.books_made() == {}
    other = with_book(own, "polycom/vvx411", "all")
    own.installation.changes.delete_phone("test", other.mac)
    make(own)
    assert own.installation.store.books_of_phones() == {}


def test_a_search_finds_every_word_in_name_and_number(own: Inside) -> None:
    extension(own, "201", "Bob & Ann Lee")
    extension(own, "202", "Bob Marsh")
    phone = with_book(own, "yealink/t46u", "all")
    assert yealink(ask(own, phone, query="?search=bob").body) == [("Bob & Ann Lee", "201"), ("Bob Marsh", "202")]
    assert yealink(ask(own, phone, query="?search=LEE+bob").body) == [("Bob & Ann Lee", "201")]
    assert yealink(ask(own, phone, query="?search=%26").body) == [("Bob & Ann Lee", "201")]
    assert yealink(ask(own, phone, query="?search=202").body) == [("Bob Marsh", "202")]
    assert yealink(ask(own, phone, query="?search=nobody").body) == []
    assert len(yealink(ask(own, phone, query="?search=").body)) == 3
    assert ask(own, phone, query="?search=bob").sha256 != ask(own, phone).sha256


def test_a_book_is_no_longer_than_phones_take(own: Inside, caplog: pytest.LogCaptureFixture) -> None:
    with own.installation.changes.unit("test") as unit:
        for number in range(600):
            own.installation.changes.add_extension(unit, str(20000 + number), {"display_name": f"N{number:04d}"})
    phone = with_book(own, "polycom/vvx411", "all")
    assert len(polycom(ask(own, phone, "{mac}-directory.xml").body)) == 500
    assert "phonebook_cut" in caplog.text
    assert "N0001" not in caplog.text, "names are not for the log"


def test_books_are_sealed_at_rest(own: Inside) -> None:
    extension(own, "201", "MARKER-of-a-name")
    with_book(own, "yealink/t46u", "all")
    with own.installation.database.read() as connection:
        [row] = connection.execute(phonebook.select()).all()
    assert b"MARKER-of-a-name" not in row.body


def test_another_serving_process_knows_the_books_from_its_start(own: Inside) -> None:
    phone = with_book(own, "yealink/t46u", "all")
    again = own.restart()
    assert again.ask(f"p/{own.token(phone)}/{phone.mac}/phonebook.xml", phone.agent).body == ask(own, phone).body
    assert isinstance(again.worker, Worker)


def test_the_shelf_keeps_no_more_than_its_bound(own: Inside) -> None:
    class Stored:
        def book_hash(self, vendor: str, book: str) -> str:
            return book

        def book(self, vendor: str, book: str) -> BookRecord:
            return BookRecord(vendor, book, 1, book, "text/xml", b"x" * 100)

    shelf = Bookshelf(Stored(), kept_bytes=250)
    for at in range(10):
        assert shelf.book("acme", str(at % 4)) is not None
    assert shelf._size == sum(len(record.body) for record in shelf._books.values()) <= 250


def test_no_listener_settles_that_there_is_no_book(own: Inside) -> None:
    phone = own.phone("yealink/t46u")
    answer = ask(own, phone)
    assert answer.reason is Reason.NO_SUCH_FILE
    asked = own.request(f"p/{own.token(phone)}/{phone.mac}/phonebook.xml", phone.agent)
    assert own.server.lasting.grounds(asked, answer) is None, "the store has one as soon as somebody wants it"
