"""A CSV of another system: rows by the names of their columns, which may be there several times, once for each line or key of a phone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from provisioner.importing.columns import plain_text
from provisioner.importing.foreign.facts import shown_name
from provisioner.importing.reading import table
from provisioner.importing.values import Left

_MOST_LEFT = 200
"""Columns that are told as not taken over."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One row: column -> its cells in the order in which they stand, empty ones included. What is read of it is remembered."""

    line: int
    cells: Mapping[str, Sequence[str]] = field(repr=False)
    read: set[str]

    def first(self, *names: str) -> str:
        """Returns the first cell that is not empty of the first column that is there."""
        return next((cell for name in names for cell in self.every(name) if cell), "")

    def every(self, name: str) -> Sequence[str]:
        self.read.add(name)
        return self.cells.get(name, ())

    def groups(self, *names: str) -> Iterator[dict[str, str]]:
        """Yields the cells of columns that are there several times, together as they repeat; groups without a cell are left out."""
        columns = {name: self.every(name) for name in names}
        for at in range(max(map(len, columns.values()))):
            group = {name: cells[at] if at < len(cells) else "" for name, cells in columns.items()}
            if any(group.values()):
                yield group


class Sheet:
    """The rows of a file, with what was not read of them. Raises ``UnreadableFileError`` while it is read."""

    def __init__(self, content: str | bytes) -> None:
        self.notes: list[str] = []
        self._counts: Counter[str] = Counter()
        self._read: set[str] = set()
        self._rows = table(content, self.notes)
        self.names = [column(cell) for cell in next(self._rows, (1, []))[1]]

    def rows(self) -> Iterator[SheetRow]:
        for line, record in self._rows:
            cells: dict[str, list[str]] = {}
            for name, cell in zip(self.names, record, strict=False):
                cells.setdefault(name, []).append(plain_text(cell))
            self._counts.update(name for name, given in cells.items() if name and any(given))
            yield SheetRow(line, cells, self._read)

    def left(self) -> tuple[Left, ...]:
        """Returns the columns that hold something and that were not read, once all rows were."""
        counts = ((name, count) for name, count in self._counts.most_common() if name not in self._read)
        return tuple(Left(shown_name(name), count, is_set_here=False) for name, count in counts)[:_MOST_LEFT]


def column(header: str) -> str:
    """Returns the name of a column as it is looked for: without what tells a repeated one apart (``line_number|2``)."""
    return header.strip().strip("\ufeff").partition("|")[0].strip().lower()
