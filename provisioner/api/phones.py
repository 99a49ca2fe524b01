"""Phones: the list, one phone, and the shapes that its other resources share."""

from __future__ import annotations

from typing import Any

from flask import Response, url_for
from flask.views import MethodView
from marshmallow import fields, validate

from provisioner.api.auth import allowed
from provisioner.api.context import actor, has_pbx, installation
from provisioner.api.etags import expected_revision, tagged
from provisioner.api.noun import ETAG, Noun, conditional
from provisioner.api.paging import MacPageQuery, page, page_of
from provisioner.api.schemas import Flag, KeySchema, LineSchema, MacField, Rows, SettingsField, Strict, Text, Time, Whole, row_of
from provisioner.api.shown import shown_phone
from provisioner.changes import KeyInput, LineInput, PhoneInput
from provisioner.core.lockstep import Stage, stage
from provisioner.core.mac import InvalidMac, Mac
from provisioner.errors import NotFound
from provisioner.records import PhoneFilter, PhoneRecord

noun = Noun("phones", "Phones: what each one is and should have. Writing needs the role technician.", of_sites=True, previewable=True)

STAGES = [str(name) for name in Stage]

EXAMPLE = {
    "mac": "80:5e:c0:aa:bb:cc",
    "model": "yealink/t46u",
    "site": "default",
    "lines": [{"line": 1, "extension": "1001"}],
    "keys": [{"key": 3, "module": 0, "type": "blf", "value": "1002", "label": "Bob"}],
    "settings": {"timezone": "Europe/Amsterdam"},
}


class PhonePatch(Strict):
    """What may be changed of a phone; what is absent stays."""

    model = Text(longest=64, metadata={"example": "yealink/t46u"})
    site = Text(longest=64, metadata={"example": "default"})
    group = Text(longest=64, allow_none=True)
    layout = Text(longest=64, allow_none=True, metadata={"description": "The key layout that it shares with others; null: none"})
    enabled = Flag()
    modules = Whole(metadata={"description": "Expansion modules attached"})
    firmware = Text(
        longest=64, metadata={"description": "Version that it runs; chooses among the quirks of firmware", "example": "108.86.0.90"}
    )
    lines = Rows(row_of(LineSchema), metadata={"description": "Replaces the list"})
    keys = Rows(row_of(KeySchema), longest=5000, metadata={"description": "Replaces the list"})
    settings = SettingsField(metadata={"description": "Laid over those that are there; null takes one away, *** keeps a secret"})


class _Named(Strict):
    mac = MacField(required=True, metadata={"example": "80:5e:c0:aa:bb:cc"})


class PhoneNew(PhonePatch, _Named):
    """A phone to be listed."""


class PhoneShown(PhoneNew):
    """A phone."""

    created_at = Time()
    opened_at = Time(metadata={"description": "When its first fetch was opened"})
    first_success_at = Time(allow_none=True, metadata={"description": "When its first fetch was done, and closed by that"})
    retired_at = Time(allow_none=True, metadata={"description": "When it was taken out of service; null: it is in service"})
    revision = Whole()


class PhoneListed(PhoneShown):
    """A phone in a list, with its stage (which changes without a new revision, so that the phone itself does not carry it)."""

    stage = fields.String(validate=validate.OneOf(STAGES))


class PhoneQuery(MacPageQuery):
    """Which phones."""

    site = Text(load_default="")
    model = Text(load_default="", metadata={"example": "yealink/t46u"})
    search = Text(longest=64, load_default="", metadata={"description": "Part of the MAC or of an extension on a line"})
    stage = fields.String(
        validate=validate.OneOf(STAGES, error=f"one of {', '.join(STAGES)} is needed"),
    )


PHONE_PAGE = page_of(PhoneListed, "PhonePage")


