"""Judges a whole file: every row by itself, then rows against each other (twice the same, names that nobody makes)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from provisioner.importing.judging import Candidate, judged
from provisioner.importing.values import Action, ImportMistake, ImportPlan, ParsedFile, PlannedRow
from provisioner.importing.world import World

MOST_NOTES = 50


def planned(parsed: ParsedFile, world: World) -> ImportPlan:
    """Returns what the file would do to ``world``. Pure: the same file and facts give the same plan."""
    candidates = [judged(row, world) for row in parsed.rows]
    _refuse_twice(candidates, "mac", lambda candidate: candidate.mac.colons if candidate.mac else None, "keep one of the rows")
    mend = "keep one of the rows; to put an extension on a second phone, name it there in line1 alone"
    _refuse_twice(candidates, "extension", lambda candidate: candidate.number, mend)
    _refuse_unknown(candidates, world)
    mistakes = [*parsed.mistakes, *(mistake for candidate in candidates for mistake in candidate.mistakes)]
    notes = [*parsed.notes, *_few([note for candidate in candidates if not candidate.mistakes for note in candidate.notes])]
    rows = tuple(_row(candidate) for candidate in candidates if not candidate.mistakes)
    return ImportPlan(rows, tuple(sorted(mistakes)), tuple(notes), parsed)


def _refuse_twice(candidates: Sequence[Candidate], column: str, name_of: Callable[[Candidate], str | None], mend: str) -> None:
    """Both rows are wrong, each naming the other: which of them was meant, nobody but the person knows."""
    rows: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        name = name_of(candidate)
        if name:
            rows.setdefault(name, []).append(candidate)
    for name, same in rows.items():
        for candidate in same if len(same) > 1 else ():
            other = next(one.line for one in same if one is not candidate)
            candidate.refuse(column, f"{name} is in line {other} too", mend)


def _refuse_unknown(candidates: Sequence[Candidate], world: World) -> None:
    """Refuses rows with a line whose extension is not there. A row that falls takes its extension along, so: until nothing falls."""
    makers = {candidate.number: candidate for candidate in candidates if candidate.number}
    waiting = [candidate for candidate in candidates if candidate.references and not candidate.mistakes]
    fallen = True
    while fallen:
        fallen = False
        for candidate in waiting:
            for column, number in candidate.references.items():
                maker = makers.get(number)
                if number in world.extensions or maker is candidate or (maker is not None and not maker.mistakes):
                    continue
                if maker is None:
                    candidate.refuse(column, f"there is no extension {number[:32]}", "make it first, in the column extension")
                else:
                    candidate.refuse(
                        column, f"extension {number[:32]} would be made in line {maker.line}, which is wrong", "mend that line first"
                    )
                fallen = True
        waiting = [candidate for candidate in waiting if not candidate.mistakes]


def _row(candidate: Candidate) -> PlannedRow:
    is_new = (candidate.phone is not None and candidate.phone.before is None) or (
        candidate.extension is not None and candidate.extension.before is None
    )
    action: Action = "create" if is_new else "update" if candidate.differences else "unchanged"
    return PlannedRow(
        candidate.line,
        action,
        candidate.mac,
        candidate.number,
        tuple(candidate.differences),
        candidate.extension,
        candidate.phone,
        candidate.source,
    )


def _few(notes: list[str]) -> Iterable[str]:
    return [*notes[:MOST_NOTES], f"and {len(notes) - MOST_NOTES} more notes of this kind"] if len(notes) > MOST_NOTES else notes


def mistakes_as_fields(mistakes: Iterable[ImportMistake], most: int = 100) -> dict[str, str]:
    """Returns mistakes in the shape of ``InputError``: where -> sentence."""
    fields: dict[str, str] = {}
    for mistake in list(mistakes)[:most]:
        where = (mistake.source or f"line {mistake.line}") + (f", {mistake.column}" if mistake.column else "")
        fields[where] = mistake.sentence + (f" ({mistake.mend})" if mistake.mend else "")
    return fields
