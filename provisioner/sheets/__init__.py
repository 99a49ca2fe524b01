"""The instruction sheet: how a person far away writes the server's address into exactly this phone, in their language, on one page.

HTML and PDF are made from one template. The steps of each vendor and series are data of the catalogue (``sheet.toml``), the sentences are
``texts``. Pure but for the fonts that a PDF needs (``printing``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import segno
from babel.dates import format_date, format_time
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from provisioner.core.installing import InstallStep, InstallWay
from provisioner.core.languages import LANGUAGES
from provisioner.core.mac import Mac
from provisioner.core.render import split_address
from provisioner.errors import InputError
from provisioner.sheets.texts import PARTS, STEPS, said

__all__ = ["Sheet", "sheet_html"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one sheet is about. It holds no secret but the address, where that has a code in it."""

    title: str
    """Of the model, with its maker: ``Yealink T46U``."""
    mac: Mac
    numbers: tuple[str, ...]
    """Extensions of its lines, with their names, as they are printed."""
    address: str
    """What is typed into the phone, ending in ``/``."""
    until: float | None
    """When a one-time address ends; None for the common address of the server."""
    timezone: str
    ways: tuple[InstallWay, ...]


def sheet_html(sheet: Sheet, language: str, *, fonts: str = "") -> str:
    """Returns the sheet as one HTML page that loads nothing. ``fonts`` are CSS rules put before its own.

    Raises ``InputError`` for a language that there is none in.
    """
    if language not in LANGUAGES:
        raise InputError({"language": f"there is no sheet in '{language[:16]}'; there are {', '.join(LANGUAGES)}"})

    def text(name: str, **values: str) -> Markup:
        return said(language, PARTS[name], **values)

    until = text("once", until=_shown(sheet.until, sheet.timezone, language)) if sheet.until is not None else None
    ways = [(way.where, list(_sentences(way, sheet, language))) for way in sheet.ways]
    code = segno.make(sheet.address, error="m").svg_inline(scale=4, border=2)
    return _template().render(sheet=sheet, language=language, text=text, until=until, ways=ways, code=code, fonts=fonts)


def _sentences(way: InstallWay, sheet: Sheet, language: str) -> Iterator[Markup]:
    parts = split_address(sheet.address)
    known = {"url": parts.full, "bare": parts.bare, "scheme": parts.scheme.upper(), "mac": str(sheet.mac)}
    for step in way.steps:
        yield said(language, STEPS[step.do], **_words(step, known))


def _words(step: InstallStep, known: dict[str, str]) -> dict[str, str]:
    words = {name: _filled(value, known) if name == "value" else value for name, value in step.words.items()}
    return {**words, "path": " › ".join(step.path)} if step.path else words


def _filled(value: str, known: dict[str, str]) -> str:
    """Returns a part of the address, or a text in which each ``{part}`` stands for one."""
    for name, part in known.items():
        value = part if value == name else value.replace(f"{{{name}}}", part)
    return value


def _shown(at: float, timezone: str, language: str) -> str:
    zone = ZoneInfo(timezone) if timezone else UTC
    moment = datetime.fromtimestamp(at, zone)
    offset = moment.strftime("%z")
    return f"{format_date(moment, 'long', locale=language)}, {format_time(moment, 'short', locale=language)} (UTC{offset[:3]}:{offset[3:]})"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("provisioner.sheets"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("sheet.html.j2")
