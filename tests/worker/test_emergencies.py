"""Emergency calls become events: with who, where and which number, once for each call."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest

from pbx_sync.calls import EndedCall
from pbx_sync.emergencies import EmergencyCall
from provisioner.changes import LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.db import DatabaseError
from provisioner.wiring import Installation
from provisioner.worker.emergencies import EVENT, NUMBERS_EVERY_S, TellingOfEmergencies
from tests.engines import Clock
from tests.installations import timed_installation

MAC = Mac("805ec0aabbcc")


class Watching:
    """A PBX that tells of emergency calls."""

    def __init__(self) -> None:
        self.numbers: frozenset[str] = frozenset()
        self.calls: list[EmergencyCall] = []

    def watch_emergencies(self, numbers: Collection[str]) -> None:
        self.numbers = frozenset(numbers)

    def emergencies(self) -> Sequence[EmergencyCall]:
        found, self.calls = self.calls, []
        return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Installation]:
    with timed_installation(tmp_path, Clock()) as made:
        made.changes.create_site("test", "branch", {"settings": {"emergency_numbers": "999, 9999"}})
        made.changes.create_extension("test", "1001", display_name="Ann")
        made.changes.create_phone("test", MAC, PhoneInput("acme/a1", "branch", lines=[LineInput(1, "1001")]))
        yield made


def events(place: Installation) -> list[dict[str, object]]:
    return [dict(row.after) for row in reversed(place.store.changes(actions=[EVENT])) if isinstance(row.after, dict)]


def test_a_call_is_told_once_with_who_and_where(place: Installation) -> None:
    pbx, timer = Watching(), Clock()
    telling = TellingOfEmergencies(place.store, place.changes, pbx, timer)
    pbx.calls = [EmergencyCall("17.1", "1001", "112", "192.0.2.7:5060", 1.0)]
    assert telling.step() == 1
    assert pbx.numbers == {"112", "911", "999", "9999"}
    timer.now += 1
    pbx.calls = [EmergencyCall("17.1", "1001", "112", "192.0.2.7:5060", 1.0)]
    assert telling.step() == 0
    (about,) = events(place)
    assert about == {
        "number": "112", "extension": "1001", "site": "branch", "phone": f"acme/a1 {MAC.colons}", "place": "1001",
        "detail": "Ann 192.0.2.7:5060", "mac": MAC,
    }  # fmt: skip


def test_a_call_is_told_late_where_the_database_is_away_and_not_lost(place: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    pbx, timer = Watching(), Clock()
    telling = TellingOfEmergencies(place.store, place.changes, pbx, timer)
    pbx.calls = [EmergencyCall(f"17.{number}", "1001", "112", "", 1.0) for number in (1, 2)]
    with monkeypatch.context() as away:
        away.setattr(place.changes, "tell_once", lambda *_: (_ for _ in ()).throw(DatabaseError("away")))
        with pytest.raises(DatabaseError, match="away"):
            telling.step()
    timer.now += 1
    assert telling.step() == 2
    assert len(events(place)) == 2


def test_a_number_that_is_somebodys_is_no_emergency(place: Installation) -> None:
    pbx, timer = Watching(), Clock()
    telling = TellingOfEmergencies(place.store, place.changes, pbx, timer)
    place.changes.create_extension("test", "911")
    telling.step()
    assert "911" not in pbx.numbers
    place.changes.delete_extension("test", "911")
    timer.now += NUMBERS_EVERY_S
    telling.step()
    assert "911" in pbx.numbers


def test_a_call_that_nobody_heard_of_is_told_when_its_record_comes(place: Installation) -> None:
    telling = TellingOfEmergencies(place.store, place.changes, None, Clock())
    calls = [
        EndedCall(uid, 1.0, None, 2.0, caller, "", called, "", "failed", 0.0, parties)
        for uid, caller, called, parties in (
            ("1", "1001", "112", ("1001",)), ("2", "1001", "1002", ("1001", "1002")), ("3", "+4412345", "112", ("1002",)),
        )
    ]  # fmt: skip
    assert telling.step() == 0
    telling.ended(calls)
    telling.ended(calls)
    assert [(about["extension"], about["number"]) for about in events(place)] == [("1001", "112")]
