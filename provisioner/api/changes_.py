"""Who changed what, when: the audit, without secrets, since none are kept in it; and undoing."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.auth import allowed, needs_admin
from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision
from provisioner.api.noun import Noun, conditional
from provisioner.api.paging import BIGGEST_ID, NewestQuery, page, page_of
from provisioner.api.schemas import Flag, Strict, Text, Time
from provisioner.api.shown import shown_change, subject_of
from provisioner.changes.undoing import Undoing, role_to_undo
from provisioner.errors import NotFound

noun = Noun("changes", "Who changed what, and when.", of_sites=True, previewable=True)


class Change(Schema):
    """One change."""

    id = fields.Integer()
    at = Time()
    actor = fields.String()
    action = fields.String(metadata={"example": "phone.update"})
    subject = fields.String(metadata={"example": "80:5e:c0:aa:bb:cc"})
    before = fields.Raw(allow_none=True)
    after = fields.Raw(allow_none=True)
    phones = fields.Integer(metadata={"description": "How many phones it touched"})


class ChangeQuery(NewestQuery):
    """Which changes."""

    subject = Text(longest=64, load_default="", metadata={"description": "MAC, number or name of what changed"})


class UndoBody(Strict):
    """How to undo."""

    over_later = Flag(load_default=False, metadata={"description": "true: later changes of the same object are undone with it"})


class Undone(Schema):
    """What was put back."""

    action = fields.String(metadata={"description": "The kind of change that was undone", "example": "phone.update"})
    subject = fields.String(metadata={"example": "80:5e:c0:aa:bb:cc"})
    lost = fields.List(fields.String(), metadata={"description": "Secrets that are not kept in the changes, and so not put back"})


@noun.route("/changes")
class Changes(MethodView):
    """All changes."""

    @noun.takes(ChangeQuery, location="query")
    @noun.gives(200, page_of(Change, "ChangePage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List changes, the newest first."""
        subject = subject_of(query["subject"])
        rows = installation().store.changes(before=query["before"], limit=query["limit"] + 1, subject=subject)
        return page(rows, query["limit"], lambda row: row.id, shown_change)


@noun.route("/changes/<int:change>/undo")
class Undo(MethodView):
    """Undoing a change."""

    @allowed("technician")
    @conditional
    @noun.takes(UndoBody, required=False, example={"over_later": False})
    @noun.refuses(409)
    @noun.gives(200, Undone)
    def post(self, given: dict[str, Any], change: int) -> dict[str, Any]:
        """Put back what was before a change of a phone, an extension, a site, a group, a department, a layout or a user. If-Match is of that object."""
        place = installation()
        record = place.store.change(change) if change <= BIGGEST_ID else None
        if record is None:
            raise NotFound({"id": f"there is no change {change}"})
        if role_to_undo(record) == "admin":
            needs_admin("undoing this change")
        undoing = Undoing(place.store, place.changes)
        revision = undoing.revision(record)
        expected_revision(revision or 0)
        lost = undoing.undo(actor(), record, revision, over_later=given["over_later"])
        return {"action": record.action, "subject": shown_change(record)["subject"], "lost": lost}
