"""Rows of remote installs as values: install links, and what the makers' redirect services were asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from provisioner.core.mac import Mac


@dataclass(frozen=True, slots=True)
class InstallLink:
    """A one-time way to a phone's first files. ``digest`` is of its code."""

    digest: str
    created_at: float
    expires_at: float
    started_at: float | None = None
    """When its first file went out; since then it holds for ``peer`` alone, and for minutes."""
    peer: str = ""
    closed_at: float | None = None
    """When the phone had moved to its own address."""


@dataclass(frozen=True, slots=True)
class IssuedLink:
    """A link as it is told, once."""

    code: str
    url: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class RedirectAccount:
    """An account at a maker's redirect service; ``fields`` are in clear."""

    vendor: str
    address: str
    fields: Mapping[str, str] = field(repr=False)
    changed_at: float


@dataclass(frozen=True, slots=True)
class RedirectRecord:
    """What was asked of a redirect service for a phone, and what came of it."""

    mac: Mac
    wanted: bool
    state: Literal["asked", "registered", "refused"]
    reason: str
    serial: str
    url: str = field(repr=False)
    """In clear: it may hold an install code."""
    asked_at: float
    changed_at: float
    tries: int
    due_at: float | None


@dataclass(frozen=True, slots=True)
class RedirectRemoval:
    """A phone that is off the list, and that its maker's redirect service is to forget; what came of it so far."""

    mac: Mac
    vendor: str
    state: Literal["asked", "refused"]
    reason: str
    asked_at: float
    changed_at: float
    tries: int
    due_at: float | None
