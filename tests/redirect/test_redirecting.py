"""What is asked is done, tried again, and told apart from what the phone itself did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner.changes import PhoneInput
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NotFound
from provisioner.models_redirect import redirect_account
from provisioner.records_install import RedirectRecord
from provisioner.redirect import Away, RedirectService, Refused
from provisioner.redirecting import ask_redirect
from provisioner.wiring import Installation
from provisioner.worker.redirecting import FIRST_WAIT_S, LONGEST_WAIT_S, Redirecting
from tests.installations import fresh_installation
from tests.redirect.standin import playing

MAC, DESK = Mac("805ec0aabbcc"), Mac("c074adaabbcc")
YMCS = {"access_key_id": "key-id-1", "access_key_secret": "key-secret-1", "server_id": "srv-1"}
GDMS = {"client_id": "client-1", "client_secret": "client-secret-1", "username": "user-1", "password": "password-1", "site_id": "3345"}


class Scripted:
    """A service whose next answers the test says."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []
        self.asked: list[tuple[str, Mac, str]] = []

    def register(self, mac: Mac, url: str, serial: str) -> None:
        self._do("register", mac, url)

    def unregister(self, mac: Mac) -> None:
        self._do("unregister", mac, "")

    def is_registered(self, mac: Mac) -> bool:
        return False

    def _do(self, what: str, mac: Mac, url: str) -> None:
        self.asked.append((what, mac, url))
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    from provisioner.settings import ROOT

    with fresh_installation(tmp_path, catalogue_dir=ROOT / "phone_templates") as made:
        made.changes.clock = lambda: now[0]
        made.changes.create_phone("tests", MAC, PhoneInput("yealink/t46u"))
        made.changes.create_phone("tests", DESK, PhoneInput("grandstream/gxp2170"))
        yield made


now = [1_700_000_000.0]


def worker(place: Installation, service: Scripted | None = None) -> Redirecting:
    def opening(_kind: str, _address: str, _fields: Mapping[str, str]) -> RedirectService:
        assert service is not None
        return service

    more = (opening,) if service else ()
    return Redirecting(place.store, place.changes, lambda: now[0], *more)


def account(
    place: Installation, vendor: str = "yealink", fields: Mapping[str, str] = YMCS, address: str = "https://service.example"
) -> None:
    place.changes.set_redirect_account("tests", vendor, address, fields, tuple(fields))


def known(place: Installation, mac: Mac = MAC) -> RedirectRecord:
    record = place.store.redirect(mac)
    assert record is not None
    return record


def test_phone_is_registered_with_an_address_of_its_own(place: Installation) -> None:
    account(place)
    ask_redirect(place.store, place.changes, "tests", MAC, "")
    assert known(place).state == "asked"
    service = Scripted()
    assert worker(place, service).step() == 1
    what, mac, url = service.asked[0]
    assert (what, mac) == ("register", MAC) and url.startswith("http://prov.example:1/p/")
    assert (known(place).state, known(place).due_at) == ("registered", None)
    assert place.store.install_link(MAC) is not None, "the address is that of an install link"
    assert worker(place, service).step() == 0


def test_service_without_addresses_of_its_own_is_told_the_serial_number(place: Installation) -> None:
    account(place, "grandstream", GDMS)
    with pytest.raises(InputError, match="serial number"):
        ask_redirect(place.store, place.changes, "tests", DESK, "")
    ask_redirect(place.store, place.changes, "tests", DESK, "20EXGQ1M01234567")
    assert known(place, DESK).url == place.store.base_url
    assert place.store.install_link(DESK) is None


def test_failures_are_shown_and_tried_again_with_growing_patience(place: Installation) -> None:
    account(place)
    ask_redirect(place.store, place.changes, "tests", MAC, "")
    service = Scripted()
    service.errors = [Away("the service does not answer")] * 20
    for tries in range(20):
        assert worker(place, service).step() == 1
        record = known(place)
        assert (record.state, record.reason, record.tries) == ("asked", "the service does not answer", tries + 1)
        assert record.due_at == now[0] + min(FIRST_WAIT_S * 2**tries, LONGEST_WAIT_S)
        assert worker(place, service).step() == 0, "not before its time"
        now[0] = record.due_at
    assert worker(place, service).step() == 1
    assert (known(place).state, known(place).reason) == ("registered", "")


def test_answer_of_an_unknown_form_holds_up_nobody_else(place: Installation) -> None:
    account(place)
    ask_redirect(place.store, place.changes, "tests", MAC, "")
    service = Scripted()
    service.errors = [KeyError("data")]
    worker(place, service).step()
    assert known(place).state == "asked" and "another form" in known(place).reason
    assert worker(place, service).step() == 0


def test_refusal_is_final_until_somebody_asks_again(place: Installation) -> None:
    account(place)
    ask_redirect(place.store, place.changes, "tests", MAC, "")
    service = Scripted()
    service.errors = [Refused("it belongs to somebody else")]
    worker(place, service).step()
    assert (known(place).state, known(place).reason, known(place).due_at) == ("refused", "it belongs to somebody else", None)
    now[0] += LONGEST_WAIT_S
    assert worker(place, service).step() == 0
    ask_redirect(place.store, place.changes, "tests", MAC, "")
    assert worker(place, service).step() == 1 and known(place).state == "registered"


def test_phone_is_taken_off_and_then_nothing_is_known(place: Installation) -> None:
    account(place)
    with pytest.raises(NotFound):
        place.changes.end_redirect("tests", MAC)
    ask_redirect(place.store, place.changes, "tests", MAC, "")
    service = Scripted()
    worker(place, service).step()
    place.changes.end_redirect("tests", MAC)
    assert (known(place).state, known(place).wanted) == ("asked", False)
    worker(place, service).step()
    assert service.asked[-1][0] == "unregister" and place.store.redirect(MAC) is None


def test_what_was_asked_meanwhile_is_not_overwritten(place: Installation) -> None:
    account(place)
    ask_redirect(place.store, place.changes, "tests", MAC, "")
    before = known(place)
    now[0] += 1
    place.changes.end_redirect("tests", MAC)
    place.changes.note_redirect(before, "registered", "", None)
    assert (known(place).state, known(place).wanted) == ("asked", False)


def test_without_an_account_nothing_is_asked_and_it_is_said(place: Installation) -> None:
    with pytest.raises(InputError, match="an admin sets it first"):
        ask_redirect(place.store, place.changes, "tests", MAC, "")
    account(place)
    ask_redirect(place.store, place.changes, "tests", MAC, "")
    place.changes.remove_redirect_account("tests", "yealink")
    worker(place, Scripted()).step()
    assert known(place).state == "refused" and "no account" in known(place).reason


def test_account_is_sealed_and_checked(place: Installation) -> None:
    account(place)
    with place.database.read() as connection:
        row = connection.execute(sa.select(redirect_account)).one()
    assert b"key-secret-1" not in row.fields
    kept = place.store.redirect_account("yealink")
    assert kept is not None and kept.fields == YMCS and "key-secret-1" not in repr(kept)
    for fields, mistake in (({}, "this is needed"), ({**YMCS, "more": "x"}, "no such field"), ({**YMCS, "server_id": "a\nb"}, "printable")):
        with pytest.raises(InputError, match=mistake):
            place.changes.set_redirect_account("tests", "yealink", "https://a.example", fields, tuple(YMCS))
    unsafe = ("http://service.example", "ftp://a", "", "https://", "https://u@a.example", "https://a.example?x")
    malformed = (
        "https://a b.example",
        "https://a.example:x",
        "https://a.example:70000",
        "https://a.example:0",
        "https://[a",
        "https://a\u2028b",
    )
    for address in (*unsafe, *malformed):
        with pytest.raises(InputError, match="https://"):
            account(place, address=address)


def test_changed_account_is_used_at_once(place: Installation) -> None:
    with playing("ymcs_wrong_key", "ymcs_register") as service:
        account(place, address=service.address)
        place.changes.ask_redirect("tests", MAC, "https://prov.example/p/abcdefghij/", "")
        redirecting = worker(place)
        redirecting.step()
        assert known(place).state == "refused" and "key-secret-1" not in known(place).reason
        now[0] += 1
        account(place, address=service.address)
        place.changes.ask_redirect("tests", MAC, "https://prov.example/p/abcdefghij/", "")
        redirecting.step()
    assert known(place).state == "registered"
