"""The bootstrap: listed phones that were refused a first fetch, with what mends it, and scans for MACs."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.context import installation
from provisioner.api.noun import Noun
from provisioner.api.paging import MacPageQuery, NewestQuery, page, page_of
from provisioner.api.schemas import MacField, Time
from provisioner.core.values import Reason
from provisioner.records_enrolment import RefusalRecord

noun = Noun("bootstrap", "Phones that were refused their first fetch, and scans for MACs.", of_sites=True)

WHAT = {
    "reset": "it has had its own address and asks as a fresh one does: it was reset, or somebody asks in its name",
    "expired": "its time to make a first fetch is over",
    "another_address": "another address has taken its file since it was opened",
    "another_model": "it is another model than was written down",
}
MENDS = {kind: {"method": "POST", "path": "/api/v1/phones/{mac}/reopen"} for kind in ("reset", "expired", "another_address")}
MENDS["another_model"] = {"method": "PATCH", "path": "/api/v1/phones/{mac}"}


class Action(Schema):
    """A request to this API."""

    method = fields.String(metadata={"example": "POST"})
    path = fields.String(metadata={"example": "/api/v1/phones/80:5e:c0:aa:bb:cc/reopen"})


class Refusal(Schema):
    """A listed phone that was refused its first fetch, and has not been served since."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    site = fields.String()
    what = fields.String(validate=validate.OneOf(list(WHAT)), metadata={"example": "reset"})
    detail = fields.String(metadata={"description": "The same as a sentence"})
    reason = fields.String(metadata={"example": "bootstrap_closed"})
    first_at = Time()
    at = Time()
    count = fields.Integer()
    peer = fields.String(metadata={"example": "192.168.1.20"})
    succeeded_at = Time(allow_none=True, metadata={"description": "When it last proved to have its own address; null: never"})
    user_agent = fields.String()
    action = fields.Nested(Action, metadata={"description": "What lets it in, once you know that it is this phone"})


class Alarm(Schema):
    """A scan: one listener was asked for more unlisted MACs than an office has."""

    id = fields.Integer()
    at = Time()
    part = fields.String(metadata={"description": "The listener", "example": "phones"})
    kind = fields.String(validate=validate.OneOf(["address", "oui", "all"]), metadata={"description": "Which bound was passed"})
    scope = fields.String(metadata={"description": "For whom the bootstrap is shut: an address, or everywhere", "example": "192.168.1.66"})
    macs = fields.Integer(metadata={"description": "Different unlisted MACs when it was noticed"})
    until = Time(metadata={"description": "When the bootstrap opens again, unless the scan goes on"})


@noun.route("/bootstrap/refusals")
class Refusals(MethodView):
    """Phones that may wait for somebody."""

    @noun.takes(MacPageQuery, location="query")
    @noun.gives(200, page_of(Refusal, "RefusalPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List listed phones that were refused their first fetch and have not been served since, in the order of their MAC."""
        rows = installation().store.bootstrap_refusals(after=query.get("after", ""), limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.mac.colons, _shown)


@noun.route("/bootstrap/alarms")
class Alarms(MethodView):
    """Scans for MACs."""

    @noun.takes(NewestQuery, location="query")
    @noun.gives(200, page_of(Alarm, "AlarmPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List scans for MACs, the newest first."""
        rows = installation().store.alarms(before=query["before"], limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.id)


def what_of(row: RefusalRecord) -> str:
    """Returns the kind of refusal: a key of ``WHAT``."""
    if row.reason == Reason.BOOTSTRAP_CLOSED:
        return "reset" if row.succeeded_at is not None else "expired"
    return "another_address" if row.reason == Reason.REPLAYED else "another_model"


def _shown(row: RefusalRecord) -> dict[str, Any]:
    what = what_of(row)
    action = {name: text.replace("{mac}", row.mac.colons) for name, text in MENDS[what].items()}
    told = {name: getattr(row, name) for name in ("mac", "site", "reason", "first_at", "at", "count", "peer", "user_agent", "succeeded_at")}
    return {**told, "what": what, "detail": WHAT[what], "action": action}
