"""Calls: those under way, those that were, and the recordings of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from flask import Blueprint, Response, request, url_for

from provisioner.accounts import Caller
from provisioner.api.calls import found_call, found_now, recordings
from provisioner.api.context import actor, caller, has_pbx, installation
from provisioner.api.problems import Refusal
from provisioner.callsnow import CallNow
from provisioner.errors import InputError
from provisioner.records_calls import CallRecord
from web.calls import Asked, asked_by, names_in
from web.forms import whole
from web.guard import needs, of_installation
from web.i18n import _
from web.page import done, mistakes_of, page

pages = Blueprint("calls", __name__)
PAGE = 50


@pages.get("/calls")
@needs("user")
def index() -> Response:
    """The calls under way, and those that were, the newest first."""
    asked, before = asked_by(request.args), whole(request.args.get("before", ""), 17)
    try:
        rows = asked.rows(limit=PAGE + 1, before=before)
    except InputError as error:
        return _page(asked, [], mistakes_of(error), 422)
    return _page(asked, rows, {})


@pages.get("/calls/<int:call>")
@needs("user")
def show(call: int) -> Response:
    """One call, with its recording."""
    record = found_call(call)
    return page("call.html", it=record, names=names_in([record]))


@pages.post("/calls/<int:call>/recording/delete")
@of_installation
def delete_recording(call: int) -> Response:
    """Deletes the recording of a call; the call stays."""
    record = installation().changes.remove_recording(actor(), found_call(call).number)
    recordings().remove(record.recording)
    return done(_("The recording is deleted."), url_for(".show", call=call))


def _page(asked: Asked, rows: Sequence[CallRecord], mistakes: Mapping[str, str], status: int = 200) -> Response:
    shown, who = rows[:PAGE], cast("Caller", caller())
    now, refusal = _now()
    following = url_for(".index", before=shown[-1].number, **asked.given()) if len(rows) > PAGE else ""
    return page(
        "calls.html", status, now=now, refusal=refusal, rows=shown, next=following, asked=asked, mistakes=mistakes, names=names_in(shown, *(number for it in now for number in (it.caller, *it.called))),
        is_first="before" not in request.args, has_choice=who.role != "user" or len(who.extensions) > 1,
        days=installation().settings.calls_days,
    )  # fmt: skip


def _now() -> tuple[list[CallNow], str]:
    """Returns the calls under way, and why nobody can say which they are; an empty text where the PBX says it."""
    try:
        return found_now() if has_pbx() else [], ""
    except Refusal as error:
        return [], error.detail
