"""Phones that were seen and are not listed, with the evidence; and taking one on."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed
from provisioner.api.context import actor, installation
from provisioner.api.noun import ETAG, Noun
from provisioner.api.paging import MacPageQuery, page, page_of
from provisioner.api.phones import PhonePatch, PhoneShown, created, mac_of, phone_input
from provisioner.api.schemas import MacField, Time
from provisioner.core.catalogue import Catalogue
from provisioner.core.sightings import FACTS, SOURCES
from provisioner.errors import AlreadyExists, InputError, NotFound
from provisioner.records import SightingRecord

noun = Noun(
    "sightings", "Phones that were seen and are not listed. Taking one on needs the role technician.", of_sites=True, previewable=True
)


class EvidenceShown(Schema):
    """One thing that one source said of a phone."""

    source = fields.String(validate=validate.OneOf(SOURCES), metadata={"example": "pnp"})
    fact = fields.String(validate=validate.OneOf(FACTS), metadata={"example": "model"})
    value = fields.String(metadata={"example": "T46U"})
    confidence = fields.Integer(metadata={"description": "Of 100: how far the source is to be believed", "example": 80})
    at = Time()


class Sighting(Schema):
    """A phone that was seen."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    vendor = fields.String(metadata={"example": "yealink"})
    model = fields.String(metadata={"description": "As the phone names it", "example": "T46U"})
    firmware = fields.String()
    peer = fields.String(metadata={"example": "192.168.1.20"})
    first_seen = Time()
    last_seen = Time()
    count = fields.Integer()
    conflict = fields.String(metadata={"description": "Where the evidence disagrees; empty where it does not"})
    evidence = fields.List(fields.Nested(EvidenceShown), metadata={"description": "What each source said last, the most believed first"})


@noun.route("/sightings")
class Sightings(MethodView):
    """All phones seen and not listed."""

    @noun.takes(MacPageQuery, location="query")
    @noun.gives(200, page_of(Sighting, "SightingPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List phones that were seen and are not listed, in the order of their MAC."""
        rows = installation().store.sightings(after=query.get("after", ""), limit=query["limit"] + 1)
        return page(rows, query["limit"], lambda row: row.mac.colons)


@noun.route("/sightings/<string:mac>")
class OneSighting(MethodView):
    """One phone that was seen."""

    @noun.gives(200, Sighting)
    def get(self, mac: str) -> SightingRecord:
        """Show a phone that was seen."""
        return found_sighting(mac)


@noun.route("/sightings/<string:mac>/adopt")
class Adopt(MethodView):
    """Taking on a phone that was seen."""

    @allowed("technician")
    @noun.takes(PhonePatch, required=False, example={"site": "default", "lines": [{"line": 1, "extension": "1001"}]})
    @noun.gives(201, PhoneShown, headers={**ETAG, "Location": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any], mac: str) -> tuple[dict[str, Any], int, dict[str, str]]:
        """List a phone that was seen. What is not given is chosen: model and firmware as seen, the site by its address, line 1 from the site's pool.

        Where the evidence disagrees, the model has to be given.
        """
        seen = found_sighting(mac)
        if seen.conflict and "model" not in given:
            raise InputError({"model": f"what was seen of it disagrees ({seen.conflict}): look at the phone, then say its model"})
        seen_model = catalogue_model(installation().catalogue, seen)
        about = {"firmware": seen.firmware, **({"model": seen_model} if seen_model else {}), **given}
        return created(installation().changes.adopt_phone(actor(), seen.mac, phone_input(about), seen.peer))


def catalogue_model(catalogue: Catalogue, seen: SightingRecord) -> str | None:
    """Returns the catalogue id of the model that the evidence names, or None."""
    if catalogue.model(seen.model):
        return seen.model
    vendor = catalogue.vendors.get(seen.vendor)
    models = vendor.models.values() if vendor else ()
    name = seen.model.lower()
    return next((model.id for model in models if name and name in {model.name, *(token.lower() for token in model.ua_models)}), None)


def found_sighting(text: str) -> SightingRecord:
    """Returns the phone seen that an address names. Raises ``NotFound``, and ``AlreadyExists`` where it is listed by now."""
    mac = mac_of(text)
    rows = installation().store.sightings(mac=mac, limit=1)
    if rows:
        return rows[0]
    if installation().store.phone(mac):
        raise AlreadyExists({"mac": f"phone {mac.colons} is listed already"})
    raise NotFound({"mac": f"phone {mac.colons} was not seen"})
