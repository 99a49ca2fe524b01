"""Scans: looking at a network for phones, on request."""

from __future__ import annotations

import time
from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.noun import Noun
from provisioner.api.paging import BIGGEST_ID, NewestQuery, page, page_of
from provisioner.api.problems import Refusal
from provisioner.api.schemas import Strict, Text, Time
from provisioner.errors import NotFound
from provisioner.heartbeat import read_heartbeats
from provisioner.records import ScanRecord
from provisioner.scans import hosts_of, scannable

noun = Noun("scans", "Looking at a network for phones. Starting and stopping one needs the role technician.")

STATES = ["waiting", "running", "done", "cancelled", "failed"]


class Scan(Schema):
    """A scan, and how far it is."""

    id = fields.Integer()
    at = Time(metadata={"description": "When it was asked for"})
    actor = fields.String()
    network = fields.String(metadata={"example": "192.168.1.0/24"})
    state = fields.String(validate=validate.OneOf(STATES))
    total = fields.Integer(metadata={"description": "Addresses", "example": 254})
    done = fields.Integer(metadata={"description": "Addresses that were looked at"})
    found = fields.Integer(metadata={"description": "Phones; they are among the sightings"})
    ended_at = Time(allow_none=True)
    error = fields.String(metadata={"description": "Why it failed; empty where it did not"})


class ScanBody(Strict):
    """Where to look."""

    network = Text(
        longest=18, required=True, metadata={"example": "192.168.1.0/24", "description": "Within the trusted networks, at most a /20"}
    )


@noun.route("/scans")
class Scans(MethodView):
    """All scans."""

    @noun.takes(NewestQuery, location="query")
    @noun.gives(200, page_of(Scan, "ScanPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List scans, the newest first."""
        rows = installation().store.scans(before=query.get("before"), limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.id)

    @allowed("technician")
    @noun.takes(ScanBody, example={"network": "192.168.1.0/24"})
    @noun.gives(202, Scan)
    def post(self, given: dict[str, Any]) -> ScanRecord:
        """Start looking at a network; 503 where the discovery process does not run."""
        place = installation()
        network = scannable(given["network"], place.settings.trusted_networks)
        beat = read_heartbeats(place.settings.data_dir).get("discovery")
        if beat is None or beat.complaint(time.time()):
            raise Refusal(
                503, "not_ready", "the discovery process does not run: PROVISIONER_DISCOVERY is off, or 'provisioner serve' is without it"
            )
        return _found(place.changes.ask_scan(actor(), str(network), hosts_of(network)))


@noun.route("/scans/<int:number>")
class OneScan(MethodView):
    """One scan."""

    @noun.gives(200, Scan)
    def get(self, number: int) -> ScanRecord:
        """Show how far a scan is."""
        return _found(number)


@noun.route("/scans/<int:number>/cancel")
class Cancel(MethodView):
    """Stopping a scan."""

    @allowed("technician")
    @noun.gives(200, Scan)
    def post(self, number: int) -> ScanRecord:
        """Stop a scan; what it found is kept."""
        installation().changes.cancel_scan(actor(), _found(number).id)
        return _found(number)


def _found(number: int) -> ScanRecord:
    found = installation().store.scan(number) if number <= BIGGEST_ID else None
    if found is None:
        raise NotFound({"number": "there is no scan of this number"})
    return found
