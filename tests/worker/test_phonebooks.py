"""Phone books of many extensions never hold up an edit, and are made however many edits there are."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.catalogue import Catalogue
from provisioner.core.mac import Mac
from provisioner.core.phonebook import concerns_books
from provisioner.store import Store
from provisioner.wiring import Installation
from provisioner.worker import Worker, phonebooks
from provisioner.worker.loop import BOOKS_AFTER_S, BOOKS_WITHIN_S
from tests.engines import Clock, quick_installation

PEOPLE, FEW = 60, 10
MAC = Mac("805ec0000001")
VENDORS = ("yealink", "grandstream", "polycom")


class Making:
    """A worker whose timer stands still, in an installation of many extensions whose books are not made yet."""

    def __init__(self, own: Installation) -> None:
        self.timer = Clock(1000.0)
        self.changes, self.store = own.changes, own.store
        with self.changes.unit("test") as unit:
            for number in range(PEOPLE):
                self.changes.add_extension(unit, f"{2000 + number}", {"display_name": f"Name {number:02}", "department": f"D{number % 3}"})
        self.changes.update_site("test", "default", {"settings": {"phonebook": "all"}})
        for place, (model, mac) in enumerate(
            (("yealink/t46u", MAC), ("grandstream/gxp2170", "ec74d7000001"), ("polycom/vvx411", "64167f000001"))
        ):
            self.changes.create_phone("test", Mac(mac), PhoneInput(model, lines=[LineInput(1, f"{2000 + place}")]))
        self.worker = Worker(self.store, own.renderer, None, Clock(), self.timer)
        self.follow()

    def follow(self) -> None:
        """Does what the lane of the files does until it rests."""
        while self.worker.make_files():
            continue

    def later(self, seconds: float) -> None:
        self.timer.now += seconds
        self.follow()

    def rest(self) -> None:
        """Lets a quiet moment pass after what was changed."""
        self.follow()
        self.later(BOOKS_AFTER_S)
        assert self.worker.phonebooks._seen == self.store.last_change()

    def label(self, label: str) -> None:
        self.changes.update_phone("test", MAC, PhoneInput(keys=[KeyInput(2, "blf", "2001", label)]))

    def is_live(self, label: str) -> bool:
        return any(label.encode() in file.body for file in self.store.live_files([MAC]))

    def names(self) -> str:
        record = self.store.book("yealink", "all")
        return record.body.decode() if record else ""


@pytest.fixture
def making(tmp_path: Path, sqlite_template: Path, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> Iterator[Making]:
    monkeypatch.setattr(phonebooks, "PIECE", FEW)
    shutil.copy(sqlite_template, tmp_path / "tables.sqlite")
    own = quick_installation(f"sqlite:///{tmp_path}/tables.sqlite", tmp_path, catalogue, Clock())
    yield Making(own)
    own.database.dispose()


def during(monkeypatch: pytest.MonkeyPatch, worker: Worker, what: Callable[[int], object]) -> list[int]:
    """Has ``what`` done after every piece of the making, with its number; returns the numbers."""
    pieces: list[int] = []
    step = worker.phonebooks.step

    def stepped(gives_way: Callable[[], bool]) -> int:
        def asked() -> bool:
            pieces.append(len(pieces) + 1)
            what(len(pieces))
            return gives_way()

        return step(asked)

    monkeypatch.setattr(worker.phonebooks, "step", stepped)
    return pieces


def test_an_edit_in_the_middle_is_rendered_before_the_books(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: with ten thousand extensions it waited for half a second."""
    pieces = during(monkeypatch, making.worker, lambda number: making.label("In between") if number == 3 else None)
    making.timer.now += BOOKS_AFTER_S
    making.worker.make_files()
    assert pieces == [1, 2, 3] and making.worker.phonebooks.is_under_way, "it gave way at once"
    making.follow()
    assert making.is_live("In between")
    assert making.store.books_made() == {} and len(pieces) == 3, "they wait for a quiet moment again"
    making.later(BOOKS_AFTER_S)
    assert {vendor for vendor, _ in making.store.books_made()} == set(VENDORS)
    assert len(making.store.books_of_phones()) == len(VENDORS)


