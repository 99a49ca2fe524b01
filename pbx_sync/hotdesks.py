"""Hot desks: phones on which anybody may dial a log-in, and the place that emergency calls from them have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SeatAsked:
    """A log-in that was dialled and whose PIN was right, or a log-out (``number`` empty)."""

    name: str
    """What its answer is found by."""
    account: str
    """The extension that it was dialled with."""
    address: str
    """``host:port`` that the call came from: several phones may share an extension."""
    number: str
    at: float


@dataclass(frozen=True, slots=True)
class WrongPins:
    """Wrong PINs since ``since``. ``of``: ``phone/<account>`` or ``extension/<number>``."""

    of: str
    count: int
    since: float


class HotDesks(Protocol):
    """What a PBX needs to offer for log-ins to be dialled. All raise ``PBXUnavailable``."""

    def open(self, accounts: Collection[str]) -> None:
        """Has log-ins dialled with these accounts and no others; repeating it is harmless."""

    def put_places(self, places: Mapping[str, str]) -> None:
        """Keeps these places and no others: ``<number>`` or ``<number>/<host:port>`` -> what the dialplan is told of it."""

    def asked(self) -> Sequence[SeatAsked]:
        """Returns what is asked and not answered."""

    def answer(self, name: str, word: str) -> None:
        """Tells the caller what came of it: ``in``, ``out`` or ``no``."""

    def wrong_pins(self, forget_before: float) -> Sequence[WrongPins]:
        """Returns where wrong PINs were dialled, and forgets what began before ``forget_before``."""
