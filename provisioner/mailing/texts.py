"""The sentences of e-mail notices. They stand here in English, marked with ``mark``; ``translations/*.po`` hold the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from provisioner.translating import translations

FOLDER = Path(__file__).parent / "translations"


def mark(text: str) -> str:
    """Returns the text as it is: it is put into a language later."""
    return text


EVENTS: Mapping[str, str] = {
    "call.emergency": mark("Emergency call to %(number)s from extension %(extension)s"),
    "backup.failed": mark("The backup failed"),
    "pbx.lost": mark("The telephone system does not answer for %(minutes)s minutes"),
    "pbx.back": mark("The telephone system answers again"),
    "lockstep.behind": mark("%(phones)s phones of site %(site)s are not as they should be"),
    "lockstep.again": mark("All phones of site %(site)s are as they should be"),
    "certificate.ending": mark("The certificate for phones ends on %(until)s"),
    "disk.low": mark("The disk is nearly full: %(free_mb)s MB are free"),
    "recordings.full": mark("Recordings take all the room they may: the oldest go"),
    "bootstrap.alarm": mark("Somebody goes through MAC addresses: %(scope)s"),
    "claim_code.use": mark("A phone was claimed by code: %(subject)s"),
}
"""Action -> what happened, in the words of whoever is told."""
LABELS: Mapping[str, str] = {
    "at": mark("When"), "site": mark("Site"), "extension": mark("Extension"), "phone": mark("Phone"), "place": mark("Place"),
    "phones": mark("Phones"), "detail": mark("Details"),
}  # fmt: skip
OTHERS = (
    mark("%(action)s: %(subject)s, by %(actor)s"),
    mark("%(first)s, and %(count)s more"),
    mark("and %(count)s more, which are on the page of changes"),
    mark("What happened, and who did what:"),
    mark("This is a test: e-mail notices of your phones reach you."),
    mark("Test of e-mail notices"),
)


def said(language: str, text: str, values: Mapping[str, str] | None = None) -> str:
    """Returns a marked text in a language, with ``values`` put in."""
    translated = translations(FOLDER, language).gettext(text)
    return translated % values if values is not None else translated
