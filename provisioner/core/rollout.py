"""Staged roll-out of firmware: who is next, and whether it goes on. Pure: evidence and clock come in as arguments.

A share of the phones is given the image first. Only when each of them has come back with the new version is the next share; where one
does not come back in time, nobody else is given it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from provisioner.core.mac import Mac

State = Literal["rolling", "done", "stopped"]
NAMED = 5
"""Phones that a sentence names."""


@dataclass(frozen=True, slots=True)
class Pin:
    """An image that phones are to run."""

    target: str
    """``yealink/t46u``, ``yealink/t46u@group`` or the MAC of one phone."""
    model: str
    group: str | None
    mac: Mac | None
    file: str
    """Below ``firmware/`` of the static files."""
    sha256: str
    version: str
    hardware: str
    """Revision or part number that the image is for; empty for any."""
    shares: tuple[int, ...]
    """Percent of the phones, rising to 100."""
    share: int
    """Which of ``shares`` is being given, from 0."""
    state: State
    timeout_s: int
    reason: str
    revision: int

    def concerns(self, mac: Mac, model: str, group: str | None) -> bool:
        """Returns whether a phone is among those that the pin is for."""
        if self.mac is not None:
            return self.mac == mac
        return self.model == model and (self.group is None or self.group == group)

    @property
    def closeness(self) -> int:
        """How near to one phone: the nearest pin of a phone counts."""
        return 2 if self.mac is not None else 1 if self.group is not None else 0


@dataclass(frozen=True, slots=True)
class Release:
    """A phone that was given the image of a pin."""

    mac: Mac
    target: str
    released_at: float
    confirmed_at: float | None
    """When it was seen to run the version; None where it was not yet."""


@dataclass(frozen=True, slots=True)
class Move:
    """What is to be done with a pin now."""

    release: tuple[Mac, ...] = ()
    share: int | None = None
    """The next share, where the present one is through."""
    state: State | None = None
    reason: str = ""


def next_move(pin: Pin, phones: Collection[Mac], released: Mapping[Mac, Release], now: float) -> Move:
    """Returns what the facts ask for. ``phones``: those whose nearest pin it is; ``released``: those of them that have the image."""
    if pin.state == "stopped" or not phones:
        return Move()
    due = in_order(pin.target, phones)[: _count(len(phones), pin.shares[pin.share])]
    missing = tuple(mac for mac in due if mac not in released)
    if missing:
        return Move(release=missing)
    waiting = [released[mac] for mac in due if released[mac].confirmed_at is None]
    if not waiting:
        return _onward(pin)
    late = [item.mac for item in waiting if now - item.released_at > pin.timeout_s]
    if late and pin.state == "rolling":
        named = ", ".join(mac.colons for mac in late[:NAMED])
        return Move(state="stopped", reason=f"{len(late)} of {len(due)} phones did not come back with {pin.version} in time: {named}")
    return Move()


def in_order(target: str, phones: Collection[Mac]) -> list[Mac]:
    """Returns the phones in the order of a roll-out: the same each time, and as good as random over floors and sites."""
    return sorted(phones, key=lambda mac: hashlib.sha256(f"{target} {mac}".encode()).digest())


def _count(phones: int, percent: int) -> int:
    return min(phones, max(1, math.ceil(phones * percent / 100)))


def _onward(pin: Pin) -> Move:
    if pin.share + 1 < len(pin.shares):
        return Move(share=pin.share + 1)
    return Move() if pin.state == "done" else Move(state="done")
