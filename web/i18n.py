"""The languages of the pages: which one a person reads, its texts, and how it writes times and numbers.

Texts are marked where they stand (``_`` in templates, ``_`` or ``mark`` in code) and are their own English. ``locales/*.po`` hold the
others; they are compiled when the server starts, so that no compiled file is kept.
"""

from __future__ import annotations

import datetime
import gettext
import io
from functools import cache
from pathlib import Path
from typing import cast

from babel import Locale
from babel.dates import format_datetime, format_timedelta
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from flask import g

FOLDER = Path(__file__).parent / "locales"
CATALOGUE = FOLDER / "catalogue"
DEFAULT = "en"


@cache
def translations(language: str) -> gettext.NullTranslations:
    """Returns the texts of a language; English ones are the marked texts themselves."""
    if language == DEFAULT:
        return gettext.NullTranslations()
    catalogue = _catalogue(FOLDER, language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@cache
def translated_in(folder: Path, language: str) -> dict[str, str]:
    """Returns text -> translation of a catalogue without plurals in another folder."""
    return {str(message.id): str(message.string) for message in _catalogue(folder, language) if message.id and message.string}


def of_catalogue(text: str, language: str) -> str:
    """Returns a text of the catalogue of models and settings in a language; an empty one where it has none."""
    return "" if language == DEFAULT else translated_in(CATALOGUE, language).get(text, "")


def _catalogue(folder: Path, language: str) -> Catalog:
    with (folder / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def language() -> str:
    """Returns the language of the page that is being made."""
    return cast("str", g.get("language", DEFAULT))


def _(text: str, **values: object) -> str:
    """Returns ``text`` in the language of the page, with ``values`` put in."""
    translated = translations(language()).gettext(text)
    return translated % values if values else translated


def ngettext(one: str, many: str, number: int, **values: object) -> str:
    """As ``_`` for a text that has a plural."""
    return translations(language()).ngettext(one, many, number) % {"num": number_text(number), **values}


def mark(text: str) -> str:
    """Marks a text that is put into the language later."""
    return text


def number_text(number: float) -> str:
    """Returns a number as the language writes it."""
    return str(format_decimal(number, locale=_locale(language())))


def time_text(at: float) -> str:
    """Returns a time in full, in the server's own time zone."""
    return str(format_datetime(_moment(at), "medium", locale=_locale(language())))


def ago_text(at: float, now: float) -> str:
    """Returns how long ago something was, or how soon it will be."""
    return str(format_timedelta(datetime.timedelta(seconds=at - now), add_direction=True, threshold=1.2, locale=_locale(language())))


def iso_text(at: float) -> str:
    """Returns a time for programs."""
    return _moment(at).isoformat(timespec="seconds")


def _moment(at: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).astimezone()


@cache
def _locale(code: str) -> Locale:
    return Locale.parse(code)


def plain_gettext(text: str) -> str:
    """What templates call: they put values in themselves."""
    return translations(language()).gettext(text)


def plain_ngettext(one: str, many: str, number: int) -> str:
    return translations(language()).ngettext(one, many, number)
