"""Backups being made, as the parts hand them on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RunState = Literal["waiting", "running", "done", "failed"]
OPEN: tuple[RunState, ...] = ("waiting", "running")


@dataclass(frozen=True, slots=True)
class BackupRun:
    """A backup that was asked for or due, and what became of it. ``step`` and ``percent`` say how far it is."""

    id: int
    at: float
    actor: str
    state: RunState
    step: str
    percent: int
    name: str
    ended_at: float | None
    error: str
