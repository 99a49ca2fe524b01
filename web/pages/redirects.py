"""The makers' redirect services: which are set up, which phones they have, and which they are still to forget.

What a service has of a phone says nothing about what the phone fetched and whether it is registered: its page has lights for those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import actor, installation
from provisioner.api.phones import found_phone, mac_of
from provisioner.core.mac import Mac, try_parse
from provisioner.errors import InputError
from provisioner.records import PhoneRecord
from provisioner.records_install import RedirectRecord, RedirectRemoval
from provisioner.redirect import SERVICES
from provisioner.redirecting import ask_redirect
from web.guard import needs, of_installation
from web.i18n import _, mark
from web.page import done, mistakes_of, page

pages = Blueprint("redirects", __name__)
PAGE = 50
STATES: Mapping[str, tuple[str, str, str]] = {
    "asked": ("busy", "wait", mark("Asked")),
    "registered": ("good", "check", mark("It has the phone")),
    "leaving": ("busy", "wait", mark("Asked to forget it")),
    "refused": ("bad", "cross", mark("Refused")),
}
"""State -> tone, sign and words of its badge."""


@dataclass(frozen=True, slots=True)
class Service:
    """A maker's service."""

    maker: str
    title: str
    is_set: bool
    needs_serial: bool


@pages.get("/redirects")
@needs("technician")
@of_installation
def index() -> Response:
    """All of it, live."""
    store = installation().store
    there = store.redirects(after=_after("after"), limit=PAGE + 1)
    leaving = store.redirect_removals(after=_after("leaving_after"), limit=PAGE + 1)
    return page(
        "redirects.html", services=[found for name in installation().catalogue.vendors if (found := service_of(name))], states=STATES,
        there=[(row, state_of(row)) for row in there[:PAGE]], next=_next("after", there),
        leaving=[(row, state_of(row)) for row in leaving[:PAGE]], leaving_next=_next("leaving_after", leaving),
    )  # fmt: skip


@pages.post("/redirects/<string:mac>/retry")
@needs("technician")
@of_installation
def retry(mac: str) -> Response:
    """Has a service asked again now to forget a phone."""
    parsed = mac_of(mac)
    installation().changes.retry_redirect_removal(actor(), parsed)
    return done(_("The service is asked again to forget %(mac)s.", mac=parsed.colons), url_for(".index"))


@pages.post("/redirects/<string:mac>/forget")
@needs("technician")
@of_installation
def forget(mac: str) -> Response:
    """Gives it up."""
    parsed = mac_of(mac)
    installation().changes.forget_redirect_removal(actor(), parsed)
    return done(_("Nobody asks about %(mac)s any more.", mac=parsed.colons), url_for(".index"))


@pages.post("/phones/<string:mac>/redirect")
@needs("technician")
@of_installation
def register(mac: str) -> Response:
    """Asks that the phone's maker tell it where this server is."""
    record, place = found_phone(mac), installation()
    try:
        ask_redirect(place.store, place.changes, actor(), record.mac, request.form.get("serial", "").strip())
    except InputError as error:
        return _of_phone(record, mistakes_of(error), 422)
    return done(_("The service is asked to register the phone."), url_for(".of_phone", mac=record.mac.colons))


@pages.post("/phones/<string:mac>/redirect/end")
@needs("technician")
@of_installation
def end(mac: str) -> Response:
    """Asks that it tell the phone nothing any more."""
    record = found_phone(mac)
    installation().changes.end_redirect(actor(), record.mac)
    return done(_("The service is asked to forget the phone."), url_for(".of_phone", mac=record.mac.colons))


@pages.get("/phones/<string:mac>/redirect")
@of_installation
def of_phone(mac: str) -> Response:
    """One phone at its maker's service."""
    return _of_phone(found_phone(mac), {})


def service_of(vendor: str) -> Service | None:
    """Returns the redirect service of a maker, None where it has none."""
    found = installation().catalogue.vendors.get(vendor)
    if found is None or found.redirect is None:
        return None
    kind = SERVICES[found.redirect.service]
    return Service(found.name, kind.title, installation().store.redirect_account(vendor) is not None, kind.needs_serial)


def state_of(row: RedirectRecord | RedirectRemoval) -> str:
    """Returns the key of ``STATES`` that says where a phone is with its service."""
    is_wanted = isinstance(row, RedirectRecord) and row.wanted
    return row.state if is_wanted or row.state == "refused" else "leaving"


def _of_phone(record: PhoneRecord, mistakes: Mapping[str, str], status: int = 200) -> Response:
    store = installation().store
    known = store.redirect(record.mac) or store.redirect_removal(record.mac)
    model = installation().catalogue.model(record.model)
    return page(
        "phone_redirect.html", status, phone=record, tab="install", model=model, mistakes=mistakes, states=STATES, known=known,
        state=state_of(known) if known else "", service=service_of(record.model.partition("/")[0]), serial=request.form.get("serial", ""),
        may_end=isinstance(known, RedirectRecord) and state_of(known) != "leaving",
    )  # fmt: skip


def _after(name: str) -> str:
    parsed = try_parse(request.args.get(name, ""))
    return parsed if isinstance(parsed, Mac) else ""


def _next(name: str, rows: Sequence[RedirectRecord | RedirectRemoval]) -> str:
    """Returns the address of the page behind this one, where there is one."""
    values: dict[str, Any] = {name: rows[PAGE - 1].mac.colons} if len(rows) > PAGE else {}
    return url_for(".index", **values) if values else ""
