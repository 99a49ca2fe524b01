"""What every part does alike: heed signals, die with its supervisor, beat once a second."""

from __future__ import annotations

import _thread
import ctypes
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from provisioner.heartbeat import Heartbeats
from provisioner.settings import Settings

log = logging.getLogger("provisioner.parts")

BEAT_S = 1.0
_PR_SET_PDEATHSIG = 1


def die_with_parent() -> None:
    """Makes the kernel end this process when the one that started it is gone, however it went (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def stop_on_signals(stop: threading.Event) -> None:
    """Sets ``stop`` on SIGTERM and SIGINT.

    A thread of its own sets it: ``Event.set`` takes the lock that an interrupted ``Event.wait`` may hold, and would wait for itself for ever.
    """
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: _thread.start_new_thread(stop.set, ()))


class Beating:
    """Beats for one part, at most once a second however often it is asked. A full disk costs the beat, never the part."""

    def __init__(self, settings: Settings, part: str, counters: Callable[[], Mapping[str, float]] = dict) -> None:
        self._heartbeats = Heartbeats(settings.data_dir)
        self._part = part
        self._counters = counters
        self._next = 0.0
        self._failed = False

    def __call__(self, ok: bool = True, detail: str = "") -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + BEAT_S
        try:
            self._heartbeats.beat(self._part, ok, detail, self._counters())
            self._failed = False
        except OSError as error:
            if not self._failed:
                log.error("event=heartbeat_failed part=%s detail=%s", self._part, os.strerror(error.errno or 0))
            self._failed = True

    def forget(self) -> None:
        """Says that the part stopped on purpose."""
        self._heartbeats.forget(self._part)


@contextmanager
def beating_meanwhile(beating: Beating) -> Iterator[None]:
    """Beats from a thread of its own, for a part whose server is asked only now and then; a part that ends well says so, one that failed is missed."""
    ended = threading.Event()

    def run() -> None:
        beating()
        while not ended.wait(BEAT_S):
            beating()

    thread = threading.Thread(target=run, name="beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    beating.forget()
