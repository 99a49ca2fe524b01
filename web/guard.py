"""Who may see a page, and whether a form is ours.

Closed by default: a page needs somebody who is signed in and may look at everything (``viewer``), a form somebody who may write everything
(``admin``), unless its view says otherwise with ``needs``; what is ``of_installation`` needs the right to all sites besides. Every form
carries a token that only its own session's pages know.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Response, current_app, g, redirect, request, url_for
from werkzeug.exceptions import Forbidden

from provisioner.accounts import Caller
from provisioner.accounts.cookies import COOKIE, CSRF_FIELD, CSRF_HEADER, cookie_options, csrf_fits, csrf_token
from provisioner.api.auth import came_over_tls
from provisioner.api.context import caller, installation, set_caller
from web.i18n import _

FORM_COOKIE = "provisioner_form"
"""What the token of the sign-in form hangs on, when there is no session yet."""
LIVE_PART = "live"
"""How ids of the parts of pages begin that fetch themselves again, which htmx says with the request: nobody need sit there."""
BEFORE_CODES = frozenset({"web.own", "web.own_codes", "web.sign_in"})
"""Pages of somebody who has to set up one-time codes before anything else."""
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
View = TypeVar("View", bound=Callable[..., Any])


def needs(role: str) -> Callable[[View], View]:
    """Says which role a page needs, where it is not the default for its method; ``nobody`` makes it public."""

    def decorate(view: View) -> View:
        view.__dict__["page_role"] = role
        return view

    return decorate


def of_installation(view: View) -> View:
    """Says that a page is of the whole installation: nobody who sees some sites only is let in."""
    view.__dict__["page_of_installation"] = True
    return view


def is_of_installation(view: Callable[..., Any]) -> bool:
    """Returns whether a page needs the right to all sites."""
    return bool(getattr(view, "page_of_installation", False))


def role_needed(view: Callable[..., Any], method: str) -> str:
    """Returns the role that a page needs for ``method``."""
    return str(getattr(view, "page_role", "viewer" if method in SAFE else "admin"))


def admit() -> Response | None:
    """Knows the person again, or sends them to sign in; refuses a form that is not ours. Runs before each page."""
    view = current_app.view_functions[str(request.endpoint)]
    needed = role_needed(view, request.method)
    cookie = request.cookies.get(COOKIE, "")
    who = installation().accounts.session(cookie, is_use=not request.headers.get("HX-Trigger", "").startswith(LIVE_PART))
    if who is not None:
        set_caller(who)
    if needed != "nobody":
        if who is None:
            return _to_sign_in()
        request.max_content_length = None  # a stranger's bound, which auth has set, gives way to the application's
    if request.method not in SAFE:
        _check_form(cookie if who is not None else request.cookies.get(FORM_COOKIE, ""))
    if who is None or needed == "nobody":
        return None
    if who.owes_codes and request.blueprint not in BEFORE_CODES:
        return cast("Response", redirect(url_for("web.own.index")))
    if not who.may(needed):
        raise Forbidden(_("This needs the role %(needed)s; yours is %(role)s.", needed=needed, role=who.role))
    if who.scope is not None and is_of_installation(view):
        raise Forbidden(_("This is of the whole installation: it needs the right to all sites."))
    return None


def form_token() -> str:
    """Returns the token for the forms of the page that is being made."""
    if caller() is not None or (g.get("is_plain") and _session_of_forms() is not None):
        return csrf_token(request.cookies.get(COOKIE, ""))
    if "form_cookie" not in g:
        g.form_cookie = request.cookies.get(FORM_COOKIE) or secrets.token_urlsafe(16)
    return csrf_token(g.form_cookie)


def keep_form_cookie(response: Response) -> None:
    """Sends the cookie that the token of a form without a session hangs on."""
    cookie = g.get("form_cookie")
    if cookie and cookie != request.cookies.get(FORM_COOKIE):
        response.set_cookie(FORM_COOKIE, cookie, **cookie_options(secure=came_over_tls(), max_age_s=24 * 3600))


def own_path(text: str) -> str:
    """Returns ``text`` where it is a path of ours, else the first page: nobody is sent elsewhere after signing in."""
    parts = urlsplit(text)
    is_ours = text.startswith("/") and not text.startswith(("//", "/\\")) and not parts.netloc and not parts.scheme
    return text if is_ours and "\\" not in text and text.isprintable() else "/"


def _session_of_forms() -> Caller | None:
    """Returns whose session the forms of a page belong to that shows nobody as signed in."""
    return installation().accounts.session(request.cookies.get(COOKIE, ""), is_use=False)


def _check_form(cookie: str) -> None:
    given = request.headers.get(CSRF_HEADER, "") or request.form.get(CSRF_FIELD, "")
    if not cookie or not csrf_fits(cookie, given):
        raise Forbidden(_("This form is too old, or you signed in again since: load the page again, then repeat your change."))


def _to_sign_in() -> Response:
    here = request.full_path.rstrip("?") if request.method in SAFE else "/"
    where = url_for("web.sign_in.form", next=None if here == "/" else here)
    if "HX-Request" in request.headers:  # a part of a page: the whole page has to go
        return Response(status=HTTPStatus.NO_CONTENT, headers={"HX-Redirect": where})
    return cast("Response", redirect(where))
