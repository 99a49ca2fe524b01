"""Phones that were seen and are not listed, and taking one on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import actor, installation
from provisioner.api.sightings import catalogue_model, found_sighting
from provisioner.core.mac import Mac, try_parse
from provisioner.errors import InputError, RenderError
from provisioner.records import SightingRecord
from web.forms import choices
from web.guard import needs
from web.i18n import _
from web.page import done, mistakes_of, page
from web.pages.phone_edit import by_field, phone_input

pages = Blueprint("sightings", __name__)
PAGE = 50


@pages.get("/seen")
def index() -> Response:
    """The list, live."""
    parsed = try_parse(request.args.get("after", ""))
    after = parsed if isinstance(parsed, Mac) else ""
    rows = installation().store.sightings(after=after, limit=PAGE + 1)
    following = url_for(".index", after=rows[PAGE - 1].mac.colons) if len(rows) > PAGE else ""
    shown = [(row, catalogue_model(installation().catalogue, row)) for row in rows[:PAGE]]
    return page("sightings.html", rows=shown, next=following)


@pages.get("/seen/<string:mac>")
@needs("technician")
def adopt(mac: str) -> Response:
    """The form by which a phone is taken on."""
    seen = found_sighting(mac)
    # Where the evidence disagrees somebody looks at the phone, and says its model.
    values = {"model": "" if seen.conflict else catalogue_model(installation().catalogue, seen) or ""}
    return _form(seen, values, {})


@pages.post("/seen/<string:mac>")
@needs("technician")
def take_on(mac: str) -> Response:
    """Lists a phone that was seen. What is left open is chosen: the site by its address, its extension from the site's pool."""
    seen, given = found_sighting(mac), {**request.form.to_dict(), "enabled": "yes"}
    given.setdefault("firmware", seen.firmware)
    try:
        said = phone_input(given)
        said = replace(said, lines=said.lines or None)
        installation().changes.adopt_phone(actor(), seen.mac, said, seen.peer)
    except (InputError, RenderError) as error:
        return _form(seen, given, mistakes_of(error), 422)
    return done(_("%(mac)s is taken on.", mac=seen.mac.colons), url_for("web.phone.index", mac=seen.mac.colons))


def _form(seen: SightingRecord, values: dict[str, str], mistakes: Mapping[str, str], status: int = 200) -> Response:
    mistakes = by_field(mistakes, values)
    return page("sighting.html", status, seen=seen, values=values, mistakes=mistakes, lines=range(1, 2), **choices())
