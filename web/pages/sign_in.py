"""Signing in and out."""

from __future__ import annotations

import math
from typing import Any, cast

from flask import Blueprint, Response, redirect, request, url_for

from provisioner.accounts import Caller, Refused
from provisioner.accounts.cookies import COOKIE, cookie_options
from provisioner.api.auth import came_over_tls, client_address
from provisioner.api.context import caller, everything, installation
from provisioner.api.session import set_session_cookie
from web.guard import needs, own_path
from web.i18n import _, ngettext
from web.page import page

pages = Blueprint("sign_in", __name__)
PARTING = "provisioner_parting"
"""Cookie of who came by a provider: what signs them out there too."""


@pages.get("/sign-in")
@needs("nobody")
def form() -> Response:
    """The form; who is signed in already goes on."""
    where = own_path(request.args.get("next", "/"))
    if caller() is not None:
        return cast("Response", redirect(where))
    return sign_in_page(where)


@pages.post("/sign-in")
@needs("nobody")
def enter() -> Response:
    """Signs in, or says what is wrong."""
    given, where = request.form, own_path(request.form.get("next", "/"))
    password, code = given.get("password", ""), given.get("code", "").strip()[:16]
    name, agent = given.get("name", "").strip(), request.headers.get("User-Agent", "")
    result = installation().accounts.sign_in(name, password, code, client_address(), agent)
    if isinstance(result, Refused):
        needs_code = result.reason == "code_needed" or bool(code)
        status = 429 if result.reason == "wait" else 401
        return sign_in_page(where, name=name, needs_code=needs_code, mistake=_why(result), status=status)
    response = cast("Response", redirect(first_page(result.caller, where), 303))
    set_session_cookie(response, result)
    return response


@pages.post("/sign-out")
@needs("user")
def leave() -> Response:
    """Signs out; who came by the provider is asked next whether there too."""
    provider, parting, session = everything().provider, request.cookies.get(PARTING, ""), request.cookies.get(COOKIE, "")
    installation().accounts.sign_out(cast("Caller", caller()))
    is_theirs = provider is not None and provider.is_parting_of(parting, session)
    # To a page first: a form's answer that leads to another server is what the content security policy forbids.
    response = cast("Response", redirect(url_for(".left" if is_theirs else ".form"), 303))
    response.delete_cookie(COOKIE, path="/", secure=came_over_tls(), httponly=True, samesite="Strict")
    return response if is_theirs else _without_parting(response)


@pages.get("/sign-out")
@needs("nobody")
def left() -> Response:
    """Asks who signed out here, and came by the provider, whether there too."""
    provider = everything().provider
    way = provider.way_out(request.cookies.get(PARTING, "")) if provider and caller() is None else ""
    if provider is None or not way:
        return _without_parting(cast("Response", redirect(url_for(".form"), 303)))
    return page("signed_out.html", way=way, provider=provider.name)


def _without_parting(response: Response) -> Response:
    response.delete_cookie(PARTING, **{name: value for name, value in parting_options(0).items() if name != "max_age"})
    return response


def parting_options(max_age_s: int) -> dict[str, Any]:
    """Returns what ``set_cookie`` is told of the cookie by which somebody signs out at the provider too."""
    return {**cookie_options(secure=came_over_tls(), max_age_s=max_age_s), "path": "/sign-out"}


def sign_in_page(where: str, *, name: str = "", needs_code: bool = False, mistake: str = "", status: int = 200) -> Response:
    """Returns the form, with a way to the provider where there is one, and what was wrong."""
    provider = everything().provider
    shown = provider.name if provider else ""
    return page("sign_in.html", status, next=where, name=name, needs_code=needs_code, mistake=mistake, provider=shown)


def first_page(who: Caller, where: str) -> str:
    """Returns where somebody goes after signing in."""
    return url_for("web.own.index") if where == "/" and not who.may("viewer") else where


def _why(refused: Refused) -> str:
    if refused.reason == "wait":
        seconds = math.ceil(refused.wait_s)
        return ngettext("Too many attempts: wait %(num)s second.", "Too many attempts: wait %(num)s seconds.", seconds)
    if refused.reason == "code_needed":
        return _("Now the one-time code of your authenticator app, and the password once more.")
    return _("Name, password or code do not fit.")
