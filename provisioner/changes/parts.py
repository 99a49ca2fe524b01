"""What a change of many things keeps of each, and how each stands since. Pure: nothing is read or written here.

Only the fields that the change touched are kept, so that undoing it leaves alone whatever else somebody did with the thing since.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from provisioner.changes.keys import KeyInput
from provisioner.changes.phones import LineInput, PhoneInput, shown_for_change
from provisioner.core.mac import Mac
from provisioner.core.values import SettingValue
from provisioner.records import ExtensionRecord, PhoneRecord
from provisioner.records_changes import ChangePart, Kept

if TYPE_CHECKING:
    from provisioner.changes.bulk import ExtensionRow, PhoneRow

Secrecy = Callable[[str], bool]
"""Says of the name of a setting whether it is a secret."""
PLAIN = ("model", "site", "group", "layout", "enabled")
_ROWS = {"lines": ("line", "extension", "label"), "keys": ("module", "key", "type", "value", "label", "line")}
_NAMED = {"lines": 1, "keys": 2}
"""How many of the first members of a row name its place."""
EXTENSION = ("display_name", "email", "department", "site")


def phone_part(row: PhoneRow, is_secret: Secrecy) -> ChangePart:
    """Returns what writing the row makes of its phone; of secrets their names alone."""
    before = row.before
    if before is None:
        return ChangePart("phone", row.mac, None, _listed(row, is_secret))
    was: dict[str, Any] = {name: getattr(before, name) for name in PLAIN if getattr(before, name) != getattr(row, name)}
    now: dict[str, Any] = {name: getattr(row, name) for name in was}
    if row.modules is not None and row.modules != before.modules:
        was["modules"], now["modules"] = before.modules, row.modules
    old, new = shown_for_change(before), {"lines": row.lines, "keys": row.keys}
    for name, given in new.items():
        if given is not None and (rows := _rows(name, given)) != old[name]:
            was[name], now[name] = ([each for each in one if each not in other] for one, other in ((old[name], rows), (rows, old[name])))
    secret = {name for name in row.settings if is_secret(name) or name in before.secret_names}
    open_ones = {name: value for name, value in row.settings.items() if name not in secret}
    if open_ones:
        was["settings"] = {name: before.settings[name] for name in open_ones if name in before.settings}
        now["settings"] = {name: value for name, value in open_ones.items() if value is not None}
    if secret:
        was["secret_settings"] = sorted(secret & set(before.secret_names))
        now["secret_settings"] = sorted(name for name in secret if row.settings[name])
    return ChangePart("phone", row.mac, was, now)


def _listed(row: PhoneRow, is_secret: Secrecy) -> dict[str, Any]:
    given = {name: value for name, value in row.settings.items() if value is not None}
    return {
        **{name: getattr(row, name) for name in PLAIN},
        "modules": row.modules or 0,
        "firmware": row.firmware,
        "settings": {name: value for name, value in given.items() if not is_secret(name)},
        "secret_settings": sorted(name for name in given if is_secret(name)),
        **{name: _rows(name, given or ()) for name, given in (("lines", row.lines), ("keys", row.keys))},
    }


def _rows(name: str, given: Sequence[Any]) -> list[list[Any]]:
    """Returns lines or keys as changes keep them, in their order."""
    rows = [[getattr(each, field) for field in _ROWS[name]] for each in given]
    return sorted(rows, key=lambda row: row[: _NAMED[name]])


def layout_part(record: PhoneRecord, layout: str | None) -> ChangePart:
    """Returns what giving a phone a layout makes of it."""
    return ChangePart("phone", record.mac, {"layout": record.layout}, {"layout": layout})


def extension_part(row: ExtensionRow) -> ChangePart:
    """Returns what writing the row makes of its extension; of a new secret only that there is one."""
    given: dict[str, Any] = {name: value for name, value in row.given.items() if name != "secret"}
    if row.before is None:
        return ChangePart("extension", row.number, None, {"display_name": row.number, "email": "", "department": "", "site": "", **given})
    was = {name: getattr(row.before, name) for name in given}
    return ChangePart("extension", row.number, was, given | ({"secret": "changed"} if row.given.get("secret") else {}))


def gone_part(record: PhoneRecord | ExtensionRecord) -> ChangePart:
    """Returns what taking a thing away makes of it."""
    if isinstance(record, PhoneRecord):
        return ChangePart("phone", record.mac, shown_for_change(record), None)
    return ChangePart("extension", record.number, state_of(record), None)


def state_of(record: PhoneRecord | ExtensionRecord) -> dict[str, Any]:
    """Returns a thing as changes keep it."""
    if isinstance(record, PhoneRecord):
        return shown_for_change(record)
    return {name: getattr(record, name) for name in EXTENSION}


@dataclass(frozen=True, slots=True)
class Standing:
    """A part of a change beside what there is now of the thing; None: it is not there."""

    part: ChangePart
    record: PhoneRecord | ExtensionRecord | None

    @property
    def is_gone(self) -> bool:
        """Whether the change left something there that is no longer there."""
        return self.record is None and self.part.after is not None

    @property
    def is_back(self) -> bool:
        """Whether the change took something away that is there again."""
        return self.record is not None and self.part.after is None

    @property
    def changed(self) -> list[str]:
        """Names of the fields that are no longer as the change left them; settings as ``settings voice_vlan``."""
        if self.record is None or self.part.after is None:
            return []
        return list(dict.fromkeys(_changed(self.part.before, self.part.after, state_of(self.record))))

    @property
    def lost(self) -> set[str]:
        """Names of secrets that undoing cannot bring back, since no change keeps them."""
        before, after = self.part.before, self.part.after
        if before is None or self.is_gone:
            return set()
        if self.part.noun == "extension":
            return {"secret"} if after is None or "secret" in after else set()
        return set(before.get("secret_settings", ()))


def _changed(before: Kept | None, after: Kept, now: Kept) -> Iterator[str]:
    for name, value in after.items():
        if name == "settings":
            yield from _changed_settings(before, value, now["settings"])
        elif name in _ROWS:
            touched = now[name] if before is None else [*before.get(name, ()), *value]
            if _at(name, now[name], touched) != value:
                yield name
        elif name == "secret_settings":
            names = set(value) | set(now[name] if before is None else before.get(name, ()))
            if set(now[name]) & names != set(value):
                yield name
        elif name in now and now[name] != value:
            yield name


def _changed_settings(before: Kept | None, after: Kept, now: Kept) -> Iterator[str]:
    touched = {*after, *(now if before is None else before.get("settings", {}))}
    yield from (f"settings {name}" for name in sorted(touched) if _other(after.get(name), now.get(name)))


def _at(name: str, rows: Sequence[Any], touched: Sequence[Any], *, beside: bool = False) -> list[list[Any]]:
    """Returns those of the rows that have the place of one of ``touched``; ``beside``: the other ones."""
    places = {tuple(row[: _NAMED[name]]) for row in touched}
    return [list(row) for row in rows if (tuple(row[: _NAMED[name]]) in places) is not beside]


def _other(one: object, another: object) -> bool:
    """Returns whether two values differ; 1 is not true."""
    return one != another or isinstance(one, bool) != isinstance(another, bool)


def way_back(part: ChangePart, record: PhoneRecord) -> dict[str, Any]:
    """Returns the fields of a ``PhoneRow`` that puts back what the change touched of a phone; everything else stays as it is."""
    was, now = part.before or {}, part.after or {}
    settings: dict[str, SettingValue | None] = {name: was.get("settings", {}).get(name) for name in _touched("settings", was, now)}
    settings |= dict.fromkeys(set(now.get("secret_settings", ())) - set(was.get("secret_settings", ())))
    plain = {name: was.get(name, getattr(record, name)) for name in (*PLAIN, "modules")}
    now_rows, rows = shown_for_change(record), dict[str, Any]()
    for name in (each for each in _ROWS if each in was):
        kept = _at(name, now_rows[name], [*was[name], *now[name]], beside=True)
        rows[name] = _inputs(name, [*kept, *was[name]])
    return {"mac": record.mac, **plain, **rows, "settings": settings, "before": record}


def _inputs(name: str, rows: Sequence[Any]) -> tuple[Any, ...]:
    """Returns kept lines or keys as somebody would write them, in the order of their places."""
    kind: type[LineInput | KeyInput] = LineInput if name == "lines" else KeyInput
    ordered = sorted(rows, key=lambda row: list(row[: _NAMED[name]]))
    return tuple(kind(**dict(zip(_ROWS[name], row, strict=True))) for row in ordered)


def _touched(name: str, *sides: Kept) -> list[str]:
    return sorted({inner for side in sides for inner in side.get(name, {})})


def listed_anew(part: ChangePart) -> dict[str, Any]:
    """Returns the fields of a ``PhoneRow`` that lists again a phone which a change took off; its secrets are kept nowhere."""
    was: Kept = part.before or {}
    return {
        "mac": Mac(part.subject),
        **{name: was[name] for name in (*PLAIN, "modules", "firmware")},
        "settings": dict(was["settings"]),
        "retired": was.get("retired", False),
        **{name: _inputs(name, was[name]) for name in _ROWS},
    }


def phone_as_kept(before: Kept, hidden: Mapping[str, object]) -> PhoneInput:
    """Returns the phone of a change row as somebody would write it; ``hidden`` are the secrets that there still are, or what stands for them."""
    return PhoneInput(
        model=before["model"],
        site=before["site"],
        group=before["group"],
        clear_group=before["group"] is None,
        layout=before.get("layout"),  # changes from before there were layouts do not name one
        clear_layout="layout" in before and before["layout"] is None,
        keeps_hidden=True,
        enabled=before["enabled"],
        modules=before["modules"],
        firmware=before["firmware"],
        settings={**before["settings"], **{name: hidden[name] for name in before["secret_settings"] if name in hidden}},
        lines=_inputs("lines", before["lines"]),
        keys=_inputs("keys", before["keys"]),
        retired=before.get("retired", False),
    )


def told(standings: Sequence[Standing], most: int = 5) -> str:
    """Returns in a sentence's words which things are otherwise than a change left them."""
    names = [_name(standing) for standing in standings[:most]]
    return ", ".join([*names, f"and {len(standings) - most} more"] if len(standings) > most else names)


def _name(standing: Standing) -> str:
    what = Mac(standing.part.subject).colons if standing.part.noun == "phone" else standing.part.subject
    how = "no longer there" if standing.record is None else ", ".join(name.removeprefix("settings ") for name in standing.changed)
    return f"{standing.part.noun} {what} ({how})"


def stood(parts: Sequence[ChangePart], records: Mapping[tuple[str, str], PhoneRecord | ExtensionRecord]) -> list[Standing]:
    """Returns each part beside its thing; ``records`` are by noun and subject."""
    return [Standing(part, records.get((part.noun, part.subject))) for part in parts]
