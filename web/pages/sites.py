"""Sites and groups of phones, with the settings that hold for all of their phones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import actor, installation
from provisioner.changes.sites import ACCESS
from provisioner.core.catalogue import Setting
from provisioner.core.enrolment import POLICIES
from provisioner.errors import InputError, NotFound, RenderError, StaleWrite
from provisioner.records import GroupRecord, SiteRecord
from web import words
from web.forms import lines_of, revision_of
from web.guard import of_installation
from web.i18n import _
from web.page import done, mistakes_of, page
from web.previewing import saved

pages = Blueprint("sites", __name__)


@pages.get("/sites")
def index() -> Response:
    """All sites and groups."""
    return _index({}, {})


@pages.post("/sites")
@of_installation
def create() -> Response:
    """Makes a site."""
    name = request.form.get("name", "").strip()
    try:
        installation().changes.create_site(actor(), name, {})
    except InputError as error:
        return _index({"name": name}, mistakes_of(error), 422)
    return done(_("The site %(name)s is made.", name=name), url_for(".show", name=name))


@pages.get("/sites/<string:name>")
def show(name: str) -> Response:
    """One site."""
    return _show(_site(name), {}, {})


@pages.post("/sites/<string:name>")
def save(name: str) -> Response:
    """Saves how a site lets phones in."""
    record, form = _site(name), request.form
    given = {
        "access": form.get("access"),
        "enrolment": form.get("enrolment"),
        "trusted_networks": lines_of(form.get("trusted_networks", "")),
    }
    try:
        installation().changes.update_site(actor(), name, given, revision_of(form))
    except (InputError, StaleWrite) as error:
        mistakes = {_plain(field): sentence for field, sentence in mistakes_of(error).items()}
        return _show(record, {**form.to_dict()}, mistakes, 422)
    return done(_("Saved."), url_for(".show", name=name))


@pages.post("/sites/<string:name>/settings")
def set_site_setting(name: str) -> Response:
    """Sets a setting for all phones of a site, or takes it off."""
    record, setting = _site(name), request.form.get("setting", "")[:64]
    value = None if "remove" in request.form else request.form.get("value", "")
    if "again" in request.form:
        return _show(record, {}, {}, again={setting: value or ""})
    try:
        preview = saved(lambda changes: changes.update_site(actor(), name, {"settings": {setting: value}}, merge_settings=True), name)
    except (InputError, RenderError) as error:
        return _show(record, {}, {setting: "; ".join(mistakes_of(error).values())}, 422, again={setting: value or ""})
    return preview or done(_("Saved. The phones of this site are on their way to it."), url_for(".show", name=name))


@pages.post("/sites/<string:name>/delete")
@of_installation
def delete(name: str) -> Response:
    """Deletes a site that has no phones."""
    record = _site(name)
    try:
        installation().changes.delete_site(actor(), name)
    except InputError as error:
        return _show(record, {}, {"": "; ".join(error.fields.values())}, 422)
    return done(_("The site %(name)s is deleted.", name=name), url_for(".index"))


@pages.get("/groups/<string:name>")
def group(name: str) -> Response:
    """One group."""
    return _group(_found_group(name), {})


@pages.post("/groups")
@of_installation
def create_group() -> Response:
    """Makes a group."""
    name = request.form.get("group", "").strip()
    try:
        installation().changes.put_group(actor(), name, {}, 0)
    except (InputError, StaleWrite) as error:
        sentence = _("A group of this name is there already.") if isinstance(error, StaleWrite) else "; ".join(error.fields.values())
        return _index({"group": name}, {"group": sentence}, 422)
    return done(_("The group %(name)s is made.", name=name), url_for(".group", name=name))


@pages.post("/groups/<string:name>/settings")
@of_installation
def set_group_setting(name: str) -> Response:
    """Sets a setting for all phones of a group, or takes it off."""
    record, setting = _found_group(name), request.form.get("setting", "")[:64]
    settings: dict[str, object] = {**record.settings, setting: request.form.get("value", "")}
    if "remove" in request.form:
        settings.pop(setting)
    again = {setting: request.form.get("value", "")}
    if "again" in request.form:
        return _group(record, {}, again=again)
    try:
        preview = saved(lambda changes: changes.put_group(actor(), name, settings, record.revision), name)
    except (InputError, RenderError) as error:
        return _group(record, {setting: "; ".join(mistakes_of(error).values())}, 422, again=again)
    return preview or done(_("Saved. The phones of this group are on their way to it."), url_for(".group", name=name))


@pages.post("/groups/<string:name>/delete")
@of_installation
def delete_group(name: str) -> Response:
    """Deletes a group that has no phones."""
    record = _found_group(name)
    try:
        installation().changes.delete_group(actor(), name)
    except InputError as error:
        return _group(record, {"": "; ".join(error.fields.values())}, 422)
    return done(_("The group %(name)s is deleted.", name=name), url_for(".index"))


def _index(given: Mapping[str, str], mistakes: Mapping[str, str], status: int = 200) -> Response:
    store = installation().store
    counts = store.phones_of_places()
    named = {"access_words": words.ACCESS_SHORT, "enrolment_words": words.ENROLMENT_SHORT}
    return page("sites.html", status, sites=store.sites(), groups=store.groups(), counts=counts, given=given, mistakes=mistakes, **named)


def _show(
    record: SiteRecord, given: Mapping[str, str], mistakes: Mapping[str, str], status: int = 200, *, again: Mapping[str, str] | None = None
) -> Response:
    values = {"access": record.access, "enrolment": record.enrolment, "trusted_networks": "\n".join(record.trusted_networks), **given}
    choices = {
        "access": [(name, words.ACCESS[name]) for name in ACCESS],
        "enrolment": [(name, words.ENROLMENT[name]) for name in POLICIES],
    }
    settings = _settings(record.settings, again or {})
    return page("site.html", status, it=record, values=values, mistakes=mistakes, choices=choices, **settings)


def _group(record: GroupRecord, mistakes: Mapping[str, str], status: int = 200, *, again: Mapping[str, str] | None = None) -> Response:
    return page("group.html", status, it=record, mistakes=mistakes, **_settings(record.settings, again or {}))


def _settings(there: Mapping[str, Any], again: Mapping[str, str]) -> dict[str, Any]:
    """Returns the settings that are set, those that could be, and the one that is being added; ``again`` is what was typed of one."""
    rows = installation().catalogue.settings
    free = [row for name, row in rows.items() if row.type != "secret" and name not in there]
    chosen = next(iter(again), request.args.get("setting", ""))
    new: Setting | None = rows[chosen] if chosen in rows and chosen not in there else None
    return {
        "rows": [(rows[name], value) for name, value in sorted(there.items()) if name in rows],
        "free": free,
        "new": new,
        "again": again,
    }


def _site(name: str) -> SiteRecord:
    record = installation().store.site(name)
    if record is None:
        raise NotFound({"name": _("There is no site %(name)s.", name=name[:64])})
    return record


def _found_group(name: str) -> GroupRecord:
    record = next((row for row in installation().store.groups() if row.name == name), None)
    if record is None:
        raise NotFound({"name": _("There is no group %(name)s.", name=name[:64])})
    return record


def _plain(field: str) -> str:
    """Returns the field of the form that a mistake belongs to: ``trusted_networks.0`` is in one text field."""
    return field.partition(".")[0]
