"""A plan is a value: it can be printed, tested, stored and approved before anything is touched."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace

from pbx_sync.state import OTHER_FORM, PBXObject, State

GUARD_SHARE = 0.30
GUARD_FROM = 10
"""Deleting or changing more than 30 % of at least 10 objects of ours needs a confirmation: no mistake may empty a PBX."""


class TooMuchChange(Exception):
    """The plan touches too large a part of the PBX to be applied unasked: ``touched`` of ``owned`` objects."""

    def __init__(self, message: str, plan: Plan, owned: int) -> None:
        self.plan = plan
        self.touched = plan.touched
        self.owned = owned
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done, in a fixed order: by number within each kind."""

    create: tuple[PBXObject, ...] = ()
    update: tuple[PBXObject, ...] = ()
    delete: tuple[str, ...] = ()
    reasons: Mapping[str, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """Number of an update -> what the PBX says otherwise, in words; no secret in it."""
    renewed: int = field(default=0, compare=False)
    """How many of the updates only bring what another version of this program wrote into today's form."""

    @property
    def is_empty(self) -> bool:
        return not (self.create or self.update or self.delete)

    @property
    def touched(self) -> int:
        """How many objects that are there would be changed or deleted."""
        return len(self.update) + len(self.delete)

    def lines(self) -> list[str]:
        """Returns the plan as a person reads it; no secret in it."""
        return (
            [f"+ {item.number} {item.label}" for item in self.create]
            + [f"~ {item.number} {item.label}: {'; '.join(self.reasons.get(item.number, ()))}".removesuffix(": ") for item in self.update]
            + [f"- {number}" for number in self.delete]
        )


def diff(actual: State, desired: State, removed: Collection[str] = ()) -> Plan:
    """Returns what turns ``actual`` into ``desired``. Of what is not desired only ``removed`` is deleted, where it is there."""
    changed = sorted(number for number in desired.keys() & actual.keys() if desired[number] != actual[number])
    return Plan(
        create=tuple(desired[number] for number in sorted(desired.keys() - actual.keys())),
        update=tuple(desired[number] for number in changed),
        delete=tuple(sorted(number for number in removed if number in actual and number not in desired)),
        reasons={number: differences(actual[number], desired[number]) for number in changed},
        renewed=sum(_is_renewed(actual[number], desired[number]) for number in changed),
    )


def _is_renewed(actual: PBXObject, desired: PBXObject) -> bool:
    return OTHER_FORM in actual.deviations and replace(actual, deviations=desired.deviations) == desired


def differences(actual: PBXObject, desired: PBXObject) -> tuple[str, ...]:
    """Returns what ``actual`` says otherwise than ``desired``, one sentence a field; of secrets only that they differ."""
    if type(actual) is not type(desired):
        return (f"it is {_KINDS.get(type(actual).__name__, 'something else')}",)
    other = [
        item.name for item in fields(desired) if getattr(actual, item.name) != getattr(desired, item.name) and item.name != "deviations"
    ]
    said = [f"{name} is another one" if name in _SECRET else f"{name} is {_shown(getattr(actual, name))}" for name in other]
    return (*said, *(text[:_LONGEST] for text in actual.deviations))


def _shown(value: object) -> str:
    return repr(", ".join(value) if isinstance(value, tuple) else value)[:_LONGEST]


_KINDS = {"Endpoint": "an extension", "RingGroup": "a ring group"}
_SECRET = {"secret", "former_secrets"}
_LONGEST = 200


def guard(plan: Plan, owned: int, *, confirmed: bool) -> None:
    """Raises ``TooMuchChange`` where the plan changes or deletes more than the share of ``owned`` objects that goes unasked.

    What another version of this program wrote is brought into today's form unasked: an update must not wait for somebody.
    """
    if not confirmed and owned >= GUARD_FROM and plan.touched - plan.renewed > owned * GUARD_SHARE:
        message = (
            f"{plan.touched - plan.renewed} of {owned} extensions in the PBX would be changed or deleted: look at the plan, then confirm it"
        )
        raise TooMuchChange(message, plan, owned)
