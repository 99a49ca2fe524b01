"""What a technician on site looks at: four lights of a phone, and a test call."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields

from provisioner.api.auth import allowed
from provisioner.api.context import actor, has_pbx, installation
from provisioner.api.noun import Noun
from provisioner.api.phones import found_phone
from provisioner.api.schemas import MacField, Time
from provisioner.records import PhoneRecord

noun = Noun("lights", "Four lights of a phone: seen, fetched, registered, test call.", of_sites=True)


class Light(Schema):
    """One light."""

    on = fields.Boolean()
    at = Time(allow_none=True, metadata={"description": "When it was last so"})
    detail = fields.String(
        metadata={"description": "What to know of it; empty where nothing is", "example": "it rang, and nobody answered"}
    )


class Lights(Schema):
    """The four lights of a phone, in the order in which they go on."""

    mac = MacField(metadata={"example": "80:5e:c0:aa:bb:cc"})
    seen = fields.Nested(Light, metadata={"description": "It asked for something"})
    fetched = fields.Nested(Light, metadata={"description": "It has the files that are live"})
    registered = fields.Nested(Light, metadata={"description": "Every line of it is, from this phone"})
    test_call = fields.Nested(Light, metadata={"description": "It rang, was answered, and its number was said"})


@noun.route("/phones/<string:mac>/lights")
class PhoneLights(MethodView):
    """A phone's lights."""

    @noun.gives(200, Lights)
    def get(self, mac: str) -> dict[str, Any]:
        """Show the four lights of a phone."""
        return lights_of(found_phone(mac))


@noun.route("/phones/<string:mac>/test-call")
class TestCall(MethodView):
    """A test call."""

    __test__ = False

    @allowed("technician")
    @noun.gives(202, Lights)
    def post(self, mac: str) -> dict[str, Any]:
        """Have the PBX ring a phone and say its extension's number to whoever answers; the light test_call shows what came of it."""
        record = found_phone(mac)
        installation().changes.request_test_call(actor(), record.mac)
        return lights_of(record)


def lights_of(record: PhoneRecord) -> dict[str, Any]:
    """Returns the four lights of a phone, as ``Lights`` says."""
    store = installation().store
    facts, call = store.lockstep(record.mac, has_pbx=has_pbx()), store.test_call(record.mac)
    known = {row.extension: row for row in store.registrations([record.mac]).get(record.mac, ())}
    rows = [known.get(line.extension) for line in record.lines]
    missing = [line.extension for line, row in zip(record.lines, rows, strict=True) if row is None or row.ended_at is not None]
    has_files = facts is not None and facts.live is not None and facts.served == facts.live
    seen_at = store.seen_at(record.mac)
    return {
        "mac": record.mac,
        "seen": _light(seen_at is not None, seen_at),
        "fetched": _light(has_files, facts.fetched_at if facts else None),
        "registered": _light(
            bool(rows) and not missing,
            max((row.registered_at for row in rows if row is not None), default=None),
            f"not registered: {', '.join(missing)}" if missing else "" if rows else "it has no line",
        ),
        "test_call": _light(
            call is not None and call.state == "heard", call.at if call else None, _said(call.state, call.detail) if call else ""
        ),
    }


def _said(state: str, detail: str) -> str:
    return detail or {"asked": "it is about to ring", "ringing": "it rings"}.get(state, "")


def _light(on: bool, at: float | None, detail: str = "") -> dict[str, Any]:
    return {"on": on, "at": at, "detail": detail}
