"""Who changed what, when: the audit. Reading only, and without secrets, since none are kept in it."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.context import installation
from provisioner.api.noun import Noun
from provisioner.api.paging import NewestQuery, page, page_of
from provisioner.api.schemas import Text, Time
from provisioner.api.shown import shown_change, subject_of

noun = Noun("changes", "Who changed what, and when.")


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
