"""Changes in plain words: what a field is called on the pages, and its values as the pages write them elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from provisioner.api.context import installation
from provisioner.core.catalogue import Setting
from provisioner.records import ChangeRecord
from web import words
from web.differences import differences, shortened, value_text
from web.i18n import _, mark, time_text
from web.sentences import catalogued
from web.told import event_word

FIELDS: Mapping[str, str] = {
    "model": mark("Model"), "site": mark("Site"), "group": mark("Group"), "layout": mark("Layout"), "enabled": mark("Switched on"), "retired": mark("Out of service"),
    "modules": mark("Expansion modules attached"), "firmware": mark("Firmware"), "secret_settings": mark("Secrets that are set"),
    "display_name": mark("Name"), "email": mark("E-mail"), "department": mark("Department"), "number": mark("Number"), "secret": mark("Secret"),
    "access": mark("Access to files"), "enrolment": mark("Unlisted phones"), "trusted_networks": mark("Trusted networks"), "pool": mark("Numbers for new phones"),
    "role": mark("Role"), "sites": mark("Sites"), "extensions": mark("Extensions"), "language": mark("Language"), "phones": mark("Phones"),
    "left_out": mark("Rows left out"), "unchanged": mark("Rows that change nothing"), "phones_created": mark("Phones, new"),
    "phones_updated": mark("Phones, changed"), "extensions_created": mark("Extensions, new"), "extensions_updated": mark("Extensions, changed"),
    "lines": mark("Lines"), "keys": mark("Keys"), "change": mark("Number of the change"),
    "phones_listed": mark("Phones, listed again"), "phones_put_back": mark("Phones, put back"), "phones_taken_off": mark("Phones, taken off"),
    "extensions_made": mark("Extensions, made again"), "extensions_put_back": mark("Extensions, put back"),
    "extensions_deleted": mark("Extensions, deleted"),
    "state": mark("State"), "reason": mark("What became of it"), "wanted": mark("To be at the service"),
    "mac": mark("MAC"), "id": mark("Number"), "address": mark("Address"), "by": mark("Signed in with"), "minutes": mark("Minutes"), "name": mark("Name"), "disabled": mark("Switched off"),
    "events": mark("Told of"), "url": mark("Address of the program"),
    "record_calls": mark("Calls are recorded"), "caller": mark("Caller"), "called": mark("Called"), "started_at": mark("Began"),
}  # fmt: skip


SETTING = "settings "
"""Before the name of a setting."""


@dataclass(frozen=True, slots=True)
class Side:
    """One field, before and after; an empty text: nothing is there."""

    name: str
    before: str
    after: str


def plainly(row: ChangeRecord) -> list[Side]:
    """Returns what a change made otherwise, field by field."""
    settings = installation().catalogue.settings
    found = (
        (name, settings.get(name.removeprefix(SETTING)) if name.startswith(SETTING) else None, before, after)
        for name, before, after in differences(row)
    )
    return [
        Side(_name(name, setting), _value(name, setting, before), _value(name, setting, after)) for name, setting, before, after in found
    ]


def secret_names(names: Iterable[str]) -> str:
    """Returns how secrets are called, settings by their label."""
    settings = installation().catalogue.settings
    return ", ".join(_name(name, settings.get(name)) for name in names)


def field_names(names: Iterable[str]) -> str:
    """Returns how fields of a change are called, one after the other."""
    settings = installation().catalogue.settings
    return ", ".join(_name(name, settings.get(name.removeprefix(SETTING)) if name.startswith(SETTING) else None) for name in names)


def _name(name: str, setting: Setting | None) -> str:
    if setting is not None:
        return catalogued(setting.label or setting.name)
    kind, _blank, place = name.partition(" ")
    if kind == "key" and place:
        return _("Key %(place)s", place=words.place_words(place))
    if kind == "line" and place:
        return _("Line %(number)s", number=place)
    return _(FIELDS[name]) if name in FIELDS else name.removeprefix(SETTING).replace("_", " ")


def _value(name: str, setting: Setting | None, value: Any) -> str:
    if value is None or value in ("", [], ()):
        return ""
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, tuple):
        return _row(name, value)
    if name in _SPELLED:
        return _SPELLED[name](value)
    unit = setting.unit if setting is not None else ""
    return f"{value_text(value)} {unit}".strip()


def _word_of(table: Mapping[str, str]) -> Callable[[Any], str]:
    """Returns what spells a value that has a marked text; one without as it is."""
    return lambda value: _(table.get(str(value), str(value)))


_SPELLED: Mapping[str, Callable[[Any], str]] = {
    "access": _word_of(words.ACCESS),
    "enrolment": _word_of(words.ENROLMENT),
    "role": _word_of(words.ROLES),
    "model": lambda value: words.model_title(str(value)),
    "secret_settings": secret_names,
    "by": _word_of(words.SIGNED_IN_BY),
    "events": lambda value: " · ".join(event_word(str(event)) for event in value),
    "started_at": lambda value: time_text(float(value)),
}


def _row(name: str, row: tuple[Any, ...]) -> str:
    """Returns a line or a key in words; what no page of ours wrote as it is."""
    if name.startswith("line "):
        return shortened(" · ".join(str(part) for part in row if part != ""))
    if not name.startswith("key ") or len(row) < 4:
        return value_text(row)
    kind, value, label, line, *more = row
    parts = [_(words.KEY_TYPES.get(str(kind), str(kind))), value, label, _("on line %(line)s", line=line) if line != 1 else ""]
    return shortened(" ".join(str(part) for part in [*parts, _("(slot)") if "slot" in more else ""] if part))
