"""The waiting room: accounts of phones that nobody has let in yet. Each can dial a claim code and nothing else, and nobody can call it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WaitingPhone:
    """A phone in the waiting room."""

    account: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dialled:
    """A claim code that was dialled from an account."""

    account: str
    code: str


class WaitingRoom(Protocol):
    """What a PBX needs to offer for phones to be claimed by dialling. Both raise ``PBXUnavailable``."""

    def seat(self, phones: Collection[WaitingPhone]) -> None:
        """Has these accounts and none that were seated before; repeating it is harmless."""

    def dialled(self) -> Sequence[Dialled]:
        """Returns the codes dialled since it was last asked, and forgets them."""
