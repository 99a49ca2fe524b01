"""Spreadsheets: previewed, then written; and everything as one to take away."""

from __future__ import annotations

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import actor, installation
from provisioner.errors import InputError, RenderError
from provisioner.importing import ImportPlan, apply_plan, export_csv, preview_csv
from web.guard import needs, of_installation
from web.i18n import _
from web.page import done, mistakes_of, page

pages = Blueprint("imports", __name__)
ROWS_SHOWN = 50
MISTAKES_SHOWN = 200
_BOUNDS = {"rows_shown": ROWS_SHOWN, "mistakes_shown": MISTAKES_SHOWN}


@pages.get("/import")
@needs("admin")
@of_installation
def index() -> Response:
    """The form."""
    return page("import.html", text="", plan=None, mistakes={})


@pages.post("/import")
@of_installation
def preview() -> Response:
    """Shows what a file would do; writes it once that was seen."""
    text = _text()
    if not text.strip():
        return page("import.html", 422, text="", plan=None, mistakes={"": _("Choose a file, or paste rows.")})
    plan = preview_csv(installation(), text)
    if request.form.get("write") not in ("all", "good") or plan.is_unreadable:
        return _preview(text, plan)
    try:
        result = apply_plan(installation(), actor(), plan, all_or_nothing=request.form["write"] == "all")
    except (InputError, RenderError) as error:
        mistakes = {} if plan.mistakes else mistakes_of(error)  # those of rows are in the preview
        return page("import.html", 422, text=text, plan=plan, **_BOUNDS, mistakes=mistakes, is_refused=bool(plan.mistakes))
    left_out = len({mistake.line for mistake in result.left_out})
    said = _(
        "Written. Phones: %(phones_new)s new, %(phones)s changed. Extensions: %(extensions_new)s new, %(extensions)s changed. Left out: %(left_out)s.",
        phones_new=result.phones_created, phones=result.phones_updated, extensions_new=result.extensions_created,
        extensions=result.extensions_updated, left_out=left_out,
    )  # fmt: skip
    return done(said, url_for("web.phones.index"))


@pages.get("/export.csv")
@needs("viewer")
@of_installation
def export() -> Response:
    """All phones and extensions, without secrets, as the import takes them back."""
    headers = {"Content-Disposition": 'attachment; filename="phones.csv"'}
    return Response(export_csv(installation()), content_type="text/csv; charset=utf-8", headers=headers)


def _preview(text: str, plan: ImportPlan) -> Response:
    return page("import.html", 422 if plan.is_unreadable else 200, text=text, plan=plan, **_BOUNDS, mistakes={})


def _text() -> str:
    """Returns the file that was sent, or the rows that were pasted."""
    file = request.files.get("file")
    body = file.read() if file and file.filename else b""
    if not body:
        return request.form.get("text", "")
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:  # what spreadsheet programs of Western Europe write where nobody told them otherwise
        return body.decode("cp1252", "replace")
