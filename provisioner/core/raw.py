"""Parameters of a maker that an installer adds by hand: the setting ``raw.<parameter>``.

What lives here: which of them a vendor's phones know, which are refused because they would take the phone away from this server, and
how the value added last stands in a file alone. What does not: reading the vendor's list (``provisioner.catalog``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

PREFIX = "raw."
MAX_NAME = 120
_NAME = re.compile(r"^[A-Za-z0-9_@.\-]+\Z")
_INDEX = re.compile(r"(?<=\.)\d+(?=\.|\Z)")
_DIGITS = re.compile(r"\d+")
_PLACE = re.compile(r"(?<=[._])N(?=\.|\Z)")
_SECRET = re.compile(r"passw|secret|passphrase|psk|aes_key|pri_key", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class RawForm:
    """How the names of parameters look on some phones of a vendor."""

    names: re.Pattern[str]
    example: str


@dataclass(frozen=True, slots=True)
class RawRule:
    """What a vendor folder says of parameters added by hand."""

    names: frozenset[str] = field(repr=False)
    """The vendor's own list; a number between dots is written ``N``."""
    refused: tuple[re.Pattern[str], ...]
    """Those that would take the phone away: registration, server, passwords that this server sets."""
    written: str
    """How one stands in a file, as a pattern with ``{name}``; where a name is there twice, the last place holds and the others go."""
    parameter: re.Pattern[str] | None = None
    """How each parameter of a rendered file is found, its name in the group ``name``; None where files are not held against the list."""
    form_quirk: str = ""
    """The quirk of a model that tells which of ``forms`` its phones take; empty where all take one form."""
    forms: Mapping[str, RawForm] = field(default_factory=dict)
    """Value of that quirk -> the form."""

    def form_of(self, quirks: Mapping[str, object]) -> RawForm | None:
        """Returns the form that phones with these quirks take; None where any name of the list will do."""
        return self.forms.get(str(quirks.get(self.form_quirk, "")))

    def knows(self, name: str) -> bool:
        """Returns whether the vendor's list has ``name``."""
        return bool(_NAME.match(name)) and (name in self.names or bool(self.names & _numbered(name)))

    def refuses(self, name: str) -> bool:
        """Returns whether ``name`` may not be set by hand."""
        return any(pattern.match(name) for pattern in self.refused)

    def takes(self, name: str) -> bool:
        """Returns whether ``name`` may be added by hand on phones of this vendor."""
        return self.knows(name) and not self.refuses(name)


def parameter_of(setting: str) -> str | None:
    """Returns the maker's parameter in the name of a setting, or None where it is a setting of the table."""
    return setting.removeprefix(PREFIX) if setting.startswith(PREFIX) and len(setting) <= MAX_NAME else None


def is_secret(parameter: str) -> bool:
    """Returns whether the value of a parameter of this name is kept as a secret."""
    return bool(_SECRET.search(parameter))


def why_refused(rules: Iterable[RawRule], parameter: str) -> str | None:
    """Returns the sentence that refuses ``parameter`` for phones of these vendors, or None where one of them takes it."""
    rules = list(rules)
    if any(rule.takes(parameter) for rule in rules):
        return None
    if any(rule.knows(parameter) for rule in rules):
        return "this parameter is not set by hand: it would take the phone away from this server; use the settings, lines and keys"
    return "no list of parameters has this name; write it as the maker does"


def why_wrong_form(rule: RawRule | None, quirks: Mapping[str, object], parameter: str) -> str | None:
    """Returns the sentence that refuses a parameter whose name is of a form that phones with these quirks do not read, or None."""
    form = rule.form_of(quirks) if rule is not None else None
    if form is None or form.names.match(parameter):
        return None
    return f"this model reads names of another form, for example {form.example}: this one would be left out of its file"


def chosen(rule: RawRule | None, settings: Mapping[str, object]) -> list[tuple[str, object]]:
    """Returns the parameters by hand that a phone of this vendor takes, in the order of their names."""
    if rule is None:
        return []
    named = ((parameter_of(name), value) for name, value in settings.items())
    return sorted((name, value) for name, value in named if name is not None and rule.takes(name))


def without_doubles(rule: RawRule, names: Iterable[str], text: str, *, last: bool = True) -> str:
    """Returns ``text`` with only the last place of each of these parameters, or the first."""
    for name in names:
        places = list(re.finditer(rule.written.replace("{name}", re.escape(name)), text))
        for place in reversed(places[:-1] if last else places[1:]):
            text = text[: place.start()] + text[place.end() :]
    return text


def with_numbers(name: str) -> str:
    """Returns a name of a list as a file may have it: 1 for each ``N`` that stands for a number."""
    return _PLACE.sub("1", name)


def _numbered(name: str) -> set[str]:
    """Returns how a list may hold a name: ``N`` for its first number between dots, for all of them, or for every number."""
    return {_INDEX.sub("N", name, count=1), _INDEX.sub("N", name), _DIGITS.sub("N", name)}


def listed(text: str) -> Iterator[str]:
    """Yields the names in a vendor's list: one a line; what begins with ``#`` says where they are from."""
    for line in text.splitlines():
        if line and not line.startswith("#"):
            yield line.strip()
