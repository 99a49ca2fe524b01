"""Hot desks: who sits where, and logging people in and out."""

from __future__ import annotations

from typing import Any

from flask import Response
from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.noun import Noun
from provisioner.api.paging import MacPageQuery, page, page_of
from provisioner.api.phones import found_phone, mac_of
from provisioner.api.schemas import MacField, Strict, Text, Time, Whole
from provisioner.errors import NotFound
from provisioner.records_seats import SeatRecord, WrongPinRecord

noun = Noun("seats", "Hot desks: who sits at which phone.", of_sites=True)


class SeatBody(Strict):
    """Who sits down."""

    extension = Text(required=True, longest=32, metadata={"example": "1002"})


class SeatShown(Schema):
    """Somebody who sits at a hot desk."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    extension = fields.String(metadata={"description": "Whose the phone is for now", "example": "1002"})
    display_name = fields.String(metadata={"example": "Bob"})
    site = fields.String(metadata={"description": "Where the phone is", "example": "default"})
    place = fields.String(
        metadata={"description": "The phone's own extension, whose place emergency calls have; empty: it has none", "example": "1001"}
    )
    since = Time()
    actor = fields.String(metadata={"description": "Who logged them in", "example": "phone 805ec0aabbcc"})


class WrongPinsShown(Schema):
    """Wrong PINs within an hour."""

    kind = fields.String(metadata={"enum": ["phone", "extension"], "example": "extension"})
    number = fields.String(metadata={"description": "The extension whose PIN it was, or with which the phone dialled", "example": "1002"})
    count = Whole()
    since = Time()


@noun.route("/seats")
class Seats(MethodView):
    """All seats that are taken."""

    @noun.takes(MacPageQuery, location="query")
    @noun.gives(200, page_of(SeatShown, "SeatPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List who sits at which hot desk, in the order of the phones' MAC."""
        after = query.get("after") or ""
        rows = installation().store.seats(after=after, limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.mac.colons)


@noun.route("/seats/wrong-pins")
class WrongPins(MethodView):
    """Wrong PINs that were dialled at hot desks."""

    @noun.gives(200, WrongPinsShown(many=True))
    def get(self) -> list[WrongPinRecord]:
        """Show where wrong PINs were dialled in the last hour, the worst first; 5 of an extension or 10 at a phone stop log-ins there."""
        return installation().store.wrong_pins()


@noun.route("/phones/<string:mac>/seat")
class Seat(MethodView):
    """Who sits at one phone."""

    @noun.gives(200, SeatShown)
    def get(self, mac: str) -> SeatRecord:
        """Show who sits at a phone."""
        record = found_phone(mac)
        found = installation().store.seat(record.mac)
        if found is None:
            raise NotFound({"mac": f"nobody sits at phone {record.mac.colons}"})
        return found

    @allowed("technician")
    @noun.takes(SeatBody, example={"extension": "1002"})
    @noun.gives(200, SeatShown)
    def post(self, given: dict[str, Any], mac: str) -> SeatRecord:
        """Log an extension in at a hot desk; who sat there, and the extension where it sat before, is logged out."""
        return installation().changes.take_seat(actor(), mac_of(mac), given["extension"])

    @allowed("technician")
    @noun.gives(204, description="The phone becomes what it was before.")
    def delete(self, mac: str) -> Response:
        """Log out whoever sits at a phone."""
        installation().changes.leave_seat(actor(), mac_of(mac))
        return Response(status=204)
