"""Trouble that nobody caused becomes an event, once, and its end another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from provisioner.changes import LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.models import phone
from provisioner.models_calls import call
from provisioner.models_enrolment import alarm
from provisioner.wiring import Installation
from provisioner.worker import troubles as limits
from provisioner.worker.troubles import DAY_S, ENDING_DAYS, HOUR_S, NAMED, Troubles
from tests.engines import Clock
from tests.installations import timed_installation

MINUTES = 15


@dataclass
class Watched:
    """An installation that is looked at, and what the test makes of it."""

    place: Installation
    clock: Clock
    is_up: bool = True
    ends: datetime | None = None
    looking: Troubles = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Makes a worker that has seen nothing yet."""
        made, settings = self.place, self.place.settings
        self.looking = Troubles(made.store, made.changes, settings, lambda: self.is_up, lambda: self.ends, self.clock, self.clock)

    def after(self, minutes: float = 0.0) -> list[str]:
        """Returns the events that a look after so long makes, the oldest first."""
        self.clock.now += minutes * 60
        before = self.place.store.newest_change()
        self.looking.look()
        return [row.action for row in self.place.store.changes_to_tell(before, since=0, limit=100)]

    def last(self, action: str) -> dict[str, object]:
        (row,) = self.place.store.changes(actions=[action], limit=1)
        assert isinstance(row.after, dict)
        return row.after


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    monkeypatch.setattr(limits, "LOW_BYTES", 0)
    clock = Clock()
    with timed_installation(tmp_path, clock) as made:
        yield Watched(made, clock)


def test_a_pbx_that_is_away_for_long_is_told_once_and_its_return_too(watched: Watched) -> None:
    assert watched.after() == []
    watched.is_up = False
    assert [watched.after(), watched.after(MINUTES - 1)] == [[], []]
    assert watched.after(1) == ["pbx.lost"]
    watched.begin()
    assert [watched.after(), watched.after(60)] == [[], []], "a new worker does not tell it again"
    watched.is_up = True
    assert [watched.after(), watched.after()] == [["pbx.back"], []]


def test_a_pbx_that_is_away_for_a_moment_is_no_event(watched: Watched) -> None:
    for _ in range(5):
        watched.is_up = False
        assert [watched.after(), watched.after(MINUTES - 1)] == [[], []]
        watched.is_up = True
        assert watched.after() == []


def test_phones_that_are_behind_for_long_are_told_of_each_site(watched: Watched) -> None:
    changes = watched.place.changes
    changes.create_site("test", "branch", {})
    for number in range(NAMED + 2):
        changes.create_extension("test", f"{1000 + number}")
        changes.create_phone("test", Mac(f"805ec0{number:06x}"), PhoneInput("acme/a1", "branch", lines=[LineInput(1, f"{1000 + number}")]))
    assert [watched.after(), watched.after(2 * MINUTES)] == [[], []], "they are still in their boxes"
    with watched.place.database.write() as connection:
        connection.execute(phone.update().values(first_success_at=1.0))
    assert [watched.after(), watched.after(MINUTES)] == [[], ["lockstep.behind"]]
    about = watched.last("lockstep.behind")
    assert (about["site"], about["phones"]) == ("branch", NAMED + 2)
    assert str(about["detail"]).count("80:5e:c0") == NAMED and str(about["detail"]).endswith(", ...")
    assert watched.after(60) == []
    assert watched.after(DAY_S / 60) == ["lockstep.behind"]
    with watched.place.database.write() as connection:
        connection.execute(phone.update().values(enabled=False))
    assert [watched.after(), watched.after()] == [["lockstep.again"], []]


def test_a_certificate_that_ends_soon_is_told_once(watched: Watched) -> None:
    watched.ends = datetime.fromtimestamp(watched.clock.now + (ENDING_DAYS + 1) * DAY_S, UTC)
    assert watched.after() == []
    assert watched.after(DAY_S / 60 + 1) == ["certificate.ending"]
    assert watched.last("certificate.ending")["until"] == watched.ends.strftime("%Y-%m-%d")
    assert watched.after(DAY_S / 60) == []


def test_a_disk_that_is_nearly_full_is_told_once_a_day(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LOW_BYTES", 1 << 62)
    assert [watched.after(), watched.after(60), watched.after(DAY_S / 60)] == [["disk.low"], [], ["disk.low"]]


def test_recordings_that_take_all_their_room(watched: Watched) -> None:
    with watched.place.database.write() as connection:
        row = {"uid": "1", "started_at": 0.0, "ended_at": 0.0, "caller": "1", "called": "2", "outcome": "answered"}
        connection.execute(call.insert().values(**row, recording="a.wav", recording_bytes=watched.place.settings.recordings_mb * 1024**2))
    assert [watched.after(), watched.after(DAY_S / 60)] == [["recordings.full"], []]


def test_scans_are_told_once_an_hour_however_many_there_are(watched: Watched) -> None:
    def scan(scope: str) -> None:
        row = {"at": watched.clock.now, "part": "phones", "kind": "address", "scope": scope, "macs": 64, "until": watched.clock.now}
        with watched.place.database.write() as connection:
            connection.execute(alarm.insert().values(**row))

    scan("192.0.2.1")
    assert watched.after() == [], "from before it began"
    scan("192.0.2.2")
    assert watched.after() == ["bootstrap.alarm"]
    for number in range(50):
        scan(f"198.51.100.{number}")
    assert watched.after() == []
    scan("192.0.2.3")
    assert watched.after(HOUR_S / 60) == ["bootstrap.alarm"]
    assert watched.last("bootstrap.alarm")["scope"] == "192.0.2.3"
