"""Keys as a person sees them on the phone: panels with pages, left and right of the display, and the pages of expansion modules.

Where the keys sit is data of the catalogue; where no source tells, they stand in the order of their numbers, and the page says so.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from provisioner.changes import KeyInput
from provisioner.core.catalogue import Model, Panel
from provisioner.core.laying import LayoutKey
from provisioner.core.values import Key
from provisioner.errors import InputError
from web.forms import whole
from web.i18n import _

MOST_BYTES = 400_000
Place = tuple[int, int]
State = dict[Place, KeyInput]
"""The keys that somebody lays out, by place."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One key as it is drawn. ``source``: own, layout, slot (to be filled), line (a line that is there by itself) or free."""

    module: int
    number: int
    key: Key | None
    source: Literal["own", "layout", "slot", "line", "free"]
    hides: bool = False
    """The layout's key stands over one of the phone's own."""

    @property
    def place(self) -> str:
        return f"{self.module}.{self.number}"


@dataclass(frozen=True, slots=True)
class KeyPage:
    """The tiles that are there at a time: in a row of numbers, or left and right of the display."""

    first: int
    last: int
    tiles: tuple[Tile, ...] = ()
    left: tuple[Tile, ...] = ()
    right: tuple[Tile, ...] = ()


@dataclass(frozen=True, slots=True)
class Block:
    """A panel of the phone, or a module."""

    name: str
    """line, memory, multi_purpose, module, or keys where no source tells how they sit."""
    module: int
    pages: tuple[KeyPage, ...]
    is_beside: bool = False


def place_of(text: str) -> Place | None:
    """Returns (module, key) of ``0.3``, or None."""
    module, _dot, key = text.partition(".")
    at, number = whole(module, 3), whole(key, 3)
    return None if at is None or number is None else (at, number)


def text_of(place: Place) -> str:
    return f"{place[0]}.{place[1]}"


def packed(state: Mapping[Place, KeyInput]) -> str:
    """Returns the keys as the form carries them: place -> type, value, label, line."""
    return packed_rows({place: [row.type, row.value, row.label, row.line] for place, row in state.items()})


def packed_rows(rows: Mapping[Place, list[Any]]) -> str:
    return json.dumps({text_of(place): row for place, row in sorted(rows.items())}, ensure_ascii=False, separators=(",", ":"))


def unpacked(text: str) -> State:
    """Returns the keys that a form carries. Raises ``InputError`` for what no page of ours sends."""
    return {place: row for place, (row, _more) in unpacked_rows(text).items()}


def unpacked_rows(text: str) -> dict[Place, tuple[KeyInput, tuple[Any, ...]]]:
    """As ``unpacked``, each key with what the form says of it besides."""
    try:
        rows: Any = json.loads(text) if len(text) <= MOST_BYTES else None
        found = {place_of(name): row for name, row in rows.items()}
        return {place: (_key(place, *row[:4]), tuple(row[4:])) for place, row in found.items() if place is not None}
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise InputError({"keys": _("The form was not sent whole: load the page again.")}) from error


def _key(place: Place, key_type: str, value: str, label: str, line: int) -> KeyInput:
    if not all(isinstance(text, str) for text in (key_type, value, label)) or not isinstance(line, int):
        raise TypeError("texts and a number are needed")
    return KeyInput(place[1], key_type, value, label, place[0], line)


def typed(place: Place, given: Mapping[str, str]) -> KeyInput:
    """Returns what the fields of the one open key say."""
    line = given.get("panel.line", "1")
    number = whole(line, 3)
    number = 1 if number is None else number
    value, label = (given.get(f"panel.{name}", "").strip() for name in ("value", "label"))
    return KeyInput(place[1], given.get("panel.type", "none"), value, label, place[0], number)


def state_of(keys: Iterable[Key]) -> State:
    return {(key.module, key.key): KeyInput(key.key, key.type, key.value, key.label, key.module, key.line) for key in keys}


def blocks(
    model: Model,
    state: State,
    layout: Sequence[LayoutKey],
    modules: int,
    lines: Mapping[Place, Key],
    slots: frozenset[Place] = frozenset(),
) -> list[Block]:
    """Returns the phone and its modules as they are drawn.

    ``lines`` are keys of lines that stand there by themselves; ``slots`` are places of the state itself that each phone fills.
    """
    fixed = {(row.key.module, row.key.key): row for row in layout}
    draw = _Drawing(state, fixed, lines, slots)
    found = list(_panels(model, draw))
    if model.expansion is not None:
        usable = [key for key in range(1, model.expansion.keys + 1) if key not in model.expansion.reserved]
        step = model.expansion.per_page or model.expansion.keys
        for module in range(1, min(modules, model.expansion.modules) + 1):
            parts = [[key for key in usable if (key - 1) // step == page] for page in range(-(-model.expansion.keys // step))]
            found.append(Block("module", module, tuple(_plain(draw, module, keys) for keys in parts if keys)))
    return found


def beyond(model: Model, state: State) -> list[KeyInput]:
    """Returns the keys that have no place on the model."""
    last = {0: model.keys}
    if model.expansion is not None:
        last |= dict.fromkeys(range(1, model.expansion.modules + 1), model.expansion.keys)
    return [row for (module, key), row in sorted(state.items()) if not 1 <= key <= last.get(module, 0)]


@dataclass(frozen=True, slots=True)
class _Drawing:
    state: State
    layout: Mapping[Place, LayoutKey]
    lines: Mapping[Place, Key]
    slots: frozenset[Place]

    def tile(self, module: int, number: int) -> Tile:
        place = (module, number)
        row, own = self.layout.get(place), self.state.get(place)
        if row is not None and not row.slot:
            return Tile(module, number, row.key, "layout", own is not None)
        if own is not None:
            key = Key(own.module, own.key, own.type, own.value, own.label, own.line)
            return Tile(module, number, key, "slot" if place in self.slots else "own")
        if row is not None:
            return Tile(module, number, row.key, "slot")
        if place in self.lines:
            return Tile(module, number, self.lines[place], "line")
        return Tile(module, number, None, "free")


def _panels(model: Model, draw: _Drawing) -> Iterator[Block]:
    first = 1
    for panel in model.panels:
        pages = tuple(_page(draw, panel, keys) for keys in panel.pages(first))
        yield Block(panel.name, 0, pages, panel.left is not None)
        first += panel.keys
    if not model.panels and model.keys:
        yield Block("keys", 0, (_plain(draw, 0, list(range(1, model.keys + 1))),))


def _page(draw: _Drawing, panel: Panel, keys: Sequence[int]) -> KeyPage:
    if panel.left is None:
        return _plain(draw, 0, keys)
    tiles = tuple(draw.tile(0, key) for key in keys)
    return KeyPage(keys[0], keys[-1], left=tiles[: panel.left], right=tiles[panel.left :])


def _plain(draw: _Drawing, module: int, keys: Sequence[int]) -> KeyPage:
    return KeyPage(keys[0], keys[-1], tuple(draw.tile(module, key) for key in keys))
