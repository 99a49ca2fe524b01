"""Fields and schemas that the nouns share: texts, MACs, times, secrets, strict integers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from provisioner.core.mac import InvalidMac, Mac
from provisioner.core.settings_check import CONTROL

_SURROGATE = re.compile("[\ud800-\udfff]")
Messages = dict[str, str | list[Any] | dict[Any, Any]]


def sentences(invalid: str, **more: str) -> Messages:
    """Returns what a field says when it is missing, null or wrong."""
    return {"required": "this is needed", "null": "null is not possible here", "invalid": invalid, **more}


def refusals(unknown: str) -> dict[str, str]:
    """Returns what a schema says of an unknown name and of what is no object."""
    return {"unknown": unknown, "type": "an object is needed"}


class Strict(Schema):
    """A schema that refuses what it does not know."""

    error_messages = refusals("there is no such field")

    class Meta:
        unknown = RAISE


class Text(fields.String):
    """A text without control characters, so that it fits a line, a log and every database."""

    default_error_messages = sentences("a text is needed", invalid_utf8="a text is needed")

    def __init__(self, *, longest: int = 255, shortest: int = 0, **kwargs: Any) -> None:
        sentence = f"at most {longest} characters are possible" if not shortest else f"{shortest} to {longest} characters are needed"
        super().__init__(validate=validate.Length(min=shortest or None, max=longest, error=sentence), **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if text is not None and (CONTROL.search(text) or _SURROGATE.search(text)):
            raise ValidationError("line breaks and control characters are not possible here")
        return text


class Whole(fields.Integer):
    """A whole number; texts and fractions are refused."""

    default_error_messages = sentences("a whole number is needed", too_large="this is too large")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(strict=True, **kwargs)


class Flag(fields.Boolean):
    """``true`` or ``false``; words and numbers are refused."""

    default_error_messages = sentences("true or false is needed")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class Rows(fields.List[Any]):
    """A list, at most ``longest`` long."""

    default_error_messages = sentences("a list is needed")

    def __init__(self, inner: Any, *, longest: int = 1000, **kwargs: Any) -> None:
        super().__init__(inner, validate=validate.Length(max=longest, error=f"at most {longest} entries are possible"), **kwargs)


class MacField(fields.Field[Mac]):
    """A MAC: any usual form in, ``aa:bb:cc:dd:ee:ff`` out."""

    default_error_messages = sentences("a MAC address is needed, for example 80:5e:c0:aa:bb:cc")

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else Mac(value).colons

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> Mac:
        if not isinstance(value, str):
            raise self.make_error("invalid")
        try:
            return Mac.parse(value)
        except InvalidMac as error:
            raise ValidationError(str(error)) from error


class Time(fields.Field[float]):
    """Seconds since the epoch inside, RFC 3339 in UTC with ``Z`` outside."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if value is None else shown_time(value)


class SettingsField(fields.Dict):
    """Phone settings: a name of ``/api/v1/settings`` and its value; judged by the catalogue, not here."""

    default_error_messages = sentences("an object is needed")

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"description": SETTINGS_HELP, "example": {"timezone": "Europe/Amsterdam", "voice_vlan": 20}} | kwargs.pop(
            "metadata", {}
        )
        value = fields.Raw(allow_none=True, metadata={"type": ["string", "integer", "boolean"]})
        super().__init__(keys=Text(longest=64), values=value, metadata=metadata, **kwargs)


SETTINGS_HELP = "Settings by name; /api/v1/settings lists them. A secret is shown as ***; *** sent back keeps it."


class LineSchema(Strict):
    """A registration on a phone."""

    line = Whole(required=True, metadata={"description": "1 and up, as printed on the phone", "example": 1})
    extension = Text(required=True, longest=32, metadata={"example": "1001"})
    label = Text(longest=64, load_default="", metadata={"description": "Text beside the key; empty: the extension number"})


class KeySchema(Strict):
    """A programmable key."""

    key = Whole(required=True, metadata={"description": "Counts from 1 on the phone and on each module", "example": 3})
    module = Whole(load_default=0, metadata={"description": "0 is the phone, 1 and up its expansion modules"})
    type = Text(required=True, longest=16, metadata={"example": "blf"})
    value = Text(load_default="", metadata={"example": "1002"})
    label = Text(longest=64, load_default="", metadata={"example": "Bob"})
    line = Whole(load_default=1, metadata={"description": "The line whose registration the key uses"})


class FieldError(Schema):
    """One wrong field."""

    field = fields.String(metadata={"example": "lines.0.extension"})
    message = fields.String(metadata={"example": "there is no extension 1001"})


class Problem(Schema):
    """Problem details (RFC 9457)."""

    type = fields.String(required=True, metadata={"example": "urn:provisioner:problem:invalid_input"})
    title = fields.String(required=True, metadata={"example": "The input is not valid"})
    status = fields.Integer(required=True, metadata={"example": 422})
    detail = fields.String(required=True, metadata={"example": "lines.0.extension: there is no extension 1001"})
    reason = fields.String(required=True, metadata={"example": "invalid_input", "description": "Stable, for programs"})
    errors = fields.List(fields.Nested(FieldError), metadata={"description": "For input: one entry for each wrong field"})
    template = fields.String(metadata={"description": "For render_failed: the template"})
    line = fields.Integer(metadata={"description": "For render_failed: the line of the template"}, allow_none=True)
    parts = fields.Dict(
        keys=fields.String(), values=fields.String(), metadata={"description": "For not_ready of /readyz: part and what is so of it"}
    )
    lines = fields.List(fields.Raw(), metadata={"description": "For needs_confirmation of the PBX: what would be done"})
    request_id = fields.String(metadata={"description": "For internal_error: what to look for in the log"})


def shown_time(at: float) -> str:
    """Returns RFC 3339 in UTC, to the millisecond: ``2026-01-31T12:00:00.000Z``."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row_of(schema: type[Schema]) -> fields.Nested:
    """Returns the field of one object in a list."""
    return fields.Nested(schema, error_messages=sentences("an object is needed"))


def rows_of(schema: type[Schema]) -> Schema:
    """Returns the schema of a body that is a list of ``schema``."""
    rows = schema(many=True)
    rows.error_messages = {**rows.error_messages, "type": "a list of objects is needed"}
    return rows
