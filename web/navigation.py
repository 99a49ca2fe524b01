"""What stands in the navigation: the pages that the person may open, in the order of how often they are needed."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request, url_for

from web.i18n import mark
from web.words import may, may_all

_ENTRIES = (
    ("dashboard", "home", mark("Overview"), "viewer"),
    ("phones", "phone", mark("Phones"), "viewer"),
    ("install", "install", mark("Install"), "technician"),
    ("sightings", "eye", mark("Seen"), "viewer"),
    ("enrolment", "door", mark("Taking in"), "technician"),
    ("extensions", "person", mark("Extensions"), "viewer"),
    ("calls", "call", mark("Calls"), "user"),
    ("layouts", "layout", mark("Layouts"), "viewer"),
    ("sites", "site", mark("Sites"), "viewer"),
    ("models", "model", mark("Models"), "viewer"),
    ("imports", "import", mark("Import"), "admin"),
    ("pbx", "pbx", mark("PBX"), "viewer"),
    ("changes", "change", mark("Changes"), "viewer"),
    ("people", "key", mark("People"), "admin"),
    ("notices", "bell", mark("Notices"), "admin"),
    ("backups", "box", mark("Backups"), "admin"),
    ("help", "help", mark("Help"), "user"),
)
"""Page, icon, title, and the role that it needs."""
_OF_INSTALLATION = frozenset({"imports", "pbx", "people", "notices", "backups"})
"""Pages that need the right to all sites besides."""
_BELOW = {
    "phone": "phones",
    "phone_edit": "phones",
    "phone_install": "phones",
    "keys": "phones",
    "key_copies": "phones",
    "redirects": "enrolment",
    "webhooks": "notices",
}
"""Pages without an entry of their own, and the one that they stand below."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. ``title`` is a marked text."""

    href: str
    icon: str
    title: str
    is_here: bool


def navigation() -> list[Entry]:
    """Returns the entries for the person who looks."""
    here = str(request.endpoint).removeprefix("web.").partition(".")[0]
    here = _BELOW.get(here, here)
    return [
        Entry(url_for(f"web.{page}.index"), icon, title, page == here)
        for page, icon, title, role in _ENTRIES
        if (may_all(role) if page in _OF_INSTALLATION else may(role))
    ]
