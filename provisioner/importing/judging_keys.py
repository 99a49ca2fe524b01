"""Judges the keys of a row that another system's file laid out: those that the model cannot have are left out and told, not refused.

Nobody can mend them in the file of a system that is being left; everything else of the phone is as good as before.
"""

from __future__ import annotations

from provisioner.changes.keys import KeyInput, key_mistakes
from provisioner.core.catalogue import Model
from provisioner.importing.values import ParsedRow
from provisioner.records import PhoneRecord

_SHOWN = 8
"""Keys that a difference names."""


def fitting_keys(model: Model, row: ParsedRow, before: PhoneRecord | None, notes: list[str]) -> tuple[KeyInput, ...] | None:
    """Returns the keys of the row that ``model`` can have, in order of their places; None where the row says nothing of keys."""
    if row.keys is None:
        return None
    mistakes = key_mistakes(model, row.keys, None)
    wrong = {int(path.split(".")[1]): sentence for path, sentence in mistakes.items()}
    for at, sentence in list(wrong.items())[:_SHOWN]:
        key = row.keys[at]
        notes.append(f"{row.source or f'line {row.line}'}: {shown_place(key)} is left out: {sentence}")
    fitting = (key for at, key in enumerate(row.keys) if at not in wrong)
    return tuple(sorted(fitting, key=lambda key: (key.module, key.key)))


def needed_modules(keys: tuple[KeyInput, ...] | None, before: PhoneRecord | None) -> int | None:
    """Returns how many expansion modules the phone has with these keys; None leaves it as it is."""
    if keys is None:
        return None
    return max([key.module for key in keys] + [before.modules if before else 0])


def shown_keys(keys: tuple[KeyInput, ...]) -> str:
    """Returns keys as a difference shows them."""
    shown = ", ".join(f"{shown_place(key)} {key.type} {key.value}".rstrip() for key in keys[:_SHOWN])
    return shown if len(keys) <= _SHOWN else f"{shown}, and {len(keys) - _SHOWN} more"


def shown_place(key: KeyInput) -> str:
    return f"key {key.key} of module {key.module}" if key.module else f"key {key.key}"
