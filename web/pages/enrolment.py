"""Taking phones in, watched: windows, codes, who waits, who was refused its first fetch, and scans for MACs; of one's own sites."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flask import Blueprint, Response, request, url_for

from provisioner.api.bootstrap import what_of
from provisioner.api.context import actor, installation
from provisioner.api.phones import mac_of
from provisioner.core.enrolment import WINDOW_MINUTES, WINDOW_PHONES
from provisioner.core.identify import model_of
from provisioner.core.mac import Mac, try_parse
from provisioner.errors import InputError
from provisioner.records import ChangeRecord, SiteRecord
from provisioner.records_enrolment import NewcomerRecord, WindowRecord
from web.forms import number_of
from web.guard import needs
from web.i18n import _, mark
from web.page import done, mistakes_of, page

pages = Blueprint("enrolment", __name__)
PAGE, CODES, ALARMS = 50, 40, 10
WHAT: Mapping[str, str] = {
    "reset": mark("It had its own address and asks as a fresh one: it was reset, or somebody asks in its name."),
    "expired": mark("Its time to make a first fetch is over."),
    "another_address": mark("Another address has taken its file since it was opened."),
    "another_model": mark("It is another model than was written down."),
}
KINDS: Mapping[str, str] = {"address": mark("from one address"), "oui": mark("of one maker"), "all": mark("in all")}
"""Kind of a scan for MACs -> which bound was passed."""


@dataclass(frozen=True, slots=True)
class SiteWindow:
    """A site that takes phones in by windows, and the window that is open there."""

    site: SiteRecord
    window: WindowRecord | None


@dataclass(frozen=True, slots=True)
class MadeCode:
    """A claim code: when it was made, by whom, and what became of it."""

    extension: str
    state: Literal["open", "used", "replaced", "expired"]
    made: ChangeRecord
    ends_at: float
    used: ChangeRecord | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A MAC that asked and was not let in. ``code`` is what its display shows."""

    row: NewcomerRecord
    model: str
    code: str
    is_listed: bool


@pages.get("/enrolment")
@needs("technician")
def index() -> Response:
    """All of it, live."""
    return _page({}, {})


@pages.post("/enrolment/window")
@needs("technician")
def open_window() -> Response:
    """Opens the window of a site for a bounded time and number."""
    given = request.form
    site = given.get("site", "")
    try:
        minutes, phones = number_of(given, "minutes") or 0, number_of(given, "phones") or 0
        installation().changes.open_window(actor(), site, minutes, phones)
    except InputError as error:
        return _page(mistakes_of(error), given, 422)
    return done(_("The window of %(site)s is open.", site=site), url_for(".index"))


@pages.post("/enrolment/window/close")
@needs("technician")
def close_window() -> Response:
    """Closes it."""
    site = request.form.get("site", "")
    installation().changes.close_window(actor(), site)
    return done(_("The window of %(site)s is closed.", site=site), url_for(".index"))


@pages.post("/enrolment/open-again")
@needs("technician")
def open_again() -> Response:
    """Opens the first fetch of a phone again that was refused it."""
    mac = mac_of(request.form.get("mac", ""))
    installation().changes.reopen_first_fetch(actor(), mac)
    return done(_("The first fetch of %(mac)s is open again.", mac=mac.colons), url_for(".index"))


def _page(mistakes: Mapping[str, str], given: Mapping[str, str], status: int = 200) -> Response:
    store, now = installation().store, installation().changes.clock()
    after, refused_after = _after("after"), _after("refused_after")
    newcomers = store.newcomers(after=after, limit=PAGE + 1)
    refusals = store.bootstrap_refusals(after=refused_after, limit=PAGE + 1)
    return page(
        "enrolment.html", status, mistakes=mistakes, given=given, windows=list(_windows(now)), codes=list(_codes(now)), now=now,
        waiting=_waiting(newcomers[:PAGE]), next=_next("after", [row.mac for row in newcomers]),
        refusals=[(row, WHAT[what_of(row)]) for row in refusals[:PAGE]], refused_next=_next("refused_after", [row.mac for row in refusals]),
        alarms=store.alarms(limit=ALARMS), kinds=KINDS, minutes=WINDOW_MINUTES, phones=WINDOW_PHONES,
    )  # fmt: skip


def _windows(now: float) -> Iterator[SiteWindow]:
    store = installation().store
    known = {window.site: window for window in store.windows() if window.is_open(now)}
    yield from (SiteWindow(site, known.get(site.name)) for site in store.sites() if site.enrolment == "window")


def _codes(now: float) -> Iterator[MadeCode]:
    """Yields the codes that were made last, the newest first; the log of changes knows what became of each."""
    later: dict[str, ChangeRecord] = {}
    for row in installation().store.changes(actions=("claim_code.make", "claim_code.use"), limit=CODES):
        if row.action == "claim_code.make":
            yield _code(row, later.get(row.subject), now)
        later[row.subject] = row


def _code(made: ChangeRecord, later: ChangeRecord | None, now: float) -> MadeCode:
    """Returns a code; ``later`` is what was done next with a code of that extension."""
    ends_at = made.at + 60.0 * float((made.after or {}).get("minutes", 0))
    if later is not None and later.at <= ends_at:
        is_used = later.action == "claim_code.use"
        return MadeCode(made.subject, "used" if is_used else "replaced", made, ends_at, later if is_used else None)
    return MadeCode(made.subject, "open" if now < ends_at else "expired", made, ends_at)


def _waiting(rows: list[NewcomerRecord]) -> list[Waiting]:
    place = installation()
    listed = place.store.listed([row.mac for row in rows])
    return [
        Waiting(
            row,
            model_of(place.catalogue, row.mac, row.user_agent)[0],
            place.box.waiting_code(row.mac) if row.waits else "",
            row.mac in listed,
        )
        for row in rows
    ]


def _after(name: str) -> str:
    parsed = try_parse(request.args.get(name, ""))
    return parsed if isinstance(parsed, Mac) else ""


def _next(name: str, macs: list[Mac]) -> str:
    """Returns the address of the page behind this one, where there is one."""
    values: dict[str, Any] = {name: macs[PAGE - 1].colons} if len(macs) > PAGE else {}
    return url_for(".index", **values) if values else ""
