"""Webhooks: programs that are told of changes, and what was sent to them."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import BIGGEST_ID, NewestQuery, PageQuery, page, page_of, sliced
from provisioner.api.schemas import Flag, Rows, Strict, Text, Time, Whole
from provisioner.errors import NotFound
from provisioner.records import Delivery, WebhookRecord

noun = Noun(
    "webhooks",
    "Programs that are told of changes by a POST to their address, signed with HMAC-SHA256 as Standard Webhooks has it, and tried again until "
    "they take it. All of it needs the role admin.",
)
EXAMPLE = {"name": "helpdesk", "url": "https://helpdesk.example.org/provisioner", "events": ["phone.*", "extension.update"]}


class WebhookPatch(Strict):
    """What may be changed of a webhook; what is absent stays."""

    url = Text(longest=1000, metadata={"example": EXAMPLE["url"]})
    events = Rows(Text(longest=64), longest=50, metadata={"description": "Actions of changes; phone.* for all of phones, * for all"})
    enabled = Flag()


class _Named(Strict):
    name = Text(required=True, longest=64, metadata={"example": "helpdesk"})


class WebhookNew(WebhookPatch, _Named):
    """A webhook to be made; without events it is told of everything."""

    url = Text(required=True, longest=1000, metadata={"example": EXAMPLE["url"]})


class WebhookShown(WebhookPatch, _Named):
    """A webhook."""

    revision = Whole(dump_only=True)


class WebhookMade(WebhookShown):
    """A new webhook, with the secret that signs, shown this once."""

    secret = fields.String(metadata={"description": "Keep it: by it the receiver knows that a delivery is ours"})


class DeliveryShown(Schema):
    """Something that was, or is to be, sent."""

    id = fields.Integer()
    event = fields.String(metadata={"example": "phone.update"})
    state = fields.String(validate=validate.OneOf(["waiting", "delivered", "given_up"]))
    at = Time()
    due_at = Time(allow_none=True, metadata={"description": "When it is tried next"})
    tries = fields.Integer()
    delivered_at = Time(allow_none=True)
    status = fields.Integer(allow_none=True, metadata={"description": "Of the last answer; null: there was none"})
    error = fields.String()
    body = fields.String(metadata={"description": "JSON as it is sent"})


@noun.route("/webhooks")
class Webhooks(MethodView):
    """All webhooks."""

    @allowed("admin")
    @noun.takes(PageQuery, location="query")
    @noun.gives(200, page_of(WebhookShown, "WebhookPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List webhooks in the order of their name."""
        return sliced(installation().store.webhooks(), query["after"], query["limit"], lambda row: row.name)

    @noun.takes(WebhookNew, example=EXAMPLE)
    @noun.gives(201, WebhookMade, headers={**ETAG, "Location": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Make a webhook; it is told of what changes from now on."""
        record, secret = installation().changes.create_webhook(actor(), given.pop("name"), given)
        where = url_for("webhooks.Webhook", name=record.name)
        shown = {name: getattr(record, name) for name in ("name", "url", "events", "enabled", "revision")}
        return {**shown, "secret": secret}, 201, {**tagged(record.revision), "Location": where}


@noun.route("/webhooks/<string:name>")
class Webhook(MethodView):
    """One webhook."""

    @allowed("admin")
    @conditional
    @noun.gives(200, WebhookShown, headers=ETAG)
    def get(self, name: str) -> tuple[WebhookRecord, int, dict[str, str]]:
        """Show a webhook."""
        record = found_webhook(name)
        return record, 200, tagged(record.revision)

    @conditional
    @noun.takes(WebhookPatch, example={"enabled": False})
    @noun.gives(200, WebhookShown, headers=ETAG)
    def patch(self, given: dict[str, Any], name: str) -> tuple[WebhookRecord, int, dict[str, str]]:
        """Change what is given of a webhook."""
        record = installation().changes.update_webhook(actor(), name, given, expected_revision(found_webhook(name).revision))
        return record, 200, tagged(record.revision)

    @conditional
    @noun.gives(204)
    def delete(self, name: str) -> Response:
        """Remove a webhook and what is waiting for it."""
        installation().changes.delete_webhook(actor(), name, expected_revision(found_webhook(name).revision))
        return Response(status=204)


@noun.route("/webhooks/<string:name>/test")
class WebhookTest(MethodView):
    """A delivery that tells of nothing."""

    @noun.gives(202)
    def post(self, name: str) -> Response:
        """Send a webhook something to try it; deliveries show what came of it."""
        installation().changes.test_webhook(actor(), name)
        return Response(status=202)


@noun.route("/webhooks/<string:name>/deliveries")
class Deliveries(MethodView):
    """What is sent to a webhook."""

    @allowed("admin")
    @noun.takes(NewestQuery, location="query")
    @noun.gives(200, page_of(DeliveryShown, "DeliveryPage"))
    def get(self, query: dict[str, Any], name: str) -> dict[str, Any]:
        """List deliveries, the newest first; the last thousand are kept."""
        rows = installation().store.deliveries(found_webhook(name).name, before=query["before"], limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.id, _shown)


@noun.route("/webhooks/<string:name>/deliveries/<int:delivery>/resend")
class Resend(MethodView):
    """A delivery again."""

    @noun.gives(202)
    def post(self, name: str, delivery: int) -> Response:
        """Send a delivery again, whatever became of it; with the same Webhook-Id, so that the receiver can tell."""
        send_again(name, delivery)
        return Response(status=202)


def send_again(name: str, delivery: int) -> None:
    """Has a delivery sent again. Raises ``NotFound``."""
    if delivery > BIGGEST_ID:
        raise NotFound({"delivery": "there is no such delivery"})
    installation().changes.resend_delivery(actor(), name, delivery)


def state_of(row: Delivery) -> str:
    """Returns how a delivery stands: ``waiting``, ``delivered`` or ``given_up``."""
    return "waiting" if row.due_at is not None else "delivered" if row.delivered_at is not None else "given_up"


def _shown(row: Delivery) -> dict[str, Any]:
    names = ("id", "event", "at", "due_at", "tries", "delivered_at", "status", "error", "body")
    return {"state": state_of(row), **{name: getattr(row, name) for name in names}}


def found_webhook(name: str) -> WebhookRecord:
    """Returns a webhook. Raises ``NotFound``."""
    record = installation().store.webhook(name)
    if record is None:
        raise NotFound({"name": f"there is no webhook {name[:64]}"})
    return record
