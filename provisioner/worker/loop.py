"""The worker: its steps in their order, and the two lanes that they are run in."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing

from pbx_sync.backend import Backend, PBXUnavailable
from provisioner.changes.enrolment import EnrolmentWrites
from provisioner.changes.firmware import FirmwareWrites
from provisioner.changes.rotation import RotationWrites
from provisioner.changes.seats import SeatWrites
from provisioner.changes.telling import Telling
from provisioner.core.render import Renderer
from provisioner.errors import ProvisionerError
from provisioner.store import Store
from provisioner.worker.answering import Answering
from provisioner.worker.backends import emergencies, hot_desks, test_calls, waiting_room
from provisioner.worker.contacts import Contacts
from provisioner.worker.emergencies import TellingOfEmergencies
from provisioner.worker.enrolling import Enrolling
from provisioner.worker.facts import Facts
from provisioner.worker.firmware import Rollout
from provisioner.worker.hotdesks import Desks
from provisioner.worker.lane import Lane
from provisioner.worker.observing import Observing
from provisioner.worker.phonebooks import Phonebooks
from provisioner.worker.promoting import Promoting
from provisioner.worker.pushing import Pushing
from provisioner.worker.rendering import Rendering
from provisioner.worker.rotating import Rotating
from provisioner.worker.seating import Seating
from provisioner.worker.timekeeping import Timekeeping, boot_time
from provisioner.worker.trying import Trying
from provisioner.worker.waiting import Waiting
from provisioner.worker.waking import Waking

SETTLE_S = 0.06
"""Listeners look for new files some milliseconds after the commit. A phone that is told at once, and is quick, would get the old file and be content with it."""
BOOKS_AFTER_S = 1.0
"""A single edit is on its way to the phone by then."""
BOOKS_WITHIN_S = 30.0
LAST_STEP_S = 8.0
"""What the lane of the PBX gets to end its step in: longer than an Asterisk that hangs is waited for, shorter than the supervisor's patience."""


class Worker:
    """Runs the steps until told to stop. ``backend`` None: files become live without a PBX being asked.

    ``clock`` gives the times that are kept; ``timer``, which is never set back, paces.
    """

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        backend: Backend | None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = boot_time,
        *,
        rotation_s: float = 86_400.0,
    ) -> None:
        self.phonebooks = Phonebooks(store, renderer, clock, timer)
        self.rollout = Rollout(store, FirmwareWrites(store, renderer, clock), clock, timer)
        self.rendering = Rendering(store, renderer, clock)
        self.enrolling = Enrolling(store, EnrolmentWrites(store, renderer, clock), clock, timer)
        self.seating = Seating(store, SeatWrites(store, renderer, clock), clock, timer)
        self.promoting = Promoting(store, clock, has_pbx=backend is not None)
        self.lockstep = WithPBX(store, renderer, backend, clock, timer, rotation_s) if backend else None
        self._store = store
        self._timer = timer
        self._noted = -1
        self._changed_at = self._books_at = timer()

    @property
    def pushing(self) -> Pushing | None:
        return self.lockstep.pushing if self.lockstep else None

    @property
    def counters(self) -> Mapping[str, float]:
        """What was done since this worker started, and how many contacts the PBX has."""
        if self.lockstep is None:
            return dict(self.rollout.counters)
        facts = self.lockstep.facts
        return {**self.rollout.counters, "contacts": facts.contacts, **{f"{name}_total": count for name, count in facts.counters.items()}}

    def step(self) -> int:
        """Does a bounded part of everything that is open; returns how much it was."""
        done = self.enrolling.step() + self.seating.step() + self.phonebooks.step() + self.rollout.step() + self.rendering.step()
        done += self.lockstep.push() if self.lockstep else 0
        done += self.promoting.step()
        return done + (self.lockstep.follow() if self.lockstep else 0)

    def make_files(self) -> int:
        """As ``step``, of what asks no PBX. Phone books, which read every extension, come last."""
        done = self.enrolling.step() + self.seating.step() + self.rollout.step() + self.rendering.step() + self.promoting.step()
        if not done:
            self._make_books()
        return done

    def _make_books(self) -> None:
        """Makes phone books where nobody changed anything for a moment, and gives way, after a piece of them, to who does.

        Where somebody has been at it for so long that books must not wait longer, they go on after each edit.
        """
        now, newest = self._timer(), self._store.last_change()
        is_late = now - self._books_at >= BOOKS_WITHIN_S
        if newest != self._noted:
            self._noted, self._changed_at = newest, now
            if not is_late:
                self.phonebooks.drop()
        if now - self._changed_at < BOOKS_AFTER_S and not is_late:
            return
        self.phonebooks.step(lambda: self._store.last_change() != newest)
        if not self.phonebooks.is_under_way:
            self._books_at = now

    def drain(self, limit: int = 100_000) -> int:
        """Steps until nothing is open; returns the sum. For commands and tests."""
        total = 0
        for _ in range(limit):
            done = self.step()
            total += done
            if not done:
                return total
        raise ProvisionerError(f"the worker still had something to do after {limit} steps")

    def run(self, stop: threading.Event, beat: Callable[[bool, str], None], is_ours: Callable[[], bool] = lambda: True) -> None:
        """Steps whenever something was committed, and once a second besides, until ``stop``.

        What asks the PBX has a lane of its own: a PBX that hangs, or is compared as a whole, holds up no file. ``is_ours`` tells
        whether this is still the one worker; where not, ``ProvisionerError`` is raised.
        """
        self.rendering.start()
        with ExitStack() as stack:
            files = stack.enter_context(closing(Lane("files", self._store.database, stop, self.make_files, self.enrolling.step)))
            if self.lockstep is None:
                files.run(beat, is_ours)
                return
            self.lockstep.waking.settle = lambda: stop.wait(SETTLE_S)
            calls = stack.enter_context(closing(Lane("pbx", self._store.database, stop, self.lockstep.step, self.lockstep.look)))
            files.other, calls.other = calls, files
            with calls.beside(LAST_STEP_S):
                files.run(lambda ok, detail: beat(*self._said(ok, detail, calls.trouble)), is_ours)

    def _said(self, ok: bool, detail: str, trouble: str) -> tuple[bool, str]:
        """Returns what the heartbeat says of both lanes: the worst first."""
        if not ok or trouble:
            return False, detail or trouble
        is_up = self.pushing is None or self.pushing.is_up
        return is_up, "" if is_up else "the PBX does not answer"


