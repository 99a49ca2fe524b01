"""What people and programs read: tables that align, JSON, times. Everything shown is made harmless for the terminal first."""

from __future__ import annotations

import dataclasses
import json
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from provisioner.core.mac import Mac

# A phone's User-Agent is anybody's text: an escape sequence in it could redraw the operator's screen.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
Record = TypeVar("Record")
COLOURS = {
    "OK": "green", "WARN": "yellow", "FAIL": "red", "held": "red", "in_lockstep": "green", "create": "green", "update": "yellow",
}  # fmt: skip


def harmless(text: object) -> str:
    """Returns ``text`` without control characters and marks that turn the direction of writing."""
    return _CONTROL.sub("\ufffd", "" if text is None else str(text))


def print_table(headers: Sequence[str], rows: Sequence[Sequence[object]], *, right: Sequence[str] = ()) -> None:
    """Prints rows below their headers; the columns named in ``right`` are numbers and stand to the right."""
    cells = [[harmless(_cell(value)) for value in row] for row in rows]
    widths = [max([_width(headers[at]), *(_width(row[at]) for row in cells)]) for at in range(len(headers))]
    for row, is_header in [(list(headers), True), *((row, False) for row in cells)]:
        padded = [_padded(text, widths[at], headers[at] in right) for at, text in enumerate(row)]
        padded[-1] = padded[-1].rstrip()
        click.echo("  ".join(_styled(text, shown, is_header) for text, shown in zip(row, padded, strict=True)))


def print_records(
    records: Sequence[Record],
    headers: Sequence[str],
    row: Callable[[Record], Sequence[object]],
    *,
    as_json: bool,
    right: Sequence[str] = (),
) -> None:
    """Prints records: as one JSON document for programs, or as a table for people, with what ``row`` makes of each below the headers."""
    if as_json:
        print_json(records)
    else:
        print_table(headers, [row(record) for record in records], right=right)


def print_json(value: Any) -> None:
    """Prints one JSON document; records become objects, MACs get their colons."""
    click.echo(json.dumps(plain(value), indent=2, ensure_ascii=False, default=str))


def plain(value: Any) -> Any:
    """Returns ``value`` in the types that JSON has."""
    if isinstance(value, Mac):
        return value.colons
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple, set, frozenset)) else value


def shown_sites(sites: Sequence[str] | None) -> str:
    """Returns the sites that somebody is limited to; None is no limit."""
    return "all" if sites is None else ", ".join(sites)


def shown_time(at: float | None) -> str:
    """Returns seconds since the epoch as ``2026-11-22 09:59:54Z``; a dash for never."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ") if at else "-"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Returns ``1 phone``, ``2 phones``."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"


def note(text: str) -> None:
    """Prints for the person only, on standard error, so that standard output stays clean for programs."""
    click.echo(text, err=True)


def _cell(value: object) -> object:
    if isinstance(value, Mac):
        return value.colons
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value is None or value == "" else value


def _styled(text: str, padded: str, is_header: bool) -> str:
    if is_header:
        return click.style(padded, bold=True)
    return click.style(padded, fg=COLOURS[text]) if text in COLOURS else padded


def _padded(text: str, width: int, is_right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if is_right else text + blanks


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.category(char) in {"Mn", "Me", "Cf"} else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )
