"""Pieces of Markdown that the generated pages are put together from."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["cell", "code", "first_sentence", "table"]


def cell(value: object) -> str:
    """Returns ``value`` as the text of a table's cell."""
    return str(value).replace("``", "`").replace("|", "\\|").replace("\n", " ").strip()


def code(value: object) -> str:
    """Returns ``value`` set as code; nothing stays nothing."""
    return f"`{value}`" if str(value) else ""


def table(headers: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Returns a table, with an empty line after it."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "".join("| " + " | ".join(cell(value) for value in row) + " |\n" for row in lines) + "\n"


def first_sentence(text: str | None) -> str:
    """Returns the first paragraph of a docstring on one line."""
    return " ".join((text or "").split("\n\n", 1)[0].split()).replace("``", "`")
