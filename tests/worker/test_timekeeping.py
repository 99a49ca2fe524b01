"""A clock that is set: what was before stays before, by as much, whichever way it went and whoever was running then."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from pbx_sync.state import Contact
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


def test_machine_that_was_started_anew_takes_the_clock_as_it_is(
    world: World, fetched: Mac, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its timer begins anew, so nothing says what the clock did meanwhile. But nothing was served in times to come."""
    other = tmp_path / "boot_id"
    other.write_text("another\n", "ascii")
    monkeypatch.setattr(timekeeping, "_BOOT_ID", other)
    world.clock.now -= 3600
    world.timer.now = 5.0
    world.restarted()
    world.drain()
    assert value(world, served_file.c.at) == world.clock.now
    world.later(5)
    world.pbx.registrations = [contact(world.clock.now)]
    world.later(1)
    assert stage_of(world, fetched) is Stage.IN_LOCKSTEP


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
