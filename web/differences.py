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


def differences(row: ChangeRecord) -> list[tuple[str, Any, Any]]:
    """Returns (field, before, after) of everything that the change made otherwise; None: it was not there, or is not there now."""
    before, after = (_flat(_state(row, each)) for each in (row.before, row.after))
    names = [*after, *(name for name in before if name not in after and row.after is None)]
    return [
        (name, before.get(name), after.get(name))
        for name in dict.fromkeys([*names, *_gone(before, after)])
        if value_text(before.get(name)) != value_text(after.get(name))
    ]


def _state(row: ChangeRecord, kept: Any) -> Any:
    """Returns a kept state with its settings by that name: of a group they are all that is kept."""
    return {"settings": kept} if row.action.startswith("group.") and kept is not None else kept


def _gone(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Returns the rows of lists and the settings that are no longer there; a plain field that is not named stayed."""
    tops = {name.partition(" ")[0] for name in before if " " in name}
    return [name for name in before if " " in name and name not in after and name.partition(" ")[0] in tops]


def _flat(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        return {"": value}
    return {name: inner for key, part in value.items() for name, inner in _entries(str(key), part)}


def _entries(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        yield from ((f"{key} {name}", inner) for name, inner in value.items())
    elif key in _ROWS and isinstance(value, list):
        word, named = _ROWS[key]
        for row in value:
            if isinstance(row, list):
                place = ".".join(str(part) for part in row[:named])
                yield f"{word} {place}", tuple(row[named:])
    else:
        yield key, value


def value_text(value: Any) -> str:
    """Returns a value as it is kept, shortened: the parts of a row with blanks, those of a list with commas."""
    if value is None or value == "":
        return ""
    if isinstance(value, bool):
        return "✓" if value else "✗"
    if isinstance(value, tuple):
        return shortened(" ".join(str(part) for part in value if part != ""))
    return shortened(", ".join(str(item) for item in value) if isinstance(value, list) else str(value))


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def changed_lines(before: str, after: str) -> Iterator[tuple[str, str]]:
    """Yields (kind, line) of how a file changes: kind is ``new``, ``gone``, ``at`` or empty."""
    kinds = {"+": "new", "-": "gone", "@": "at"}
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    for at, line in enumerate(lines):
        if at >= 2:  # the two names before the first part
            yield kinds.get(line[:1], ""), line
