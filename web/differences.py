"""What a change changed, field by field, out of what the change row kept of before and after."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from provisioner.records import ChangeRecord

LONGEST = 120
"""Characters of a value that are shown."""
_ROWS = {"lines": ("line", 1), "keys": ("key", 2)}
"""Lists of a phone: how one of their rows is called, and how many of its first members name it."""


def differences(row: ChangeRecord) -> list[tuple[str, str, str]]:
    """Returns (field, before, after) of everything that the change made otherwise."""
    before, after = _flat(row.before), _flat(row.after)
    names = [*after, *(name for name in before if name not in after and row.after is None)]
    return [
        (name, before.get(name, ""), after.get(name, ""))
        for name in dict.fromkeys([*names, *_gone(before, after)])
        if before.get(name, "") != after.get(name, "")
    ]


def _gone(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Returns the rows of lists and the settings that are no longer there; a plain field that is not named stayed."""
    tops = {name.partition(" ")[0] for name in before if " " in name}
    return [name for name in before if " " in name and name not in after and name.partition(" ")[0] in tops]


def _flat(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        return {"": _text(value)}
    return {name: text for key, inner in value.items() for name, text in _entries(str(key), inner)}


def _entries(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        yield from ((f"{key} {name}", _text(inner)) for name, inner in value.items())
    elif key in _ROWS and isinstance(value, list):
        word, named = _ROWS[key]
        for row in value:
            if isinstance(row, list):
                place = ".".join(str(part) for part in row[:named])
                yield f"{word} {place}", " ".join(str(part) for part in row[named:] if part != "")
    else:
        yield key, _text(value)


def _text(value: Any) -> str:
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "✓" if value else "✗"
    text = ", ".join(str(item) for item in value) if isinstance(value, list) else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def changed_lines(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yields (kind, line) of how a file changes: kind is ``new``, ``gone``, ``at`` or empty."""
    kinds = {"+": "new", "-": "gone", "@": "at"}
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    for at, line in enumerate(lines):
        if at >= 2:  # the two names before the first part
            yield kinds.get(line[:1], ""), line
