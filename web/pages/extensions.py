"""Extensions and their departments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from flask import Blueprint, Response, redirect, request, url_for

from provisioner.api.context import actor, caller, installation
from provisioner.errors import InputError, NotFound, RenderError, StaleWrite
from provisioner.records import ExtensionRecord
from web.calls import Asked, names_in
from web.forms import revision_of
from web.guard import needs, of_installation
from web.i18n import _
from web.merging import Merged, merged
from web.page import done, mistakes_of, page
from web.previewing import saved

pages = Blueprint("extensions", __name__)
PAGE, CALLS = 100, 10
FIELDS = ("display_name", "email", "department", "site")


@pages.get("/extensions")
def index() -> Response:
    """The list."""
    search, after = request.args.get("search", "").strip()[:64], request.args.get("after", "")[:32]
    rows = installation().store.extensions(after=after, limit=PAGE + 1, search=search)
    following = url_for(".index", after=rows[PAGE - 1].number, search=search or None) if len(rows) > PAGE else ""
    phones = installation().store.phones_with_lines([row.number for row in rows[:PAGE]])
    return page("extensions.html", rows=rows[:PAGE], phones=phones, next=following, search=search, is_first=not after)


@pages.get("/extensions/new")
@needs("technician")
def new() -> Response:
    """The form for a new extension."""
    return _new({}, {})


@pages.post("/extensions/new")
@needs("technician")
def create() -> Response:
    """Makes an extension; its secret is made with it."""
    given = {name: request.form.get(name, "").strip() for name in ("number", *FIELDS)}
    try:
        installation().changes.create_extension(actor(), given["number"], **{name: given[name] for name in FIELDS if given[name]})
    except (InputError, RenderError) as error:
        return _new(given, mistakes_of(error), 422)
    return done(_("Extension %(number)s is made.", number=given["number"]), url_for(".show", number=given["number"]))


@pages.get("/extensions/<string:number>")
def show(number: str) -> Response:
    """One extension."""
    record = _found(number)
    return _show(record, _flat(record), {})


@pages.post("/extensions/<string:number>")
@needs("technician")
def save(number: str) -> Response:
    """Saves it; where somebody else saved meanwhile, shows both."""
    record, given = _found(number), {name: request.form[name].strip() for name in FIELDS if name in request.form}
    try:
        installation().changes.update_extension(actor(), number, given, revision_of(request.form))
    except StaleWrite:
        now, base = _found(number), {name: request.form.get(f"was.{name}", "") for name in FIELDS}
        both = merged(base, given, _flat(now))
        return _show(now, both.values, {}, 409, both)
    except (InputError, RenderError) as error:
        return _show(record, given, mistakes_of(error), 422)
    return done(_("Saved."), url_for(".show", number=number))


@pages.post("/extensions/<string:number>/secret")
def secret(number: str) -> Response:
    """Gives it a new secret; the old one holds until its phones have moved, or ends at once."""
    installation().changes.rotate_secret(actor(), number, revoke_former="now" in request.form)
    return done(_("The phones are on their way to the new secret."), url_for(".show", number=number))


@pages.post("/extensions/<string:number>/record")
def record_calls(number: str) -> Response:
    """Has its calls recorded from now on, or no longer; shows before what that changes where the form asks for it."""
    record, wanted = _found(number), {"record_calls": "record_calls" in request.form}
    here = url_for(".show", number=number)
    if "again" in request.form:
        return cast("Response", redirect(here, 303))
    try:
        preview = saved(lambda changes: changes.update_extension(actor(), number, wanted, revision_of(request.form)), number)
    except StaleWrite:
        now = _found(number)
        return _show(now, _flat(now), {"": _("Somebody else saved this extension meanwhile. Look, then save again.")}, 409)
    except (InputError, RenderError) as error:
        return _show(record, _flat(record), mistakes_of(error), 422)
    return preview or done(_("Its calls are recorded.") if wanted["record_calls"] else _("Its calls are not recorded."), here)


@pages.post("/extensions/<string:number>/delete")
def delete(number: str) -> Response:
    """Deletes it, where no phone has it on a line."""
    record = _found(number)
    try:
        installation().changes.delete_extension(actor(), number)
    except InputError as error:
        return _show(record, _flat(record), {"": "; ".join(error.fields.values())}, 422)
    return done(_("Extension %(number)s is deleted.", number=number), url_for(".index"))


@pages.get("/departments")
def departments() -> Response:
    """All departments."""
    return _departments({}, {})


@pages.post("/departments")
@of_installation
def put_department() -> Response:
    """Makes a department, or gives it another number."""
    given = {name: request.form.get(name, "").strip() for name in ("name", "number")}
    try:
        installation().changes.put_department(actor(), given["name"], given["number"] or None)
    except (InputError, StaleWrite) as error:
        return _departments(given, mistakes_of(error), 422)
    return done(_("Saved."), url_for(".departments"))


@pages.post("/departments/delete")
@of_installation
def delete_department() -> Response:
    """Deletes a department that has nobody."""
    try:
        installation().changes.delete_department(actor(), request.form.get("name", ""))
    except InputError as error:
        return _departments({}, {"": "; ".join(error.fields.values())}, 422)
    return done(_("The department is deleted."), url_for(".departments"))


def _departments(given: Mapping[str, str], mistakes: Mapping[str, str], status: int = 200) -> Response:
    after = request.args.get("after", "")[:64]
    rows = installation().store.departments(after=after, limit=PAGE + 1)
    following = url_for(".departments", after=rows[PAGE - 1].name) if len(rows) > PAGE else ""
    return page("departments.html", status, rows=rows[:PAGE], next=following, given=given, mistakes=mistakes)


def _new(values: Mapping[str, str], mistakes: Mapping[str, str], status: int = 200) -> Response:
    names = [row.name for row in installation().store.departments(limit=500)]
    return page("extension_new.html", status, values=values, mistakes=mistakes, departments=names, sites=_sites(None))


def _show(
    record: ExtensionRecord, values: Mapping[str, str], mistakes: Mapping[str, str], status: int = 200, both: Merged | None = None
) -> Response:
    store, calls = installation().store, Asked(record.number).rows(limit=CALLS)
    return page(
        "extension.html", status, it=record, values=values, mistakes=mistakes, both=both, was=_flat(record), calls=calls, names=names_in(calls),
        phones=store.phones_with_lines([record.number]).get(record.number, []),
        registrations=store.registrations_of([record.number]), busy=record.number in store.pbx_busy(),
        departments=[row.name for row in store.departments(limit=500)],
        changes=store.changes(subject=record.number, limit=10), sites=_sites(record),
    )  # fmt: skip


def _sites(record: ExtensionRecord | None) -> list[tuple[str, str]]:
    """Returns what the choice of the site offers. Only those who see all sites take an extension out of every site."""
    who = caller()
    is_free = who is None or who.scope is None or (record is not None and not record.site)
    return [*([("", _("No site"))] if is_free else []), *((site.name, site.name) for site in installation().store.sites())]


def _flat(record: ExtensionRecord) -> dict[str, str]:
    return {name: getattr(record, name) for name in FIELDS}


def _found(number: str) -> ExtensionRecord:
    record = installation().store.extension(number)
    if record is None:
        raise NotFound({"number": _("There is no extension %(number)s.", number=number[:32])})
    return record
