"""Refuses writes to phones that somebody sits at: what such a phone has by itself would be lost, or somebody else's given away."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from provisioner.changes.keys import key_inputs
from provisioner.changes.unit import Unit
from provisioner.core.mac import Mac
from provisioner.errors import InputError
from provisioner.records import PhoneRecord
from provisioner.store import CHUNK

if TYPE_CHECKING:
    from provisioner.changes.phones import PhoneInput


def refuse_seated(unit: Unit, macs: Sequence[Mac]) -> None:
    """Raises ``InputError`` naming those of the phones that somebody sits at."""
    chunks = (macs[start : start + CHUNK] for start in range(0, len(macs), CHUNK))
    taken = [mac for chunk in chunks for mac in unit.store.seated_macs(chunk, unit.connection)]
    if taken:
        who = "somebody sits at this phone: log them out first, then it is what it was before"
        raise InputError({"mac": who} if len(macs) == 1 else {f"phones.{mac.colons}": who for mac in taken})


def changes_seat(before: PhoneRecord, given: PhoneInput) -> bool:
    """Returns whether a write concerns what a seat lays over the phone: its model, lines, keys and layout."""
    there: tuple[Any, ...] = (before.model, _lines(before.lines), set(key_inputs(before.keys)), before.layout)
    layout = None if given.clear_layout else before.layout if given.layout is None else given.layout
    wanted = (
        given.model or before.model,
        there[1] if given.lines is None else _lines(given.lines),
        there[2] if given.keys is None else set(given.keys),
        layout,
    )
    return there != wanted


def _lines(lines: Sequence[Any]) -> set[tuple[int, str, str]]:
    return {(line.line, line.extension, line.label) for line in lines}
