"""Runs every part as a process of its own, starts again what dies, and stops all of them together.

The parts are forked from one parent that has imported everything and does nothing: they share that memory, and one that died
is back in milliseconds.
"""

from __future__ import annotations

import gc
import logging
import os
import signal
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

log = logging.getLogger("provisioner.supervisor")

GRACE_S = 20.0
"""What a part gets to write what it recorded and to end; a busy disk may need seconds of it."""
QUICK_S = 5.0
"""A part that lived less than this failed at start: it is tried again with growing pauses."""
LONGEST_PAUSE_S = 30.0
LOOK_S = 1.0
"""Between two looks whether parts are to be made anew."""


@dataclass(slots=True)
class Part:
    """One process to keep running."""

    name: str
    run: Callable[[], None]
    pid: int = 0
    started_at: float = 0.0
    failures: int = 0
    start_at: float = field(default=0.0)
    end_by: float = 0.0
    """When a part that is made anew has to have ended; 0: it is to run on."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """When parts are ended and forked anew because what they share is another; ``is_due`` brings that into this process first."""

    is_due: Callable[[], bool]
    parts: Collection[str]


class Supervisor:
    """Keeps parts running. Single-threaded, so that forking is safe at any time."""

    def __init__(self, parts: Mapping[str, Callable[[], None]], renewal: Renewal | None = None) -> None:
        self._parts = [Part(name, run) for name, run in parts.items()]
        self._renewal = renewal
        self._look_at = 0.0
        self._outdated: deque[Part] = deque()
        self._stopping = False

    def run(self) -> int:
        """Runs until SIGTERM or SIGINT; returns 0, or 1 where a part could not be stopped in time."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        gc.collect()
        gc.freeze()  # keeps the collector from touching, and so copying, the memory that the parts share
        while not self._stopping:
            for part in self._parts:
                if not part.pid and time.monotonic() >= part.start_at:
                    self._start(part)
            self._renew()
            self._reap()
            time.sleep(0.05)
        return self._end_all()

    def _stop(self, *_: object) -> None:
        self._stopping = True

    def _start(self, part: Part) -> None:
        pid = os.fork()
        if pid == 0:
            self._child(part)
        part.pid = pid
        part.started_at = time.monotonic()
        log.info("event=started part=%s pid=%d", part.name, pid)

    def _renew(self) -> None:
        """Ends one part that is outdated, once the one before it is back."""
        now = time.monotonic()
        if self._renewal is not None and now >= self._look_at:
            self._look_at = now + LOOK_S
            if self._renewal.is_due():
                gc.collect()
                gc.freeze()
                self._outdated = deque(part for part in self._parts if part.name in self._renewal.parts)
        for part in self._parts:
            if part.end_by and now > part.end_by and part.pid:
                log.error("event=killed part=%s", part.name)
                os.kill(part.pid, signal.SIGKILL)
        if self._outdated and all(part.pid and not part.end_by for part in self._parts):
            part = self._outdated.popleft()
            part.end_by = now + GRACE_S
            os.kill(part.pid, signal.SIGTERM)

    def _child(self, part: Part) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        status = 1
        try:
            part.run()
            status = 0
        except KeyboardInterrupt:
            status = 0
        except Exception:
            log.exception("event=part_failed part=%s", part.name)
        finally:
            os._exit(status)  # never back into the supervisor's loop

    def _reap(self) -> None:
        for part in self._parts:
            if not part.pid or os.waitpid(part.pid, os.WNOHANG)[0] == 0:
                continue
            if part.end_by:
                log.info("event=renewed part=%s", part.name)
                part.pid, part.start_at, part.end_by = 0, 0.0, 0.0
                continue
            lived = time.monotonic() - part.started_at
            part.failures = part.failures + 1 if lived < QUICK_S else 0
            pause = min(LONGEST_PAUSE_S, 0.2 * 2**part.failures) if part.failures else 0.0
            part.pid, part.start_at = 0, time.monotonic() + pause
            if not self._stopping:
                log.error("event=died part=%s lived_s=%.1f again_in_s=%.1f", part.name, lived, pause)

    def _end_all(self) -> int:
        for part in self._parts:
            if part.pid:
                os.kill(part.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while any(part.pid for part in self._parts) and time.monotonic() < deadline:
            self._reap()
            time.sleep(0.02)
        late = [part for part in self._parts if part.pid]
        for part in late:
            log.error("event=killed part=%s", part.name)
            os.kill(part.pid, signal.SIGKILL)
            os.waitpid(part.pid, 0)
        return 1 if late else 0
