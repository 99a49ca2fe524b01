"""What readers of seats get."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.core.mac import Mac


@dataclass(frozen=True, slots=True)
class SeatRecord:
    """Somebody who sits at a hot desk. ``place`` is the phone's own extension, whose place emergency calls have; empty where it has none."""

    mac: Mac
    extension: str
    display_name: str
    since: float
    actor: str
    place: str
    site: str


@dataclass(frozen=True, slots=True)
class DeskRecord:
    """What the layers of settings say of a phone as a hot desk. ``until`` is a time of day, or ``off``."""

    is_hot: bool
    until: str
    timezone: str


@dataclass(frozen=True, slots=True)
class WrongPinRecord:
    """Wrong PINs that were dialled. ``kind`` is phone (``number`` is then the extension that it has) or extension (whose PIN it was)."""

    kind: str
    number: str
    count: int
    since: float