class WithPBX:
    """The steps that need a PBX. One that does not answer is asked by ``Pushing`` alone, now and then."""

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        backend: Backend,
        clock: Callable[[], float],
        timer: Callable[[], float],
        rotation_s: float,
    ) -> None:
        contacts = Contacts(backend, store.catalogue)
        self.facts = Facts(store, clock)
        self.timekeeping = Timekeeping(store, clock, timer)
        self.pushing = Pushing(store, backend, self.facts, clock, timer)
        self.answering = Answering(store, self.pushing, clock)
        self.rotating = Rotating(store, RotationWrites(store, renderer, clock), self.facts, clock, timer, limit_s=rotation_s)
        self.waking = Waking(store, backend, contacts, self.facts, clock, timer)
        self.observing = Observing(store, backend, contacts, self.facts, clock, timer)
        room = waiting_room(backend)
        calls = test_calls(backend)
        desks = hot_desks(backend)
        self.emergencies = TellingOfEmergencies(store, Telling(store, renderer, clock), emergencies(backend), timer)
        self.desks = Desks(store, SeatWrites(store, renderer, clock), desks, clock, timer) if desks else None
        self.trying = Trying(store, contacts, calls, clock, timer) if calls else None
        self.waiting = Waiting(store, EnrolmentWrites(store, renderer, clock), backend, room, clock, timer) if room else None

    def step(self) -> int:
        """Does a bounded part of everything that asks the PBX; returns how much it was."""
        return self.push() + self.follow()

    def push(self) -> int:
        """Has the PBX say what it should, and answers who asks about it."""
        self._keep_time()
        return self.answering.step() + self.pushing.step()

    def follow(self) -> int:
        """Tells phones, notes what they do, and ends the rotations that they proved."""
        done = self._asking(lambda: self._wait() + self.waking.step() + self.observing.step())
        return done + self.rotating.step()

    def look(self) -> int:
        """Notes what phones do, between steps."""
        self._keep_time()
        return self._asking(lambda: self._wait() + self.observing.step())

    def _wait(self) -> int:
        return sum(part.step() for part in (self.emergencies, self.waiting, self.trying, self.desks) if part)

    def _keep_time(self) -> None:
        if self.timekeeping.step():
            self.observing.forget()  # it may have noted a registration with the time of before or of after

    def _asking(self, action: Callable[[], int]) -> int:
        if not self.pushing.is_up:
            self.observing.forget()
            for part in (self.waiting, self.desks):
                if part:
                    part.forget()
            return 0
        try:
            return action()
        except PBXUnavailable as error:
            self.pushing.away(error)
            return 0
