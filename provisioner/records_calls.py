"""Calls as values: one row for each talk, however many phones rang for it and whoever passed it on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Outcome = Literal["answered", "mailbox", "missed", "busy", "refused", "failed"]

OUTCOMES: Mapping[Outcome, str] = {
    "answered": "somebody, or a feature of the PBX, took it",
    "mailbox": "nobody took it, and the caller came to a mailbox",
    "missed": "it rang, and nobody took it before the caller or the PBX gave up",
    "busy": "everybody who was called was talking, or declined",
    "refused": "the PBX did not put it through: the number does not exist, or may not be called",
    "failed": "it could not be put through: no phone was registered, or none answered the PBX",
}
"""How a call can end, with what that means."""


@dataclass(frozen=True, slots=True)
class Held:
    """The recordings that there are. ``oldest_at``: when the oldest of them ended, None where there is none."""

    calls: int
    bytes: int
    oldest_at: float | None


@dataclass(frozen=True, slots=True)
class CallRecord:
    """A call that has ended. Times are seconds since the epoch, as the PBX's clock had them."""

    number: int
    uid: str
    """The PBX's own name of the call: of all its parts the same."""
    started_at: float
    answered_at: float | None
    ended_at: float
    caller: str
    caller_name: str
    called: str
    """As it was dialled first."""
    answered_by: str
    """Extension of whoever talked last with the caller; empty where that was nobody, or a feature of the PBX."""
    outcome: Outcome
    talk_s: float
    recording: str
    """Name of its file; empty: there is none."""
    recording_bytes: int
