"""Extensions. The secret goes in and never comes out."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask.views import MethodView

from provisioner.api.auth import allowed, needs_admin
from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import PageQuery, page, page_of
from provisioner.api.schemas import Strict, Text, Whole
from provisioner.errors import NotFound
from provisioner.records import ExtensionRecord

noun = Noun("extensions", "Extensions of the PBX. Writing needs the role technician; setting a secret, and deleting, the role admin.")

Answer = tuple[ExtensionRecord, int, dict[str, str]]


class ExtensionPatch(Strict):
    """What may be changed of an extension; what is absent stays."""

    display_name = Text(longest=128, metadata={"example": "Alice"})
    secret = Text(longest=64, load_only=True, metadata={"description": "SIP password; made where it is absent, never shown"})
    email = Text(longest=254, metadata={"example": "alice@example.org"})
    department = Text(longest=64)


class _Numbered(Strict):
    number = Text(required=True, longest=32, metadata={"example": "1001"})


class ExtensionNew(ExtensionPatch, _Numbered):
    """An extension to be made."""


class ExtensionShown(ExtensionNew):
    """An extension."""

    revision = Whole(dump_only=True)


class ExtensionQuery(PageQuery):
    """Which extensions."""

    search = Text(longest=64, load_default="", metadata={"description": "Part of the number or of the name"})


@noun.route("/extensions", conflicts=True)
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
        expected = expected_revision(_found(number).revision)
        record = installation().changes.update_extension(actor(), number, given, expected)
        return record, 200, tagged(record.revision)

    @conditional
    @noun.gives(204)
    def delete(self, number: str) -> Response:
        """Remove an extension that no phone has on a line."""
        installation().changes.delete_extension(actor(), number, expected_revision(_found(number).revision))
        return Response(status=204)


def _only_admin_sets_secrets(given: dict[str, Any]) -> None:
    if given.get("secret"):
        needs_admin("setting the secret of an extension")


def _found(number: str) -> ExtensionRecord:
    record = installation().store.extension(number)
    if record is None:
        raise NotFound({"number": f"there is no extension {number[:32]}"})
    return record
