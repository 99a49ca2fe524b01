"""Extensions. The secret goes in and never comes out."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed, needs_admin
from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import PageQuery, page, page_of
from provisioner.api.schemas import Flag, MacField, Strict, Text, Time, Whole
from provisioner.errors import NotFound
from provisioner.records import ExtensionRecord

noun = Noun(
    "extensions",
    "Extensions of the PBX. Writing needs the role technician; setting a secret, and deleting, the role admin.",
    of_sites=True,
    previewable=True,
)

ROTATIONS = ["none", "moving", "rolled_back"]

Answer = tuple[ExtensionRecord, int, dict[str, str]]


class ExtensionPatch(Strict):
    """What may be changed of an extension; what is absent stays."""

    display_name = Text(longest=128, metadata={"example": "Alice"})
    secret = Text(longest=64, load_only=True, metadata={"description": "SIP password; made where it is absent, never shown"})
    revoke_former = Flag(
        load_only=True, metadata={"description": "true: secrets before this one are refused at once, not when the phones have moved"}
    )
    email = Text(longest=254, metadata={"example": "alice@example.org"})
    department = Text(longest=64)
    site = Text(longest=64, metadata={"description": "Whose it is; empty: nobody's in particular", "example": "default"})
    record_calls = Flag(
        metadata={"description": "Its calls are recorded, with a beep; switching needs the role admin. The law may ask for consent"}
    )


class _Numbered(Strict):
    number = Text(required=True, longest=32, metadata={"example": "1001"})


class ExtensionNew(ExtensionPatch, _Numbered):
    """An extension to be made."""

    class Meta(ExtensionPatch.Meta):
        exclude = ("revoke_former",)


class ExtensionShown(ExtensionNew):
    """An extension."""

    rotation = fields.String(
        dump_only=True,
        validate=validate.OneOf(ROTATIONS),
        metadata={"description": "moving: phones move to a new secret; rolled_back: back to the last one, since not all did in time"},
    )
    rotation_started_at = Time(allow_none=True, dump_only=True)
    pbx_wanted = fields.String(
        allow_none=True, dump_only=True, metadata={"description": "Hash of what the PBX should say; null equals nothing"}
    )
    pbx_verified = fields.String(allow_none=True, dump_only=True, metadata={"description": "Hash of what the PBX was last read to say"})
    pbx_error = fields.String(dump_only=True, metadata={"description": "Why the PBX refused it; empty where it did not"})
    revision = Whole(dump_only=True)


class RotationBody(Strict):
    """How to change the secret."""

    revoke_former = Flag(load_default=False, metadata={"description": "true: the old secret is refused at once, whoever still has it"})


class RotationShown(Schema):
    """A secret on its way to the phones. Until all have moved, the PBX takes the old one besides."""

    state = fields.String(validate=validate.OneOf(ROTATIONS))
    since = Time(allow_none=True)
    waiting = fields.List(MacField(), metadata={"description": "Phones that are not proven to have moved"})


class ExtensionQuery(PageQuery):
    """Which extensions."""

    search = Text(longest=64, load_default="", metadata={"description": "Part of the number or of the name"})


@noun.route("/extensions")
class Extensions(MethodView):
    """All extensions."""

    @noun.takes(ExtensionQuery, location="query")
    @noun.gives(200, page_of(ExtensionShown, "ExtensionPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List extensions in the order of their number."""
        rows = installation().store.extensions(after=query["after"], limit=query["limit"] + 1, search=query["search"])
        return page(rows, query["limit"], lambda row: row.number)

    @allowed("technician")
    @noun.takes(ExtensionNew, example={"number": "1001", "display_name": "Alice", "email": "alice@example.org", "department": "Sales"})
    @noun.gives(201, ExtensionShown, headers={**ETAG, "Location": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any]) -> Answer:
        """Make an extension."""
        _only_admin_sets_secrets(given)
        _only_admin_records(given, before=False)
        record = installation().changes.create_extension(actor(), given.pop("number"), **given)
        where = url_for("extensions.Extension", number=record.number)
        return record, 201, {**tagged(record.revision), "Location": where}


@noun.route("/extensions/<string:number>")
class Extension(MethodView):
    """One extension."""

    @conditional
    @noun.gives(200, ExtensionShown, headers=ETAG)
    def get(self, number: str) -> Answer:
        """Show an extension."""
        record = _found(number)
        return record, 200, tagged(record.revision)

    @allowed("technician")
    @conditional
    @noun.takes(ExtensionPatch, example={"display_name": "Alice B."})
    @noun.gives(200, ExtensionShown, headers=ETAG)
    def patch(self, given: dict[str, Any], number: str) -> Answer:
        """Change what is given of an extension."""
        _only_admin_sets_secrets(given)
        before = _found(number)
        _only_admin_records(given, before=before.record_calls)
        expected = expected_revision(before.revision)
        revoke = given.pop("revoke_former", False)
        record = installation().changes.update_extension(actor(), number, given, expected, revoke_former=revoke)
        return record, 200, tagged(record.revision)

    @conditional
    @noun.gives(204)
    def delete(self, number: str) -> Response:
        """Remove an extension that no phone has on a line."""
        installation().changes.delete_extension(actor(), number, expected_revision(_found(number).revision))
        return Response(status=204)


@noun.route("/extensions/<string:number>/rotation")
class Rotation(MethodView):
    """A secret on its way to the phones."""

    @noun.gives(200, RotationShown)
    def get(self, number: str) -> dict[str, Any]:
        """Show whether phones move to a new secret, and which have not yet."""
        return _rotation(_found(number))

    @noun.takes(RotationBody, required=False, example={"revoke_former": False})
    @noun.gives(200, RotationShown)
    def post(self, given: dict[str, Any], number: str) -> dict[str, Any]:
        """Give an extension a new secret of its own making; the old one is taken until its phones have moved."""
        return _rotation(installation().changes.rotate_secret(actor(), _found(number).number, revoke_former=given["revoke_former"]))


def _rotation(record: ExtensionRecord) -> dict[str, Any]:
    is_open = record.rotation_started_at is not None
    waiting = installation().store.rotation_waiting([record.number])[record.number] if is_open else []
    return {"state": record.rotation, "since": record.rotation_started_at, "waiting": waiting}


def _only_admin_sets_secrets(given: dict[str, Any]) -> None:
    if given.get("secret") or given.get("revoke_former"):
        needs_admin("setting the secret of an extension")


def _only_admin_records(given: dict[str, Any], *, before: bool) -> None:
    if given.get("record_calls", before) != before:
        needs_admin("switching the recording of calls")


def _found(number: str) -> ExtensionRecord:
    record = installation().store.extension(number)
    if record is None:
        raise NotFound({"number": f"there is no extension {number[:32]}"})
    return record
