"""Backups by themselves: when they are due, what stays, and what a full disk, a kill and a clock that is set do to them."""

from __future__ import annotations

import random
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from provisioner.backup_copy import read_back
from provisioner.backup_folder import Kept, folder_of, kept_in, kept_named, last_due, name_for, newest, next_due, obstacle, superfluous
from provisioner.backup_standing import standing
from provisioner.backups import described, unpack
from provisioner.changes.backups import CUT_SHORT, RUNS_KEPT
from provisioner.commands.doctor_installation import installation_findings
from provisioner.errors import AlreadyExists, ProvisionerError
from provisioner.setting_values import TimeOfDay
from provisioner.settings import load_settings
from provisioner.wiring import Installation
from provisioner.worker.backing_up import AFTER_START_S, RETRY_S, BackingUp
from tests.engines import Clock
from tests.installations import make_installation

DAY = 86_400.0
NIGHT = TimeOfDay(2, 30)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.chdir(tmp_path)
    made = make_installation(tmp_path)
    made.changes.clock = Clock()
    made.changes.create_extension("tests", "1001")
    return made


class Night:
    """An installation whose clock and timer are moved together, or the clock alone."""

    def __init__(self, place: Installation) -> None:
        self.place = place
        self.folder = folder_of(place.settings)
        self.clock = Clock(last_due(NIGHT, 1_800_000_000.0) + 3600.0)
        self.timer = Clock(1000.0)
        place.changes.clock = self.clock
        self.maker = self.started()

    def started(self) -> BackingUp:
        return BackingUp(self.place.store, self.place.changes, self.place.settings, self.clock, self.timer)

    def later(self, seconds: float) -> bool:
        self.clock.now += seconds
        self.timer.now += seconds
        return self.maker.step()

    @property
    def names(self) -> list[str]:
        return [item.name for item in kept_in(self.folder)]

    @property
    def last_error(self) -> str:
        run = self.place.store.newest_backup_run()
        assert run is not None
        return run.error


@pytest.fixture
def night(place: Installation) -> Night:
    return Night(place)


def actions(place: Installation) -> list[str]:
    return [row.action for row in place.store.changes(limit=50) if row.action.startswith("backup.")]


