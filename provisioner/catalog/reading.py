"""Reads one file of the catalogue against its schema, noting every mistake with file and line so that all are listed at once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from marshmallow import RAISE, Schema, ValidationError

from provisioner.core.catalogue import SettingRows
from provisioner.core.settings_check import checked_setting
from provisioner.core.timezone import TimezoneRule
from provisioner.core.values import SettingValue
from provisioner.errors import InputError

_HEADER = re.compile(r"\s*\[(\[?)\s*([^\]]+?)\s*\]")
_KEY = re.compile(r"""\s*("[^"]*"|'[^']*'|[\w.\-]+)\s*=""")
_SYNTAX = re.compile(r"(?P<what>.*) \(at line (?P<line>\d+), column \d+\)", re.DOTALL)


class Strict(Schema):
    """A table of the catalogue: a key that is not here is a mistake."""

    class Meta:
        unknown = RAISE


class Mistakes(list[str]):
    """Mistakes found so far; loading goes on so that all are listed. Each begins with ``file:line``."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[Path, str] = {}

    def read(self, path: Path, schema: Schema | None = None) -> dict[str, Any]:
        """Returns the file's content, checked; notes what is wrong and returns an empty dict then."""
        text = self._texts[path] = self.text(path)
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.append(f"{path}:{syntax_mistake(text, error)}")
            return {}
        return self.loaded(path, schema, content) if schema else content

    def text(self, path: Path) -> str:
        """Returns the text of a file; notes what keeps it from being read and returns an empty one then."""
        try:
            return path.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self.append(f"{path}:{unreadable(error)}")
            return ""

    def loaded(self, path: Path, schema: Schema, content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        """Returns ``content``, a piece of the file at ``prefix``, checked; notes what is wrong and returns an empty dict then."""
        try:
            return cast("dict[str, Any]", schema.load(content))
        except ValidationError as error:
            for where, what in _flat(error.messages, prefix):
                self.note(path, _as_written(where, self._texts.get(path, "")), what)
            return {}

    def note(self, path: Path, where: str, what: str) -> None:
        """Notes a mistake at ``where`` (``expansion.keys``, ``file.3.kind``) of a file that was read."""
        self.append(f"{path}:{line_of(self._texts.get(path, ''), where)}: {where}: {what}")

    def pattern(self, path: Path, where: str, text: str) -> re.Pattern[str]:
        """Returns the compiled pattern, or one that fits nothing where it is not one."""
        try:
            return re.compile(text)
        except re.error as error:
            self.note(path, where, f"bad pattern '{text}': {error}")
            return re.compile(r"(?!)")


def syntax_mistake(text: str, error: tomllib.TOMLDecodeError) -> str:
    """Returns the line of a mistake in a TOML text, and what it is, as ``7: Invalid value``."""
    match = _SYNTAX.fullmatch(str(error))
    if match:
        return f"{match['line']}: {match['what']}"
    # Some sentences end in "(at end of document)".
    return f"{max(len(text.splitlines()), 1)}: {error}"


def unreadable(error: OSError | UnicodeDecodeError) -> str:
    """Returns the line where reading a file stopped, and why, as ``3: is no UTF-8 text (byte ff)``."""
    if isinstance(error, OSError):
        return f"1: cannot be read: {error.strerror}"
    line = error.object[: error.start].count(b"\n") + 1
    return f"{line}: is no UTF-8 text (byte {error.object[error.start]:02x})"


def line_of(text: str, where: str) -> int:
    """Returns the line of a TOML text that a dotted path stands in, or that of the nearest table around it; 1 for what is not there."""
    places = dict(_places(text))
    parts = where.split(".")
    for end in range(len(parts), 0, -1):
        line = places.get(".".join(parts[:end]))
        if line is not None:
            return line
    return 1


def _places(text: str) -> Iterator[tuple[str, int]]:
    table, rows = "", dict[str, int]()
    for number, line in enumerate(text.splitlines(), 1):
        header, key = _HEADER.match(line), _KEY.match(line)
        if header:
            table = header[2].replace('"', "")
            first, _, rest = table.partition(".")
            if rest and first in rows:
                table = f"{first}.{rows[first]}.{rest}"
            if header[1]:
                rows[table] = rows.get(table, -1) + 1
                table = f"{table}.{rows[table]}"
            yield table, number
        elif key:
            name = key[1].strip("\"'")
            yield f"{table}.{name}" if table else name, number


def checked_settings(
    values: Mapping[str, Any],
    settings: SettingRows,
    zones: Mapping[str, TimezoneRule],
    path: Path,
    mistakes: Mistakes,
    where: str = "settings.{}",
) -> dict[str, SettingValue]:
    """Returns the values of a file's ``[settings]``, or of what else ``where`` names, checked against the table of settings."""
    checked: dict[str, SettingValue] = {}
    for name, value in values.items():
        try:
            checked[name] = checked_setting(settings, zones, name, value)
        except InputError as error:
            mistakes.note(path, where.format(name), "; ".join(error.fields.values()))
    return checked


def _as_written(where: str, text: str) -> str:
    """Returns a path of marshmallow's without what it adds for the keys and values of a table: ``maps.m.value.a.value`` is ``maps.m.a``."""
    places = {place for place, _ in _places(text)}
    kept: list[str] = []
    for part in where.split("."):
        if part not in {"key", "value", "_schema"} or ".".join([*kept, part]) in places:
            kept.append(part)
    return ".".join(kept)


def _flat(messages: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for key, value in messages.items():
            yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
    else:
        for message in messages if isinstance(messages, list) else [messages]:
            yield prefix, str(message)
