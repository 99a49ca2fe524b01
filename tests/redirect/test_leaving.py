"""A phone that leaves the list leaves its maker's redirect service as well, however long that takes; one that comes back is not thrown out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from provisioner.changes import PhoneInput
from provisioner.changes.leaving import MOST_REMOVALS
from provisioner.core.mac import Mac
from provisioner.errors import NotFound
from provisioner.records_install import RedirectRemoval
from provisioner.redirect import SERVICES, Away, RedirectService, Refused
from provisioner.wiring import Installation
from provisioner.worker.redirecting import FIRST_WAIT_S, GIVEN_UP_S, LONGEST_WAIT_S, Redirecting
from tests.installations import fresh_installation
from tests.redirect.standin import playing
from tests.redirect.test_services import FIELDS, PHONES

MODELS = {"ymcs": "yealink/t46u", "gdms": "grandstream/gxp2170", "ztp": "polycom/vvx411"}
MODEL, MAC, OTHER = "acme/a1", Mac("02acde0000aa"), Mac("02acde0000bb")
URL = "https://prov.example/p/abcdefghij/"


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """A service that has every phone until it is told otherwise, whose next answers the test says."""

    def __init__(self) -> None:
        self.has = {MAC, OTHER}
        self.errors: list[Exception] = []
        self.asked: list[tuple[str, Mac]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def register(self, mac: Mac, url: str, serial: str) -> None:
        self._do("register", mac)
        self.has.add(mac)

    def unregister(self, mac: Mac) -> None:
        self._do("unregister", mac)
        self.has.discard(mac)

    def is_registered(self, mac: Mac) -> bool:
        return mac in self.has

    def _do(self, what: str, mac: Mac) -> None:
        self.asked.append((what, mac))
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()
        if self.errors:
            raise self.errors.pop(0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def place(tmp_path: Path, clock: Clock) -> Iterator[Installation]:
    with fresh_installation(tmp_path) as made:
        made.changes.clock = clock
        yield made


@pytest.fixture(scope="module")
def makers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """An installation with the makers whose services there are."""
    from provisioner.settings import ROOT

    with fresh_installation(tmp_path_factory.mktemp("makers"), catalogue_dir=ROOT / "phone_templates") as made:
        yield made


def account(place: Installation, vendor: str = "acme", kind: str = "ztp", address: str = "https://service.example") -> None:
    place.changes.set_redirect_account("tests", vendor, address, FIELDS[kind], tuple(FIELDS[kind]))


def registered(place: Installation, mac: Mac = MAC, model: str = MODEL) -> None:
    """Lists a phone that its service has."""
    place.changes.create_phone("tests", mac, PhoneInput(model))
    place.changes.ask_redirect("tests", mac, URL, "")
    record = place.store.redirect(mac)
    assert record is not None
    place.changes.note_redirect(record, "registered", "", None)


def worker(place: Installation, service: RedirectService | None = None) -> Redirecting:
    """A worker that was just started: what is to be done stands in the database alone."""

    def opening(_kind: str, _address: str, _fields: Mapping[str, str]) -> RedirectService:
        assert service is not None
        return service

    return Redirecting(place.store, place.changes, place.changes.clock, *((opening,) if service else ()))


def leaving(place: Installation, mac: Mac = MAC) -> RedirectRemoval:
    found = place.store.redirect_removal(mac)
    assert found is not None
    return found


@pytest.mark.parametrize("is_there", [True, False], ids=["there", "gone already"])
@pytest.mark.parametrize("kind", SERVICES)
def test_phone_off_the_list_is_taken_off_its_service(makers: Installation, kind: str, is_there: bool) -> None:
    place, model = makers, MODELS[kind]
    registered(place, PHONES[kind], model)
    place.changes.delete_phone("tests", PHONES[kind])
    assert place.store.phone(PHONES[kind]) is None and leaving(place, PHONES[kind]).state == "asked"
    with playing(f"{kind}_unregister" if is_there else f"{kind}_unregister_absent") as service:
        account(place, model.partition("/")[0], kind, service.address)
        assert worker(place).step() == 1
    assert place.store.redirect_removals() == [] and worker(place).step() == 0
    told = [row.action for row in place.store.changes(subject=PHONES[kind])]
    assert told[:3] == ["phone.redirect", "phone.delete", "phone.redirect_asked"]


def test_phone_that_was_swapped_away_is_taken_off_too_and_the_new_one_is_not(place: Installation) -> None:
    account(place)
    registered(place)
    place.changes.swap_phone("tests", MAC, OTHER)
    service = Scripted()
    assert worker(place, service).step() == 1
    assert service.asked == [("unregister", MAC)] and service.has == {OTHER}


def test_phone_that_no_service_was_asked_for_leaves_nothing_behind(place: Installation) -> None:
    place.changes.create_phone("tests", MAC, PhoneInput(MODEL))
    place.changes.delete_phone("tests", MAC)
    assert place.store.redirect_removals() == []


def test_removal_that_was_taken_back_leaves_the_phone_registered(place: Installation) -> None:
    registered(place)
    with pytest.raises(NotFound), place.changes.unit("tests") as unit:
        place.changes._taken_off(unit, place.changes._phone(unit, MAC))
        raise NotFound({"": "the rest of the change failed"})
    record = place.store.redirect(MAC)
    assert record is not None and record.state == "registered" and place.store.redirect_removals() == []


def test_service_that_is_away_is_asked_with_growing_patience_and_given_up_at_last(place: Installation, clock: Clock) -> None:
    account(place)
    registered(place)
    place.changes.delete_phone("tests", MAC)
    service, begun, tries = Scripted(), clock.now, 0
    while leaving(place).state == "asked":
        service.errors = [Away("the service does not answer")]
        assert worker(place, service).step() == 1
        row = leaving(place)
        if row.due_at is not None:
            assert (row.reason, row.tries) == ("the service does not answer", tries + 1)
            assert row.due_at == clock.now + min(FIRST_WAIT_S * 2**tries, LONGEST_WAIT_S)
            assert worker(place, service).step() == 0, "not before its time"
            clock.now, tries = row.due_at, tries + 1
    assert GIVEN_UP_S - LONGEST_WAIT_S <= clock.now - begun <= GIVEN_UP_S
    assert leaving(place).reason == "given up after 30 days; at last: the service does not answer"
    assert leaving(place).due_at is None and place.store.redirect_removals_refused() == 1
    place.changes.retry_redirect_removal("tests", MAC)
    assert worker(place, service).step() == 1 and place.store.redirect_removals() == []


def test_refusal_stays_and_is_shown_until_another_account_or_somebody_ends_it(place: Installation, clock: Clock) -> None:
    registered(place)
    place.changes.delete_phone("tests", MAC)
    service = Scripted()
    worker(place, service).step()
    assert "no account" in leaving(place).reason and service.asked == []
    account(place)
    service.errors = [Refused("this key may not delete")]
    worker(place, service).step()
    assert (leaving(place).state, leaving(place).reason, leaving(place).due_at) == ("refused", "this key may not delete", None)
    clock.now += GIVEN_UP_S
    assert worker(place, service).step() == 0
    place.changes.forget_redirect_removal("tests", MAC)
    assert place.store.redirect_removals() == [] and service.has == {MAC, OTHER}
    for ended in (place.changes.forget_redirect_removal, place.changes.retry_redirect_removal):
        with pytest.raises(NotFound, match="no redirect service is to forget"):
            ended("tests", MAC)


def test_refusal_to_forget_what_the_service_does_not_have_is_done(place: Installation) -> None:
    account(place)
    registered(place)
    place.changes.delete_phone("tests", MAC)
    service = Scripted()
    service.has.clear()
    service.errors = [Refused("404: no such device")]
    worker(place, service).step()
    assert place.store.redirect_removals() == []


def test_phone_that_is_registered_again_wins(place: Installation, clock: Clock) -> None:
    account(place)
    registered(place)
    place.changes.delete_phone("tests", MAC)
    registered(place)
    service = Scripted()
    assert worker(place, service).step() == 0 and MAC in service.has
    place.changes.delete_phone("tests", MAC)
    clock.now += 1
    place.changes.create_phone("tests", MAC, PhoneInput(MODEL))
    place.changes.ask_redirect("tests", MAC, URL, "")
    assert worker(place, service).step() == 1
    assert service.asked == [("register", MAC)] and place.store.redirect_removals() == []


def test_phone_that_is_registered_again_while_others_are_removed_is_not_taken_off(place: Installation, clock: Clock) -> None:
    account(place)
    for mac in (MAC, OTHER):
        registered(place, mac)
        place.changes.delete_phone("tests", mac)
        clock.now += 1
    service = Scripted()
    service.meanwhile = lambda: registered(place, OTHER)
    worker(place, service).step()
    assert service.asked == [("unregister", MAC)] and OTHER in service.has


def test_phone_that_leaves_while_it_is_registered_is_taken_off_behind_it(place: Installation) -> None:
    account(place)
    place.changes.create_phone("tests", MAC, PhoneInput(MODEL))
    place.changes.ask_redirect("tests", MAC, URL, "")
    service = Scripted()
    service.meanwhile = lambda: place.changes.delete_phone("tests", MAC)
    worker(place, service).step()
    assert service.asked == [("register", MAC), ("unregister", MAC)] and service.has == {OTHER}
    assert place.store.redirect_removals() == []


def test_outcome_of_an_older_removal_does_not_end_a_newer_one(place: Installation, clock: Clock) -> None:
    registered(place)
    place.changes.delete_phone("tests", MAC)
    before = leaving(place)
    clock.now += 1
    registered(place)
    place.changes.delete_phone("tests", MAC)
    place.changes.note_redirect_removal(before, "none", "", None)
    assert leaving(place).asked_at == clock.now


def test_removals_are_bounded_and_refused_ones_go_first(place: Installation, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_REMOVALS >= 10_000
    monkeypatch.setattr("provisioner.changes.leaving.MOST_REMOVALS", 2)
    macs = [Mac(f"02acde0000{last:02x}") for last in range(3)]
    for mac in macs:
        registered(place, mac)
        place.changes.delete_phone("tests", mac)
        clock.now += 1
        if mac == macs[1]:
            place.changes.note_redirect_removal(leaving(place, mac), "refused", "no", None)
    assert [row.mac for row in place.store.redirect_removals()] == [macs[0], macs[2]]
    assert next(row.action for row in place.store.changes(subject=macs[1])) == "redirect_removal.forgotten"
