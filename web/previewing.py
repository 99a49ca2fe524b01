"""Preview before save: a form's write is rehearsed, and what it would change is shown, with the form's own fields to save it by.

Forms have a second button, ``preview``; the page of the preview has ``save``, and ``again`` to go on editing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Response, request

from provisioner.accounts.cookies import CSRF_FIELD
from provisioner.api.context import installation, rehearsing
from provisioner.api.preview import shown_outcome
from provisioner.changes import Changes
from provisioner.changes.rehearsing import Outcome, TakenBack
from provisioner.core.mac import Mac
from provisioner.records import ChangeRecord
from provisioner.records_changes import ChangePart
from provisioner.wiring import Installation
from web.page import page

MOST_ALIKE = 12
"""Kinds of phones, alike in what changes, that are shown."""
MOST_LINES = 80
SHOWN = 50
"""Things of a change of many that are shown, each with what becomes of it."""
_KINDS = {"+": "new", "-": "gone"}
_BUTTONS = frozenset({CSRF_FIELD, "preview", "save", "again"})


@dataclass(frozen=True, slots=True)
class ShownFile:
    """How one file changes; of phones that are alike the file of the first one is named."""

    name: str
    lines: tuple[tuple[str, str], ...]
    """(kind, line): ``new``, ``gone``, or ``at`` between parts that are apart."""
    changed: int
    is_shortened: bool
    only_secrets: bool


@dataclass(slots=True)
class Alike:
    """Phones of one model whose files change in the same lines. ``change``: listed, changed or taken_off."""

    model: str
    change: str
    may_restart: bool
    files: tuple[ShownFile, ...]
    macs: list[Mac] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a write would come to. ``touched`` phones get new files made; ``looked_at`` of them were compared."""

    touched: int
    looked_at: int
    changed: int
    alike: Sequence[Alike]
    is_shortened: bool
    changes: Sequence[ChangeRecord]
    things: Sequence[ChangeRecord] = ()
    """What it makes of the first of many things, each as a row of its own."""


def rehearsed(write: Callable[[Installation], object]) -> Preview:
    """Returns what a write would come to. Raises what the write would raise; nothing is written."""
    try:
        write(rehearsing())
    except TakenBack as done:
        return _preview(done.outcome)
    return _preview(Outcome())


def saved(write: Callable[[Changes], object], title: str) -> Response | None:
    """Makes the write; where the form asks for its preview, returns that page instead and writes nothing. Raises what the write raises."""
    if "preview" not in request.form:
        write(installation().changes)
        return None
    preview = rehearsed(lambda place: write(place.changes))
    fields = [(name, value) for name, value in request.form.items(multi=True) if name not in _BUTTONS]
    return page("preview.html", title=title, preview=preview, fields=fields)


def _preview(outcome: Outcome) -> Preview:
    models = {row.mac: (row.after or row.before) for row in outcome.phones}
    rows = shown_outcome(outcome)["phones"]
    found: dict[Any, Alike] = {}
    for row in rows:
        config = models[row["mac"]]
        model = config.model if config else ""
        group = Alike(model, row["change"], row["restart"] != "no", tuple(_file(each) for each in row["files"]))
        found.setdefault(_likeness(row, model), group).macs.append(row["mac"])
    alike = sorted(found.values(), key=lambda group: -len(group.macs))
    things = [row_of(part) for part in outcome.parts[: SHOWN + 1]]
    return Preview(
        outcome.touched, len(outcome.phones), len(rows), alike[:MOST_ALIKE], len(alike) > MOST_ALIKE, outcome.changes, things
    )  # fmt: skip


def row_of(part: ChangePart) -> ChangeRecord:
    """Returns what a change of many things made of one, as a change of that one alone would be shown."""
    return ChangeRecord(0, 0.0, "", f"{part.noun}.update", part.subject, part.before, part.after, 1)


def _likeness(row: Mapping[str, Any], model: str) -> Any:
    """Returns what phones have in common that are shown as one: of those that come or go nobody compares the files line by line."""
    if row["change"] != "changed":
        return model, row["change"]
    return model, tuple((file["name"].lower().replace(row["mac"], ""), tuple(file["lines"])) for file in row["files"])


def _file(row: Mapping[str, Any]) -> ShownFile:
    lines = tuple(_lines(row["lines"]))
    changed = sum(kind != "at" for kind, _line in lines)
    is_shortened = row["is_shortened"] or len(lines) > MOST_LINES
    return ShownFile(row["name"], lines[:MOST_LINES], changed, is_shortened, row["only_secrets"])


def _lines(difference: Sequence[str]) -> Iterator[tuple[str, str]]:
    for at, line in enumerate(difference):
        kind = _KINDS.get(line[:1], "at")
        if kind != "at":
            yield kind, line
        elif at > 0:
            yield "at", "⋯"
