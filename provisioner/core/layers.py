"""Merging settings over layers, and telling which layer each value came from.

The order is fixed and printed: default, installation, vendor, site, group, model, phone. The most specific wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from provisioner.core.values import SettingValue

LAYER_ORDER: tuple[str, ...] = ("default", "installation", "vendor", "site", "group", "model", "phone")


@dataclass(frozen=True, slots=True)
class Layer:
    """One source of settings. ``kind`` is one of ``LAYER_ORDER``; ``name`` tells which one, e.g. the site's."""

    kind: str
    name: str
    values: Mapping[str, SettingValue]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from, and what it hides: ``overridden`` runs from the nearest hidden layer to the farthest."""

    value: SettingValue
    layer: str
    name: str
    overridden: tuple[Layer, ...] = ()


def merged(layers: Iterable[Layer]) -> dict[str, SettingValue]:
    """Returns each setting's winning value. Layers may come in any order; within one kind the later one wins."""
    values: dict[str, SettingValue] = {}
    for layer in _ordered(layers):
        values.update(layer.values)
    return values


def explained(layers: Iterable[Layer], name: str) -> Origin | None:
    """Returns where setting ``name`` gets its value from, or None where no layer sets it."""
    hits = [layer for layer in _ordered(layers) if name in layer.values]
    if not hits:
        return None
    winner = hits[-1]
    hidden = tuple(Layer(layer.kind, layer.name, {name: layer.values[name]}) for layer in reversed(hits[:-1]))
    return Origin(winner.values[name], winner.kind, winner.name, hidden)


def _ordered(layers: Iterable[Layer]) -> list[Layer]:
    return sorted(layers, key=lambda layer: LAYER_ORDER.index(layer.kind))
