"""Departments: who belongs together, and the number that rings all of them."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from marshmallow import fields

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import PageQuery, page, page_of
from provisioner.api.schemas import Strict, Text, Whole
from provisioner.errors import NotFound
from provisioner.records import DepartmentRecord

noun = Noun(
    "departments",
    "Departments of the extensions. One that has a number can be called: every member rings. Writing needs the role technician.",
    of_sites=True,
    previewable=True,
)

Answer = tuple[DepartmentRecord, int, dict[str, str]]


class DepartmentBody(Strict):
    """A department to be made, or to be given another number."""

    number = Text(required=True, longest=32, allow_none=True, metadata={"example": "600", "description": "null: it cannot be called"})


class DepartmentShown(DepartmentBody):
    """A department."""

    name = Text(dump_only=True, metadata={"example": "Sales"})
    members = fields.List(
        fields.String(), dump_only=True, metadata={"description": "Numbers of its extensions", "example": ["1001", "1002"]}
    )
    pbx_wanted = fields.String(
        dump_only=True, allow_none=True, metadata={"description": "Hash of what the PBX should say of it; null: nothing"}
    )
    pbx_verified = fields.String(dump_only=True, allow_none=True, metadata={"description": "Hash of what the PBX was last read to say"})
    pbx_error = fields.String(dump_only=True, metadata={"description": "Why the PBX does not take it; empty where it does"})
    revision = Whole(dump_only=True)


@noun.route("/departments")
class Departments(MethodView):
    """All departments."""

    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(DepartmentShown, "DepartmentPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List departments in the order of their name; each is there once an extension names it."""
        rows = installation().store.departments(after=query["after"], limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.name)


@noun.route("/departments/<path:name>")
class Department(MethodView):
    """One department."""

    @conditional
    @noun.gives(200, DepartmentShown, headers=ETAG)
    def get(self, name: str) -> Answer:
        """Show a department."""
        record = _found(name)
        return record, 200, tagged(record.revision)

    @allowed("technician")
    @conditional
    @noun.takes(DepartmentBody, example={"number": "600"})
    @noun.gives(200, DepartmentShown, headers=ETAG)
    def put(self, given: dict[str, Any], name: str) -> Answer:
        """Make a department or give it another number, which no extension may have."""
        there = installation().store.department(name)
        expected = expected_revision(there.revision if there else 0)
        record = installation().changes.put_department(actor(), name, given["number"], expected)
        return record, 200, tagged(record.revision)

    @allowed("technician")
    @conditional
    @noun.gives(204)
    def delete(self, name: str) -> Response:
        """Remove a department that has no extensions."""
        installation().changes.delete_department(actor(), name, expected_revision(_found(name).revision))
        return Response(status=204)


def _found(name: str) -> DepartmentRecord:
    record = installation().store.department(name)
    if record is None:
        raise NotFound({"name": f"there is no department {name[:64]}"})
    return record
