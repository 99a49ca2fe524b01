"""What a phone's keys come to with its layout, and copying them to other phones."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.noun import Noun
from provisioner.api.phones import found_phone
from provisioner.api.schemas import Flag, KeySchema, MacField, Rows, Strict, Text, Whole, row_of
from provisioner.changes.copying import CopyPlan
from provisioner.changes.unit import MOST_PHONES

noun = Noun("phone-keys", "What a phone's keys come to with its layout, and copying them to other phones.", of_sites=True)


class LaidKeySchema(KeySchema):
    """A key with where it comes from."""

    source = fields.String(
        validate=validate.OneOf(["own", "layout", "slot"]),
        metadata={"description": "own: the phone's; layout: its layout's; slot: a place of the layout that the phone has not filled"},
    )
    hides = fields.Boolean(metadata={"description": "The layout's key stands over one of the phone's own"})


class LaidKeys(Schema):
    """Every key of a phone."""

    layout = Text(allow_none=True, metadata={"example": "Sales"})
    keys = fields.List(fields.Nested(LaidKeySchema))


class PlaceSchema(Strict):
    """A place of a key."""

    key = Whole(required=True, metadata={"example": 3})
    module = Whole(load_default=0)


class CopyBody(Strict):
    """The phones that get the keys."""

    phones = Rows(MacField(), longest=MOST_PHONES, required=True, metadata={"example": ["80:5e:c0:dd:ee:ff"]})
    places = Rows(
        row_of(PlaceSchema), longest=5000, allow_none=True, load_default=None, metadata={"description": "Which keys; null: all its own"}
    )
    commit = Flag(load_default=False, metadata={"description": "false only says what would change"})
    only_fitting = Flag(
        load_default=False, metadata={"description": "true leaves out phones that a key does not fit, instead of refusing all"}
    )


class CopyShown(Schema):
    """What copying does to one phone."""

    mac = MacField()
    model = Text(metadata={"example": "yealink/t46u"})
    added = fields.List(fields.Nested(PlaceSchema))
    changed = fields.List(fields.Nested(PlaceSchema))
    mistakes = fields.List(fields.String(), metadata={"description": "Which keys do not fit, and where they would go"})


@noun.route("/phones/<string:mac>/keys/laid")
class Laid(MethodView):
    """The keys that a phone has in the end."""

    @noun.gives(200, LaidKeys)
    def get(self, mac: str) -> dict[str, Any]:
        """Show every key of a phone, with whether it is its own or its layout's."""
        record = found_phone(mac)
        rows = installation().store.laid_keys(record)
        keys = [{**_fields(row.key), "source": row.source, "hides": row.hidden is not None} for row in rows]
        return {"layout": record.layout, "keys": keys}


@noun.route("/phones/<string:mac>/keys/copy")
class Copy(MethodView):
    """The phone's own keys on other phones."""

    @allowed("technician")
    @noun.takes(CopyBody, example={"phones": ["80:5e:c0:dd:ee:ff"]})
    @noun.gives(200, CopyShown(many=True))
    def post(self, given: dict[str, Any], mac: str) -> list[dict[str, Any]]:
        """Copy keys of a phone to others, or say what that would change; keys at other places of theirs stay."""
        record, changes = found_phone(mac), installation().changes
        places = None if given["places"] is None else [(place["module"], place["key"]) for place in given["places"]]
        if not given["commit"]:
            return [_shown(plan) for plan in changes.plan_copy(record.mac, given["phones"], places)]
        done = changes.copy_keys(actor(), record.mac, given["phones"], places, only_fitting=given["only_fitting"])
        return [_shown(plan) for plan in done]


def _shown(plan: CopyPlan) -> dict[str, Any]:
    places = {name: [{"module": module, "key": key} for module, key in getattr(plan, name)] for name in ("added", "changed")}
    return {"mac": plan.mac, "model": plan.model, **places, "mistakes": list(plan.mistakes)}


def _fields(key: Any) -> dict[str, Any]:
    return {"key": key.key, "module": key.module, "type": key.type, "value": key.value, "label": key.label, "line": key.line}
