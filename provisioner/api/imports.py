"""CSV in and out, and what other systems write in. An import is previewed unless it says that it is to be committed."""

from __future__ import annotations

from typing import Any, TypedDict

from flask import Response, request
from flask.views import MethodView
from marshmallow import Schema, ValidationError, fields, validate

from provisioner.api.context import actor, installation, is_admin
from provisioner.api.noun import Noun, strict_json
from provisioner.api.phone_state import FilesQuery
from provisioner.api.problems import Refusal, refuse_input
from provisioner.api.schemas import Flag, Strict, sentences
from provisioner.importing import FORMATS, Told, apply_plan, export_csv, plan_as_dict, preview_import

noun = Noun("imports", "Spreadsheets of phones and extensions. Importing needs the role admin.")

_EXAMPLE = "mac,model,extension,display_name\r\n80:5e:c0:aa:bb:cc,yealink/t46u,1001,Alice\r\n"

_ZIP_EXAMPLE = "(the bytes of a ZIP with 805ec0aabbcc.cfg)"


_FORMAT: dict[str, Any] = {"description": "What the file is; left out: it is recognised"}
_MODEL: dict[str, Any] = {"description": "The model of phones whose files tell none", "example": "yealink/t46u"}


class ImportQuery(Strict):
    """How a body of text/csv or application/zip is meant."""

    format = fields.String(load_default="", validate=validate.OneOf(["", *FORMATS], error="there is no such format"), metadata=_FORMAT)
    model = fields.String(load_default="", validate=validate.Length(max=64, error="at most 64 characters"), metadata=_MODEL)
    commit = fields.Boolean(
        load_default=False,
        metadata={"description": "true writes; false only shows what would happen"},
        error_messages=sentences("true or false is needed"),
    )
    all_or_nothing = fields.Boolean(
        load_default=True,
        metadata={"description": "false leaves out the rows that are wrong"},
        error_messages=sentences("true or false is needed"),
    )


class ImportBody(Strict):
    """An import as JSON."""

    csv = fields.String(required=True, error_messages=sentences("a text is needed"))
    format = fields.String(
        load_default="",
        validate=validate.OneOf(["", *FORMATS], error="there is no such format"),
        metadata=_FORMAT,
        error_messages=sentences("a text is needed"),
    )
    model = fields.String(
        load_default="",
        validate=validate.Length(max=64, error="at most 64 characters"),
        metadata=_MODEL,
        error_messages=sentences("a text is needed"),
    )
    commit = Flag(load_default=False)
    all_or_nothing = Flag(load_default=True)


class ImportMistake(Schema):
    """One thing that is wrong."""

    line = fields.Integer(metadata={"description": "Counts from 1 in the file; of an archive, its phones"})
    source = fields.String(metadata={"description": "The file of an archive; empty for a spreadsheet"})
    column = fields.String(metadata={"description": "Empty for the whole row"})
    sentence = fields.String()
    mend = fields.String()


class ImportDifference(Schema):
    """One value that would change."""

    column = fields.String()
    before = fields.String()
    after = fields.String()


class ImportRow(Schema):
    """One good row and what it would do."""

    line = fields.Integer()
    source = fields.String(metadata={"description": "The file of an archive; empty for a spreadsheet"})
    action = fields.String(metadata={"enum": ["create", "update", "unchanged"]})
    mac = fields.String(allow_none=True)
    extension = fields.String(allow_none=True)
    makes = fields.List(fields.String(), metadata={"description": "What it makes anew", "example": ["phone yealink/t46u at default"]})
    differences = fields.List(fields.Nested(ImportDifference))


class ImportLeft(Schema):
    """A parameter or column of another system that was not taken over. Its value is not told."""

    name = fields.String()
    phones = fields.Integer(metadata={"description": "How many phones have it"})
    set_here = fields.Boolean(metadata={"description": "true: the files of this server set it, from the settings"})


