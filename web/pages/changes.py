"""Who changed what, and when, with before and after."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import installation
from provisioner.api.shown import subject_of
from web.forms import whole
from web.page import page

pages = Blueprint("changes", __name__)
PAGE = 50


@pages.get("/changes")
def index() -> Response:
    """The list, the newest first."""
    subject = request.args.get("subject", "").strip()[:64]
    before = whole(request.args.get("before", ""), 17)
    rows = installation().store.changes(before=before, limit=PAGE + 1, subject=subject_of(subject))
    following = url_for(".index", before=rows[PAGE - 1].id, subject=subject or None) if len(rows) > PAGE else ""
    return page("changes.html", rows=rows[:PAGE], next=following, subject=subject)
