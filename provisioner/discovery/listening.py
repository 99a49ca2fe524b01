"""The loop that hears: waits for all sources' sockets, hands each its turn, and outlives whatever one of them meets."""

from __future__ import annotations

import logging
import selectors
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from socket import socket
from typing import cast

from provisioner.core.sightings import Observation
from provisioner.discovery.source import Off, Source

log = logging.getLogger("provisioner.discovery")

TICK_S = 0.1
COMPLAIN_EVERY_S = 60.0


class Listening:
    """Runs sources. ``off`` says of each that could not be opened why; the others work."""

    def __init__(self, sources: Sequence[Source], take: Callable[[Iterable[Observation]], None]) -> None:
        self._take = take
        self._selector = selectors.DefaultSelector()
        self._on: list[Source] = []
        self._complained: dict[str, float] = {}
        self._tick_at = 0.0
        self.off: dict[str, str] = {}
        self.counters: Counter[str] = Counter()
        for source in sources:
            self._open(source)

    @property
    def on(self) -> tuple[str, ...]:
        """Names of the sources that hear."""
        return tuple(source.name for source in self._on)

    @property
    def detail(self) -> str:
        """Returns in words what hears and what does not, and why; for the heartbeat."""
        on = f"hears {', '.join(self.on)}" if self._on else "hears nothing"
        return "; ".join([on, *(f"{name} is off: {why}" for name, why in self.off.items())])

    def step(self) -> None:
        """Waits for packets, at most ``TICK_S``, and works through a bounded number of them."""
        for key, _ in self._selector.select(TICK_S):
            ready = cast("socket", key.fileobj)
            source = cast("Source", key.data)
            self._guarded(source, partial(self._hear, source, ready))
        if time.monotonic() >= self._tick_at:
            self._tick_at = time.monotonic() + TICK_S
            for source in self._on:
                self._guarded(source, source.tick)

    def _hear(self, source: Source, ready: socket) -> None:
        self._take(source.heard(ready))

    def close(self) -> None:
        """Closes every socket."""
        for source in self._on:
            source.close()
        self._selector.close()

    def _open(self, source: Source) -> None:
        try:
            source.open()
        except Off as error:
            source.close()
            self.off[source.name] = str(error)
            log.warning("event=source_off source=%s detail='%s'", source.name, error)
            return
        self._on.append(source)
        for each in source.sockets():
            self._selector.register(each, selectors.EVENT_READ, source)

    def _guarded(self, source: Source, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # a process loop: one packet, or one source, must not end all others
            self.counters[f"failed_{source.name}"] += 1
            now = time.monotonic()
            if now >= self._complained.get(source.name, 0.0):
                self._complained[source.name] = now + COMPLAIN_EVERY_S
                log.exception("event=source_failed source=%s", source.name)