def test_backup_that_was_missed_is_made_up_some_minutes_after_the_start(night: Night) -> None:
    assert not night.maker.step()
    assert not night.later(AFTER_START_S - 1)
    assert night.later(1)
    (name,) = night.names
    assert stat.S_IMODE(night.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((night.folder / name).stat().st_mode) == 0o600
    holds = described(night.folder / name)
    assert holds is not None and (holds.phones, holds.extensions) == (0, 1)
    assert actions(night.place) == ["backup.made"]


def test_one_is_made_each_day_at_its_time(night: Night) -> None:
    night.later(AFTER_START_S)
    assert not night.later(3600)
    first = night.names
    night.later(next_due(NIGHT, night.clock.now) - night.clock.now - 1)
    assert night.names == first
    assert night.later(1)
    assert len(night.names) == 2
    assert [path.name for path in night.folder.glob(".*")] == []


def test_none_is_made_where_it_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    night = Night(make_installation(tmp_path, backup_at="off"))
    assert not night.later(10 * DAY)
    seen = standing(night.place.settings, night.place.store, night.clock.now)
    assert (seen.kept, seen.next_at, seen.trouble) == ((), None, "")


def test_one_that_somebody_asks_for_is_made_at_once_and_is_not_that_of_the_day(night: Night) -> None:
    asked = night.place.changes.ask_backup("alice")
    with pytest.raises(AlreadyExists):
        night.place.changes.ask_backup("bob")
    assert night.maker.step()
    run = night.place.store.newest_backup_run()
    assert run is not None and (run.id, run.state, run.actor, run.percent) == (asked.id, "done", "alice", 100)
    assert [item.asked for item in kept_in(night.folder)] == [True]
    assert night.later(AFTER_START_S)
    assert sorted(item.asked for item in kept_in(night.folder)) == [False, True]
    night.place.changes.ask_backup("bob")


def test_full_disk_leaves_no_half_backup_and_is_shown_and_tried_again(night: Night) -> None:
    noise = random.Random(1).randbytes(1_500_000)
    Path("provisioner.toml").write_text(f"# {noise.hex()}\n")
    with files_no_larger_than(1_200_000):  # room for the copy of the database, none for the archive
        assert night.later(AFTER_START_S)
    assert night.names == []
    assert [path.name for path in night.folder.iterdir()] == []
    assert "the backup cannot be written" in night.last_error
    assert standing(night.place.settings, night.place.store, night.clock.now).trouble == night.last_error
    assert not night.later(RETRY_S - 1)
    assert night.later(1)
    assert len(night.names) == 1
    assert standing(night.place.settings, night.place.store, night.clock.now).trouble == ""
    assert actions(night.place) == ["backup.made", "backup.failed"]


def test_disk_that_is_too_full_for_the_copy(night: Night) -> None:
    size = (night.place.settings.data_dir / "provisioner.sqlite3").stat().st_size
    with files_no_larger_than(size // 2):
        night.later(AFTER_START_S)
    assert "cannot be copied" in night.last_error or "cannot be written" in night.last_error
    assert [path.name for path in night.folder.iterdir()] == []


def test_room_is_looked_for_before(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patched:
        patched.setattr(shutil, "disk_usage", lambda _path: usage(10**9, 10**9, 1_000_000))
        night.later(AFTER_START_S)
    assert "a backup needs" in night.last_error
    assert "make room there" in night.last_error


KILLED = """
import os, signal, sys
from provisioner.changes.backups import BackupWrites
from provisioner.core.catalogue import Catalogue, SettingRows
from provisioner.core.render import Renderer
from provisioner.db import Database
from provisioner.secrets import load_secret_box
from provisioner.settings import load_settings
from provisioner.store import Store
from provisioner.worker.backing_up import BackingUp

class Killed(BackupWrites):
    def note_backup(self, number, step, percent):
        if step == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGKILL)

settings, nothing = load_settings(), Catalogue({}, SettingRows({}), [], {})
box = load_secret_box(settings.data_dir, create=False)
store = Store(Database(settings.database), box, nothing, base_url="", installation={})
writes = Killed(store, Renderer(nothing), lambda: 1.8e9)
writes.ask_backup("tests")
BackingUp(store, writes, settings).step()
"""


def test_kill_while_it_is_written_leaves_none_that_counts(night: Night) -> None:
    env = {"PYTHONPATH": str(Path(__file__).parents[2]), "PROVISIONER_DATA_DIR": str(night.place.settings.data_dir)}
    ended = subprocess.run([sys.executable, "-c", KILLED, "checking"], env=env, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert any(path.name.startswith(".provisioner-") for path in night.folder.iterdir())  # it was all but done
    assert night.names == []
    assert not night.maker.step()
    assert night.last_error == CUT_SHORT
    assert night.later(AFTER_START_S)
    assert [path.name for path in night.folder.iterdir()] == night.names
    assert len(night.names) == 1


def test_clock_set_back_loses_none_and_holds_none_up(night: Night) -> None:
    night.later(AFTER_START_S)
    before = night.names
    night.clock.now -= 400 * DAY  # to a day on which there was no backup yet
    assert night.later(RETRY_S)
    assert not night.later(RETRY_S)
    assert set(before) < set(night.names)
    night.clock.now += 400 * DAY
    assert night.later(2 * DAY)
    assert len(night.names) == 3


def test_clock_of_1970_takes_no_file_for_another(night: Night) -> None:
    night.clock.now = 3 * DAY
    night.later(AFTER_START_S)
    night.clock.now = 3 * DAY + AFTER_START_S
    night.place.changes.ask_backup("tests")
    assert night.later(0)
    night.clock.now -= 1e-3
    night.place.changes.ask_backup("tests")
    assert night.later(0)
    assert len(set(night.names)) == 3


def test_doctor_says_how_it_stands(night: Night) -> None:
    def said() -> tuple[str, str]:
        return next((found.status, found.sentence) for found in installation_findings(night.place.settings) if found.name == "backups")

    assert said()[0] == "OK" and "there is none yet" in said()[1]
    night.place.changes.end_backup(night.place.changes.begin_backup(None, "x"), "the backup cannot be written: No space left on device")
    assert said() == ("WARN", "the backup cannot be written: No space left on device")
    night.clock.now = time.time()
    night.place.changes.ask_backup("tests")
    night.maker.step()
    assert said()[0] == "OK" and str(night.folder) in said()[1]
    night.clock.now = time.time() - 9 * DAY
    (night.folder / night.names[0]).rename(night.folder / name_for(night.clock.now, asked=False, folder=night.folder))
    assert said()[0] == "WARN" and "days old" in said()[1]


def test_archive_is_the_way_back(night: Night, tmp_path: Path) -> None:
    night.later(AFTER_START_S)
    (tmp_path / "out").mkdir()
    assert unpack(night.folder / night.names[0], tmp_path / "out").extensions == 1
    with closing(sqlite3.connect(tmp_path / "out" / "provisioner.sqlite3")) as copy:
        # It was being made while it was copied; whoever restores it must not read that it failed.
        assert copy.execute("SELECT state FROM backup_run").fetchall() == [("done",)]


def test_runs_that_are_kept_have_an_end(place: Installation) -> None:
    for _ in range(RUNS_KEPT + 5):
        place.changes.end_backup(place.changes.begin_backup(None, "x"))
    with place.database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM backup_run").scalar() == RUNS_KEPT


def test_postgresql_is_left_to_its_own_tool() -> None:
    settings = load_settings({"PROVISIONER_DATABASE_URL": "postgresql://u:hunter2hunter2@db/p"}, file=Path("none.toml"))
    assert "pg_dump" in obstacle(settings)
    assert "hunter2" not in obstacle(settings)


def of_days(*days: float, asked: bool = False) -> list[Kept]:
    start = datetime(2026, 1, 1, 2, 30, tzinfo=UTC)
    moments = [start + timedelta(days=day) for day in days]
    return [Kept(f"provisioner-{at:%Y%m%dT%H%M%SZ}{'-asked' if asked else ''}.tar.gz", at.timestamp(), asked, 1) for at in moments]


def stay(kept: list[Kept], now: float, many: int = 14) -> list[str]:
    gone = superfluous(kept, many, now)
    return [item.name[12:20] for item in kept if item not in gone]


def test_two_years_of_days_leave_two_weeks_and_a_year_of_months() -> None:
    kept = of_days(*range(730))
    left = stay(kept, kept[-1].at)
    assert left[-14:] == [item.name[12:20] for item in kept[-14:]]
    assert left[:-14] == [f"2027{month:02}01" for month in range(1, 13)]


def test_those_that_were_asked_for_take_no_place_from_the_others() -> None:
    daily, asked = of_days(*range(5)), of_days(*(day / 24 for day in range(48)), asked=True)
    left = stay([*daily, *asked], daily[-1].at, many=3)
    assert len(left) == 3 + 1 + 3  # three days, the first of the month, three that were asked for


def test_archives_of_a_clock_that_ran_ahead_push_none_out() -> None:
    good, ahead = of_days(*range(14)), of_days(*range(5000, 5040))
    left = stay([*good, *ahead], good[-1].at)
    assert [name for name in left if name.startswith("2026")] == [item.name[12:20] for item in good]
    assert newest([*good, *ahead], good[-1].at + 5) == good[-1].at


def test_what_is_no_backup_is_not_listed_and_no_path_leads_anywhere(tmp_path: Path) -> None:
    good = "provisioner-20260101T023000Z.tar.gz"
    for name in (good, "provisioner-20261399T023000Z.tar.gz", "notes.txt", f".{good}.12", f"{good}.sealed"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "provisioner-20260102T023000Z.tar.gz").symlink_to("/etc/passwd")
    (tmp_path / "provisioner-20260103T023000Z.tar.gz").mkdir()
    assert [item.name for item in kept_in(tmp_path)] == [good]
    assert kept_named(tmp_path, good) is not None
    for name in (f"../{tmp_path.name}/{good}", f"./{good}", "", "..", "/etc/passwd", f"{good}\n", f"{good}\0"):
        assert kept_named(tmp_path, name) is None
    assert described(tmp_path / good) is None


def test_names_are_never_taken_twice(tmp_path: Path) -> None:
    first = name_for(1e9, asked=False, folder=tmp_path)
    (tmp_path / first).touch()
    assert name_for(1e9, asked=False, folder=tmp_path) != first


@pytest.mark.parametrize(
    ("zone", "local", "due"),
    [
        ("UTC", "2026-06-01 02:29", "2026-05-31 02:30"),
        ("UTC", "2026-06-01 02:30", "2026-06-01 02:30"),
        ("Asia/Ho_Chi_Minh", "2026-06-01 03:00", "2026-06-01 02:30"),
        ("Europe/Amsterdam", "2026-03-29 12:00", "2026-03-29 03:30"),  # the day has no 02:30
        ("Europe/Amsterdam", "2026-10-25 12:00", "2026-10-25 02:30"),  # the day has two of them
    ],
)
def test_time_of_day_is_that_of_the_place(monkeypatch: pytest.MonkeyPatch, zone: str, local: str, due: str) -> None:
    with in_zone(monkeypatch, zone):
        now = datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).timestamp()
        assert f"{datetime.fromtimestamp(last_due(NIGHT, now), ZoneInfo(zone)):%Y-%m-%d %H:%M}" == due
        assert now < next_due(NIGHT, now) <= now + DAY + 3600


@contextmanager
def in_zone(monkeypatch: pytest.MonkeyPatch, zone: str) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setenv("TZ", zone)
        time.tzset()
        yield
    time.tzset()


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """As a full disk: a write beyond ``size`` fails (setrlimit(2), RLIMIT_FSIZE; Python leaves its signal aside)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_archive_on_a_disk_that_gives_back_other_bytes_is_none(night: Night, tmp_path: Path) -> None:
    night.later(AFTER_START_S)
    whole = (night.folder / night.names[0]).read_bytes()
    holds = described(night.folder / night.names[0])
    assert holds is not None
    (tmp_path / "cut").write_bytes(whole[: len(whole) // 2])
    with tarfile.open(tmp_path / "empty", "w:gz"):
        pass
    for name in ("cut", "empty"):
        with pytest.raises(ProvisionerError, match="is the disk sound"):
            read_back(tmp_path / name, holds.files)
