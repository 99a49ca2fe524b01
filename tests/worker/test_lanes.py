"""A PBX that hangs holds up what needs it, and nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from pbx_sync.plan import Plan
from pbx_sync.state import State
from provisioner.changes import PhoneInput
from provisioner.core.mac import Mac
from provisioner.errors import ProvisionerError
from provisioner.worker.pushing import CHECK_EVERY_S, SPOT_EVERY_S
from tests.engines import World

NEW_FILES = PhoneInput(settings={"timezone": "Asia/Tokyo"})


class Hang:
    """Takes the PBX's methods over: from ``begin`` on they answer when ``end`` is set."""

    def __init__(self, world: World) -> None:
        self.begin, self.end, self.has_begun = threading.Event(), threading.Event(), threading.Event()
        self._read, self._apply = world.pbx.read, world.pbx.apply
        vars(world.pbx).update(read=self.read, apply=self.apply)

    def read(self, numbers: Collection[str] | None = None) -> State:
        self._hang()
        return self._read(numbers)

    def apply(self, plan: Plan) -> dict[str, str]:
        self._hang()
        return self._apply(plan)

    def _hang(self) -> None:
        if self.begin.is_set():
            self.has_begun.set()
            assert self.end.wait(60)


def until(claim: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def running(world: World) -> Iterator[list[tuple[bool, str]]]:
    """Runs the worker in a thread for as long as the block lasts; yields what it says of itself."""
    stop, said = threading.Event(), list[tuple[bool, str]]()
    thread = threading.Thread(target=world.worker.run, args=(stop, lambda ok, detail: said.append((ok, detail))), daemon=True)
    thread.start()
    try:
        yield said
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture
def phone(world: World) -> Mac:
    mac = world.phone(1, world.extension())
    world.extension("1002")
    world.drain()
    return mac


def test_a_label_is_live_while_the_pbx_hangs_in_a_push(world: World, phone: Mac) -> None:
    hang = Hang(world)
    hang.begin.set()
    with running(world):
        world.changes.update_extension("t", "1002", {"display_name": "Bob"})
        assert hang.has_begun.wait(60)
        world.changes.update_phone("t", phone, NEW_FILES)
        until(lambda: "Asia/Tokyo" in world.live(phone))
        assert not hang.end.is_set()
        hang.end.set()


def test_a_label_is_live_while_everything_is_compared(world: World, phone: Mac) -> None:
    hang = Hang(world)
    hang.begin.set()
    world.timer.now += CHECK_EVERY_S
    with running(world):
        assert hang.has_begun.wait(60)
        world.changes.update_phone("t", phone, NEW_FILES)
        until(lambda: "Asia/Tokyo" in world.live(phone))
        hang.end.set()


def test_a_secret_waits_for_the_pbx_that_hangs(world: World, phone: Mac) -> None:
    hang = Hang(world)
    hang.begin.set()
    with running(world):
        world.changes.update_extension("t", "1001", {"secret": "a-new-secret"})
        assert hang.has_begun.wait(60)
        until(lambda: world.row(phone).wanted_hash is not None)
        assert "a-new-secret" not in world.live(phone)
        hang.end.set()
        until(lambda: "a-new-secret" in world.live(phone))


def test_what_fails_in_the_lane_of_the_pbx_ends_the_worker(world: World, phone: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its supervisor starts it anew; a worker that pushes no more must not look alive."""

    def breaks() -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(world.worker.lockstep, "step", breaks)
    with pytest.raises(ProvisionerError, match="the lane pbx of the worker ended"):
        world.worker.run(threading.Event(), lambda ok, detail: None)


def test_database_that_the_lane_of_the_pbx_finds_away_shows_and_stops_nothing(
    world: World, phone: Mac, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert world.worker.lockstep
    step, failures = world.worker.lockstep.step, [sa.exc.OperationalError("x", {}, Exception())]
    monkeypatch.setattr(world.worker.lockstep, "step", lambda: (_ for _ in ()).throw(failures.pop()) if failures else step())
    with running(world) as said:
        until(lambda: (False, "the database does not answer") in said)
        until(lambda: said[-1] == (True, ""))


def test_a_pbx_that_was_emptied_behind_our_back_is_filled_at_once(world: World, phone: Mac) -> None:
    """Was: it was noticed at the next comparison of everything, five minutes later at the most."""
    world.later(SPOT_EVERY_S)
    before = dict(world.pbx.objects)
    world.pbx.objects.clear()
    world.later(SPOT_EVERY_S)
    assert world.pbx.objects == before
    assert world.worker.counters["drift_put_back_total"] == len(before)


def test_every_extension_has_its_turn_to_be_looked_at(world: World, phone: Mac) -> None:
    world.later(SPOT_EVERY_S)
    gone = world.pbx.objects.pop("1002")
    for _ in range(3):  # there are two, and a moment's rest after the last
        world.later(SPOT_EVERY_S)
    assert world.pbx.objects["1002"] == gone
