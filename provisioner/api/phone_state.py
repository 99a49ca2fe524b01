"""What is so of a phone: its lines, its files, what it fetched, and where a setting comes from. Reading only."""

from __future__ import annotations

from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.context import actor, installation, is_admin
from provisioner.api.noun import Noun
from provisioner.api.paging import NewestQuery, page, page_of
from provisioner.api.phones import found_phone
from provisioner.api.schemas import Strict, Time
from provisioner.api.shown import masked_content, secrets_of, shown_file
from provisioner.changes.phones import SHOWN_SECRET
from provisioner.core.layers import LAYER_ORDER
from provisioner.core.mac import Mac
from provisioner.core.values import Reason
from provisioner.errors import NotFound
from provisioner.records import LineRecord, PhoneRecord, RegistrationRecord

noun = Noun("phone-state", "What is so of a phone: lines, files, fetches, and where a setting comes from.", of_sites=True)

REASONS = [str(reason) for reason in Reason]


class Registration(Schema):
    """What the PBX knows of a line of a phone."""

    line = fields.Integer()
    extension = fields.String(metadata={"example": "1001"})
    registered = fields.Boolean(metadata={"description": "As of the last moment at which the PBX answered"})
    registered_at = Time(allow_none=True, metadata={"description": "The newest one from this phone"})
    ended_at = Time(allow_none=True, metadata={"description": "When it was seen to have ended"})
    address = fields.String(metadata={"description": "Where the REGISTER came from", "example": "192.168.1.20"})
    contact = fields.String(metadata={"example": "sip:1001@192.168.1.20:5060"})
    user_agent = fields.String()
    in_call = fields.Boolean(metadata={"description": "The extension is in a call or rings, on whichever phone; to within seconds"})


class File(Schema):
    """One file of a phone, secrets masked unless an admin asked for them."""

    name = fields.String(metadata={"example": "805ec0aabbcc.cfg"})
    state = fields.String(
        validate=validate.OneOf(["live", "next", "boot"]),
        metadata={"description": "live is served; next waits for the PBX; boot is what a first fetch gets"},
    )
    sha256 = fields.String(metadata={"description": "Of the bytes as served, before masking"})
    size = fields.Integer(metadata={"description": "Bytes as served"})
    content_type = fields.String()
    content = fields.String()


class FilesQuery(Strict):
    """Whether secrets are asked for."""

    secrets = fields.Boolean(
        load_default=False,
        error_messages={"invalid": "true or false is needed"},
        metadata={"description": "true shows secrets to an admin, and is kept in the changes; nobody else gets them"},
    )


class FetchQuery(NewestQuery):
    """Which fetches."""

    reason = fields.String(validate=validate.OneOf(REASONS, error=f"one of {', '.join(REASONS)} is needed"))


class Fetch(Schema):
    """What a phone asked for and what it got."""

    id = fields.Integer()
    at = Time()
    name = fields.String()
    transport = fields.String(metadata={"example": "http"})
    peer = fields.String()
    user_agent = fields.String()
    method = fields.String()
    reason = fields.String(validate=validate.OneOf(REASONS))
    sha256 = fields.String()
    bytes = fields.Integer()
    duration_ms = fields.Float()


class Layered(Schema):
    """A layer that says something of a setting."""

    layer = fields.String(validate=validate.OneOf(LAYER_ORDER))
    name = fields.String(metadata={"description": "Which site, group, model or phone"})
    value = fields.Raw(metadata={"type": ["string", "integer", "boolean"]})


class Explained(Layered):
    """Where a setting comes from, and what that hides, the nearest layer first."""

    setting = fields.String()
    unsupported = fields.String(metadata={"description": "Why this phone does not follow the setting; empty where it does"})
    overridden = fields.List(fields.Nested(Layered))