@noun.route("/phones")
class Phones(MethodView):
    """All phones."""

    @allowed("user")
    @noun.takes(PhoneQuery, location="query")
    @noun.gives(200, PHONE_PAGE)
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List phones in the order of their MAC."""
        rows = _read(query, query["limit"] + 1)
        return page(list(zip(rows, _stages(rows), strict=True)), query["limit"], _key, _listed)

    @allowed("technician")
    @noun.takes(PhoneNew, example=EXAMPLE)
    @noun.gives(201, PhoneShown, headers={**ETAG, "Location": {"schema": {"type": "string"}}})
    def post(self, given: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
        """List a phone; its first fetch is open from now."""
        mac = given.pop("mac")
        return created(installation().changes.create_phone(actor(), mac, phone_input(given)))


@noun.route("/phones/<string:mac>")
class Phone(MethodView):
    """One phone."""

    @allowed("user")
    @conditional
    @noun.gives(200, PhoneShown, headers=ETAG)
    def get(self, mac: str) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Show a phone."""
        return shown(found_phone(mac))

    @allowed("technician")
    @conditional
    @noun.takes(PhonePatch, example={"site": "default", "settings": {"voice_vlan": 20, "language": None}})
    @noun.gives(200, PhoneShown, headers=ETAG)
    def patch(self, given: dict[str, Any], mac: str) -> tuple[dict[str, Any], int, dict[str, str]]:
        """Change what is given of a phone."""
        return shown(write_phone(found_phone(mac), phone_input(given, merge_settings=True)))

    @allowed("technician")
    @conditional
    @noun.gives(204, description="It is off the list; its address, files and uploads are gone at once.")
    def delete(self, mac: str) -> Response:
        """Take a phone off the list."""
        record = found_phone(mac)
        installation().changes.delete_phone(actor(), record.mac, expected_revision(record.revision))
        return Response(status=204)


def mac_of(text: str) -> Mac:
    """Returns the MAC in an address. Raises ``NotFound`` where it is none: nothing can be there then."""
    try:
        return Mac.parse(text)
    except InvalidMac as error:
        raise NotFound({"mac": str(error)}) from error


def found_phone(text: str) -> PhoneRecord:
    """Returns the phone that an address names. Raises ``NotFound``."""
    mac = mac_of(text)
    record = installation().store.phone(mac)
    if record is None:
        raise NotFound({"mac": f"phone {mac.colons} is not listed"})
    return record


def write_phone(record: PhoneRecord, given: PhoneInput) -> PhoneRecord:
    """Changes a phone, guarded by ``If-Match``."""
    return installation().changes.update_phone(actor(), record.mac, given, expected_revision(record.revision))


def shown(record: PhoneRecord) -> tuple[dict[str, Any], int, dict[str, str]]:
    return shown_phone(record), 200, tagged(record.revision)


def created(record: PhoneRecord) -> tuple[dict[str, Any], int, dict[str, str]]:
    where = url_for("phones.Phone", mac=record.mac.colons)
    return shown_phone(record), 201, {**tagged(record.revision), "Location": where}


def phone_input(given: dict[str, Any], *, merge_settings: bool = False) -> PhoneInput:
    """Returns what a body says of a phone."""
    lines, keys = given.get("lines"), given.get("keys")
    return PhoneInput(
        model=given.get("model"),
        site=given.get("site"),
        group=given.get("group"),
        layout=given.get("layout"),
        enabled=given.get("enabled"),
        modules=given.get("modules"),
        firmware=given.get("firmware"),
        lines=None if lines is None else tuple(LineInput(**line) for line in lines),
        keys=None if keys is None else tuple(KeyInput(**key) for key in keys),
        settings=given.get("settings"),
        clear_group="group" in given and given["group"] is None,
        clear_layout="layout" in given and given["layout"] is None,
        merge_settings=merge_settings,
    )


def _read(query: dict[str, Any], limit: int) -> list[PhoneRecord]:
    wanted = PhoneFilter(query["search"], query.get("stage", ""), query["site"], query["model"], has_pbx())
    return installation().store.phones(after=query.get("after", ""), limit=limit, wanted=wanted)


def _stages(rows: list[PhoneRecord]) -> list[str]:
    facts = installation().store.locksteps([row.mac for row in rows], has_pbx=has_pbx())
    return [str(stage(facts[row.mac])) if row.mac in facts else str(Stage.RENDERING) for row in rows]


def _key(row: tuple[PhoneRecord, str]) -> str:
    return row[0].mac.colons


def _listed(row: tuple[PhoneRecord, str]) -> dict[str, Any]:
    return {**shown_phone(row[0]), "stage": row[1]}
