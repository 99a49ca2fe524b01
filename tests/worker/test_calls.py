"""Calls that are taken over from a PBX, once each, and forgotten with their recordings when they are old or too many; on both engines."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from pbx_sync.backend import PBXUnavailable
from pbx_sync.calls import EndedCall
from provisioner.recordings import Recordings
from provisioner.worker.calls import AFTER_START_S, DAY_S, CallKeeping
from tests.engines import World

MB = 1024**2


@dataclass
class KeptCalls:
    """A PBX that keeps calls until they are forgotten."""

    kept: dict[str, EndedCall] = field(default_factory=dict)
    is_away: bool = False
    loses_the_connection: bool = False

    def ended(self, limit: int) -> Sequence[EndedCall]:
        if self.is_away:
            raise PBXUnavailable("away")
        return list(self.kept.values())[:limit]

    def forget(self, uids: Collection[str]) -> None:
        if self.loses_the_connection:
            raise PBXUnavailable("away")
        for uid in uids:
            del self.kept[uid]

    def add(self, uid: str, at: float, **more: Any) -> None:
        made = EndedCall(uid, at, at + 5, at + 65, "1001", "Alice", "1002", "1002", "answered", 60.0, ("1001", "1002"))
        self.kept[uid] = replace(made, **more)


@dataclass
class Keeper:
    world: World
    folder: Path
    pbx: KeptCalls = field(default_factory=KeptCalls)
    running_s: float = 0.0

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.start()

    def start(self) -> None:
        recordings, days = Recordings(self.folder), {"calls_days": 30, "recordings_days": 10}
        self.keeping = CallKeeping(
            self.world.store, self.pbx, recordings, self.world.clock, lambda: self.running_s, recordings_mb=3, **days
        )

    def pass_days(self, days: int) -> None:
        self.world.clock.now += days * DAY_S
        self.running_s += days * DAY_S

    def record(self, uid: str, size: int = MB) -> Path:
        path = self.folder / f"{uid}.wav"
        path.write_bytes(b"\0" * size)
        os.utime(path, (self.world.clock.now, self.world.clock.now))
        return path

    def uids(self) -> list[str]:
        return [row.uid for row in reversed(self.world.store.calls())]


@pytest.fixture
def keeper(world: World, tmp_path: Path) -> Keeper:
    return Keeper(world, tmp_path / "recordings")


def test_calls_are_taken_over_with_their_parties_and_recordings(keeper: Keeper) -> None:
    now = keeper.world.clock.now
    keeper.pbx.add("1.0", now - 100, called="600", parties=("1001", "1002", "1003"))
    keeper.pbx.add("2.0", now - 50)
    path = keeper.record("2.0", 5000)
    assert keeper.keeping.step() == 2
    assert (keeper.uids(), keeper.pbx.kept) == (["1.0", "2.0"], {})
    first, second = reversed(keeper.world.store.calls())
    assert (first.called, first.recording, second.recording, second.recording_bytes) == ("600", "", "2.0.wav", 5000)
    assert [row.uid for row in keeper.world.store.calls(extension="1003")] == ["1.0"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert keeper.keeping.step() == 0


def test_a_call_that_comes_once_more_is_known(keeper: Keeper) -> None:
    keeper.pbx.add("1.0", keeper.world.clock.now)
    keeper.pbx.loses_the_connection = True
    with pytest.raises(PBXUnavailable):
        keeper.keeping.step()
    keeper.pbx.loses_the_connection = False
    keeper.keeping.step()
    assert keeper.uids() == ["1.0"]


def test_a_pbx_that_is_away_holds_up_no_tidying(keeper: Keeper) -> None:
    keeper.pbx.add("1.0", keeper.world.clock.now)
    keeper.keeping.step()
    keeper.pbx.is_away = True
    keeper.pass_days(31)
    with pytest.raises(PBXUnavailable):
        keeper.keeping.step()
    assert keeper.uids() == []
    assert keeper.world.store.calls(extension="1001") == []


def test_recordings_go_before_their_calls(keeper: Keeper) -> None:
    path = keeper.record("1.0")
    keeper.pbx.add("1.0", keeper.world.clock.now)
    keeper.keeping.step()
    keeper.pass_days(11)
    keeper.keeping.step()
    assert not path.exists()
    assert [(row.uid, row.recording, row.recording_bytes) for row in keeper.world.store.calls()] == [("1.0", "", 0)]


def test_a_machine_that_starts_with_its_clock_years_ahead_forgets_nothing(keeper: Keeper) -> None:
    path = keeper.record("1.0")
    keeper.pbx.add("1.0", keeper.world.clock.now)
    keeper.keeping.step()
    keeper.world.clock.now += 3650 * DAY_S
    keeper.start()
    keeper.keeping.step()
    assert (keeper.uids(), path.exists()) == (["1.0"], True)
    keeper.world.clock.now -= 3650 * DAY_S  # the network has set it
    keeper.running_s += AFTER_START_S
    keeper.keeping.step()
    assert (keeper.uids(), path.exists()) == (["1.0"], True)


def test_the_oldest_recordings_go_where_the_disk_is_full(keeper: Keeper, caplog: pytest.LogCaptureFixture) -> None:
    for place in range(5):
        keeper.record(f"{place}.0")
        keeper.pbx.add(f"{place}.0", keeper.world.clock.now + place)
    keeper.keeping.take_over()
    keeper.keeping.tidy()
    assert sorted(path.name for path in keeper.folder.iterdir()) == ["2.0.wav", "3.0.wav", "4.0.wav"]
    assert [row.recording for row in keeper.world.store.calls()] == ["4.0.wav", "3.0.wav", "2.0.wav", "", ""]
    assert "event=recordings_full removed=2 limit_mb=3" in caplog.text
    assert keeper.world.store.recordings_cut_at() == keeper.world.clock.now
    assert (keeper.world.store.recordings_held().calls, keeper.world.store.recordings_held().bytes) == (3, 3 * MB)


def test_a_recording_whose_call_is_gone_goes_and_that_of_a_call_under_way_stays(keeper: Keeper) -> None:
    stray, other = keeper.record("7.0"), keeper.folder / "notes.txt"
    other.write_text("mine")
    keeper.keeping.step()
    keeper.keeping.tidy()
    assert stray.exists(), "its call may go on"
    keeper.world.clock.now += 2 * DAY_S
    fresh = keeper.record("8.0")
    keeper.keeping.tidy()
    assert (stray.exists(), fresh.exists(), other.exists()) == (False, True, True)


def test_the_recording_of_a_call_that_could_not_be_taken_over_for_days_stays(keeper: Keeper) -> None:
    path = keeper.record("7.0")
    keeper.pbx.add("7.0", keeper.world.clock.now)
    keeper.pbx.is_away = True
    keeper.pass_days(2)
    with pytest.raises(PBXUnavailable):
        keeper.keeping.step()
    assert path.exists()
    keeper.pbx.is_away = False
    assert keeper.keeping.step() == 1
    keeper.keeping.tidy()
    assert (path.exists(), keeper.world.store.calls()[0].recording) == (True, "7.0.wav")


def test_recordings_that_are_too_old_and_too_many_at_once_are_not_said_to_be_cut(keeper: Keeper, caplog: pytest.LogCaptureFixture) -> None:
    for place in range(5):
        keeper.record(f"{place}.0")
        keeper.pbx.add(f"{place}.0", keeper.world.clock.now + place)
    keeper.keeping.take_over()
    keeper.pass_days(11)
    keeper.keeping.tidy()
    assert list(keeper.folder.iterdir()) == []
    assert "event=recordings_full" not in caplog.text
    assert keeper.world.store.recordings_cut_at() is None


@pytest.mark.parametrize("name", ["../secret.key", "/etc/passwd", "a/b.wav", "..wav", "link.wav", "1.0.txt", ""])
def test_nothing_outside_the_folder_is_opened(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    (tmp_path / "secret.key").write_text("secret")
    (folder / "link.wav").symlink_to(tmp_path / "secret.key")
    (folder / "1.0.txt").write_text("none")
    with pytest.raises(OSError, match=r"."):
        Recordings(folder).open(name).close()
    Recordings(folder).remove(name)
    assert (tmp_path / "secret.key").exists()
