"""Reconciling: read, diff, guard, apply, read back."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from pbx_sync.backend import Backend
from pbx_sync.plan import Plan, diff, guard
from pbx_sync.state import State


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a reconciliation proved.

    ``verified`` holds the hash of every number as it was read back, None where it is gone; ``refused`` why a number is not as it should
    be: the PBX said so, or it said nothing and reads back otherwise.
    """

    plan: Plan
    verified: Mapping[str, str | None]
    refused: Mapping[str, str] = field(default_factory=dict)


def reconcile(
    backend: Backend, desired: State, removed: Collection[str] = (), *, owned: int = 0, confirmed: bool = False, only: bool = True
) -> Outcome:
    """Makes the PBX say ``desired`` and returns what it was then read to say.

    ``only`` looks at the numbers concerned and leaves the rest alone; without it everything of ours in the PBX is compared, and what is
    not desired is deleted. ``owned`` is how many objects of ours there are, for the guard. Raises ``PBXUnavailable`` and ``TooMuchChange``.
    """
    concerned = {*desired, *removed}
    actual = backend.read(concerned if only else None)
    surplus = removed if only else {*removed, *(actual.keys() - desired.keys())}
    plan = diff(actual, desired, surplus)
    guard(plan, max(owned, len(actual)), confirmed=confirmed)
    if plan.is_empty:
        return Outcome(plan, {number: endpoint.hash for number, endpoint in actual.items()} | dict.fromkeys(set(surplus) - actual.keys()))
    refused = backend.apply(plan)
    touched = {*(endpoint.number for endpoint in (*plan.create, *plan.update)), *plan.delete}
    after = {number: endpoint for number, endpoint in actual.items() if number not in touched} | dict(backend.read(touched))
    verified = {number: after[number].hash if number in after else None for number in {*concerned, *touched}}
    return Outcome(plan, verified, {**_unproven(plan, after), **refused})


def _unproven(plan: Plan, after: State) -> dict[str, str]:
    """Returns number -> what is wrong, for whatever was to be done and is not. Otherwise it would be done again without end."""
    changed = (endpoint.number for endpoint in (*plan.create, *plan.update) if after.get(endpoint.number) != endpoint)
    kept = (number for number in plan.delete if number in after)
    return {
        **{
            number: "the PBX took it and reads back something else" if number in after else "the PBX took it and has it not"
            for number in changed
        },
        **dict.fromkeys(kept, "the PBX was told to delete it and still has it"),
    }
