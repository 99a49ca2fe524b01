"""What all pages share: how one is rendered, its headers, its language, and what an error looks like."""

from __future__ import annotations

import base64
import binascii
import gzip
from collections.abc import Mapping
from http import HTTPStatus
from typing import cast

from flask import Response, current_app, g, make_response, redirect, render_template, request
from werkzeug.exceptions import HTTPException

from provisioner.api import problems
from provisioner.api.auth import came_over_tls
from provisioner.api.context import caller
from provisioner.core.languages import LANGUAGES
from provisioner.errors import Forbidden, InputError, NotFound, ProvisionerError, RenderError, StaleWrite
from web import guard, i18n
from web.assets import Asset
from web.i18n import _
from web.sentences import translated

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
"""Nothing is loaded, run or sent but from and to this server, and nothing that stands in the page itself (Content Security Policy 3)."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
}
THEMES = ("auto", "light", "dark")
SAID_COOKIE = "provisioner_said"
_WORTH_PACKING = 1400
"""Bytes: what fits one packet is sent as it is."""


def begin() -> Response | None:
    """Chooses the language and the theme, then lets the person in or not. Runs before each page."""
    who = caller()
    g.theme = request.cookies.get("provisioner_theme", "auto")
    g.language = _language("")
    refused = guard.admit()
    who = caller()
    if who is not None:
        g.language = _language(who.language)
    return refused


def begin_plain() -> None:
    """As ``begin`` for an address that belongs to no page: it lets everybody in, and shows nothing of anybody."""
    g.theme = request.cookies.get("provisioner_theme", "auto")
    g.language = _language("")
    g.is_plain = True


def finish(response: Response) -> Response:
    """Gives each page its headers and packs it. Runs after each page."""
    response.headers.update(HEADERS)
    response.vary.update(["Cookie", "Accept-Encoding", "HX-Request"])
    guard.keep_form_cookie(response)
    if g.get("said_shown"):
        response.delete_cookie(SAID_COOKIE, httponly=True, samesite="Strict")
    packs = bool(request.accept_encodings["gzip"]) and response.mimetype == "text/html" and not response.is_streamed
    if packs and len(body := response.get_data()) > _WORTH_PACKING:
        response.set_data(gzip.compress(body, 5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
    return response


def page(template: str, status: int = 200, **values: object) -> Response:
    """Returns a page made of a template."""
    return make_response(render_template(template, **values), status)


def done(text: str, where: str) -> Response:
    """Returns the way on after something was done: the next page says ``text`` once."""
    response = cast("Response", redirect(where, HTTPStatus.SEE_OTHER))
    packed = base64.urlsafe_b64encode(text[:600].encode()).decode()
    response.set_cookie(SAID_COOKIE, packed, max_age=60, httponly=True, samesite="Strict", secure=came_over_tls())
    return response


def said() -> str:
    """Returns what the last form did, to be shown once."""
    packed = request.cookies.get(SAID_COOKIE, "")
    if not packed:
        return ""
    g.said_shown = True
    try:
        return base64.urlsafe_b64decode(packed.encode()).decode()
    except (binascii.Error, UnicodeError):
        return ""


def mistakes_of(error: ProvisionerError) -> Mapping[str, str]:
    """Returns field -> sentence of what a form got wrong; the empty field is the form as a whole."""
    if isinstance(error, NotFound) or not isinstance(error, InputError):
        return {"": str(error)}
    return error.fields


def refused(error: HTTPException) -> Response:
    """Returns the page of a refusal, such as an address that is not there."""
    titles = {403: _("Not allowed"), 404: _("Not here"), 405: _("Not this way"), 413: _("Too large")}
    status = error.code or 500
    if status < 400:
        return cast("Response", error.get_response())
    own_words = error.description if error.description and type(error).description != error.description else ""
    texts = {
        404: _("There is nothing at this address. It may have been deleted, or the address has a typing slip."),
        413: _("The file may have 16 MiB."),
    }
    return page("error.html", status, title=titles.get(status, _("This did not work")), text=translated(own_words) or texts.get(status, ""))


def failed(error: ProvisionerError) -> Response:
    """Returns the page of an error of ours that no view turned into words beside a field."""
    if isinstance(error, NotFound):
        return page("error.html", 404, title=_("Not here"), text=translated("; ".join(error.fields.values())))
    if isinstance(error, InputError):
        return page("error.html", 422, title=_("This did not work"), text=translated("; ".join(error.fields.values())))
    if isinstance(error, Forbidden):
        return page("error.html", 403, title=_("Not allowed"), text=translated(str(error)))
    if isinstance(error, StaleWrite):
        text = _("Somebody else changed this since you opened the page. Load it again, then repeat your change.")
        return page("error.html", 412, title=_("Changed meanwhile"), text=text)
    if isinstance(error, RenderError):
        return page("error.html", 422, title=_("A template fails for these facts"), text=translated(str(error)))
    return page("error.html", 409, title=_("This did not work"), text=translated(str(error)))


def broken(error: Exception) -> Response:
    """Returns the page of a fault of ours; the log has its cause under the request's id."""
    problems.note_fault(error)
    return page(
        "error.html",
        500,
        title=_("A fault of ours"),
        text=_("The log of the server has the cause under the request id %(id)s.", id=g.request_id),
    )


def wants_page() -> bool:
    """Returns whether a person asks, rather than a program."""
    return (
        not request.path.startswith("/api/") and request.accept_mimetypes.accept_html and "text/html" in request.headers.get("Accept", "")
    )


def assets() -> Mapping[str, Asset]:
    return cast("Mapping[str, Asset]", current_app.extensions["provisioner.assets"])


def _language(own: str) -> str:
    for wanted in (own, request.cookies.get("provisioner_language", "")):
        if wanted in LANGUAGES:
            return wanted
    return request.accept_languages.best_match(list(LANGUAGES), i18n.DEFAULT) or i18n.DEFAULT
