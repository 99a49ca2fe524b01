"""The loop itself: it follows commits, outlives what goes wrong, and there is one of it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from provisioner.changes import PhoneInput
from provisioner.errors import ProvisionerError, SecretError
from provisioner.worker.lease import Lease
from provisioner.worker.loop import BOOKS_AFTER_S, BOOKS_WITHIN_S
from tests.engines import World


class Running:
    """A worker in a thread, and what it said."""

    def __init__(self, world: World, **more: object) -> None:
        self.stop, self.said, self.error = threading.Event(), [], None  # type: ignore[var-annotated]
        self.thread = threading.Thread(target=self._run, args=(world, more), daemon=True)
        self.thread.start()

    def _run(self, world: World, more: dict) -> None:
        try:
            world.worker.run(self.stop, lambda ok, detail: self.said.append((ok, detail)), **more)
        except ProvisionerError as error:
            self.error = error

    def until(self, claim) -> None:
        deadline = time.monotonic() + 60
        while not claim():
            assert time.monotonic() < deadline, self.said[-1:]
            time.sleep(0.005)

    def finish(self) -> None:
        self.stop.set()
        self.thread.join(60)


def test_committed_change_is_heard_of_and_live(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the watcher: the look that comes once a second does not come here."""
    monkeypatch.setattr("provisioner.worker.lane.IDLE_CHECK_S", 3600.0)
    mac = world.phone(1, world.extension())
    running = Running(world)
    running.until(lambda: "line.1.user = 1001" in world.live(mac))
    world.changes.update_phone("t", mac, PhoneInput(settings={"timezone": "Asia/Tokyo"}))
    running.until(lambda: "Asia/Tokyo" in world.live(mac))
    running.finish()
    assert (True, "") in running.said


def test_database_that_fails_for_a_while_stops_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [sa.exc.OperationalError("x", {}, Exception()), SecretError("the key does not fit")]
    step = world.worker.make_files
    monkeypatch.setattr(world.worker, "make_files", lambda: (_ for _ in ()).throw(failures.pop()) if failures else step())
    mac = world.phone(1, world.extension())
    running = Running(world)
    running.until(lambda: world.live(mac))
    running.finish()
    assert [said for said in running.said if not said[0]] == [(False, "the key does not fit"), (False, "the database does not answer")]


def test_worker_that_lost_its_lease_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> int:
        raise sa.exc.OperationalError("x", {}, Exception())

    monkeypatch.setattr(world.worker, "make_files", away)
    running = Running(world, is_ours=lambda: False)
    running.thread.join(60)
    assert not running.thread.is_alive()
    assert running.error and "another process may be the worker now" in str(running.error)


def test_worker_whose_lease_alone_is_lost_ends(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: only an outage that a step noticed made it ask; a lease whose connection a firewall had cut left two workers."""
    monkeypatch.setattr("provisioner.worker.lane.IDLE_CHECK_S", 0.05)
    held = [True, True, False]
    running = Running(world, is_ours=lambda: held.pop(0))
    running.thread.join(60)
    assert not running.thread.is_alive()
    assert running.error and "another process may be the worker now" in str(running.error)
    assert (True, "") in running.said


def test_lease_is_held_once(world: World, tmp_path: Path) -> None:
    first, second = Lease(world.installation.database, tmp_path), Lease(world.installation.database, tmp_path)
    assert first.acquire() and first.is_held()
    assert not second.acquire() and not second.is_held()
    first.release()
    assert second.acquire()
    second.release()


def test_phone_books_wait_for_a_quiet_moment_but_not_for_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    worker, now, made = world.worker, [world.worker._timer()], []
    monkeypatch.setattr(worker, "_timer", lambda: now[0])
    monkeypatch.setattr(worker.phonebooks, "step", lambda gives_way: made.append(now[0]) or 0)
    mac = world.phone(1, world.extension())
    while worker.make_files():
        continue
    assert made == [], "the phone's own files come first"
    now[0] += BOOKS_AFTER_S
    worker.make_files()
    assert made == [now[0]]
    for number in range(2 * int(BOOKS_WITHIN_S) + 2):  # edits without a pause
        now[0] += BOOKS_AFTER_S / 2
        world.changes.update_phone("t", mac, PhoneInput(settings={"voice_vlan": number + 1}))
        while worker.make_files():
            continue
    assert len(made) == 2 and made[1] - made[0] >= BOOKS_WITHIN_S
