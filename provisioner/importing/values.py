"""What importing hands from one step to the next, and to API, pages and command line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from provisioner.changes.bulk import ExtensionRow, PhoneRow
from provisioner.changes.keys import KeyInput
from provisioner.core.mac import Mac

Action = Literal["create", "update", "unchanged"]


@dataclass(frozen=True, slots=True, order=True)
class ImportMistake:
    """One thing that is wrong. ``line`` counts from 1 in the file, as an editor shows it; ``column`` is "" for the whole row or file."""

    line: int
    column: str
    sentence: str
    mend: str = ""
    source: str = ""
    """The file of an archive that the line counts; empty for a spreadsheet."""

    def __str__(self) -> str:
        where = (self.source or f"line {self.line}") + (f", {self.column}" if self.column else "")
        return f"{where}: {self.sentence}" + (f" ({self.mend})" if self.mend else "")


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that an existing phone or extension would change. Secrets are shown as ``***``."""

    column: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ParsedRow:
    """One row: column -> its text, None for "take it away" (a lone ``-``). Empty cells are absent."""

    line: int
    cells: Mapping[str, str | None] = field(repr=False)
    source: str = ""
    keys: tuple[KeyInput, ...] | None = None
    """The keys to lay out, of a phone of another system; None leaves those that are there."""


@dataclass(frozen=True, slots=True)
class Left:
    """A parameter or column of another system's files that was not taken over; its value is never kept."""

    name: str
    phones: int
    is_set_here: bool
    """Whether our files set it, from the settings."""


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file read and not yet judged. ``is_unreadable`` means that the file as a whole cannot be taken, not even in part."""

    rows: tuple[ParsedRow, ...] = ()
    mistakes: tuple[ImportMistake, ...] = ()
    notes: tuple[str, ...] = ()
    is_unreadable: bool = False
    form: str = "csv"
    """Which of the formats it was read as."""
    left: tuple[Left, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedRow:
    """One good row and what it would do."""

    line: int
    action: Action
    mac: Mac | None
    number: str | None
    differences: tuple[Difference, ...] = ()
    extension: ExtensionRow | None = field(default=None, repr=False)
    """The extension to write; None where it is as the row says already."""
    phone: PhoneRow | None = field(default=None, repr=False)
    """The phone to write; None where it is as the row says already."""
    source: str = ""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """Everything that a file would do. ``rows`` are the good ones; every line in ``mistakes`` is left out of them."""

    rows: tuple[PlannedRow, ...]
    mistakes: tuple[ImportMistake, ...]
    notes: tuple[str, ...]
    parsed: ParsedFile = field(repr=False)

    @property
    def is_unreadable(self) -> bool:
        return self.parsed.is_unreadable

    @property
    def counts(self) -> dict[str, int]:
        """How many rows would create, update or change nothing, and how many are bad."""
        actions = Counter(row.action for row in self.rows)
        bad = len({mistake.line for mistake in self.mistakes})
        return {"create": actions["create"], "update": actions["update"], "unchanged": actions["unchanged"], "bad": bad}


@dataclass(frozen=True, slots=True)
class ImportResult:
    """What was written. ``left_out`` are the mistakes of the rows that were not."""

    phones_created: int
    phones_updated: int
    extensions_created: int
    extensions_updated: int
    unchanged: int
    phones_rendered: int
    left_out: tuple[ImportMistake, ...] = ()


def plan_as_dict(plan: ImportPlan) -> dict[str, Any]:
    """Returns the plan as JSON holds it: without any secret."""
    return {
        "format": plan.parsed.form,
        "unreadable": plan.is_unreadable,
        "counts": plan.counts,
        "notes": list(plan.notes),
        "rows": [
            {
                "line": row.line,
                "source": row.source,
                "action": row.action,
                "mac": row.mac.colons if row.mac else None,
                "extension": row.number,
                "makes": _made(row),
                "differences": [{"column": item.column, "before": item.before, "after": item.after} for item in row.differences],
            }
            for row in plan.rows
        ],
        "mistakes": [
            {"line": item.line, "source": item.source, "column": item.column, "sentence": item.sentence, "mend": item.mend}
            for item in plan.mistakes
        ],
        "left": [{"name": item.name, "phones": item.phones, "set_here": item.is_set_here} for item in plan.parsed.left],
    }


def _made(row: PlannedRow) -> list[str]:
    """Returns what a row makes anew, in words."""
    made = []
    if row.phone is not None and row.phone.before is None:
        made.append(f"phone {row.phone.model} at {row.phone.site}")
        if row.phone.keys:
            made.append(f"{len(row.phone.keys)} keys" if len(row.phone.keys) > 1 else "1 key")
    if row.extension is not None and row.extension.before is None:
        made.append(f"extension {row.extension.given.get('display_name', '')}".rstrip())
    return made
