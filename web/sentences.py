"""Sentences of the server in the language of the page.

The server says in English what is wrong or what became of something; some of it is kept, and shown much later to somebody else. A page
finds the sentence of the code that a text was made of - ``there is no extension {number}``, the one with the most words where several
fit - and puts the same values into its translation, themselves translated where they are sentences. What fits none stays as it is: a
name, a message of another program, a text that the pages made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache

from web import i18n

FOLDER = i18n.FOLDER / "sentences"
LONGEST = 2000
"""Characters of a text that is looked at."""
_PART = re.compile(r"\{(\w+)\}")
_ENDS = (".", "?", "!", "។")
_STOPS: Mapping[str, str] = {"km": "។"}
_DEPTH = 3
"""Sentences within sentences."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of the code, with its translation; both have the same named parts."""

    text: str
    translation: str

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Returns what stands around its parts, always one more than there are parts."""
        return tuple(_PART.split(self.text)[::2])

    def values(self, said: str) -> Mapping[str, str] | None:
        """Returns part -> value where ``said`` was made of this sentence, else None. Each part ends where what follows it first stands."""
        first, *others = self.words
        if not said.startswith(first) or not said.endswith(self.words[-1]):
            return None
        found: dict[str, str] = {}
        names, at = _PART.findall(self.text), len(first)
        for name, word in zip(names, others, strict=True):
            is_last = len(found) == len(names) - 1
            end = len(said) - len(word) if is_last else said.find(word, at)
            if end < at:
                return None
            found[name], at = said[at:end], end + len(word)
        return found if at == len(said) else None

    def told(self, values: Mapping[str, str]) -> str:
        """Returns the translation with the values put in."""
        return _PART.sub(lambda match: values[match[1]], self.translation)


def translated(said: str) -> str:
    """Returns what the server said in the language of the page."""
    language = i18n.language()
    return said if language == i18n.DEFAULT else _translated(language, said[:LONGEST], _DEPTH)


def catalogued(text: str) -> str:
    """Returns a text of the catalogue, such as the name or the help of a setting, in the language of the page.

    One of somebody's own catalogue that nobody translated stays as it is.
    """
    return i18n.of_catalogue(text, i18n.language()) or translated(text)


def full_sentence(said: str) -> str:
    """As ``translated``, with a capital letter and a full stop: for a sentence that stands alone."""
    text = translated(said)
    return text[:1].upper() + text[1:] + ("" if text.endswith(_ENDS) else _STOPS.get(i18n.language(), "."))


@cache
def sentences(language: str) -> tuple[Sentence, ...]:
    """Returns the translated sentences of a language, those with the most words first."""
    found = [Sentence(text, translation) for text, translation in i18n.translated_in(FOLDER, language).items()]
    return tuple(sorted(found, key=lambda sentence: -sum(map(len, sentence.words))))


@lru_cache(maxsize=1024)
def _translated(language: str, said: str, depth: int) -> str:
    # Why a phone lacks something stands in the catalogue, as whole sentences.
    if " " in said and (whole := i18n.of_catalogue(said, language)):
        return whole
    for sentence in sentences(language) if depth and " " in said else ():
        values = sentence.values(said)
        if values is not None:
            return sentence.told({name: _translated(language, value, depth - 1) for name, value in values.items()})
    return _in_parts(language, said, depth)


def _in_parts(language: str, said: str, depth: int) -> str:
    """Translates what was put together of several sentences, or has a place before it: ``site: there is no site Oslo``."""
    for between in ("; ", ": "):
        head, mark, tail = said.partition(between)
        if mark and depth:
            return f"{_translated(language, head, depth - 1)}{mark}{_translated(language, tail, depth)}"
    return said
