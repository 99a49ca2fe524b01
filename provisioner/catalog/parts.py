"""Finds templates that include themselves, by whatever way round: rendering one would never end."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

_PART = re.compile(r"""\{%-?\s*(?:include|import|from|extends)\s+["'](?P<name>[^"']+)["']""")


def circle_mistakes(templates: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields name and ``line: ...`` of each template that comes back to itself, at the line where it goes on to the next part."""
    for name, text in templates.items():
        for match in _PART.finditer(text):
            way = _way(templates, match["name"], name, frozenset())
            if way:
                line = text.count("\n", 0, match.start()) + 1
                yield name, f"{line}: includes itself: {' -> '.join((name, *way))}"


def _way(templates: Mapping[str, str], at: str, to: str, seen: frozenset[str]) -> tuple[str, ...]:
    """Returns the parts from ``at`` to ``to``, or nothing where none leads there."""
    if at == to:
        return (at,)
    if at in seen:
        return ()
    parts = (match["name"] for match in _PART.finditer(templates.get(at, "")))
    ways = (_way(templates, part, to, seen | {at}) for part in parts)
    return next(((at, *way) for way in ways if way), ())