class ImportShown(Schema):
    """What an import would do, or did."""

    committed = fields.Boolean()
    format = fields.String(metadata={"description": "What the file was read as", "enum": list(FORMATS)})
    unreadable = fields.Boolean(metadata={"description": "The file as a whole cannot be taken, not even in part"})
    counts = fields.Dict(keys=fields.String(), values=fields.Integer())
    notes = fields.List(fields.String())
    rows = fields.List(fields.Nested(ImportRow))
    mistakes = fields.List(fields.Nested(ImportMistake))
    left = fields.List(fields.Nested(ImportLeft), metadata={"description": "What was not taken over, most of it first"})


class _Wanted(TypedDict):
    content: bytes | str
    told: Told
    commit: bool
    all_or_nothing: bool


@noun.route("/imports")
class Imports(MethodView):
    """Importing."""

    @noun.documents(
        requestBody={
            "required": True,
            "content": {
                "text/csv": {"schema": {"type": "string"}, "example": _EXAMPLE},
                "application/zip": {"schema": {"type": "string", "format": "binary"}, "example": _ZIP_EXAMPLE},
                "application/json": {"schema": {"$ref": "#/components/schemas/ImportBody"}, "example": {"csv": _EXAMPLE, "commit": False}},
            },
        }
    )
    @noun.takes(ImportQuery, location="query")
    @noun.gives(200, ImportShown)
    def post(self, query: dict[str, Any]) -> dict[str, Any]:
        """Preview an import, or commit it; mistakes are told by line and column."""
        wanted = _wanted(query)
        plan = preview_import(installation(), wanted["content"], wanted["told"])
        shown = plan_as_dict(plan)
        if not wanted["commit"]:
            return {"committed": False, **shown}
        result = apply_plan(installation(), actor(), plan, all_or_nothing=wanted["all_or_nothing"])
        names = ("phones_created", "phones_updated", "extensions_created", "extensions_updated", "unchanged", "phones_rendered")
        counts = {**{name: getattr(result, name) for name in names}, "left_out": len({mistake.line for mistake in result.left_out})}
        return {"committed": True, **shown, "counts": counts, "mistakes": result.left_out}


@noun.route("/export.csv")
class Export(MethodView):
    """Exporting."""

    @noun.takes(FilesQuery, location="query")
    @noun.gives(200, {"type": "string"}, content_type="text/csv", description="All phones and extensions, as imports take them back")
    def get(self, query: dict[str, Any]) -> Response:
        """Export all phones and extensions as CSV; secrets are left empty."""
        with_secrets = bool(query["secrets"]) and is_admin()
        if with_secrets:
            installation().changes.note_secrets_shown(actor(), "export.with_secrets", "all")
        text = export_csv(installation(), with_secrets=with_secrets)
        headers = {"Content-Disposition": 'attachment; filename="phones.csv"'}
        return Response(text, content_type="text/csv; charset=utf-8", headers=headers)


def _wanted(query: dict[str, Any]) -> _Wanted:
    body = request.get_data()
    if request.mimetype in ("text/csv", "application/zip"):
        return _as_wanted(body, query)
    if not body:
        refuse_input(csv="this is needed: a body of text/csv or application/zip, or JSON with the field csv")
    if not request.is_json:
        raise Refusal(415, "unsupported_media_type", "send text/csv, application/zip, or application/json with the field csv")
    try:
        given = ImportBody().load(strict_json(body))
    except ValidationError as error:
        messages = error.messages if isinstance(error.messages, dict) else {"": error.messages}
        refuse_input(**{"" if name == "_schema" else str(name): str(texts[0]) for name, texts in messages.items()})
    return _as_wanted(given["csv"], given)


def _as_wanted(content: bytes | str, given: dict[str, Any]) -> _Wanted:
    told = Told(given["format"], given["model"])
    return {"content": content, "told": told, "commit": given["commit"], "all_or_nothing": given["all_or_nothing"]}
