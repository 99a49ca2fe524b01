"""The first page: phones by stage, what wants attention, how the PBX is, what happened last."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from flask import Blueprint, Response, current_app, url_for

from provisioner.api.context import has_pbx, installation
from provisioner.api.mail import NO_SERVER
from provisioner.api.numbers import Overview
from provisioner.api.pbx import state_of
from provisioner.backup_standing import standing
from provisioner.overlay import OverlayPlace, upgrade_notices
from provisioner.records import FetchRecord
from web.i18n import _, ngettext
from web.page import page
from web.words import may, may_all

pages = Blueprint("dashboard", __name__)
EVENTS = 10


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that somebody should look at."""

    tone: str
    text: str
    href: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows. ``pbx`` and ``fetches`` are of the whole installation; ``fetches`` None: they are not shown."""

    stages: Mapping[str, int]
    attention: tuple[Attention, ...] = ()
    pbx: dict[str, object] | None = None
    fetches: Sequence[FetchRecord] | None = None


@pages.get("/")
def index() -> Response:
    """The first page; for somebody of some sites it has what is of these alone."""
    store = installation().store
    shown = _whole() if may_all("viewer") else _of_sites()
    return page(
        "dashboard.html", stages=shown.stages, total=sum(shown.stages.values()), pbx=shown.pbx, fetches=shown.fetches,
        attention=[*shown.attention, *_of_scans(), *_of_phones(shown.stages)], changes=store.changes(limit=EVENTS),
    )  # fmt: skip


def _whole() -> Shown:
    store = installation().store
    overview: Overview = current_app.extensions["provisioner.numbers"]()
    pbx = state_of(store.pbx_facts(), store.pbx_counts(), store.registration_counts()) if has_pbx() else None
    return Shown(overview.stages, tuple(_of_all(overview, pbx)), pbx, store.fetches(limit=EVENTS))


def _of_sites() -> Shown:
    """The numbers that are kept are those of the whole installation: somebody of some sites has their own counted."""
    return Shown(installation().store.stage_counts(has_pbx=has_pbx()))


def _of_all(overview: Overview, pbx: dict[str, object] | None) -> Iterator[Attention]:
    """Yields what is of the whole installation."""
    store = installation().store
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
    if refused := store.redirect_removals_refused():
        text = ngettext(
            "%(num)s phone could not be taken off its maker's redirect service.",
            "%(num)s phones could not be taken off their makers' redirect services.",
            refused,
        )
        yield Attention("warn", text, url_for("web.redirects.index") if may("technician") else "")
    if trouble := standing(installation().settings, store, installation().changes.clock()).trouble:
        yield Attention("warn", _("A backup wants attention."), url_for("web.backups.index") if may("admin") else "", trouble)
    yield from _of_mail()
    yield from _of_own_files()
    if seen := overview.counts.get("sightings", 0):
        text = ngettext("%(num)s phone was seen and is not listed.", "%(num)s phones were seen and are not listed.", seen)
        yield Attention("info", text, url_for("web.sightings.index"))


def _of_mail() -> Iterator[Attention]:
    """Yields why people are not told by e-mail who should be."""
    rows = [row for row in installation().store.mail_recipients() if row.enabled]
    late = next((row.error for row in rows if row.tries), "")
    why = late if installation().settings.mail_server else NO_SERVER
    if rows and why:
        is_theirs = may("admin")  # why may name a recipient
        yield Attention(
            "warn", _("E-mail notices do not go out."), url_for("web.notices.index") if is_theirs else "", why if is_theirs else ""
        )


def _of_own_files() -> Iterator[Attention]:
    """Yields what became of files of one's own over the catalogue; the commands that it names work on the server itself."""
    place = OverlayPlace.of(installation().settings)
    if place.own is not None and (trouble := place.state().trouble):
        yield Attention("bad", _("Files of your own over the catalogue were refused; those used before are served."), "", trouble[0])
    if notices := upgrade_notices(place):
        text = ngettext(
            "%(num)s file of your own is older than the file of the catalogue that it stands for.",
            "%(num)s files of your own are older than the files of the catalogue that they stand for.",
            len(notices),
        )
        yield Attention("warn", text, "", notices[0])


def _of_scans() -> Iterator[Attention]:
    if installation().store.frozen_scopes(installation().changes.clock()):
        where = url_for("web.enrolment.index") if may("technician") else ""
        yield Attention("bad", _("Somebody scans for MACs: first fetches are frozen."), where)


def _of_phones(stages: Mapping[str, int]) -> Iterator[Attention]:
    for mac, error in installation().store.phones_held(5):
        yield Attention("bad", _("%(mac)s is held", mac=mac.colons), url_for("web.phone.index", mac=mac.colons), error)
    for row in installation().store.bootstrap_refusals(limit=5):
        where = url_for("web.phone_install.index", mac=row.mac.colons)
        yield Attention("warn", _("%(mac)s was refused its first fetch", mac=row.mac.colons), where)
    if waiting := stages.get("waiting_for_phone", 0):
        text = ngettext(
            "%(num)s phone has to fetch its new files by itself.", "%(num)s phones have to fetch their new files by themselves.", waiting
        )
        yield Attention("warn", text, url_for("web.phones.index", stage="waiting_for_phone"))
