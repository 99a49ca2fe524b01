"""Copying keys of one phone to many: chosen by search and filter, shown before it is done, with what does not fit."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import actor, installation
from provisioner.api.phones import found_phone
from provisioner.errors import InputError, RenderError
from web.guard import needs
from web.i18n import _, ngettext
from web.keys import place_of
from web.page import done, mistakes_of, page
from web.pages.phones import chosen_phones, models_listed, wanted_phones

pages = Blueprint("key_copies", __name__)
SHOWN = 100


@pages.get("/phones/<string:mac>/keys/copy")
@needs("technician")
def index(mac: str) -> Response:
    """Which keys, and to which phones."""
    return _form(mac, {})


@pages.post("/phones/<string:mac>/keys/copy")
@needs("technician")
def copy(mac: str) -> Response:
    """Shows what it would do to each phone; then does it."""
    record, given = found_phone(mac), request.form
    macs, places = (
        chosen_phones(given, wanted_phones(request.args)),
        [place for text in given.getlist("place") if (place := place_of(text))],
    )
    if not macs or not places:
        return _form(mac, {"": _("Choose keys and phones.")}, 422)
    changes = installation().changes
    try:
        if "sure" not in given:
            plans = changes.plan_copy(record.mac, macs, places)
            return page("keys_copy_sure.html", phone=record, tab="keys", plans=plans, places=places, macs=macs)
        copied = changes.copy_keys(actor(), record.mac, macs, places, only_fitting=True)
    except (InputError, RenderError) as error:
        return _form(mac, mistakes_of(error), 422)
    text = ngettext("%(num)s phone has the keys now.", "%(num)s phones have the keys now.", len(copied))
    return done(text, url_for("web.keys.index", mac=record.mac.colons))


def _form(mac: str, mistakes: Mapping[str, str], status: int = 200) -> Response:
    record, wanted = found_phone(mac), wanted_phones(request.args)
    found = installation().store.phones(limit=SHOWN + 2, wanted=wanted)
    rows = [row for row in found if row.mac != record.mac]
    sites = [site.name for site in installation().store.sites()]
    return page(
        "keys_copy.html", status, phone=record, tab="keys", rows=rows[:SHOWN], has_more=len(rows) > SHOWN, mistakes=mistakes, sites=sites,
        models=models_listed(), wanted={name: request.args.get(name, "") for name in ("search", "site", "model")},
    )  # fmt: skip
