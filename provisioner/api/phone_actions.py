"""What may be asked of a phone: wake it, take it out of service, open its first fetch again, give it a new address."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.etags import expected_revision
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.phones import PhoneShown, created, found_phone, mac_of, shown
from provisioner.api.schemas import Flag, MacField, Strict, Text, Time, Whole

noun = Noun(
    "phone-actions",
    "What may be asked of a phone: wake it, take it out of service, open its first fetch again, give it a new address.",
    of_sites=True,
)


class ResyncBody(Strict):
    """How to wake it."""

    reboot = Flag(load_default=False, metadata={"description": "true restarts the phone; false only has it fetch its files"})


class SwapBody(Strict):
    """The phone that takes the place of the broken one."""

    mac = MacField(required=True, metadata={"example": "80:5e:c0:dd:ee:ff"})
    model = Text(longest=64, metadata={"example": "yealink/t46u", "description": "Absent: the same as the old one's"})


class Accepted(Schema):
    """What was asked."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    reboot = fields.Boolean()


class PhoneToken(Schema):
    """A phone's own address, and its credentials for a site with digest access: whoever knows either gets the phone's files."""

    url = fields.String(metadata={"example": "http://192.0.2.1:8080/p/abcdefghijklmnopqrstuvwx/"})
    user = fields.String(metadata={"description": "For HTTP Digest or Basic, where the site's access is digest", "example": "805ec0aabbcc"})
    password = fields.String()
    epoch = Whole(metadata={"description": "Counts the addresses that it had"})
    opened_at = Time()
    first_success_at = Time(allow_none=True, metadata={"description": "Closed the first fetch"})


@noun.route("/phones/<string:mac>/resync")
class Resync(MethodView):
    """Waking a phone."""

    @allowed("technician")
    @noun.takes(ResyncBody, required=False, example={"reboot": False})
    @noun.gives(202, Accepted)
    def post(self, given: dict[str, Any], mac: str) -> dict[str, Any]:
        """Ask a phone to fetch its files now, or to restart; the worker tells it within seconds."""
        parsed = mac_of(mac)
        installation().changes.request_resync(actor(), parsed, reboot=given["reboot"])
        return {"mac": parsed, "reboot": given["reboot"]}


@noun.route("/phones/<string:mac>/swap")
class Swap(MethodView):
    """Another phone in the place of a broken one."""

    @allowed("technician")
    @noun.takes(SwapBody, example={"mac": "80:5e:c0:dd:ee:ff"})
    @noun.gives(201, PhoneShown, headers={**ETAG, "Location": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any], mac: str) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Put another phone in the place of a broken one, with its lines, keys and settings; the old one's address and secrets are dead."""
        return created(installation().changes.swap_phone(actor(), mac_of(mac), given["mac"], given.get("model")))


@noun.route("/phones/<string:mac>/retire")
class Retire(MethodView):
    """A phone that is taken out of service."""

    @allowed("technician")
    @conditional
    @noun.gives(200, PhoneShown, headers=ETAG)
    def post(self, mac: str) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Take a phone out of service: its lines, keys and settings are gone, their secrets renewed, and it is served files that empty it."""
        record = found_phone(mac)
        return shown(installation().changes.retire_phone(actor(), record.mac, expected_revision(record.revision)))


@noun.route("/phones/<string:mac>/reinstate")
class Reinstate(MethodView):
    """A phone that is taken back into service."""

    @allowed("technician")
    @conditional
    @noun.gives(200, PhoneShown, headers=ETAG)
    def post(self, mac: str) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Take a phone back into service as it was before it was retired; its secret settings have to be set again."""
        record = found_phone(mac)
        return shown(installation().changes.reinstate_phone(actor(), record.mac, expected_revision(record.revision)))


@noun.route("/phones/<string:mac>/reopen")
class Reopen(MethodView):
    """The first fetch of a phone that was reset."""

    @allowed("technician")
    @noun.gives(200, PhoneShown, headers=ETAG)
    def post(self, mac: str) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Open the first fetch of a phone again."""
        return shown(installation().changes.reopen_first_fetch(actor(), mac_of(mac)))


@noun.route("/phones/<string:mac>/token")
class Token(MethodView):
    """The capability token in a phone's own address."""

    @allowed("admin")
    @noun.gives(200, PhoneToken)
    def get(self, mac: str) -> dict[str, Any]:
        """Show a phone's own address and credentials, to be typed into it where its site wants them; kept in the changes."""
        record = found_phone(mac)
        place = installation()
        place.changes.note_secrets_shown(actor(), "phone.token_shown", record.mac)
        access = place.store.phone_access(record)
        return {
            "url": access.url,
            "user": access.user,
            "password": access.password,
            "epoch": record.token_epoch,
            "opened_at": record.opened_at,
            "first_success_at": record.first_success_at,
        }

    @allowed("admin")
    @noun.gives(200, PhoneShown, headers=ETAG)
    def post(self, mac: str) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Give a phone a new address; the old one holds until the first success at the new one."""
        return shown(installation().changes.renew_token(actor(), mac_of(mac)))

    @allowed("admin")
    @noun.gives(204, description="The old address is refused from now on; the phone has a new one.")
    def delete(self, mac: str) -> Response:
        """Revoke a phone's address at once."""
        installation().changes.revoke_token(actor(), mac_of(mac))
        return Response(status=204)
