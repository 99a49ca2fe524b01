"""Signing in and out."""

from __future__ import annotations

import math
from typing import cast

from flask import Blueprint, Response, redirect, request, url_for

from provisioner.accounts import Caller, Refused
from provisioner.accounts.cookies import COOKIE
from provisioner.api.auth import came_over_tls, client_address
from provisioner.api.context import caller, everything, installation
from provisioner.api.session import set_session_cookie
from web.guard import needs, own_path
from web.i18n import _, ngettext
from web.page import page

pages = Blueprint("sign_in", __name__)


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
    """Signs out."""
    installation().accounts.sign_out(cast("Caller", caller()))
    response = cast("Response", redirect(url_for("web.sign_in.form"), 303))
    response.delete_cookie(COOKIE, path="/", secure=came_over_tls(), httponly=True, samesite="Strict")
    return response


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
