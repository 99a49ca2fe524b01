"""Calls as a PBX tells of them: those that have ended, and those under way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

Outcome = Literal["answered", "mailbox", "missed", "busy", "refused", "failed"]


@dataclass(frozen=True, slots=True)
class EndedCall:
    """A call that has ended, with all its parts: a ring group's legs, a forward, a transfer. Times in seconds since the epoch."""

    uid: str
    started_at: float
    answered_at: float | None
    ended_at: float
    caller: str
    caller_name: str
    called: str
    answered_by: str
    outcome: Outcome
    talk_s: float
    parties: tuple[str, ...]
    """Numbers of the extensions that called, rang or talked, sorted."""


@dataclass(frozen=True, slots=True)
class CallNow:
    """A call under way. ``called`` are the extensions that ring or talk besides the caller, empty at a feature."""

    uid: str
    caller: str
    caller_name: str
    called: tuple[str, ...]
    since: float
    state: Literal["ringing", "talking", "service"]
    """``service``: at a mailbox, in a conference, parked, or with another feature of the PBX."""


class CallLog(Protocol):
    """What a PBX needs to offer for its calls to be kept. All raise ``PBXUnavailable``."""

    def ended(self, limit: int) -> Sequence[EndedCall]:
        """Returns calls that are over and were not forgotten yet, the oldest first. Parts of a call that goes on are left."""

    def forget(self, uids: Collection[str]) -> None:
        """Removes calls that were taken over."""
