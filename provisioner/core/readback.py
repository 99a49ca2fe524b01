"""Reads the lines and keys of a phone out of its parameters, as the model's own files hold them (``probing``).

What the catalogue has no word for is left out and told by the name of its parameter, never by its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from provisioner.core.mac import Mac
from provisioner.core.probing import Form, LineNames
from provisioner.core.probing_keys import KeyNames, Place
from provisioner.core.render import own_line_keys
from provisioner.core.values import LINE_TYPES, Key, Line, PhoneConfig

_PLAIN = ("line", "blf", "speed_dial")
"""Of types that are written alike, the plain one is meant."""
_MAC = Mac("020000000001")


@dataclass(frozen=True, slots=True)
class ReadPhone:
    """What a phone's parameters say."""

    lines: tuple[Line, ...]
    keys: tuple[Key, ...]
    strange: tuple[str, ...]
    """Parameters that hold the type of a key which the catalogue has no word for."""
    left: tuple[str, ...]
    """Parameters that have a value and that nothing was read from, ``strange`` among them."""


def read_phone(form: Form, parameters: Mapping[str, str]) -> ReadPhone:
    """Returns the lines and keys in ``parameters``. Pure; never raises for what they hold."""
    lines = tuple(line for at, names in form.lines.items() if (line := _line(at, names, parameters)))
    keys, dark, strange = {}, set(), []
    for place, names in form.keys.items():
        code = parameters.get(names.type, "")
        key = _key(form, place, names, code, parameters) if code else None
        if key is not None and key.type != "none":
            keys[place] = _without_line_label(key, lines)
        elif key is not None:
            dark.add(place)
        elif code:
            strange.append(names.type)
    taken = _taken(form, lines, keys)
    left = tuple(name for name, value in parameters.items() if value and name not in taken)
    laid = _laid(form, lines, keys, dark)
    return ReadPhone(lines, tuple(laid[place] for place in sorted(laid)), tuple(strange), left)


def _line(at: int, names: LineNames, parameters: Mapping[str, str]) -> Line | None:
    number = _first(names.numbers, parameters).partition("@")[0].removeprefix("sip:").strip()
    if not number or parameters.get(names.switch) in ("0", "No"):
        return None
    label = _first(names.labels, parameters)
    name = _first(names.names, parameters)
    return Line(at, number, name, _first(names.secrets, parameters), "" if label == number else label)


def _first(names: tuple[str, ...], parameters: Mapping[str, str]) -> str:
    return next((value for name in names if (value := parameters.get(name, ""))), "")


def _key(form: Form, place: Place, names: KeyNames, code: str, parameters: Mapping[str, str]) -> Key | None:
    """Returns the key at a place; None where its type has no word in the catalogue."""
    text = parameters.get(names.value, "")
    able = [kind for kind, written in names.codes.items() if written == code]
    if not able:
        return None
    label = parameters.get(names.label, "")
    is_bare = "none" in able and "line" not in able and not text and not label
    kind = "none" if is_bare else min(able, key=lambda each: _rank(names, each, text))
    prefix = names.prefixes.get(kind, "")
    value = text.removeprefix(prefix) if kind in names.prefixes else ""
    if text == names.empty.get(kind):
        value = ""
    line = names.line_number(parameters.get(names.line, ""))
    return Key(*place, kind, value, label, line if line <= form.model.lines else 1)


def _rank(names: KeyNames, kind: str, text: str) -> tuple[int, int, str]:
    """Orders types that are written alike: the one whose code stands before the number, then the plain one."""
    prefix = names.prefixes.get(kind, "")
    fits = bool(prefix) and text.startswith(prefix) and (text != prefix or names.empty.get(kind) == text)
    return -len(prefix) if fits else 0, (0 if kind in _PLAIN else 2 if prefix else 1), kind


def _without_line_label(key: Key, lines: tuple[Line, ...]) -> Key:
    """Returns a line's key without the text that it would show by itself."""
    if key.type not in LINE_TYPES:
        return key
    own = {line.label or line.extension for line in lines if line.line == key.line}
    return replace(key, label="" if key.label in own else key.label)


def _taken(form: Form, lines: tuple[Line, ...], keys: Mapping[Place, Key]) -> set[str]:
    """Returns the parameters that lines and keys were read from, those of places that hold nothing among them."""
    found = {name for names in form.lines.values() for name in names.every()}
    for place, names in form.keys.items():
        if place in keys:
            found.update(names.every())
    return found


def _laid(form: Form, lines: tuple[Line, ...], keys: Mapping[Place, Key], dark: set[Place]) -> dict[Place, Key]:
    """Returns the keys that have to be laid out: without those that a phone has by itself, and with those that must stay dark."""
    by_itself = {place for place, key in keys.items() if _is_plain_line(key)}
    rest = {place: key for place, key in keys.items() if place not in by_itself}
    config = PhoneConfig(_MAC, form.model.id, lines, (), {}, "")
    if own_line_keys(form.model, config, rest) == {place: keys[place] for place in by_itself}:
        return rest
    extra = own_line_keys(form.model, config, keys)
    return {**keys, **{place: Key(*place, "none") for place in extra if place in dark}}


def _is_plain_line(key: Key) -> bool:
    return key.type == "line" and not key.label
