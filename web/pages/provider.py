"""Signing in by an OpenID Connect provider: there, and back again.

The way there is a link and the way back a redirect from another site, which brings no ``SameSite=Strict`` cookie along: what was begun is
kept in one that is ``Lax``, and the session is gone on with from a page of ours.
"""

from __future__ import annotations

from typing import Any, cast

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.exceptions import NotFound

from provisioner.accounts import ProviderSignIn
from provisioner.accounts.cookies import cookie_options
from provisioner.api.auth import came_over_tls, client_address
from provisioner.api.context import everything
from provisioner.api.session import set_session_cookie
from provisioner.oidc import NotVouched, Why
from provisioner.oidc.flow import BEGUN_S
from web.guard import needs, own_path
from web.i18n import _
from web.page import page
from web.pages.sign_in import PARTING, first_page, parting_options, sign_in_page

pages = Blueprint("provider", __name__)
COOKIE = "provisioner_oidc"
PATH = "/sign-in"
STATUS = {"away": 503, "wait": 429}


@pages.get("/sign-in/provider")
@needs("nobody")
def begin() -> Response:
    """Sends the person to the provider."""
    where = own_path(request.args.get("next", "/"))
    try:
        address, begun = _provider().begin(_redirect_uri(), where)
    except NotVouched as error:
        return sign_in_page(where, mistake=_why(error.why), status=503)
    response = cast("Response", redirect(address, 303))
    response.set_cookie(COOKIE, begun, **_options(BEGUN_S))
    return response


@pages.get("/sign-in/return")
@needs("nobody")
def come_back() -> Response:
    """Signs in who comes back from the provider, or says why not."""
    provider, begun = _provider(), request.cookies.get(COOKIE, "")
    try:
        came = provider.finish(begun, request.args.to_dict(), _redirect_uri(), client_address(), request.headers.get("User-Agent", ""))
    except NotVouched as error:
        response = sign_in_page("/", mistake=_why(error.why), status=STATUS.get(error.why, 401))
    else:
        response = page("signed_in.html", next=first_page(came.signed_in.caller, own_path(came.where)))
        set_session_cookie(response, came.signed_in)
        hours = everything().settings.session_hours
        response.set_cookie(PARTING, came.parting, **parting_options(hours * 3600))
    response.delete_cookie(COOKIE, **{name: value for name, value in _options(0).items() if name != "max_age"})
    return response


def _provider() -> ProviderSignIn:
    provider = everything().provider
    if provider is None:
        raise NotFound
    return provider


def _redirect_uri() -> str:
    """Returns our own address as the provider knows it: from the setting, or as the person came."""
    base = everything().settings.admin_url or f"{'https' if came_over_tls() else 'http'}://{request.host}"
    return base + url_for(".come_back")


def _options(max_age_s: int) -> dict[str, Any]:
    return {**cookie_options(secure=came_over_tls(), max_age_s=max_age_s), "samesite": "Lax", "path": PATH}


def _why(why: Why) -> str:
    name = _provider().name
    return {
        "away": _("%(name)s does not answer at the moment. Sign in with your password here, or try again later.", name=name),
        "stale": _("This sign-in is too old, or was used already: begin again."),
        "refused": _("%(name)s did not sign you in.", name=name),
        "untrue": _("What came from %(name)s could not be proven to be its word. Begin again; if it stays so, tell your admin.", name=name),
        "wait": _("Too many attempts: wait a minute."),
        "unknown": _("%(name)s knows you, but you have no place here. Ask your admin to add you.", name=name),
    }[why]
