"""Emergency calls: a PBX is told which numbers those are, and says who dials one, while it is dialled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class EmergencyCall:
    """Somebody dialled one of the numbers, whatever became of it."""

    uid: str
    """The PBX's own name of the call, as its record has it afterwards."""
    extension: str
    number: str
    address: str
    """``host:port`` that the phone called from; empty where the call, or the PBX, was gone before that could be asked."""
    at: float


class Emergencies(Protocol):
    """What a PBX needs to offer for emergency calls to be told at once."""

    def watch_emergencies(self, numbers: Collection[str]) -> None:
        """Has calls to these numbers noted, and to no others; repeating it is harmless."""

    def emergencies(self) -> Sequence[EmergencyCall]:
        """Returns the calls since it was last asked, the oldest first. None is lost with a PBX that is gone meanwhile."""
