"""Installing a phone with another one in one's hand: which extension, which phone, and four lights until it rings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from flask import Blueprint, Response, redirect, request, url_for

from provisioner.api.context import actor, installation
from provisioner.api.phones import mac_of
from provisioner.changes import LineInput, PhoneInput
from provisioner.core.enrolment import CLAIM_MINUTES, dialled
from provisioner.core.mac import Mac
from provisioner.errors import InputError, NotFound, RenderError
from provisioner.records import PhoneRecord
from web.finding import Found, about, meant, newest
from web.forms import choices
from web.guard import needs
from web.i18n import _
from web.page import done, mistakes_of, page
from web.pages.phone_install import shown_of

pages = Blueprint("install", __name__)
SHOWN = 20
"""Extensions at a time: whoever wants another one searches."""
NEXT = "next"
"""Stands in an address for the next free extension of a site's pool; no extension is called so."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The extension that the phone is to have. ``number`` is empty for the next one of the pool of ``site``."""

    number: str
    name: str = ""
    site: str = ""

    def url(self, view: str, mac: str | None = None) -> str:
        """Returns the address of one of the pages below the extension."""
        site = None if self.number else self.site
        return url_for(f"web.install.{view}", number=self.number or NEXT, mac=mac, site=site)


@pages.get("/install")
@needs("technician")
def index() -> Response:
    """Which extension."""
    store, search = installation().store, request.args.get("search", "").strip()[:64]
    numbers = store.numbers_to_install(search=search, limit=SHOWN + 1)
    records = {row.number: row for row in store.extensions(numbers=numbers, limit=len(numbers))} if numbers else {}
    rows = [records[number] for number in numbers[:SHOWN] if number in records]
    pools = [site for site in store.sites() if site.pool]
    phones = store.phones_with_lines([row.number for row in rows])
    return page("install.html", rows=rows, phones=phones, pools=pools, search=search, is_more=len(numbers) > SHOWN)


@pages.get("/install/<string:number>")
@needs("technician")
def find(number: str) -> Response:
    """Which phone: those seen, live; by the digits of its label or its barcode; or by a code that is dialled on it."""
    wanted, text = _wanted(number), request.args.get("phone", "").strip()[:400]
    if not text:
        return _find(wanted, text)
    try:
        macs = meant(text)
    except InputError as error:
        return _find(wanted, text, error.fields, status=422)
    if len(macs) == 1:
        return cast("Response", redirect(wanted.url("phone", mac=macs[0].colons), 303))
    return _find(wanted, text, several=macs)


@pages.post("/install/<string:number>/code")
@needs("technician")
def code(number: str) -> Response:
    """Makes a code that is dialled on the phone, and shows it this once."""
    wanted, changes = _wanted(number), installation().changes
    made_at = changes.clock()
    digits, expires_at = changes.make_claim_code(actor(), wanted.number, CLAIM_MINUTES)
    return page("install_code.html", wanted=wanted, dial=dialled(digits), expires_at=expires_at, since=made_at)


@pages.get("/install/<string:number>/came")
@needs("technician")
def came(number: str) -> Response:
    """Whether the phone on which the code was dialled is here; where it is, goes on to its lights."""
    wanted, since = _wanted(number), request.args.get("since", 0.0, float)
    found = next((row for row in installation().store.phones_on_lines([wanted.number]) if row.opened_at >= since), None)
    where = wanted.url("phone", mac=found.mac.colons) if found else ""
    if where and "HX-Request" in request.headers:
        return Response(status=204, headers={"HX-Redirect": where})
    return page("install_came.html", wanted=wanted, where=where, since=since)


@pages.get("/install/<string:number>/<string:mac>")
@needs("technician")
def phone(number: str, mac: str) -> Response:
    """The phone's lights where it has the extension; else what is going to be done, to be confirmed by one tap."""
    wanted, parsed = _wanted(number), mac_of(mac)
    listed = installation().store.phone(parsed)
    if listed and wanted.number in {line.extension for line in listed.lines}:
        return page("installed.html", wanted=wanted, phone=listed, **shown_of(listed))
    return _sure(wanted, parsed, listed)


