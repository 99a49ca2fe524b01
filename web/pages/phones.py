"""The list of phones: searched, filtered, paged by key, with the columns of one's choice; and what is done to many of them at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from flask import Blueprint, Response, redirect, request, url_for

from provisioner.api.auth import came_over_tls
from provisioner.api.context import actor, has_pbx, installation
from provisioner.changes.unit import MOST_PHONES
from provisioner.core.lockstep import LockstepFacts, stage
from provisioner.core.mac import Mac, try_parse
from provisioner.errors import InputError, RenderError
from provisioner.records import PhoneFilter, PhoneRecord
from web.guard import needs, own_path
from web.i18n import _, mark, ngettext
from web.lights import Light, lights
from web.page import done, mistakes_of, page
from web.words import STAGES

pages = Blueprint("phones", __name__)
PAGE = 50
FILTERS = ("search", "stage", "site", "model")

COLUMNS: Mapping[str, str] = {
    "lights": mark("Lights"),
    "stage": mark("Stage"),
    "model": mark("Model"),
    "site": mark("Site"),
    "group": mark("Group"),
    "lines": mark("Lines"),
    "firmware": mark("Firmware"),
    "fetched": mark("Last fetch"),
    "registered": mark("Registered since"),
    "listed": mark("Listed"),
}
FIRST_COLUMNS = ("stage", "lights", "model", "lines", "site", "fetched")
COLUMN_COOKIE = "provisioner_columns"


@dataclass(frozen=True, slots=True)
class Row:
    """A phone in the list."""

    record: PhoneRecord
    facts: LockstepFacts
    stage: str
    lights: tuple[Light, ...]


@pages.get("/phones")
def index() -> Response:
    """The list."""
    wanted = wanted_phones(request.args)
    records = installation().store.phones(after=_bare(request.args.get("after", "")), limit=PAGE + 1, wanted=wanted)
    shown = records[:PAGE]
    following = _here(wanted, after=shown[-1].mac.colons) if len(records) > PAGE else ""
    return page(
        "phones.html",
        rows=rows_of(shown),
        next=following,
        wanted={name: request.args.get(name, "") for name in FILTERS},
        is_filtered=any(getattr(wanted, name) for name in FILTERS),
        is_first="after" not in request.args,
        columns=_columns(),
        all_columns=COLUMNS,
        actions=ACTIONS,
        sites=[record.name for record in installation().store.sites()],
        groups=[record.name for record in installation().store.groups()],
        layouts=installation().store.layout_names(),
        models=models_listed(),
    )


@pages.post("/phones/columns")
@needs("viewer")
def columns() -> Response:
    """Keeps which columns the list has, for this browser."""
    chosen = [name for name in COLUMNS if name in request.form.getlist("column")]
    response = cast("Response", redirect(own_path(request.form.get("back", "/phones")), 303))
    options: dict[str, Any] = {"httponly": True, "samesite": "Strict", "secure": came_over_tls(), "max_age": 365 * 24 * 3600}
    response.set_cookie(COLUMN_COOKIE, ".".join(chosen), **options)
    return response


@pages.post("/phones/many")
@needs("technician")
def many() -> Response:
    """Does something to many phones; asks once more before what people would notice."""
    given, back = request.form, own_path(request.form.get("back", "/phones"))
    action = _ACTIONS.get(given.get("action", ""))
    macs = chosen_phones(given, wanted_phones(given))
    if action is None or not macs:
        return done(_("Nothing was done: choose phones, and what to do."), back)
    if action.asks and "sure" not in given:
        return page("phones_sure.html", action=action, given=given, macs=macs, back=back, mistakes={}, unfit=_unfit(action, macs, given))
    try:
        return done(action.do(macs, given), back)
    except (InputError, RenderError) as error:
        return page("phones_sure.html", 422, action=action, given=given, macs=macs, back=back, mistakes=mistakes_of(error), unfit={})


def _unfit(action: Action, macs: Sequence[Mac], given: Mapping[str, str]) -> dict[Mac, str]:
    """Returns which phones cannot have the layout that they would be given, and why: then none gets it."""
    name = given.get("layout_to", "")
    return installation().changes.plan_layout(macs, name)[1] if action.target == "layout" and name else {}


def rows_of(records: Sequence[PhoneRecord]) -> list[Row]:
    """Returns phones with where they stand, in five statements however many they are."""
    facts = installation().store.locksteps([record.mac for record in records], has_pbx=has_pbx())
    known = [(record, facts[record.mac]) for record in records if record.mac in facts]
    return [Row(record, found, str(stage(found)), lights(found)) for record, found in known]


def models_listed() -> list[tuple[str, str]]:
    """Returns the models that phones of the list have, as (id, title)."""
    catalogue = installation().catalogue
    found = ((name, model.title if (model := catalogue.model(name)) else name) for name in installation().store.models_listed())
    return sorted(found, key=lambda item: item[1].lower())


def wanted_phones(given: Mapping[str, str]) -> PhoneFilter:
    """Returns the filter that an address or a form names."""
    search, stage_name, site, model = (given.get(name, "").strip()[:64] for name in FILTERS)
    return PhoneFilter(search, stage_name if stage_name in STAGES else "", site, model, has_pbx())


def chosen_phones(given: Any, wanted: PhoneFilter) -> list[Mac]:
    """Returns the phones that a form ticks, or with ``all`` those of the filter, one more than may be changed at once where there are more."""
    if given.get("all") == "yes":
        return installation().store.phone_macs(limit=MOST_PHONES + 1, wanted=wanted)
    parsed = (try_parse(text) for text in given.getlist("mac"))
    return [mac for mac in parsed if isinstance(mac, Mac)]


def _here(wanted: PhoneFilter, **more: Any) -> str:
    named: dict[str, Any] = {name: value for name in FILTERS if (value := getattr(wanted, name))}
    return url_for("web.phones.index", **named, **more)


def _bare(text: str) -> str:
    parsed = try_parse(text)
    return parsed if isinstance(parsed, Mac) else ""


def _columns() -> list[str]:
    kept = request.cookies.get(COLUMN_COOKIE)
    chosen = FIRST_COLUMNS if kept is None else kept.split(".")
    return [name for name in COLUMNS if name in chosen]


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is done to many phones. ``title`` is a marked text."""

    name: str
    title: str
    do: Callable[[Sequence[Mac], Mapping[str, str]], str]
    asks: str = ""
    """What people notice of it, a marked text; empty where it goes unasked."""
    target: str = ""
    """Field that says where to: ``site`` or ``group``."""


