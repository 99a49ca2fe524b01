"""Reading forms: numbers, revisions, and what the choices of a form are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioner.api.context import installation
from provisioner.errors import InputError
from web.i18n import _


def whole(text: str, longest: int = 9) -> int | None:
    """Returns the number that ``text`` writes with at most ``longest`` digits; None where it does not.

    ``isdigit`` alone is not enough: it takes a raised two, which ``int`` does not.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= longest else None


def number_of(given: Mapping[str, str], name: str) -> int | None:
    """Returns a number of a form; None where it is empty. Raises ``InputError`` where it is none."""
    text = given.get(name, "").strip()
    if not text:
        return None
    number = whole(text)
    if number is None:
        raise InputError({name: _("A whole number is needed.")})
    return number


def revision_of(given: Mapping[str, str]) -> int | None:
    """Returns the revision that a form was made with."""
    return whole(given.get("revision", ""))


def choices() -> dict[str, Any]:
    """Returns what a phone's form offers: models by vendor, sites, groups."""
    place = installation()
    models = [
        (vendor.name, sorted(((model.id, model.title) for model in vendor.models.values()), key=lambda item: item[1].lower()))
        for vendor in sorted(place.catalogue.vendors.values(), key=lambda vendor: vendor.name)
    ]
    return {
        "models": models,
        "sites": [record.name for record in place.store.sites()],
        "groups": [record.name for record in place.store.groups()],
    }


def lines_of(text: str) -> list[str]:
    """Returns the lines of a text field that say something."""
    return [line.strip() for line in text.replace(",", "\n").splitlines() if line.strip()]
