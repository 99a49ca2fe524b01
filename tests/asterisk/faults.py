"""What can go wrong between the server and its PBX, each as one call. All of them heal by themselves, or are undone by the same call."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pbx_sync.asterisk.instance import processes_of
from pbx_sync.backend import PBXUnavailable
from provisioner.bundled import bundled_instance, bundled_program
from provisioner.changes import KeyInput, PhoneInput
from provisioner.errors import InputError
from tests.phones.office import Desk, Office

TOO_LONG = {"display_name": "😀" * 128, "department": "😀" * 64, "email": f"{'a' * 60}@{'b' * 180}.example"}
"""Each is allowed by itself; together they are more than a line of the manager interface holds."""
SHORT = {"display_name": "Short", "department": "", "email": ""}
SOME, BY_HAND = 30, 8


@dataclass
class Faults:
    """A clumsy person with a seed, and the clock's file."""

    firm: Office
    chance: random.Random
    clock: Path
    refused: set[str] = field(default_factory=set)
    """Numbers that were given what Asterisk cannot take."""
    edits: int = 0

    def all(self) -> list[Callable[[], None]]:
        return [
            self.pbx_is_killed, self.pbx_hangs, self.pbx_restarts_in_the_middle_of_a_push, self.pbx_is_wiped, self.hands_change_it,
            self.password_is_wrong, self.server_is_killed, self.a_part_is_killed, self.clock_jumps, self.an_extension_is_refused,
        ]  # fmt: skip

    # ---- ordinary life -------------------------------------------------------------------------------------------------

    def edit(self, count: int) -> None:
        """Changes labels, names and secrets of a few desks."""
        changes = self.firm.world.installation.changes
        for desk in self.some(count):
            self.edits += 1
            what = self.chance.randrange(3)
            if what == 0:
                changes.update_phone("test", desk.mac, PhoneInput(keys=[KeyInput(2, "blf", desk.number, f"Label {self.edits}")]))
            elif what == 1:
                changes.update_extension("test", desk.number, {"display_name": f"Name {self.edits}"})
            else:
                self._new_secret(desk)

    def _new_secret(self, desk: Desk) -> None:
        """Gives a desk a new secret; where its phone did not come for the last ones yet, waits with that, as the refusal says."""
        try:
            self.firm.world.installation.changes.update_extension("test", desk.number, {"secret": f"Secret-{self.edits:08d}"})
        except InputError as error:
            assert "wait until its phones have moved" in error.fields["secret"]

    def some(self, count: int) -> list[Desk]:
        return self.chance.sample([desk for desk in self.firm.desks if desk.number not in self.refused], count)

    def wait(self, shortest_s: float, longest_s: float) -> None:
        time.sleep(self.chance.uniform(shortest_s, longest_s))

    # ---- the PBX -------------------------------------------------------------------------------------------------------

    def _signal(self, number: signal.Signals) -> None:
        for pid in processes_of(self.firm.pbx_folder):
            os.kill(pid, number)

    def pbx_is_killed(self) -> None:
        self._signal(signal.SIGKILL)

    def pbx_hangs(self) -> None:
        self._signal(signal.SIGSTOP)
        self.wait(1.0, 8.0)
        self._signal(signal.SIGCONT)

    def pbx_restarts_in_the_middle_of_a_push(self) -> None:
        self.edit(SOME)
        self.wait(0.0, 0.3)
        self._signal(signal.SIGKILL)

    def pbx_is_wiped(self) -> None:
        try:
            with self.firm.hand() as hand:
                hand.wipe()
        except PBXUnavailable:
            self.pbx_is_killed()  # it is down already: then it is down once more

    def hands_change_it(self) -> None:
        try:
            with self.firm.hand() as hand:
                for desk in self.some(BY_HAND):
                    kind = self.chance.choice(["endpoint", "aor", "auth"])
                    if self.chance.random() < 0.5:
                        hand.delete(kind, desk.number)
                    elif hand.get(kind, desk.number) is not None:
                        hand.edit(
                            kind,
                            desk.number,
                            **{"endpoint": {"callerid": "x"}, "aor": {"max_contacts": "1"}, "auth": {"password": "x"}}[kind],
                        )
        except PBXUnavailable:
            self.pbx_is_killed()

    def password_is_wrong(self) -> None:
        """Somebody changes the manager's password, and puts it back."""
        settings = self.firm.world.installation.settings
        program = bundled_program(settings)
        assert program is not None
        instance = bundled_instance(settings, program)
        path = self.firm.pbx_folder / "etc" / "manager.conf"
        right = path.read_text("utf-8")
        path.write_text(right.replace(instance.passwords.ami, "0" * 64), "utf-8")
        self._reload(instance.folder)
        self.wait(1.0, 4.0)
        path.write_text(right, "utf-8")
        self._reload(instance.folder)

    def _reload(self, folder: Path) -> None:
        """Has Asterisk read its files again, where it runs: it takes SIGHUP for that."""
        for pid in processes_of(folder):
            os.kill(pid, signal.SIGHUP)

    # ---- the server ----------------------------------------------------------------------------------------------------

    def server_is_killed(self) -> None:
        self.edit(SOME // 3)
        self.wait(0.0, 0.5)
        self.firm.world.serve.kill()
        self.wait(0.0, 2.0)
        self.firm.world.serve.start()

    def a_part_is_killed(self) -> None:
        try:
            os.kill(self.firm.part_pid(self.chance.choice(["worker", "phones", "pbx", "admin"])), signal.SIGKILL)
        except ProcessLookupError:
            self.server_is_killed()  # it was ended a moment ago and is not back yet

    def clock_jumps(self) -> None:
        self.set_clock(self.chance.choice([-3600, -60, 0, 60, 3600]))

    def set_clock(self, off_s: int) -> None:
        """Sets the clock of every part of the server so many seconds off the right time."""
        partial = self.clock.with_suffix(".new")
        partial.write_text(f"{off_s}", "ascii")
        partial.replace(self.clock)

    # ---- what Asterisk cannot take -------------------------------------------------------------------------------------

    def an_extension_is_refused(self) -> None:
        (desk,) = self.some(1)
        self.refused.add(desk.number)
        self.firm.world.installation.changes.update_extension("test", desk.number, TOO_LONG)

    def mend(self) -> None:
        """Undoes what does not heal by itself, as a person would who reads why a phone is held."""
        for number in sorted(self.refused):
            self.firm.world.installation.changes.update_extension("test", number, SHORT)
        self.refused.clear()
        self._signal(signal.SIGCONT)
