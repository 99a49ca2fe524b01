"""Key layouts: keys that phones share, with slots that each phone fills itself."""

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
from provisioner.api.schemas import Flag, KeySchema, MacField, Rows, Strict, Text, Whole, row_of
from provisioner.changes import LayoutKeyInput
from provisioner.changes.unit import MOST_PHONES
from provisioner.core.laying import LayoutKey, LayoutRecord
from provisioner.errors import NotFound

noun = Noun(
    "layouts",
    "Key layouts: keys that phones share, with slots that each phone fills itself. Writing needs the role technician, and the right to all sites.",
    of_sites=True,
)

Answer = tuple[dict[str, Any], int, dict[str, str]]
EXAMPLE = {
    "keys": [{"key": 2, "type": "blf", "value": "1002", "label": "Bob"}, {"key": 3, "type": "blf", "label": "Colleague", "slot": True}]
}


class LayoutKeySchema(KeySchema):
    """A key of a layout."""

    slot = Flag(
        load_default=False,
        metadata={
            "description": "true: each phone fills this place itself; until it does, the place stays dark. Type and label only suggest"
        },
    )


class LayoutBody(Strict):
    """A layout to be made, or to stand in place of the one that is there."""

    keys = Rows(row_of(LayoutKeySchema), longest=5000, required=True, metadata={"description": "Replaces the list"})


class LayoutShown(LayoutBody):
    """A layout."""

    name = Text(dump_only=True, metadata={"example": "Sales"})
    phones = Whole(dump_only=True, metadata={"description": "How many have it"})
    revision = Whole(dump_only=True)


class AssignBody(Strict):
    """The phones that get the layout."""

    phones = Rows(MacField(), longest=MOST_PHONES, required=True, metadata={"example": ["80:5e:c0:aa:bb:cc"]})


class Assigned(Strict):
    """What came of it."""

    changed = fields.Integer(metadata={"description": "Phones that had another layout before"})


@noun.route("/layouts")
class Layouts(MethodView):
    """All layouts."""

    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(LayoutShown, "LayoutPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List layouts in the order of their name."""
        rows = installation().store.layouts(after=query["after"], limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.name, _shown)


@noun.route("/layouts/<string:layout>")
class Layout(MethodView):
    """One layout."""

    @conditional
    @noun.gives(200, LayoutShown, headers=ETAG)
    def get(self, layout: str) -> Answer:
        """Show a layout."""
        record = found_layout(layout)
        return _shown(record), 200, tagged(record.revision)

    @allowed("technician")
    @conditional
    @noun.takes(LayoutBody, example=EXAMPLE)
    @noun.gives(200, LayoutShown, headers=ETAG)
    def put(self, given: dict[str, Any], layout: str) -> Answer:
        """Make a layout or replace its keys; its phones are rendered anew."""
        there = installation().store.layout(layout)
        expected = expected_revision(there.revision if there else 0)
        record = installation().changes.put_layout(actor(), layout, [LayoutKeyInput(**key) for key in given["keys"]], expected)
        return _shown(record), 200, tagged(record.revision)

    @allowed("technician")
    @conditional
    @noun.gives(204)
    def delete(self, layout: str) -> Response:
        """Remove a layout that no phone has."""
        installation().changes.delete_layout(actor(), layout, expected_revision(found_layout(layout).revision))
        return Response(status=204)


@noun.route("/layouts/<string:layout>/phones")
class LayoutPhones(MethodView):
    """The phones of a layout."""

    @allowed("technician")
    @noun.takes(AssignBody, example={"phones": ["80:5e:c0:aa:bb:cc"]})
    @noun.gives(200, Assigned)
    def post(self, given: dict[str, Any], layout: str) -> dict[str, Any]:
        """Give phones the layout, all or none. Keys of their own that it has the place of are hidden, and come back without it."""
        return {"changed": installation().changes.assign_layout(actor(), given["phones"], layout)}


def found_layout(name: str) -> LayoutRecord:
    """Returns the layout that an address names. Raises ``NotFound``."""
    record = installation().store.layout(name)
    if record is None:
        raise NotFound({"name": f"there is no layout {name[:64]}"})
    return record


def shown_layout_key(row: LayoutKey) -> dict[str, Any]:
    key = row.key
    fields_ = {"key": key.key, "module": key.module, "type": key.type, "value": key.value, "label": key.label, "line": key.line}
    return {**fields_, "slot": row.slot}


def _shown(record: LayoutRecord) -> dict[str, Any]:
    keys = [shown_layout_key(row) for row in record.keys]
    return {"name": record.name, "keys": keys, "phones": record.phones, "revision": record.revision}
