"""Two people edit the same thing: what the second one wrote is laid over what the first one saved, and nothing of either is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Merged:
    """``values`` go back into the form. ``conflicts`` are the fields that both changed -> what the other one saved."""

    values: Mapping[str, str]
    conflicts: Mapping[str, str]
    taken: frozenset[str]
    """Fields in which only the other one changed something: they have the other's value now."""


def merged(base: Mapping[str, str], mine: Mapping[str, str], theirs: Mapping[str, str]) -> Merged:
    """Returns the three-way merge: what only one of them changed holds; where both did, ``mine`` stays and ``theirs`` is told."""
    names = dict.fromkeys([*theirs, *mine, *base])
    values: dict[str, str] = {}
    conflicts: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        was, own, other = base.get(name, ""), mine.get(name, ""), theirs.get(name, "")
        if own in (was, other):
            values[name] = other
            if other != own:
                taken.add(name)
            continue
        values[name] = own
        if other != was:
            conflicts[name] = other
    return Merged(values, conflicts, frozenset(taken))
