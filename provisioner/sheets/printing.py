"""Sheets as PDF. WeasyPrint lays the same HTML out that browsers show; Pango shapes the scripts.

The fonts are looked for by name and given to it as files, so that a sheet looks alike wherever it is printed, and a missing font is told
in a sentence instead of printed as boxes.
"""

from __future__ import annotations

import ctypes.util
from functools import cache
from pathlib import Path
from typing import NamedTuple

from provisioner.errors import ProvisionerError
from provisioner.sheets import Sheet, sheet_html

FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".local/share/fonts", Path("/Library/Fonts"))


class Face(NamedTuple):
    """One font file that sheets are set in."""

    family: str
    file: str
    weight: str


LATIN = (
    Face("Sheet", "NotoSans-Regular.ttf", "normal"), Face("Sheet", "NotoSans-Bold.ttf", "bold"), Face("Sheet Mono", "DejaVuSansMono-Bold.ttf", "bold"),
)  # fmt: skip
KHMER = (Face("Sheet Khmer", "NotoSansKhmer-Regular.ttf", "normal"), Face("Sheet Khmer", "NotoSansKhmer-Bold.ttf", "bold"))
PACKAGES = "libpangoft2-1.0-0 fonts-noto-core fonts-dejavu-core"


class PrintingError(ProvisionerError):
    """A PDF cannot be made on this machine; the message says what to install."""

    reason = "printing_unavailable"


def sheet_pdf(sheet: Sheet, language: str) -> bytes:
    """Returns the sheet as PDF, with its fonts in it. Raises ``PrintingError``, and ``InputError`` as ``sheet_html`` does."""
    page = sheet_html(sheet, language, fonts=_rules(language))
    try:
        import weasyprint  # late: it takes a second, and a library that only few installations need
        from weasyprint.urls import URLFetcher
    except OSError as error:
        raise PrintingError(f"PDFs need the library Pango: apt-get install {PACKAGES} (the sheet as HTML needs nothing)") from error
    # Only the fonts named above are ever fetched: the page is escaped, and nothing in it comes from elsewhere.
    document = weasyprint.HTML(string=page, url_fetcher=URLFetcher(allowed_protocols=("file",)))
    return bytes(document.write_pdf())


def lacking() -> list[str]:
    """Returns what this machine lacks to print sheets in every language: names of font files, or of the library."""
    library = [] if ctypes.util.find_library("pangoft2-1.0") else ["the library Pango"]
    return [*library, *(face.file for face in (*LATIN, *KHMER) if _font(face.file) is None)]


def _rules(language: str) -> str:
    found = {face: _font(face.file) for face in (*LATIN, *KHMER)}
    # A name in Khmer may stand on any sheet, but only a sheet in Khmer cannot do without.
    missing = [face.file for face, path in found.items() if path is None and (language == "km" or face in LATIN)]
    if missing:
        raise PrintingError(f"PDFs need the fonts {', '.join(missing)}: apt-get install {PACKAGES} (the sheet as HTML needs nothing)")
    rules = [
        f'@font-face {{ font-family: "{face.family}"; font-weight: {face.weight}; src: url("{path.as_uri()}"); }}'
        for face, path in found.items()
        if path is not None
    ]
    return "\n".join(rules)


@cache
def _font(name: str) -> Path | None:
    return next((path for folder in FOLDERS if folder.is_dir() for path in sorted(folder.rglob(name))), None)
