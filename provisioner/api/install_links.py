"""One-time links for phones far away."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.noun import Noun
from provisioner.api.phones import found_phone, mac_of
from provisioner.api.schemas import MacField, Strict, Time, Whole
from provisioner.core.access import link_state
from provisioner.errors import NotFound

noun = Noun("install-links", "One-time links by which a phone far away gets its first files.", of_sites=True)


class LinkBody(Strict):
    """How long it holds."""

    hours = Whole(load_default=72, metadata={"description": "How long the phone may begin by it", "example": 72})


class LinkIssued(Schema):
    """A link. The code is told this once: only a digest of it is kept."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    url = fields.String(metadata={"description": "To be typed into the phone", "example": "http://192.0.2.1:8080/p/abcdefghij/"})
    code = fields.String(metadata={"example": "abcdefghij"})
    expires_at = Time()


class LinkShown(Schema):
    """What became of a link."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    state = fields.String(metadata={"enum": ["open", "running", "used", "expired"], "example": "open"})
    created_at = Time()
    expires_at = Time()
    started_at = Time(allow_none=True, metadata={"description": "When the first file went out by it"})
    peer = fields.String(metadata={"description": "The address that it went to", "example": "198.51.100.7"})
    closed_at = Time(allow_none=True, metadata={"description": "When the phone had moved to its own address"})


@noun.route("/phones/<string:mac>/install-link")
class InstallLinks(MethodView):
    """The install link of a phone."""

    @noun.gives(200, LinkShown)
    def get(self, mac: str) -> dict[str, Any]:
        """Show what became of a phone's newest install link; the code is not shown again."""
        record, place = found_phone(mac), installation()
        link = place.store.install_link(record.mac)
        if link is None:
            raise NotFound({"mac": f"phone {record.mac.colons} has no install link"})
        shown = {name: getattr(link, name) for name in ("created_at", "expires_at", "started_at", "peer", "closed_at")}
        return {"mac": record.mac, "state": link_state(link, place.changes.clock()), **shown}

    @allowed("technician")
    @noun.takes(LinkBody, required=False, example={"hours": 72})
    @noun.gives(201, LinkIssued)
    def post(self, given: dict[str, Any], mac: str) -> dict[str, Any]:
        """Issue a one-time install link of a phone; an earlier one is dead. Its code is shown this once."""
        parsed = mac_of(mac)
        link = installation().changes.issue_install_link(actor(), parsed, given["hours"])
        return {"mac": parsed, "url": link.url, "code": link.code, "expires_at": link.expires_at}

    @allowed("technician")
    @noun.gives(204, description="The link opens nothing from now on.")
    def delete(self, mac: str) -> Response:
        """Withdraw a phone's install link."""
        installation().changes.withdraw_install_link(actor(), mac_of(mac))
        return Response(status=204)
