"""The marked texts of the pages, and bringing the catalogues up to them: ``python -m web.texts``.

It keeps every translation there is, adds what is new without one, and takes away what nobody marks any more. A test fails while
any text lacks its translation.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from provisioner.core.languages import LANGUAGES
from web.i18n import DEFAULT, FOLDER

WEB = Path(__file__).parent
KEYWORDS = {"_": None, "mark": None, "gettext": None, "ngettext": (1, 2)}
_TEMPLATE_OPTIONS = {"trimmed": "true", "silent": "false"}
WIDTH = 120
_NO_DATE = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
"""A catalogue that says when it was written differs each time; the history knows."""


def marked_texts() -> Catalog:
    """Returns every text that is marked in templates and code, with where it stands."""
    catalogue = Catalog(charset="utf-8", header_comment="", fuzzy=False)
    for path, text in sorted(_found(), key=lambda item: (item[0], str(item[1]))):
        catalogue.add(text, locations=[(path, 0)])
    return catalogue


def catalogue_of(language: str) -> Catalog:
    """Returns a language's catalogue as it is kept."""
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


def missing(language: str) -> list[str]:
    """Returns the marked texts without a translation, or with one that nobody confirmed, in the order in which they are marked."""
    kept = catalogue_of(language)
    found = ((message.id, kept.get(message.id)) for message in marked_texts() if message.id)
    return [str(text) for text, message in found if message is None or message.fuzzy or not _is_whole(message.string)]


def bring_up_to_date(language: str) -> None:
    """Writes a language's catalogue anew: every marked text, with the translation that it has."""
    kept, wanted = catalogue_of(language), marked_texts()
    fresh = Catalog(
        locale=language, project="provisioner", version="1", charset="utf-8", header_comment=f"# {LANGUAGES[language]}", fuzzy=False,
        msgid_bugs_address="-", last_translator="-", language_team=language, creation_date=_NO_DATE, revision_date=_NO_DATE,
    )  # fmt: skip
    for message in wanted:
        if message.id:
            known = kept.get(message.id)
            fresh.add(message.id, known.string if known else "", locations=message.locations)
    with (FOLDER / f"{language}.po").open("wb") as file:
        write_po(file, fresh, width=WIDTH, sort_output=False, omit_header=False, include_lineno=False)


def _found() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    for path in sorted(WEB.rglob("*")):
        method = {".py": "python", ".html": "jinja2.ext:babel_extract"}.get(path.suffix)
        if method is None:
            continue
        options = _TEMPLATE_OPTIONS if path.suffix == ".html" else {}
        for _line, text, _comments, _context in extract_from_file(method, str(path), KEYWORDS, options=options):
            yield str(path.relative_to(WEB)), text


def _is_whole(translation: str | tuple[str, ...] | list[str] | None) -> bool:
    return bool(translation) and (isinstance(translation, str) or all(translation or ()))


if __name__ == "__main__":
    for code in LANGUAGES:
        if code != DEFAULT:
            bring_up_to_date(code)
