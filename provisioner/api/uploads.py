"""What phones sent: their users' contacts and changes, call lists, logs. Kept for each phone, shown without secrets."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.noun import Noun
from provisioner.api.phone_state import phone_secrets
from provisioner.api.phones import found_phone
from provisioner.api.schemas import Time
from provisioner.api.shown import masked_content
from provisioner.core.overrides import refused_parameters, without_refused
from provisioner.errors import NotFound
from provisioner.records import PhoneRecord, UploadRecord

noun = Noun(
    "uploads",
    "Files that phones sent. Logs, contacts and changes of users are of people: reading needs the role technician.",
    of_sites=True,
)


class Upload(Schema):
    """A file that a phone sent."""

    name = fields.String(metadata={"example": "64167f0a0b0c-phone.cfg"})
    kind = fields.String(metadata={"example": "override"})
    content_type = fields.String()
    received_at = Time()
    size = fields.Integer()
    sha256 = fields.String(metadata={"description": "Of the whole file, secrets included"})


class UploadWithContent(Upload):
    """A file that a phone sent, and what is in it."""

    content = fields.String(metadata={"description": "Secrets masked"})
    refused = fields.List(
        fields.String(), metadata={"description": "Parameters in it that would take the phone away: registration, server, passwords"}
    )
    restorable = fields.String(
        metadata={"description": "The content without those parameters, secrets masked; empty for what is no override"}
    )


@noun.route("/phones/<string:mac>/uploads")
class Uploads(MethodView):
    """What one phone sent."""

    @allowed("technician")
    @noun.gives(200, Upload(many=True))
    def get(self, mac: str) -> list[dict[str, Any]]:
        """List the files that a phone sent, in the order of their names."""
        record = found_phone(mac)
        return [_facts(row) for row in installation().store.uploads_of(record.mac)]


@noun.route("/phones/<string:mac>/uploads/<path:name>")
class OneUpload(MethodView):
    """One file that a phone sent."""

    @allowed("technician")
    @noun.gives(200, UploadWithContent)
    def get(self, mac: str, name: str) -> dict[str, Any]:
        """Show a file that a phone sent, secrets masked, and what in it would take the phone away from this server."""
        record = found_phone(mac)
        found = installation().store.upload_body(record.mac, name)
        if found is None:
            raise NotFound({"name": "the phone sent no such file"})
        kept, body = found
        return {**_facts(kept), **_content(record, kept, body.decode("utf-8", "replace"))}

    @allowed("technician")
    @noun.gives(204)
    def delete(self, mac: str, name: str) -> Response:
        """Throw away a file that a phone sent: it is not given back any more."""
        installation().changes.delete_upload(actor(), found_phone(mac).mac, name)
        return Response(status=204)


def _facts(row: UploadRecord) -> dict[str, Any]:
    names = ("name", "kind", "content_type", "received_at", "size", "sha256")
    return {name: getattr(row, name) for name in names}


def _content(record: PhoneRecord, kept: UploadRecord, text: str) -> dict[str, Any]:
    place = installation()
    vendor = place.catalogue.vendors.get(record.model.partition("/")[0])
    secrets = phone_secrets(record)
    rule = vendor.raw if vendor and kept.kind == "override" else None
    return {
        "content": masked_content(vendor, text, secrets),
        "refused": refused_parameters(rule, text),
        "restorable": masked_content(vendor, without_refused(rule, text), secrets),
    }