@pages.post("/install/<string:number>/<string:mac>")
@needs("technician")
def take_in(number: str, mac: str) -> Response:
    """Takes the phone in, or puts the extension on one that is listed."""
    wanted, parsed = _wanted(number), mac_of(mac)
    listed = installation().store.phone(parsed)
    try:
        record = _put_on(wanted, listed) if listed else _taken_in(wanted, about(parsed))
    except (InputError, RenderError) as error:
        return _sure(wanted, parsed, listed, mistakes_of(error), request.form, 422)
    has = next(line.extension for line in record.lines)
    return done(_("%(number)s is on its way to the phone.", number=has), url_for(".phone", number=has, mac=parsed.colons))


def _taken_in(wanted: Wanted, found: Found) -> PhoneRecord:
    form = request.form
    lines = [LineInput(1, wanted.number)] if wanted.number else None
    model, site = form.get("model") or None, form.get("site") if wanted.number else wanted.site
    if found.conflict and not model:
        raise InputError({"model": _("What was seen of it disagrees: look at the phone, then say its model.")})
    given = PhoneInput(model=model, site=site or None, lines=lines, firmware=found.firmware or None)
    return installation().changes.adopt_phone(actor(), found.mac, given, found.peer)


def _put_on(wanted: Wanted, listed: PhoneRecord) -> PhoneRecord:
    """Puts the extension on the first line; the other lines stay as they are."""
    if not wanted.number:
        raise InputError({"": _("This phone is listed already: choose the extension that it is to have.")})
    others = [LineInput(line.line, line.extension, line.label) for line in listed.lines if line.line != 1]
    lines = [LineInput(1, wanted.number), *others]
    return installation().changes.update_phone(actor(), listed.mac, PhoneInput(lines=lines), listed.revision)


def _find(
    wanted: Wanted, text: str, mistakes: Mapping[str, str] | None = None, *, several: list[Mac] | None = None, status: int = 200
) -> Response:
    place = installation()
    by_code = bool(wanted.number) and place.settings.has_waiting_room and any(site.enrolment == "claim" for site in place.store.sites())
    return page(
        "install_find.html",
        status,
        wanted=wanted,
        found=newest(),
        text=text,
        mistakes=mistakes or {},
        several=several or [],
        by_code=by_code,
    )


def _sure(
    wanted: Wanted,
    mac: Mac,
    listed: PhoneRecord | None,
    mistakes: Mapping[str, str] | None = None,
    given: Mapping[str, str] | None = None,
    status: int = 200,
) -> Response:
    found, offered = about(mac), choices()
    sites = [wanted.site] if not wanted.number else offered["sites"]
    near = next((name for name in (found.site, wanted.site, "default") if name in sites), "")
    values = {"model": "" if found.conflict else found.model, "site": near, **(given or {})}
    maker = installation().catalogue.vendors.get(found.vendor)
    models = [row for row in offered["models"] if maker is None or row[0] == maker.name]
    return page(
        "install_sure.html", status, wanted=wanted, found=found, listed=listed, values=values, models=models, sites=sites,
        mistakes=mistakes or {}, is_known=bool(found.model) and not found.conflict,
    )  # fmt: skip


def _wanted(number: str) -> Wanted:
    """Returns the extension that an address names. Raises ``NotFound``."""
    store = installation().store
    if number == NEXT:
        site = store.site(request.args.get("site", "")[:64])
        if site is None or not site.pool:
            raise NotFound({"site": _("This site has no pool of extensions.")})
        return Wanted("", site.pool, site.name)
    record = store.extension(number)
    if record is None:
        raise NotFound({"number": _("There is no extension %(number)s.", number=number[:32])})
    return Wanted(record.number, record.display_name, record.site)
