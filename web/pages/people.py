"""People who sign in, and tokens of programs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for
from werkzeug.datastructures import MultiDict

from provisioner.api.context import actor, installation
from provisioner.core.languages import LANGUAGES
from provisioner.errors import InputError, NotFound, StaleWrite
from provisioner.records import ROLES, TOKEN_ROLES, UserRecord
from web.forms import lines_of, revision_of
from web.guard import needs, of_installation
from web.i18n import _
from web.page import done, mistakes_of, page

pages = Blueprint("people", __name__)


@pages.get("/people")
@needs("admin")
@of_installation
def index() -> Response:
    """All users and tokens."""
    return _index({}, {})


@pages.get("/people/new")
@needs("admin")
@of_installation
def new() -> Response:
    """The form for a new user."""
    return _user_form(None, MultiDict({"role": "technician", "all_sites": "yes"}), {})


@pages.post("/people/new")
@of_installation
def create() -> Response:
    """Makes a user."""
    form, name = request.form, request.form.get("name", "").strip()
    try:
        installation().changes.create_user(actor(), name, {**_given(form), "password": form.get("password") or None})
    except InputError as error:
        return _user_form(None, form, mistakes_of(error), 422)
    return done(_("%(name)s can sign in.", name=name), url_for(".index"))


@pages.get("/people/<string:name>")
@needs("admin")
@of_installation
def edit(name: str) -> Response:
    """The form of a user."""
    record = _found(name)
    return _user_form(record, _values(record), {})


@pages.post("/people/<string:name>")
@of_installation
def save(name: str) -> Response:
    """Saves a user."""
    record, form = _found(name), request.form
    try:
        installation().changes.update_user(actor(), name, {**_given(form), "disabled": form.get("disabled") == "yes"}, revision_of(form))
        if form.get("password"):
            installation().changes.set_user_password(actor(), name, form["password"])
    except (InputError, StaleWrite) as error:
        return _user_form(record, form, mistakes_of(error), 422)
    return done(_("Saved."), url_for(".index"))


@pages.post("/people/<string:name>/delete")
@of_installation
def delete(name: str) -> Response:
    """Deletes a user; every session ends at once."""
    record = _found(name)
    try:
        installation().changes.delete_user(actor(), name)
    except InputError as error:
        return _user_form(record, _values(record), mistakes_of(error), 422)
    return done(_("%(name)s is deleted.", name=name), url_for(".index"))


@pages.post("/people/<string:name>/no-codes")
@of_installation
def no_codes(name: str) -> Response:
    """Asks a user for one-time codes no longer."""
    installation().changes.set_user_totp(actor(), _found(name).name, None)
    return done(_("%(name)s signs in without one-time codes.", name=name), url_for(".edit", name=name))


@pages.post("/people/tokens")
@of_installation
def create_token() -> Response:
    """Makes a token for a program, and shows it this once."""
    form = request.form
    name, role = form.get("token", "").strip(), form.get("token_role", "")
    sites = form.getlist("token_sites") or None
    try:
        made = installation().changes.create_token(actor(), name, role, sites=sites)
    except InputError as error:
        fields = {"name": "token", "role": "token_role", "sites": "token_sites"}
        return _index(form.to_dict(), {fields.get(field, field): text for field, text in mistakes_of(error).items()}, 422)
    return _index({}, {}, made=(name, made))


@pages.post("/people/tokens/delete")
@of_installation
def delete_token() -> Response:
    """Revokes a token at once."""
    name = request.form.get("token", "")
    installation().changes.delete_token(actor(), name)
    return done(_("The token %(name)s is revoked.", name=name), url_for(".index"))


def _index(given: Mapping[str, str], mistakes: Mapping[str, str], status: int = 200, made: tuple[str, str] | None = None) -> Response:
    store = installation().store
    sites = [row.name for row in store.sites()]
    return page(
        "people.html", status, users=store.users(), tokens=store.api_tokens(), sites=sites, token_roles=TOKEN_ROLES[::-1], given=given,
        mistakes=mistakes, made=made,
    )  # fmt: skip


def _user_form(record: UserRecord | None, values: MultiDict[str, Any], mistakes: Mapping[str, str], status: int = 200) -> Response:
    sites = [row.name for row in installation().store.sites()]
    roles = ROLES[::-1]
    return page("person.html", status, it=record, values=values, mistakes=mistakes, sites=sites, roles=roles, languages_named=LANGUAGES)


def _values(record: UserRecord) -> MultiDict[str, Any]:
    values = {
        "role": record.role,
        "all_sites": "yes" if record.sites is None else "",
        "sites": list(record.sites or ()),
        "extensions": ", ".join(record.extensions),
        "language": record.language,
        "disabled": "yes" if record.disabled else "",
    }
    return MultiDict(values)


def _given(form: MultiDict[str, Any]) -> dict[str, Any]:
    """Returns what a form says of a user."""
    sites = None if form.get("all_sites") == "yes" else form.getlist("sites")
    return {
        "role": form.get("role", ""),
        "sites": sites,
        "extensions": lines_of(form.get("extensions", "")),
        "language": form.get("language", ""),
    }


def _found(name: str) -> UserRecord:
    record = installation().store.user(name)
    if record is None:
        raise NotFound({"name": _("There is no user %(name)s.", name=name[:48])})
    return record