def test_books_are_made_under_a_steady_stream_of_edits(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edits so close that nothing is ever quiet, one of them after every piece: each is live before the next piece."""
    edits: list[str] = []

    def edit() -> None:
        edits.append(f"Label-{len(edits)}.")
        making.label(edits[-1])

    def between(number: int) -> None:
        assert making.is_live(edits[-1])
        edit()

    pieces, waited = during(monkeypatch, making.worker, between), 0.0
    while not making.store.books_of_phones():
        assert waited < 2 * BOOKS_WITHIN_S
        edit()
        making.later(BOOKS_AFTER_S * 0.9)
        waited += BOOKS_AFTER_S * 0.9
    assert waited >= BOOKS_WITHIN_S and len(pieces) > PEOPLE // FEW, "they waited, and then went on piece by piece"
    assert "Name 01" in making.names()


def test_who_was_renamed_in_the_middle_is_in_the_book_under_the_new_name(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    making.timer.now += BOOKS_WITHIN_S  # so late that what is under way is brought to its end

    def rename(number: int) -> None:
        if number == 8:
            making.changes.update_extension("test", "2001", {"display_name": "Renamed"})

    during(monkeypatch, making.worker, rename)
    making.follow()
    making.rest()
    assert "Renamed" in making.names() and "Name 01" not in making.names()


def test_an_edit_that_concerns_no_book_has_none_looked_at(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    making.rest()
    read: list[int] = []
    source = Store.book_source
    monkeypatch.setattr(Store, "book_source", lambda store, most: read.append(most) or source(store, most))
    making.label("Elsewhere")
    making.changes.update_extension("test", "2002", {"secret": "another-Secret-1", "email": "a@b.example"})
    making.rest()
    assert read == []
    making.changes.update_extension("test", "2002", {"display_name": "Concerned"})
    making.rest()
    assert read == [FEW] and "Concerned" in making.names()


def test_a_piece_that_fails_has_the_books_begun_anew(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(number: int) -> None:
        if number == 5:
            raise OSError("the database is away")

    pieces = during(monkeypatch, making.worker, fails)
    making.timer.now += BOOKS_AFTER_S
    with pytest.raises(OSError, match="away"):
        making.worker.make_files()
    assert not making.worker.phonebooks.is_under_way
    making.rest()
    assert len(pieces) > 2 * PEOPLE // FEW and making.names()


PHONE = {"model": "yealink/t46u", "site": "north", "group": None, "settings": {"phonebook": "all"}, "lines": [[1, "201", "A"]], "keys": []}


@pytest.mark.parametrize(
    ("action", "before", "after", "concerned"),
    [
        ("phone.create", None, PHONE, True),
        ("phone.delete", PHONE, None, True),
        ("phone.swap", PHONE, {"mac": MAC, "model": "yealink/t46u"}, True),
        ("phone.update", PHONE, {**PHONE, "keys": [[0, 1, "blf", "201", "", 0]], "firmware": "1.2"}, False),
        ("phone.update", PHONE, {**PHONE, "lines": [[1, "201", "B"]]}, False),
        ("phone.update", PHONE, {**PHONE, "lines": [[1, "202", "A"]]}, True),
        ("phone.update", PHONE, {**PHONE, "site": "south"}, True),
        ("phone.update", PHONE, {**PHONE, "group": "staff"}, True),
        ("phone.update", PHONE, {**PHONE, "model": "yealink/t31p"}, True),
        ("phone.update", PHONE, {**PHONE, "settings": {}}, True),
        ("phone.resync", None, {"reboot": False}, False),
        ("phone.reopen", None, None, False),
        ("extension.create", None, {"display_name": "x"}, True),
        ("extension.delete", {"display_name": "x"}, None, True),
        ("extension.update", {}, {"secret": "changed"}, False),
        ("extension.update", {"department": "a"}, {"department": "b"}, True),
        ("extension.rotated", {"rotation": "moving"}, {"rotation": "none"}, False),
        ("site.create", None, {"settings": {}}, True),
        ("site.update", {"access": "open"}, {"access": "token"}, False),
        ("site.update", {"settings": {}}, {"settings": {"phonebook": "all"}}, True),
        ("group.put", None, {"phonebook": "site"}, True),
        ("group.put", {"timezone": "UTC"}, {"timezone": "Asia/Tokyo"}, False),
        ("layout.put", None, {"keys": []}, False),
        ("session.open", None, {"address": "192.0.2.1"}, False),
        ("import.commit", None, {"rows": 3}, True),
        ("nobody.knows", None, None, True),
    ],
)
def test_only_what_may_make_a_book_another_one_concerns_books(action: str, before: object, after: object, concerned: bool) -> None:
    assert concerns_books(action, before, after) is concerned
