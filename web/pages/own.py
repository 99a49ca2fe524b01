"""What is one's own: language and colours of the pages, password, second factor, and where one is signed in."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, redirect, request, url_for

from provisioner.accounts import Caller
from provisioner.api.auth import came_over_tls
from provisioner.api.context import caller, installation
from provisioner.core.languages import LANGUAGES
from provisioner.errors import InputError
from web.calls import Asked, names_in
from web.guard import needs, own_path
from web.i18n import _
from web.page import THEMES, done, page

pages = Blueprint("own", __name__)
CALLS = 5
_YEAR_S = 365 * 24 * 3600


@pages.get("/you")
@needs("user")
def index() -> Response:
    """The person's own page."""
    return own_page({})


@pages.post("/you/password")
@needs("user")
def password() -> Response:
    """Changes one's own password; every other session ends."""
    given = request.form
    if given.get("new", "") != given.get("again", ""):
        return own_page({"again": _("The two new passwords differ.")}, 422)
    try:
        fits = installation().accounts.change_own_password(_who(), given.get("present", ""), given.get("new", ""))
    except InputError as error:
        return own_page({"new": "; ".join(error.fields.values())}, 422)
    if not fits:
        return own_page({"present": _("This is not your present password, or it was tried too often: wait half a minute.")}, 422)
    return done(_("Your password is changed. Everywhere else you are signed out."), url_for("web.own.index"))


@pages.post("/you/elsewhere")
@needs("user")
def elsewhere() -> Response:
    """Signs out everywhere else."""
    installation().accounts.sign_out_everywhere(_who(), but_here=True)
    return done(_("Everywhere else you are signed out."), url_for("web.own.index"))


@pages.post("/look")
@needs("nobody")
def look() -> Response:
    """Keeps language and colours of the pages, for this browser."""
    response = cast("Response", redirect(own_path(request.form.get("back", "/")), 303))
    for name, known in (("language", LANGUAGES), ("theme", THEMES)):
        if (value := request.form.get(name, "")) in known:
            cookie = f"provisioner_{name}"
            response.set_cookie(cookie, value, max_age=_YEAR_S, httponly=True, samesite="Strict", secure=came_over_tls())
    return response


def own_page(mistakes: dict[str, str], status: int = 200) -> Response:
    """Returns one's own page, with what was wrong in its forms."""
    who, accounts = _who(), installation().accounts
    phones = installation().store.phones_on_lines(who.extensions)
    calls = Asked().rows(limit=CALLS) if who.role == "user" else []
    has_codes = accounts.codes.are_on(who)
    left = accounts.codes.left(who) if has_codes else 0
    return page(
        "own.html", status, who=who, has_codes=has_codes, left=left, sessions=accounts.sessions(who), mistakes=mistakes, phones=phones,
        calls=calls, names=names_in(calls) if calls else {},
    )  # fmt: skip


def _who() -> Caller:
    return cast("Caller", caller())
