"""What the store returns of enrolment: rows as frozen values, as those of ``records``."""

from __future__ import annotations

from dataclasses import dataclass

from provisioner.core.mac import Mac


@dataclass(frozen=True, slots=True)
class RefusalRecord:
    """A listed phone whose first fetch was refused after it was opened last, and has not come by its own address since."""

    mac: Mac
    site: str
    reason: str
    first_at: float
    at: float
    count: int
    peer: str
    user_agent: str
    succeeded_at: float | None
    """When it was last proven to have its own address; None: never."""


@dataclass(frozen=True, slots=True)
class NewcomerRecord:
    """A MAC that asked for its files by name alone and was not let in: unlisted, or listed and refused."""

    mac: Mac
    peer: str
    user_agent: str
    transport: str
    first_at: float
    at: float
    count: int
    waits: bool
    """It was given the configuration of the waiting room."""
    judged_at: float | None
    outcome: str
    waits_until: float | None
    wrong_codes: int
    stranger: str
    """An address outside the trusted networks that named the MAC as well; ``peer`` stays the trusted one."""
    stranger_at: float | None


@dataclass(frozen=True, slots=True)
class WindowRecord:
    """A site's window: unlisted phones are taken in until ``closes_at``, and no more than ``most``."""

    site: str
    opened_at: float
    closes_at: float
    most: int
    taken: int
    opened_by: str

    def is_open(self, now: float) -> bool:
        """Returns whether a phone may still come in at ``now``: its time is not over, and there is room for one more."""
        return self.closes_at > now and self.taken < self.most


@dataclass(frozen=True, slots=True)
class WarehouseRecord:
    """A phone that was bought and has no place yet: it is taken in where it is first plugged in."""

    mac: Mac
    model: str
    note: str
    added_at: float


@dataclass(frozen=True, slots=True)
class AlarmRecord:
    """A scan for MACs. ``scope`` is an address, or ``everywhere``; ``until`` is when the bootstrap opened again, or will."""

    id: int
    at: float
    part: str
    kind: str
    scope: str
    macs: int
    until: float


@dataclass(frozen=True, slots=True)
class TestCallRecord:
    """The last test call to a phone. ``state`` is asked, ringing, heard or failed; ``at`` is when it came into it."""

    mac: Mac
    asked_at: float
    asked_by: str
    state: str
    detail: str
    at: float
