"""The first page: phones by stage, what wants attention, how the PBX is, what happened last."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from flask import Blueprint, Response, current_app, url_for

from provisioner.api.context import has_pbx, installation
from provisioner.api.numbers import Overview
from provisioner.api.pbx import state_of
from web.i18n import _, ngettext
from web.page import page

pages = Blueprint("dashboard", __name__)
EVENTS = 10


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that somebody should look at."""

    tone: str
    text: str
    href: str
    detail: str = ""


@pages.get("/")
def index() -> Response:
    """The first page."""
    store = installation().store
    overview: Overview = current_app.extensions["provisioner.numbers"]()
    pbx = state_of(store.pbx_facts(), store.pbx_counts(), store.registration_counts()) if has_pbx() else None
    return page(
        "dashboard.html",
        overview=overview,
        total=sum(overview.stages.values()),
        pbx=pbx,
        attention=list(_attention(overview, pbx)),
        changes=store.changes(limit=EVENTS),
        fetches=store.fetches(limit=EVENTS),
    )


def _attention(overview: Overview, pbx: dict[str, object] | None) -> Iterator[Attention]:
    store, counts = installation().store, overview.counts
    if not overview.is_known:
        yield Attention("bad", _("The database cannot be read."), url_for("web.help.index"))
    if pbx and pbx["state"] == "away":
        yield Attention("bad", _("The PBX does not answer."), url_for("web.pbx.index"), str(pbx["reason"]))
    if pbx and pbx["guard"]:
        yield Attention(
            "warn", _("The PBX was changed by hand, more than is put back unasked."), url_for("web.pbx.index"), str(pbx["guard"])
        )
    if pbx and (refused := int(str(pbx["errors"]))):
        text = ngettext("The PBX refused %(num)s extension or department.", "The PBX refused %(num)s extensions or departments.", refused)
        yield Attention("bad", text, url_for("web.pbx.index"))
    for mac, error in store.phones_held(5):
        yield Attention("bad", _("%(mac)s is held", mac=mac.colons), url_for("web.phone.index", mac=mac.colons), error)
    if waiting := overview.stages.get("waiting_for_phone", 0):
        text = ngettext(
            "%(num)s phone has to fetch its new files by itself.", "%(num)s phones have to fetch their new files by themselves.", waiting
        )
        yield Attention("warn", text, url_for("web.phones.index", stage="waiting_for_phone"))
    if seen := counts.get("sightings", 0):
        text = ngettext("%(num)s phone was seen and is not listed.", "%(num)s phones were seen and are not listed.", seen)
        yield Attention("info", text, url_for("web.sightings.index"))
