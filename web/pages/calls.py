"""Calls that were: the history, and one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from flask import Blueprint, Response, request, url_for

from provisioner.accounts import Caller
from provisioner.api.calls import found_call
from provisioner.api.context import caller, installation
from provisioner.errors import InputError
from provisioner.records_calls import CallRecord
from web.calls import Asked, asked_by, names_in
from web.forms import whole
from web.guard import needs
from web.page import mistakes_of, page

pages = Blueprint("calls", __name__)
PAGE = 50


@pages.get("/calls")
@needs("user")
def index() -> Response:
    """The history, the newest first."""
    asked, before = asked_by(request.args), whole(request.args.get("before", ""), 17)
    try:
        rows = asked.rows(limit=PAGE + 1, before=before)
    except InputError as error:
        return _page(asked, [], mistakes_of(error), 422)
    return _page(asked, rows, {})


@pages.get("/calls/<int:call>")
@needs("user")
def show(call: int) -> Response:
    """One call."""
    record = found_call(call)
    return page("call.html", it=record, names=names_in([record]))


def _page(asked: Asked, rows: Sequence[CallRecord], mistakes: Mapping[str, str], status: int = 200) -> Response:
    shown, who = rows[:PAGE], cast("Caller", caller())
    following = url_for(".index", before=shown[-1].number, **asked.given()) if len(rows) > PAGE else ""
    return page(
        "calls.html", status, rows=shown, next=following, asked=asked, mistakes=mistakes, names=names_in(shown),
        days=installation().settings.calls_days, is_first="before" not in request.args, has_choice=who.role != "user" or len(who.extensions) > 1,
    )  # fmt: skip
