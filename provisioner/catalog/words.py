"""Holds the tables ``[maps.*]`` against the settings that templates look up in them: a choice without a word would fail for one phone only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.catalog.reading import Mistakes
from provisioner.core.catalogue import Model, SettingRows

_LOOKED_UP = re.compile(r"maps\.(?P<table>\w+)\[settings\.(?P<setting>\w+)\]")

Tables = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class LookedUp:
    """A table that templates look up by the value of a setting that has choices."""

    table: str
    setting: str
    choices: tuple[str, ...]


def looked_up(templates: Mapping[str, str], settings: SettingRows) -> list[LookedUp]:
    """Returns the tables of a vendor that its templates look up by a setting with choices."""
    found = {match.group("table", "setting") for text in templates.values() for match in _LOOKED_UP.finditer(text)}
    return [LookedUp(table, name, settings[name].choices) for table, name in sorted(found) if name in settings and settings[name].choices]


def note_unknown_words(path: Path, tables: Tables, looks: list[LookedUp], mistakes: Mistakes) -> None:
    """Notes every row of a file's tables that stands for no choice."""
    for look in looks:
        for word in tables.get(look.table, {}):
            if word not in look.choices:
                mistakes.note(path, f"maps.{look.table}.{word}", f"is no choice of {look.setting}: there are {', '.join(look.choices)}")


def note_words(path: Path, raw: Mapping[str, Any], models: Mapping[str, Model], looks: list[LookedUp], mistakes: Mistakes) -> None:
    """Notes rows of a ``vendor.toml`` that stand for no choice, and every choice that neither it nor each of its models has a word for."""
    note_unknown_words(path, raw.get("maps", {}), looks, mistakes)
    for look in looks if raw else ():
        rows = raw.get("maps", {}).get(look.table, {})
        for word in look.choices:
            lacking = word not in rows and [model.name for model in models.values() if word not in model.maps.get(look.table, {})]
            if lacking:
                mistakes.note(path, f"maps.{look.table}", f"has no word for {word}, a choice of {look.setting}")
