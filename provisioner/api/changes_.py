"""Who changed what, when: the audit, without secrets, since none are kept in it; and undoing."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed, needs_admin
from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import BIGGEST_ID, NewestQuery, PageQuery, page, page_of
from provisioner.api.schemas import Flag, Strict, Text, Time
from provisioner.api.shown import shown_change, subject_of
from provisioner.changes.undoing import Undoing, role_to_undo
from provisioner.core.mac import Mac
from provisioner.errors import NotFound
from provisioner.records import ChangeRecord

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


class ChangePart(Schema):
    """What a change of many things made of one of them: the fields that it touched."""

    noun = fields.String(validate=validate.OneOf(["phone", "extension"]))
    subject = fields.String(metadata={"description": "MAC or number", "example": "80:5e:c0:aa:bb:cc"})
    before = fields.Raw(allow_none=True, metadata={"description": "null: it was not there"})
    after = fields.Raw(allow_none=True, metadata={"description": "null: it was not there any more"})


class ChangedSince(Schema):
    """A thing that is otherwise by now than the change left it."""

    noun = fields.String(validate=validate.OneOf(["phone", "extension"]))
    subject = fields.String(metadata={"description": "MAC or number", "example": "80:5e:c0:aa:bb:cc"})
    is_gone = fields.Boolean(metadata={"description": "It is no longer there, and stays away"})
    fields_ = fields.List(
        fields.String(),
        data_key="fields",
        attribute="changed",
        metadata={"description": "What is otherwise", "example": ["settings voice_vlan"]},
    )


class UndoOutlook(Schema):
    """What undoing a change comes upon. Which files would change says ``POST /preview``."""

    later = fields.List(
        fields.Nested(Change), metadata={"description": "Changes of the same object since: with over_later they are undone with it"}
    )
    since = fields.List(
        fields.Nested(ChangedSince),
        metadata={"description": "Of a change of many things those that were changed since: with over_later they go back too"},
    )
    lost = fields.List(fields.String(), metadata={"description": "Secrets that are not kept in the changes, and so would not come back"})


class UndoBody(Strict):
    """How to undo."""

    over_later = Flag(load_default=False, metadata={"description": "true: what was changed since is undone with it"})


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


@noun.route("/changes/<int:change>")
class OneChange(MethodView):
    """One change."""

    @noun.gives(200, Change)
    def get(self, change: int) -> dict[str, Any]:
        """Show a change."""
        return shown_change(_found(change))


@noun.route("/changes/<int:change>/parts")
class Parts(MethodView):
    """What a change of many things made of each."""

    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(ChangePart, "ChangePartPage"))
    def get(self, query: dict[str, Any], change: int) -> dict[str, Any]:
        """List what an import, or giving a layout to phones, made of each of them; of a change of one object nothing."""
        record = _found(change)
        after_noun, _colon, after_subject = query["after"].partition(":")
        rows = installation().store.change_parts(record.id, after=(after_noun, after_subject), limit=query["limit"] + 1)
        return page(
            rows,
            query["limit"],
            lambda row: f"{row.noun}:{row.subject}",
            lambda row: {"noun": row.noun, "subject": _thing(row.noun, row.subject), "before": row.before, "after": row.after},
        )


@noun.route("/changes/<int:change>/undo-outlook")
class UndoOutlooks(MethodView):
    """What undoing a change would come upon."""

    @allowed("technician")
    @conditional
    @noun.refuses(422)
    @noun.gives(200, UndoOutlook, headers=ETAG)
    def get(self, change: int) -> Any:
        """Show what undoing a change would come upon: what was changed since, and which secrets stay lost. Writes nothing."""
        found = _undoing().outlook(_undoable(change))
        since = [
            {
                "noun": each.part.noun,
                "subject": _thing(each.part.noun, each.part.subject),
                "is_gone": each.is_gone,
                "changed": each.changed,
            }
            for each in found.since
        ]
        outlook = {"later": [shown_change(row) for row in found.later], "since": since, "lost": found.lost}
        return outlook, 200, tagged(found.revision or 0)


@noun.route("/changes/<int:change>/undo")
class Undo(MethodView):
    """Undoing a change."""

    @allowed("technician")
    @conditional
    @noun.takes(UndoBody, required=False, example={"over_later": False})
    @noun.refuses(409)
    @noun.gives(200, Undone)
    def post(self, given: dict[str, Any], change: int) -> dict[str, Any]:
        """Put back what was before a change: of a phone, an extension, a site, a group, a department, a layout or a user; an import, a layout given to phones, or a swap as a whole. If-Match is of that object, or of the outlook."""
        record, undoing = _undoable(change), _undoing()
        revision = undoing.outlook(record).revision
        expected_revision(revision or 0)
        lost = undoing.undo(actor(), record, revision, over_later=given["over_later"])
        return {"action": record.action, "subject": shown_change(record)["subject"], "lost": lost}


def _found(change: int) -> ChangeRecord:
    record = installation().store.change(change) if change <= BIGGEST_ID else None
    if record is None:
        raise NotFound({"id": f"there is no change {change}"})
    return record


def _undoable(change: int) -> ChangeRecord:
    record = _found(change)
    if role_to_undo(record) == "admin":
        needs_admin("undoing this change")
    return record


def _undoing() -> Undoing:
    place = installation()
    return Undoing(place.store, place.changes)


def _thing(noun: str, subject: str) -> str:
    return Mac(subject).colons if noun == "phone" else subject
