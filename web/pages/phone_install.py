"""Bringing one phone up: its four lights, a test call, its instruction sheet, a one-time link for phones far away, its first fetch."""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, Response, redirect, request, url_for

from provisioner.api.context import actor, installation
from provisioner.api.phones import found_phone
from provisioner.api.sheets import pdf_of
from provisioner.core.access import link_state
from provisioner.core.languages import LANGUAGES
from provisioner.errors import InputError
from provisioner.records import PhoneRecord
from provisioner.records_install import IssuedLink
from provisioner.sheets.facts import language_of, sheet_of
from web.finding import asks_as_fresh
from web.forms import number_of
from web.guard import needs, own_path
from web.i18n import _, mark
from web.install_lights import install_lights
from web.page import done, mistakes_of, page

pages = Blueprint("phone_install", __name__)
HOURS = 72
LINK_STATES = {
    "open": mark("Not used yet"),
    "running": mark("The phone has begun by it"),
    "used": mark("Used"),
    "expired": mark("Run out unused"),
}


@pages.get("/phones/<string:mac>/install")
def index(mac: str) -> Response:
    """All that brings it up."""
    return _page(found_phone(mac))


@pages.post("/phones/<string:mac>/test-call")
@needs("technician")
def test_call(mac: str) -> Response:
    """Has the PBX ring it and say its number."""
    record = found_phone(mac)
    installation().changes.request_test_call(actor(), record.mac)
    return cast("Response", redirect(own_path(request.form.get("back", "")), 303))


@pages.post("/phones/<string:mac>/link")
@needs("technician")
def link(mac: str) -> Response:
    """Issues a one-time install link, and shows it this once."""
    record = found_phone(mac)
    try:
        issued = installation().changes.issue_install_link(actor(), record.mac, number_of(request.form, "hours") or HOURS)
    except InputError as error:
        return _page(record, mistakes=mistakes_of(error), status=422)
    return _page(record, issued=issued)


@pages.post("/phones/<string:mac>/link/withdraw")
@needs("technician")
def withdraw(mac: str) -> Response:
    """Makes its install link worthless."""
    record = found_phone(mac)
    installation().changes.withdraw_install_link(actor(), record.mac)
    return done(_("The install link opens nothing any more."), url_for(".index", mac=record.mac.colons))


@pages.post("/phones/<string:mac>/sheet")
@needs("viewer")
def sheet(mac: str) -> Response:
    """Prints how the server's address is typed into it, as PDF. A form and no address, so that no code of a link is kept in a history."""
    record, place, given = found_phone(mac), installation(), request.form
    found = sheet_of(place.store, record.mac, code=given.get("code", "")[:32], now=place.changes.clock())
    return pdf_of(found, given.get("language", ""))


def shown_of(record: PhoneRecord) -> dict[str, Any]:
    """Returns what the lights and what is below them show."""
    place = installation()
    kept = place.store.install_link(record.mac)
    return {
        "install_lights": install_lights(record),
        "asks_as_fresh": asks_as_fresh(record.mac),
        "can_call": place.settings.has_waiting_room and bool(record.lines),
        "sheets": list(LANGUAGES.items()),
        "sheet_language": language_of(place.store, record.mac),
        "link": kept,
        "link_state": LINK_STATES[link_state(kept, place.changes.clock())] if kept else "",
        "hours": HOURS,
    }


def _page(record: PhoneRecord, *, issued: IssuedLink | None = None, mistakes: Any = None, status: int = 200) -> Response:
    model = installation().catalogue.model(record.model)
    common = {"phone": record, "tab": "install", "model": model, "issued": issued, "mistakes": mistakes or {}}
    return page("phone_install.html", status, **common, **shown_of(record))
