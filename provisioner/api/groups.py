"""Groups of phones: settings that they share across sites."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView

from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import PageQuery, page_of, sliced
from provisioner.api.schemas import SettingsField, Strict, Text, Whole
from provisioner.errors import NotFound
from provisioner.records import GroupRecord

noun = Noun("groups", "Groups: settings that phones share across sites. Writing needs the role admin.", of_sites=True, previewable=True)

Answer = tuple[GroupRecord, int, dict[str, str]]


class GroupBody(Strict):
    """A group to be made, or to stand in place of the one that is there."""

    settings = SettingsField(required=True)


class GroupShown(GroupBody):
    """A group."""

    name = Text(dump_only=True, metadata={"example": "reception"})
    revision = Whole(dump_only=True)


@noun.route("/groups")
class Groups(MethodView):
    """All groups."""

    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(GroupShown, "GroupPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List groups in the order of their name."""
        return sliced(installation().store.groups(), query["after"], query["limit"], lambda row: row.name)


@noun.route("/groups/<string:name>")
class Group(MethodView):
    """One group."""

    @conditional
    @noun.gives(200, GroupShown, headers=ETAG)
    def get(self, name: str) -> Answer:
        """Show a group."""
        record = _found(name)
        return record, 200, tagged(record.revision)

    @conditional
    @noun.takes(GroupBody, example={"settings": {"line_label": "name"}})
    @noun.gives(200, GroupShown, headers=ETAG)
    def put(self, given: dict[str, Any], name: str) -> Answer:
        """Make a group or replace its settings; its phones are rendered anew."""
        there = _group(name)
        expected = expected_revision(there.revision if there else 0)
        record = installation().changes.put_group(actor(), name, given["settings"], expected)
        return record, 200, tagged(record.revision)

    @conditional
    @noun.gives(204)
    def delete(self, name: str) -> Response:
        """Remove a group that has no phones."""
        installation().changes.delete_group(actor(), name, expected_revision(_found(name).revision))
        return Response(status=204)


def _group(name: str) -> GroupRecord | None:
    return next((group for group in installation().store.groups() if group.name == name), None)


def _found(name: str) -> GroupRecord:
    record = _group(name)
    if record is None:
        raise NotFound({"name": f"there is no group {name[:64]}"})
    return record
