"""Folders of translations (``<language>.po``), compiled when they are first needed, so that no compiled file is kept."""

from __future__ import annotations

import gettext
import io
from functools import cache
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


@cache
def translations(folder: Path, language: str) -> gettext.NullTranslations:
    """Returns the texts of a language of ``LANGUAGES``; the English ones are the marked texts themselves."""
    if language == "en":
        return gettext.NullTranslations()
    with (folder / f"{language}.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