@noun.route("/phones/<string:mac>/registrations")
class PhoneRegistrations(MethodView):
    """A phone's lines at the PBX."""

    @noun.gives(200, Registration(many=True))
    def get(self, mac: str) -> list[dict[str, Any]]:
        """Show which lines of a phone are registered, from where, and which are in a call."""
        record, store = found_phone(mac), installation().store
        known = {row.extension: row for row in store.registrations([record.mac]).get(record.mac, ())}
        busy = store.pbx_busy()
        return [_registration(line, known.get(line.extension), line.extension in busy) for line in record.lines]


@noun.route("/phones/<string:mac>/files")
class PhoneFiles(MethodView):
    """A phone's rendered files."""

    @noun.takes(FilesQuery, location="query")
    @noun.gives(200, File(many=True))
    def get(self, query: dict[str, Any], mac: str) -> list[dict[str, Any]]:
        """Show the live and the next files of a phone."""
        record = found_phone(mac)
        files = installation().store.files(record.mac)
        if query["secrets"] and is_admin():
            installation().changes.note_secrets_shown(actor(), "phone.files_with_secrets", record.mac)
            return [shown_file(file, body.decode("utf-8", "replace")) for file, body in files]
        vendor = installation().catalogue.vendors.get(record.model.partition("/")[0])
        secrets = phone_secrets(record)
        return [shown_file(file, masked_content(vendor, body.decode("utf-8", "replace"), secrets)) for file, body in files]


@noun.route("/phones/<string:mac>/fetches")
class PhoneFetches(MethodView):
    """What a phone asked for."""

    @noun.takes(FetchQuery, location="query")
    @noun.gives(200, page_of(Fetch, "FetchPage"))
    def get(self, query: dict[str, Any], mac: str) -> dict[str, Any]:
        """List what a phone asked for, the newest first."""
        record = found_phone(mac)
        rows = installation().store.fetches(
            mac=record.mac, before=query["before"], limit=query["limit"] + 1, reason=query.get("reason", "")
        )
        return page(rows, query["limit"], lambda row: row.id)


@noun.route("/phones/<string:mac>/explain/<string:setting>")
class PhoneExplain(MethodView):
    """Where a phone's setting comes from."""

    @noun.gives(200, Explained)
    def get(self, mac: str, setting: str) -> dict[str, Any]:
        """Explain a setting of a phone."""
        record = found_phone(mac)
        row = installation().catalogue.settings.get(setting)
        origin = installation().store.explain(record.mac, setting) if row else None
        if row is None or origin is None:
            raise NotFound({"setting": f"there is no setting {setting[:64]}; /api/v1/settings lists them"})
        hidden = row.type == "secret"
        overridden = [_layered(layer.kind, layer.name, layer.values[setting], hidden) for layer in origin.overridden]
        model = installation().catalogue.model(record.model)
        why_not = model.unsupported.get(setting, "") if model else ""
        told = _layered(origin.layer, origin.name, origin.value, hidden)
        return {"setting": setting, **told, "unsupported": why_not, "overridden": overridden}


def _registration(line: LineRecord, row: RegistrationRecord | None, in_call: bool) -> dict[str, Any]:
    shown = {"line": line.line, "extension": line.extension, "in_call": in_call}
    if row is None:
        return {**shown, "registered": False, "registered_at": None, "ended_at": None, "address": "", "contact": "", "user_agent": ""}
    about = {"address": row.address, "contact": row.uri, "user_agent": row.user_agent}
    return {**shown, "registered": row.ended_at is None, "registered_at": row.registered_at, "ended_at": row.ended_at, **about}


def _layered(kind: str, name: str, value: object, hidden: bool) -> dict[str, Any]:
    shown = SHOWN_SECRET if hidden and value else value
    return {"layer": kind, "name": Mac(name).colons if kind == "phone" else name, "value": shown}


def phone_secrets(record: PhoneRecord) -> set[str]:
    """Returns every secret that may stand in a file of the phone."""
    place = installation()
    jobs = place.store.render_jobs([record.mac])
    made = [
        place.box.token(record.mac, record.token_epoch),
        *(place.box.phone_password(record.mac, use) for use in ("admin", "user", "digest")),
    ]
    return secrets_of(jobs[0].config, place.catalogue.settings, made) if jobs else set(made)