def _resync(macs: Sequence[Mac], _given: Mapping[str, str]) -> str:
    number = installation().changes.request_resyncs(actor(), macs, reboot=False)
    return ngettext("%(num)s phone is told to fetch its files.", "%(num)s phones are told to fetch their files.", number)


def _reboot(macs: Sequence[Mac], _given: Mapping[str, str]) -> str:
    number = installation().changes.request_resyncs(actor(), macs, reboot=True)
    return ngettext("%(num)s phone is told to restart.", "%(num)s phones are told to restart.", number)


def _updated(number: int) -> str:
    return ngettext("%(num)s phone was changed.", "%(num)s phones were changed.", number)


def _move(macs: Sequence[Mac], given: Mapping[str, str]) -> str:
    return _updated(installation().changes.update_phones(actor(), macs, site=given.get("site_to", "")))


def _regroup(macs: Sequence[Mac], given: Mapping[str, str]) -> str:
    return _updated(installation().changes.update_phones(actor(), macs, group=given.get("group_to", "")))


def _enable(macs: Sequence[Mac], _given: Mapping[str, str]) -> str:
    return _updated(installation().changes.update_phones(actor(), macs, enabled=True))


def _disable(macs: Sequence[Mac], _given: Mapping[str, str]) -> str:
    return _updated(installation().changes.update_phones(actor(), macs, enabled=False))


def _lay_out(macs: Sequence[Mac], given: Mapping[str, str]) -> str:
    return _updated(installation().changes.assign_layout(actor(), macs, given.get("layout_to") or None))


ACTIONS = (
    Action("resync", mark("Fetch files now"), _resync),
    Action("reboot", mark("Restart"), _reboot, mark("The phones restart, one after the other; those in a call are left until it ends.")),
    Action(
        "move", mark("Move to site …"), _move, mark("The settings of the new site hold from now; some phones restart to take them."), "site"
    ),
    Action(
        "group",
        mark("Put into group …"),
        _regroup,
        mark("The settings of the group hold from now; some phones restart to take them."),
        "group",
    ),
    Action(
        "layout",
        mark("Give layout …"),
        _lay_out,
        mark("The keys of the layout stand over the phones' own at the same places; those come back when the phone leaves it."),
        "layout",
    ),
    Action("enable", mark("Switch on"), _enable),
    Action(
        "disable", mark("Switch off"), _disable, mark("The phones get no files from here until they are switched on again. Calls go on.")
    ),
)
_ACTIONS = {action.name: action for action in ACTIONS}
