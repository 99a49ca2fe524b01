"""A clock that is set: what was before stays before, by as much, whichever way it went and whoever was running then."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from pbx_sync.state import Contact
from provisioner.changes import PhoneInput
from provisioner.core.lockstep import Stage, stage
from provisioner.core.mac import Mac
from provisioner.models import extension, meta, phone, registration, served_file
from provisioner.worker import timekeeping
from provisioner.worker.timekeeping import JUMP_S, LATE_S, Timekeeping, boot_time
from tests.engines import World

JUMPS = (-86_400.0, -3600.0, -60.0, 60.0, 3600.0)


def contact(at: float) -> Contact:
    return Contact("1001", "sip:1001@192.0.2.1", "", at, "192.0.2.1")


def served(world: World, mac: Mac, at: float) -> None:
    with world.installation.database.write() as connection:
        connection.execute(served_file.delete().where(served_file.c.mac == mac))
        for file in world.store.live_files([mac]):
            connection.execute(served_file.insert().values(mac=mac, name=file.name, sha256=file.sha256, at=at, since=at))


def stage_of(world: World, mac: Mac) -> Stage:
    facts = world.store.lockstep(mac, has_pbx=True)
    assert facts
    return stage(facts)


def value(world: World, column: sa.Column) -> float:
    with world.installation.database.read() as connection:
        return float(connection.execute(sa.select(column).limit(1)).scalar_one())


@pytest.fixture
def fetched(world: World) -> Mac:
    """A phone that registered, and ten seconds later fetched."""
    mac = world.phone(1, world.extension())
    world.pbx.registrations = [contact(world.clock.now)]
    world.drain()
    world.later(10)
    served(world, mac, world.clock.now)
    world.drain()
    assert stage_of(world, mac) is Stage.WAITING_FOR_REGISTRATION
    return mac


@pytest.mark.parametrize("jump_s", JUMPS)
@pytest.mark.parametrize("restarts", [False, True], ids=["running", "restarted meanwhile"])
def test_registration_after_a_fetch_counts_whatever_the_clock_did_between(
    world: World, fetched: Mac, jump_s: float, restarts: bool
) -> None:
    """Was: set back by an hour, no registration was newer than the fetch for an hour."""
    world.clock.now += jump_s
    if restarts:
        world.restarted()
    world.drain()
    assert stage_of(world, fetched) is Stage.WAITING_FOR_REGISTRATION, "set forward, the old one is no proof either"
    world.later(2)
    world.pbx.registrations = [contact(world.clock.now)]
    world.later(1)
    assert stage_of(world, fetched) is Stage.IN_LOCKSTEP
    assert value(world, registration.c.registered_at) == world.clock.now - 1


@pytest.mark.parametrize("jump_s", JUMPS)
def test_all_times_keep_their_distance(world: World, fetched: Mac, jump_s: float) -> None:
    columns = (
        served_file.c.at,
        served_file.c.since,
        registration.c.registered_at,
        phone.c.live_at,
        phone.c.notified_at,
        phone.c.notify_due_at,
    )
    before = [value(world, column) - world.clock.now for column in columns]
    world.clock.now += jump_s
    assert world.worker.lockstep and world.worker.lockstep.timekeeping.step() == jump_s
    assert [value(world, column) - world.clock.now for column in columns] == before
    assert world.worker.lockstep.timekeeping.step() == 0.0, "once"


def test_rotation_has_as_long_as_before(world: World, fetched: Mac) -> None:
    world.changes.update_extension("t", "1001", {"secret": "another-secret"})
    world.drain()
    started = world.clock.now
    world.clock.now += 7 * 86_400
    world.drain()
    assert value(world, extension.c.rotation_started_at) == started + 7 * 86_400


@pytest.mark.parametrize("jump_s", JUMPS)
def test_what_is_written_late_with_the_time_of_before_is_set_along(world: World, fetched: Mac, jump_s: float) -> None:
    """A fetch that was under way when the clock was set is noted afterwards."""
    before = world.clock.now
    world.clock.now += jump_s
    world.drain()
    served(world, fetched, before - 0.5)
    world.later(1)
    assert value(world, served_file.c.at) == before - 0.5 + jump_s
    world.later(LATE_S + 1)
    world.later(1)
    served(world, fetched, world.clock.now)
    world.later(1)
    assert value(world, served_file.c.at) == world.clock.now - 1


def test_what_was_written_by_the_new_clock_already_stays(world: World, fetched: Mac) -> None:
    world.clock.now -= 3600
    served(world, fetched, world.clock.now)
    world.drain()
    assert value(world, served_file.c.at) == world.clock.now


def test_clock_that_is_slewed_moves_nothing(world: World, fetched: Mac) -> None:
    at = value(world, served_file.c.at)
    for _ in range(20):
        world.clock.now += JUMP_S / 2
        world.drain()
    assert value(world, served_file.c.at) == at
    world.restarted()
    world.drain()
    assert value(world, served_file.c.at) == at, "how far it has come is kept"


YEARS_14, YEARS_56 = 14 * 365.25 * 86_400, 56 * 365.25 * 86_400
UPTIME_S = 30.0
DOWN_S = 60.0


@pytest.fixture
def reboot(world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[float], None]:
    """Starts the machine anew, with a clock that is so many seconds off: its timer begins anew, and nothing tells what the clock did."""
    place = tmp_path / "boot_id"
    boots = count(1)
    monkeypatch.setattr(timekeeping, "_BOOT_ID", place)

    def started(off_s: float) -> None:
        place.write_text(f"boot-{next(boots)}\n", "ascii")
        world.clock.now += DOWN_S + UPTIME_S + off_s
        world.timer.now = UPTIME_S
        world.restarted()
        world.drain()

    return started


@pytest.fixture
def later_set_right(world: World, reboot: Callable[[float], None]) -> Callable[[float], None]:
    """Starts the machine anew so many seconds off, and has the network set the clock right a minute later."""

    def started(off_s: float) -> None:
        reboot(off_s)
        world.later(60)
        world.clock.now -= off_s
        world.drain()

    return started


YEARS_OFF = [pytest.param(-YEARS_56, id="1970"), pytest.param(YEARS_14, id="2040")]
OFF = [*YEARS_OFF, pytest.param(-3600.0, id="an hour behind"), pytest.param(3600.0, id="an hour ahead")]


@pytest.mark.parametrize("off_s", OFF)
def test_machine_that_starts_with_a_wrong_clock_proves_nothing_by_it_and_loses_nothing(
    world: World, fetched: Mac, later_set_right: Callable[[float], None], off_s: float
) -> None:
    """The PBX kept its registration, of before the fetch, over the restart; its first fetch stays open for as long as before."""
    later_set_right(off_s)
    assert abs(world.clock.now - value(world, phone.c.opened_at)) < 300
    assert stage_of(world, fetched) is Stage.WAITING_FOR_REGISTRATION
    world.pbx.registrations = [contact(world.clock.now)]
    world.later(1)
    assert stage_of(world, fetched) is Stage.IN_LOCKSTEP
    assert abs(value(world, served_file.c.since) - world.clock.now) < 300, "told right again, to what the machine was off"
    assert world.drain() == 0


@pytest.mark.parametrize("off_s", YEARS_OFF)
def test_while_the_clock_is_wrong_lockstep_goes_on(world: World, fetched: Mac, reboot: Callable[[float], None], off_s: float) -> None:
    reboot(off_s)
    assert stage_of(world, fetched) is Stage.WAITING_FOR_REGISTRATION, "the old registration is no proof, in whatever year it seems to be"
    world.later(5)
    world.pbx.registrations = [contact(world.clock.now)]
    world.later(1)
    assert stage_of(world, fetched) is Stage.IN_LOCKSTEP
    world.changes.update_phone("t", fetched, PhoneInput(settings={"timezone": "Asia/Tokyo"}))
    world.later(1)
    assert "Asia/Tokyo" in world.live(fetched) and stage_of(world, fetched) is Stage.NOTIFIED


@pytest.mark.parametrize("off_s", YEARS_OFF)
def test_rotation_is_not_rolled_back_by_a_wrong_clock_and_ends_in_its_time(
    world: World, fetched: Mac, later_set_right: Callable[[float], None], off_s: float
) -> None:
    """Was: with a clock ahead every open rotation was late at once; with one that had been ahead, none ever was."""
    world.changes.update_extension("t", "1001", {"secret": "another-secret"})
    world.drain()
    later_set_right(off_s)
    assert not rolled_back(world)
    world.later(86_400 - 600)
    assert not rolled_back(world)
    world.later(600)
    assert rolled_back(world)


def rolled_back(world: World) -> bool:
    with world.installation.database.read() as connection:
        return bool(connection.execute(sa.select(extension.c.rotation_rolled_back)).scalar_one())


def test_rotation_counts_no_time_in_which_the_machine_was_off(world: World, fetched: Mac, reboot: Callable[[float], None]) -> None:
    """Else the first thing after a long weekend was to take back the secrets that phones are about to fetch."""
    world.changes.update_extension("t", "1001", {"secret": "another-secret"})
    world.drain()
    reboot(3 * 86_400.0)
    assert not rolled_back(world)
    world.later(86_400)
    assert rolled_back(world)


def test_phone_listed_while_the_clock_said_1970_can_do_its_first_fetch(world: World, reboot: Callable[[float], None]) -> None:
    reboot(-YEARS_56)
    world.phone(1, world.extension())
    world.drain()
    before = world.store.index_position()
    world.clock.now += YEARS_56
    world.drain()
    assert value(world, phone.c.opened_at) == world.clock.now
    assert world.store.index_changes(before).is_everything, "listeners read it anew"


def test_open_window_does_not_stay_open_when_the_clock_is_set_back(world: World) -> None:
    world.changes.update_site("t", "default", {"enrolment": "window"})
    world.changes.open_window("t", "default", minutes=10, phones=5)
    world.drain()
    world.clock.now -= YEARS_14
    world.drain()
    (window,) = world.store.windows()
    assert 0 < window.closes_at - world.clock.now <= 600


def test_pbx_that_dates_a_registration_in_times_to_come_proves_nothing_by_it(world: World, fetched: Mac) -> None:
    world.pbx.registrations = [contact(world.clock.now + 3600)]
    world.later(1)
    assert stage_of(world, fetched) is Stage.WAITING_FOR_REGISTRATION


def test_offset_that_cannot_be_written_down_is_set_along_at_the_next_step(world: World, fetched: Mac) -> None:
    at = value(world, served_file.c.at)
    watch = Timekeeping(world.store, world.clock, world.timer)
    world.clock.now += 3600
    with world.installation.database.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE meta RENAME TO away"))
    with pytest.raises(sa.exc.SQLAlchemyError):
        watch.step()
    assert value(world, served_file.c.at) == at, "all or nothing"
    with world.installation.database.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE away RENAME TO meta"))
    assert watch.step() == 3600
    assert value(world, served_file.c.at) == at + 3600


def test_every_process_of_the_machine_has_the_same_timer(world: World) -> None:
    world.drain()
    with world.installation.database.read() as connection:
        kept = connection.execute(sa.select(meta.c.value).where(meta.c.key == "clock_offset")).scalar_one()
    assert kept.split()[0] == Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    assert 0 < boot_time() <= boot_time()
