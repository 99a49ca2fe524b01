"""A plan is a value: it can be printed, tested, stored and approved before anything is touched."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from pbx_sync.state import PBXObject, State

GUARD_SHARE = 0.30
GUARD_FROM = 10
"""Deleting or changing more than 30 % of at least 10 objects of ours needs a confirmation: no mistake may empty a PBX."""


class TooMuchChange(Exception):
    """The plan touches too large a part of the PBX to be applied unasked: ``touched`` objects."""

    def __init__(self, message: str, touched: int) -> None:
        self.touched = touched
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done, in a fixed order: by number within each kind."""

    create: tuple[PBXObject, ...] = ()
    update: tuple[PBXObject, ...] = ()
    delete: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        return not (self.create or self.update or self.delete)

    def lines(self) -> list[str]:
        """Returns the plan as a person reads it; no secret in it."""
        return (
            [f"+ {item.number} {item.label}" for item in self.create]
            + [f"~ {item.number} {item.label}" for item in self.update]
            + [f"- {number}" for number in self.delete]
        )


def diff(actual: State, desired: State, removed: Collection[str] = ()) -> Plan:
    """Returns what turns ``actual`` into ``desired``. Of what is not desired only ``removed`` is deleted, where it is there."""
    return Plan(
        create=tuple(desired[number] for number in sorted(desired.keys() - actual.keys())),
        update=tuple(desired[number] for number in sorted(desired.keys() & actual.keys()) if desired[number] != actual[number]),
        delete=tuple(sorted(number for number in removed if number in actual and number not in desired)),
    )


def guard(plan: Plan, owned: int, *, confirmed: bool) -> None:
    """Raises ``TooMuchChange`` where the plan changes or deletes more than the share of ``owned`` objects that goes unasked."""
    touched = len(plan.update) + len(plan.delete)
    if not confirmed and owned >= GUARD_FROM and touched > owned * GUARD_SHARE:
        message = f"{touched} of {owned} extensions in the PBX would be changed or deleted: look at the plan, then confirm it"
        raise TooMuchChange(message, touched)
