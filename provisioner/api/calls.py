"""Calls that have ended. Reading only: the PBX says what there was."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flask.views import MethodView
from marshmallow import Schema, fields, validate

from provisioner.api.auth import allowed
from provisioner.api.context import installation
from provisioner.api.noun import Noun
from provisioner.api.paging import BIGGEST_ID, NewestQuery, page, page_of
from provisioner.api.schemas import Text, Time, sentences
from provisioner.errors import NotFound
from provisioner.records_calls import OUTCOMES, CallRecord

noun = Noun(
    "calls",
    "Calls that have ended. Who sees some sites only sees those that an extension of theirs took part in, the role user their own.",
    of_sites=True,
)
_OUTCOMES = ", ".join(OUTCOMES)


class Moment(Time):
    """A time in a query: RFC 3339 with its offset from UTC."""

    default_error_messages = sentences("a time like 2026-01-31T12:00:00Z is needed")

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> float:
        try:
            at = datetime.fromisoformat(value)
            if at.tzinfo is not None:
                return at.timestamp()
        except (TypeError, ValueError, OverflowError) as error:
            raise self.make_error("invalid") from error
        raise self.make_error("invalid")


class CallShown(Schema):
    """A call."""

    number = fields.Integer()
    uid = fields.String(metadata={"description": "The PBX's own name of it (linkedid)"})
    started_at = Time()
    answered_at = Time(allow_none=True)
    ended_at = Time()
    caller = fields.String(metadata={"example": "1001"})
    caller_name = fields.String(metadata={"example": "Alice"})
    called = fields.String(metadata={"description": "As dialled", "example": "1002"})
    answered_by = fields.String(
        metadata={"description": "Extension of whoever talked last; empty: nobody, or a feature of the PBX", "example": "1002"}
    )
    outcome = fields.String(
        validate=validate.OneOf(list(OUTCOMES)),
        metadata={"description": "; ".join(f"{name}: {text}" for name, text in OUTCOMES.items())},
    )
    talk_s = fields.Float(metadata={"description": "How long they talked, in seconds"})
    is_recorded = fields.Function(lambda call: bool(call.recording), metadata={"type": "boolean"})
    recording_bytes = fields.Integer()


class CallQuery(NewestQuery):
    """Which calls."""

    extension = Text(longest=32, load_default="", metadata={"description": "One that called, rang or talked"})
    outcome = fields.String(
        load_default="",
        validate=validate.OneOf(list(OUTCOMES), error=f"one of {_OUTCOMES} is needed"),
        metadata={"description": "How it ended"},
    )
    since = Moment(load_default=None, metadata={"description": "Those that began then or later", "example": "2026-01-31T12:00:00Z"})
    until = Moment(load_default=None, metadata={"description": "Those that began before", "example": "2026-02-28T12:00:00Z"})


@noun.route("/calls")
class Calls(MethodView):
    """All calls."""

    @allowed("viewer", own=True)
    @noun.takes(CallQuery, location="query")
    @noun.gives(200, page_of(CallShown, "CallPage"))
    def get(self, query: dict[str, Any]) -> dict[str, Any]:
        """List calls, the newest first."""
        limit = query.pop("limit")
        return page(installation().store.calls(limit=limit + 1, **query), limit, lambda row: row.number)


@noun.route("/calls/<int:call>")
class Call(MethodView):
    """One call."""

    @allowed("viewer", own=True)
    @noun.gives(200, CallShown)
    def get(self, call: int) -> CallRecord:
        """Show a call."""
        return found_call(call)


def found_call(number: int) -> CallRecord:
    """Returns a call that who asks sees. Raises ``NotFound``."""
    record = installation().store.call(number) if number <= BIGGEST_ID else None
    if record is None:
        raise NotFound({"call": f"there is no call {number}"})
    return record
