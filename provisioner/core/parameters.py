"""The parameters in a file of a phone, whoever wrote it: name -> value, in the order of the file.

How they stand in the files of a vendor is told by ``[reading]`` in its ``vendor.toml``. What a parameter means is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_PARAMETERS = 20_000
"""Of one file; the fullest of ours has some four thousand."""
_ENTITY = re.compile(r"&(?:#(?P<number>\d{1,7})|#x(?P<hex>[0-9a-fA-F]{1,6})|(?P<name>amp|lt|gt|quot|apos));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_COMMENT = ("<!--", "-->")


@dataclass(frozen=True, slots=True)
class ReadingRule:
    """How a vendor's files are read."""

    parameters: tuple[re.Pattern[str], ...]
    """Each finds one parameter, with the groups ``name`` and ``value``."""
    login: re.Pattern[str]
    """Parameters that hold the name of a line for its password alone: the number is believed from the others first."""
    unset: frozenset[str] = frozenset()
    """Values that say that a parameter has none."""
    is_xml: bool = False
    """Whether values are written with entities, and comments as in XML."""


def parameters_of(rule: ReadingRule, text: str) -> dict[str, str]:
    """Returns name -> value of each parameter in the order of the file, at most ``MOST_PARAMETERS``; the last place of a name holds."""
    found: dict[str, str] = {}
    for name, value in _matches(rule, without_comments(text) if rule.is_xml else text):
        plain = (_ENTITY.sub(_letter, value) if rule.is_xml else value).strip()
        found[name] = "" if plain in rule.unset else plain
        if len(found) >= MOST_PARAMETERS:
            break
    return found


def without_comments(text: str) -> str:
    """Returns XML text without its comments; one that is never closed goes to the end."""
    kept = []
    begin, end = _COMMENT
    for at, part in enumerate(text.split(begin)):
        kept.append(part if not at else part.partition(end)[2])
    return "".join(kept)


def _matches(rule: ReadingRule, text: str) -> Iterator[tuple[str, str]]:
    found = [(match.start(), match["name"], match["value"]) for pattern in rule.parameters for match in pattern.finditer(text)]
    yield from ((name, value) for _, name, value in sorted(found))


def _letter(entity: re.Match[str]) -> str:
    """Returns the letter of an XML entity; a number that is none stays as it is written."""
    if entity["name"]:
        return _NAMED[entity["name"]]
    number = int(entity["number"]) if entity["number"] else int(entity["hex"], 16)
    return chr(number) if 0 < number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else entity[0]
