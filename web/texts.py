"""The texts of the pages, the sentences of the server and the texts of the catalogue, and bringing the catalogues up to them: ``python -m web.texts``.

It keeps every translation there is, adds what is new without one, and takes away what nobody marks any more. A test fails while
any text lacks its translation.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from provisioner.core.languages import LANGUAGES
from web.extraction import catalogue_texts, spoken_sentences
from web.i18n import CATALOGUE, DEFAULT, FOLDER
from web.sentences import FOLDER as SENTENCES

WEB = Path(__file__).parent
KEYWORDS = {"_": None, "mark": None, "gettext": None, "ngettext": (1, 2)}
_TEMPLATE_OPTIONS = {"trimmed": "true", "silent": "false"}
WIDTH = 120
_NO_DATE = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
"""A catalogue that says when it was written differs each time; the history knows."""


@cache
def marked_texts() -> Catalog:
    """Returns every text that is marked in templates and code, with where it stands."""
    return _catalogue(sorted(_found(), key=lambda item: (item[0], str(item[1]))))


@cache
def sentences() -> Catalog:
    """Returns every sentence of the server that a page can show, with the file in which it stands."""
    return _catalogue(spoken_sentences())


@cache
def of_the_catalogue() -> Catalog:
    """Returns every text of the shipped catalogue that a page can show, with the file in which it stands."""
    return _catalogue(catalogue_texts())


KINDS: Mapping[Path, Callable[[], Catalog]] = {FOLDER: marked_texts, SENTENCES: sentences, CATALOGUE: of_the_catalogue}
"""Folder of catalogues -> what they have to translate. It is read once for all languages, and not to be changed."""


def catalogue_of(language: str, folder: Path) -> Catalog:
    """Returns a language's catalogue as it is kept; an empty one where there is none yet."""
    path = folder / f"{language}.po"
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def missing(language: str, folder: Path) -> list[str]:
    """Returns the texts without a translation, or with one that nobody confirmed, in the order in which they stand."""
    kept = catalogue_of(language, folder)
    found = ((message.id, kept.get(message.id)) for message in KINDS[folder]() if message.id)
    return [str(text) for text, message in found if message is None or message.fuzzy or not _is_whole(message.string)]


def bring_up_to_date(language: str, folder: Path) -> None:
    """Writes a language's catalogue anew: every text, with the translation that it has."""
    kept, wanted = catalogue_of(language, folder), KINDS[folder]()
    fresh = Catalog(
        locale=language, project="provisioner", version="1", charset="utf-8", header_comment=f"# {LANGUAGES[language]}", fuzzy=False,
        msgid_bugs_address="-", last_translator="-", language_team=language, creation_date=_NO_DATE, revision_date=_NO_DATE,
    )  # fmt: skip
    for message in wanted:
        if message.id:
            known = kept.get(message.id)
            fresh.add(message.id, known.string if known else "", locations=message.locations)
    with (folder / f"{language}.po").open("wb") as file:
        write_po(file, fresh, width=WIDTH, sort_output=False, omit_header=False, include_lineno=False)


def _catalogue(found: Iterable[tuple[str, str | tuple[str, ...]]]) -> Catalog:
    catalogue = Catalog(charset="utf-8", header_comment="", fuzzy=False)
    for path, text in found:
        catalogue.add(text, locations=[(path, 0)])
    return catalogue


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
    for code, kind in itertools.product(LANGUAGES, KINDS):
        if code != DEFAULT:
            bring_up_to_date(code, kind)
