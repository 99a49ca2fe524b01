"""Finds the line of a vendor folder that a piece of a rendered file comes from, so that a mistake seen there can be mended here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from itertools import zip_longest

from provisioner.catalog.layers import VendorFolder

_PRINTED = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
_WORD = re.compile(r"[A-Za-z]\w{2,}")
_SHORTEST_SUFFIX = 6
"""Characters: a table holds the end of a name where a template writes its beginning."""


class Written:
    """The lines of one vendor folder. Read when the first mistake is looked for, once."""

    def __init__(self, folder: VendorFolder) -> None:
        self._folder = folder

    def place(self, name: str, line: str) -> str:
        """Returns ``file:line`` of the table or template that names a parameter, or of the template that wrote ``line``."""
        for spelling in _spellings(name):
            whole = re.compile(rf"(?<![\w.]){re.escape(spelling)}(?![\w.])")
            for place, text in self._lines:
                if whole.search(text):
                    return place
        words = set(_WORD.findall(name))
        fits = [(_fits(text, line, words), place) for place, text in self._lines]
        literal, place = max(fits, key=lambda fit: fit[0], default=(0, ""))
        return place if literal else f"{self._folder / 'vendor.toml'}:1"

    @cached_property
    def _lines(self) -> list[tuple[str, str]]:
        patterns = ("templates/*.j2", "vendor.toml", "series/*.toml", "models/*.toml")
        return [
            (f"{path}:{number}", text)
            for pattern in patterns
            for path in self._folder.glob(pattern)
            for number, text in enumerate(path.read_text("utf-8").splitlines(), 1)
        ]


def first_difference(left: bytes, right: bytes) -> int:
    """Returns the number of the first line that two files do not share."""
    pairs = zip_longest(left.splitlines(), right.splitlines())
    return next((number for number, (one, other) in enumerate(pairs, 1) if one != other), 1)


def _spellings(name: str) -> Iterator[str]:
    """Yields how a table may hold a name: whole, its end, or the number of a P value alone."""
    yield name
    rest = name
    while "." in rest and len(rest := rest.partition(".")[2]) >= _SHORTEST_SUFFIX:
        yield rest
    if name[:1] == "P" and name[1:].isdecimal():
        yield name[1:]


def _fits(template: str, line: str, words: set[str]) -> int:
    """Returns how many characters of a template's line stand in ``line`` as they are; 0 where it cannot have written it."""
    literal = _PRINTED.split(template.strip())
    if not words & set(_WORD.findall(" ".join(literal))):
        return 0
    written = re.fullmatch(".*?".join(re.escape(piece) for piece in literal), line.strip())
    return sum(len(piece) for piece in literal) if written else 0
