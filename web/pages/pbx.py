"""The PBX: how it is, what differs from what should be, putting that right, and the bundled Asterisk as a service."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import actor, has_pbx, installation
from provisioner.api.pbx import asked, state_of
from provisioner.api.pbx_service import kept_status
from provisioner.api.problems import Refusal
from provisioner.pbxservice import LOGS, NoBundledPBX, pbx_log, reload_pbx, restart_pbx
from web.guard import needs, of_installation
from web.i18n import _
from web.page import done, page

pages = Blueprint("pbx", __name__)
LINES = 200


@pages.get("/pbx")
@of_installation
def index() -> Response:
    """How it is."""
    return _page()


@pages.post("/pbx/plan")
@of_installation
def plan() -> Response:
    """Shows what comparing everything would do, or does it."""
    if "sync" not in request.form:
        return _asked("plan")
    return _asked("sync", confirmed="confirm" in request.form)


@pages.post("/pbx/restart")
@of_installation
def restart() -> Response:
    """Restarts the bundled Asterisk, or has it read its files again."""
    now, reload = "now" in request.form, "reload" in request.form
    # Kept before it is done: calls that end for everybody are never without a name in the changes.
    installation().changes.note(actor(), "pbx.reload" if reload else "pbx.restart", "pbx", None if reload else {"now": now})
    try:
        if reload:
            reload_pbx(installation().settings)
        else:
            restart_pbx(installation().settings, now=now)
    except NoBundledPBX as error:
        return _page(refusal=str(error), status=503)
    kept_status().forget()
    said = _("Asterisk read its files again.") if reload else _("Asterisk restarts. Phones register again by themselves.")
    return done(said, url_for(".index"))


@pages.get("/pbx/log")
@needs("admin")
@of_installation
def log() -> Response:
    """The newest lines of its log, and what they complain of."""
    name = request.args.get("log", LOGS[0])
    name = name if name in LOGS else LOGS[0]
    try:
        lines, findings = pbx_log(installation().settings, LINES, name)
    except NoBundledPBX as error:
        return _page(refusal=str(error), status=503)
    return page("pbx_log.html", lines=lines, findings=findings, name=name, logs=LOGS)


def _asked(what: str, *, confirmed: bool = False) -> Response:
    try:
        return _page(answer=asked(what, confirmed=confirmed))
    except Refusal as error:
        return _page(refusal=error.detail, status=error.status)


def _page(*, answer: dict[str, Any] | None = None, refusal: str = "", status: int = 200) -> Response:
    place = installation()
    state = state_of(place.store.pbx_facts(), place.store.pbx_counts(), place.store.registration_counts()) if has_pbx() else None
    is_bundled = place.settings.pbx == "bundled"
    service = kept_status().get() if is_bundled else None
    return page("pbx.html", status, kind=place.settings.pbx, pbx=state, service=service, answer=answer, refusal=refusal)
