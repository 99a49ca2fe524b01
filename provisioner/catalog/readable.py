"""Reads the table ``[reading]`` of a vendor: how files of its phones, written by other systems, are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from marshmallow import fields, validate

from provisioner.catalog.reading import Mistakes, Strict
from provisioner.core.parameters import ReadingRule


class ReadingSchema(Strict):
    """The table ``[reading]``."""

    parameters = fields.List(fields.String(), required=True, validate=validate.Length(min=1))
    login = fields.String(load_default="(?!)")
    unset = fields.List(fields.String(), load_default=list)


def reading_rule(raw: Mapping[str, Any], path: Path, mistakes: Mistakes) -> ReadingRule | None:
    """Returns the rule of a checked ``vendor.toml``, or None where it has none; bad patterns are noted, and then fit nothing."""
    table = raw.get("reading")
    if not table:
        return None
    return ReadingRule(
        parameters=tuple(_parameter(text, path, mistakes) for text in table["parameters"]),
        login=mistakes.pattern(path, "reading.login", table["login"]),
        unset=frozenset(table["unset"]),
        is_xml=raw.get("escape") == "xml",
    )


def _parameter(text: str, path: Path, mistakes: Mistakes) -> re.Pattern[str]:
    pattern = mistakes.pattern(path, "reading.parameters", text)
    if pattern.pattern == text and pattern.groupindex.keys() != {"name", "value"}:
        mistakes.note(path, "reading.parameters", f"'{text}' needs the groups name and value")
    return pattern
