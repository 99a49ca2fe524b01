"""One's own one-time codes: set up with an app, confirmed with its first code, turned off again; recovery codes, shown once."""

from __future__ import annotations

from typing import cast

from flask import Blueprint, Response, redirect, request, url_for

from provisioner.accounts import Caller
from provisioner.accounts.own_codes import OwnCodes, Wrong
from provisioner.accounts.totp import address_of, shown_secret
from provisioner.api.context import caller, installation
from web.guard import needs
from web.i18n import _
from web.page import done, page
from web.pages.own import own_page
from web.qr import qr_code

pages = Blueprint("own_codes", __name__)


@pages.post("/you/codes/begin")
@needs("user")
def begin() -> Response:
    """Makes a secret, and goes on to where it is shown."""
    _codes().begin(_who())
    return cast("Response", redirect(url_for(".index"), 303))


@pages.get("/you/codes")
@needs("user")
def index() -> Response:
    """The secret as QR code and text, and the form for its first code."""
    return _setup({})


@pages.post("/you/codes")
@needs("user")
def turn_on() -> Response:
    """Turns one-time codes on, and shows the recovery codes this once."""
    given = request.form
    result = _codes().turn_on(_who(), given.get("code", "").strip()[:16], given.get("present", ""))
    if isinstance(result, list):
        return _recovery(result, is_new=True)
    return _setup({"code" if result == "wait" else result: _why(result)}, 422)


@pages.post("/you/codes/recovery")
@needs("user")
def renew_recovery() -> Response:
    """Makes new recovery codes, and shows them this once."""
    result = _codes().renew_recovery(_who(), request.form.get("shown", ""))
    if isinstance(result, list):
        return _recovery(result, is_new=False)
    return own_page({"shown": _why(result)}, 422)


@pages.post("/you/codes/off")
@needs("user")
def turn_off() -> Response:
    """Turns one-time codes off."""
    wrong = _codes().turn_off(_who(), request.form.get("shown", ""))
    if wrong is not None:
        return own_page({"shown": _why(wrong)}, 422)
    return done(_("One-time codes are turned off: your password alone signs you in."), url_for("web.own.index"))


def _setup(mistakes: dict[str, str], status: int = 200) -> Response:
    who = _who()
    secret = _codes().secret(who)
    if secret is None:
        return done(_("This set-up is too old, or done already: begin again."), url_for("web.own.index"))
    groups = shown_secret(secret)
    grouped = " ".join(groups[at : at + 4] for at in range(0, len(groups), 4))
    address = address_of(secret, who.user)
    has_password = _codes().needs_password(who)
    return page(
        "own_codes.html", status, who=who, code=qr_code(address), secret=grouped, address=address, mistakes=mistakes, has_password=has_password
    )  # fmt: skip


def _recovery(codes: list[str], *, is_new: bool) -> Response:
    return page("recovery_codes.html", codes=codes, is_new=is_new)


def _why(wrong: Wrong) -> str:
    return {
        "code": _("This does not fit. A code counts for half a minute, and once."),
        "present": _("This is not your present password."),
        "wait": _("It was tried too often: wait half a minute."),
        "nothing": _("This set-up is too old, or done already: begin again."),
    }[wrong]


def _codes() -> OwnCodes:
    return installation().accounts.codes


def _who() -> Caller:
    return cast("Caller", caller())
