"""Which keys a phone really has: those of its layout, and its own wherever the layout leaves the place to it.

A layout's key is the same on every phone of the layout. A *slot* of it is a place that each phone fills itself and that stays dark until
it does. Places that the layout does not name are the phone's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from provisioner.core.values import Key

Source = Literal["own", "layout", "slot"]


@dataclass(frozen=True, slots=True)
class LayoutKey:
    """One key of a layout. Of a ``slot``, type and label only suggest what a phone may put there."""

    key: Key
    slot: bool = False


@dataclass(frozen=True, slots=True)
class LayoutRecord:
    """A key layout that phones share, with how many have it."""

    name: str
    keys: tuple[LayoutKey, ...]
    phones: int
    revision: int


@dataclass(frozen=True, slots=True)
class LaidKey:
    """A key with where it comes from: the phone's own, the layout's, or a slot that the phone has not filled."""

    key: Key
    source: Source
    hidden: Key | None = None
    """The phone's own key that the layout's stands over; it comes back when the layout leaves the place."""


def laid_keys(own: Iterable[Key], layout: Iterable[LayoutKey]) -> list[LaidKey]:
    """Returns every key in the order of its place."""
    mine = {(key.module, key.key): key for key in own}
    laid = {place: LaidKey(key, "own") for place, key in mine.items()}
    for row in layout:
        place = (row.key.module, row.key.key)
        if not row.slot:
            laid[place] = LaidKey(row.key, "layout", mine.get(place))
        elif place not in mine:
            laid[place] = LaidKey(row.key, "slot")
    return [laid[place] for place in sorted(laid)]


def effective_keys(own: Iterable[Key], layout: Iterable[LayoutKey]) -> tuple[Key, ...]:
    """Returns the keys that the phone's files are made of: a slot that is not filled is a place that stays dark."""
    laid = laid_keys(own, layout)
    return tuple(Key(row.key.module, row.key.key, "none") if row.source == "slot" else row.key for row in laid)


def kept_places(layout: Iterable[LayoutKey]) -> set[tuple[int, int]]:
    """Returns the places, as (module, key), that a phone of the layout cannot lay out itself."""
    return {(row.key.module, row.key.key) for row in layout if not row.slot}
