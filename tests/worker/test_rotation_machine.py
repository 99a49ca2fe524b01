"""Rotations, phones, outages and crashes in any order: no phone in use is ever left with a secret that the PBX does not take."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from pbx_sync.plan import Plan
from pbx_sync.state import Endpoint
from provisioner.changes import PhoneInput
from provisioner.changes.rotation import MOST_FORMER
from provisioner.core.catalogue import Catalogue
from provisioner.worker.pushing import RETRY_S
from tests.engines import Clock, World, quick_installation
from tests.worker.simulated import SimulatedPhone, secrets_in

PHONES = st.integers(0, 2)


class Died(BaseException):
    """kill -9, as far as one process can tell."""


class Machine(RuleBasedStateMachine):
    """Three phones share one extension."""

    template: Path
    toy: Catalogue

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "tables.sqlite")
        clock = Clock()
        self.world = World(quick_installation(f"sqlite:///{self.folder}/tables.sqlite", self.folder, self.toy, clock), clock)
        self.world.extension("1001")
        self.phones = [SimulatedPhone(self.world, self.world.phone(number, "1001")) for number in range(3)]
        self.world.drain()
        for phone in self.phones:
            phone.boot()
        self.protected = [True, True, True]
        self.serial = 0

    @rule()
    def rotate(self) -> None:
        former = len(self.world.store.extensions_with_secrets(["1001"])[0][1]) - 1
        if former < MOST_FORMER:
            self.serial += 1
            self.world.changes.update_extension("t", "1001", {"secret": f"secret-number-{self.serial}"})

    @rule(number=PHONES)
    def fetch(self, number: int) -> None:
        if self.is_enabled(number):
            self.phones[number].fetch()
            self.protected[number] = True

    @rule(number=PHONES)
    def register(self, number: int) -> None:
        self.phones[number].register()

    @rule(number=PHONES)
    def leave(self, number: int) -> None:
        self.phones[number].leave()

    @rule(number=PHONES)
    def turn(self, number: int) -> None:
        """A phone that is disabled is not in use; enabled again it has what it last took, until it fetches."""
        self.protected[number] = False
        self.world.changes.update_phone("t", self.phones[number].mac, PhoneInput(enabled=not self.is_enabled(number)))

    @rule(seconds=st.sampled_from([1.0, 2.0, 60.0, 90_000.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.clock.now += seconds
        self.world.timer.now += seconds

    @rule(name=st.sampled_from(["rendering", "pushing", "promoting", "rotating", "observing"]))
    def one_step(self, name: str) -> None:
        worker = self.world.worker
        assert worker.lockstep
        steps = {
            "rendering": worker.rendering.step,
            "pushing": worker.lockstep.pushing.step,
            "promoting": worker.promoting.step,
            "rotating": worker.lockstep.rotating.step,
            "observing": worker.lockstep.look,
        }
        steps[name]()

    @rule()
    def drain(self) -> None:
        self.world.drain()

    @rule()
    def killed(self) -> None:
        self.world.restarted()

    @rule()
    def killed_after_the_pbx_was_told(self) -> None:
        apply = self.world.pbx.apply

        def applies_and_dies(plan: Plan) -> dict[str, str]:
            apply(plan)
            raise Died

        self.world.pbx.apply = applies_and_dies
        try:
            self.world.drain()
        except Died:
            self.world.pbx.apply = apply
        self.world.pbx.apply = apply
        self.world.restarted()

    @rule(is_down=st.booleans())
    def outage(self, is_down: bool) -> None:
        self.world.pbx.is_down = is_down

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def no_phone_is_locked_out(self) -> None:
        item = self.world.pbx.objects["1001"]
        assert isinstance(item, Endpoint)
        accepted = (item.secret, *item.former_secrets)
        for number, phone in enumerate(self.phones):
            if self.protected[number]:
                assert phone.secrets["1001"] in accepted, f"phone {number} has what the PBX does not take"
            assert secrets_in(self.world.live(phone.mac))["1001"] in accepted, f"phone {number} would be given what the PBX does not take"

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.pbx.is_down = False
        for _ in range(3):
            self.world.later(RETRY_S)
            for number, phone in enumerate(self.phones):
                if self.is_enabled(number):
                    phone.boot()
            self.world.later(RETRY_S)
        record = self.world.store.extension("1001")
        assert record and record.rotation == "none", "it comes to an end once every phone did its part"
        self.world.installation.database.dispose()
        shutil.rmtree(self.folder)

    def is_enabled(self, number: int) -> bool:
        record = self.world.store.phone(self.phones[number].mac)
        return bool(record and record.enabled)


@pytest.mark.slow
def test_whatever_happens_no_phone_is_locked_out(sqlite_template: Path, toy: Catalogue) -> None:
    made = type("Made", (Machine,), {"template": sqlite_template, "toy": toy})
    run_state_machine_as_test(
        made, settings=settings(max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))
    )
