"""What a foreign file says of a phone, and the rows that a spreadsheet of ours would say it in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from provisioner.changes.extensions import checked_extension
from provisioner.changes.keys import KeyInput
from provisioner.errors import InputError
from provisioner.importing.values import ParsedRow

MOST_NAMES = 20
"""Names that one note lists."""


@dataclass(frozen=True, slots=True)
class LineFacts:
    """An extension, and the line of a phone that has it."""

    line: int
    number: str
    name: str = ""
    secret: str = field(default="", repr=False)
    label: str = ""
    email: str = ""


@dataclass(frozen=True, slots=True)
class PhoneFacts:
    """A phone of a foreign file. ``row`` is where it stands, ``source`` the file of an archive that says it."""

    row: int
    source: str
    mac: str
    model: str
    lines: Sequence[LineFacts]
    keys: tuple[KeyInput, ...] | None = None
    enabled: str = ""


@dataclass(slots=True)
class Rows:
    """Rows in the making: each extension is described once, in the row of the phone whose first line it is where there is one."""

    rows: list[ParsedRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _known: dict[str, str] = field(default_factory=dict, repr=False)
    """Number -> the password that it was read with."""

    def add(self, phone: PhoneFacts) -> None:
        """Adds the rows of a phone: its own, and one for each further extension that nothing described yet."""
        cells: dict[str, str | None] = {"mac": phone.mac} if phone.mac else {}
        if phone.model:
            cells["model"] = phone.model
        if phone.enabled:
            cells["enabled"] = phone.enabled
        further: list[ParsedRow] = []
        for line in phone.lines:
            details = self._described(phone.row, phone.source, line)
            if line.line == 1 and details is not None:
                cells |= {"extension": line.number, **details}
            else:
                cells[f"line{line.line}"] = line.number
                if details is not None:
                    further.append(ParsedRow(phone.row, {"extension": line.number, **details}, phone.source))
            if line.label:
                cells[f"label{line.line}"] = line.label
        self.rows += [ParsedRow(phone.row, cells, phone.source, phone.keys), *further]

    def add_extension(self, row: int, line: LineFacts) -> None:
        """Adds an extension that no phone of the file has."""
        details = self._described(row, "", line)
        if details is not None:
            self.rows.append(ParsedRow(row, {"extension": line.number, **details}))

    def _described(self, row: int, source: str, line: LineFacts) -> dict[str, str | None] | None:
        """Returns the cells that describe an extension, or None where that was done."""
        where = source or f"line {row}"
        known = self._known.get(line.number)
        if known is not None:
            if line.secret and known and line.secret != known:
                self.notes.append(f"{where}: extension {line.number[:32]} has another password here than before; the first one is taken")
            return None
        self._known[line.number] = line.secret
        given = {"display_name": line.name, "email": line.email, "secret": line.secret}
        if given["secret"] and _mistake("secret", given["secret"]):
            given["secret"] = ""
            self.notes.append(
                f"{where}: the password of extension {line.number[:32]} is too short or too odd to be kept; a new one is made"
            )
        return {name: value for name, value in given.items() if value}


def _mistake(name: str, value: str) -> bool:
    try:
        checked_extension("100", {name: value})
    except InputError:
        return True
    return False


def keys_left_out(where: str, names: Sequence[str]) -> str:
    """Returns the note on keys that are of no type of the catalogue."""
    return f"{where}: keys left out, because the catalogue has no word for their type: {listed(names)}"


def listed(names: Sequence[str]) -> str:
    """Returns names as a sentence lists them, the first ``MOST_NAMES`` of them."""
    shown = ", ".join(shown_name(name) for name in names[:MOST_NAMES])
    return shown if len(names) <= MOST_NAMES else f"{shown}, ..."


def shown_name(name: str) -> str:
    """Returns a foreign name as it can be shown: printable, and not long."""
    return "".join(letter if letter.isprintable() else "?" for letter in name[:80])
