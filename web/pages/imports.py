"""Spreadsheets and files of other systems: previewed, then written; and everything as one spreadsheet to take away."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request, url_for

from provisioner.api.context import actor, installation
from provisioner.errors import InputError, RenderError
from provisioner.importing import FORMATS, ZIP_MAGIC, ImportPlan, Told, apply_plan, export_csv, preview_import
from web.guard import needs, of_installation
from web.i18n import _
from web.page import done, mistakes_of, page

pages = Blueprint("imports", __name__)
ROWS_SHOWN = 50
MISTAKES_SHOWN = 200
LEFT_SHOWN = 100
_BOUNDS = {"rows_shown": ROWS_SHOWN, "mistakes_shown": MISTAKES_SHOWN, "left_shown": LEFT_SHOWN}
_BLANK: dict[str, Any] = {"content": "", "packed": "", "told": Told(), "formats": FORMATS, "plan": None}


@pages.get("/import")
@needs("admin")
@of_installation
def index() -> Response:
    """The form."""
    return page("import.html", **_BLANK, mistakes={})


@pages.post("/import")
@of_installation
def preview() -> Response:
    """Shows what a file would do; writes it once that was seen."""
    content = _content()
    if not content.strip():
        return page("import.html", 422, **_BLANK, mistakes={"": _("Choose a file, or paste rows.")})
    told = Told(request.form.get("format", ""), request.form.get("model", "").strip()[:64])
    plan = preview_import(installation(), content, told)
    if request.form.get("write") not in ("all", "good") or plan.is_unreadable:
        return _preview(content, told, plan)
    try:
        result = apply_plan(installation(), actor(), plan, all_or_nothing=request.form["write"] == "all")
    except (InputError, RenderError) as error:
        mistakes = {} if plan.mistakes else mistakes_of(error)  # those of rows are in the preview
        return _preview(content, told, plan, status=422, mistakes=mistakes, is_refused=bool(plan.mistakes))
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


def _preview(
    content: str | bytes,
    told: Told,
    plan: ImportPlan,
    *,
    status: int = 0,
    mistakes: Mapping[str, str] | None = None,
    is_refused: bool = False,
) -> Response:
    """Returns the page that shows the plan; the file goes along, to be written once it was seen."""
    kept = {"content": content, "packed": ""} if isinstance(content, str) else {"content": "", "packed": base64.b64encode(content).decode()}
    return page(
        "import.html", status or (422 if plan.is_unreadable else 200), **_BOUNDS, **{**_BLANK, **kept, "told": told, "plan": plan},
        mistakes=mistakes or {}, is_refused=is_refused,
    )  # fmt: skip


def _content() -> str | bytes:
    """Returns the file that was sent, or the rows that were pasted: text, but for what is packed."""
    file = request.files.get("file")
    body = file.read() if file and file.filename else _packed()
    if not body:
        return request.form.get("text", "")
    if body.startswith(ZIP_MAGIC):
        return body
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:  # what spreadsheet programs of Western Europe write where nobody told them otherwise
        return body.decode("cp1252", "replace")


def _packed() -> bytes:
    try:
        return base64.b64decode(request.form.get("packed", ""), validate=True)
    except (binascii.Error, ValueError):
        return b""
