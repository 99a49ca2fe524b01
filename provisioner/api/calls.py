"""Calls: those that have ended, those under way, and recordings."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from flask import Flask, Response, current_app, request
from flask.views import MethodView
from marshmallow import Schema, fields, validate
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from provisioner.api.auth import allowed
from provisioner.api.context import actor, caller, everything, installation
from provisioner.api.noun import Noun
from provisioner.api.paging import BIGGEST_ID, NewestQuery, page, page_of
from provisioner.api.problems import Refusal
from provisioner.api.schemas import Text, Time, sentences
from provisioner.bundled import recordings_folder
from provisioner.callsnow import CallNow, KeptCalls, NoCallsNow, calls_now
from provisioner.errors import NotFound
from provisioner.recordings import Recordings
from provisioner.records_calls import OUTCOMES, CallRecord

noun = Noun(
    "calls",
    "Calls that have ended. Who sees some sites only sees those that an extension of theirs took part in, the role user their own.",
    of_sites=True,
)
_OUTCOMES = ", ".join(OUTCOMES)
PIECE_BYTES = 64 * 1024
_KEPT = "provisioner.calls_now"
_WAV = {"type": "string", "format": "binary"}
_RANGE = {
    "in": "header",
    "name": "Range",
    "description": "A part of it, in bytes",
    "schema": {"type": "string"},
    "example": "bytes=0-65535",
}


def attach(app: Flask) -> None:
    """Keeps the calls under way for a moment, for API and pages alike: however many ask, the PBX is asked once."""
    app.extensions[_KEPT] = KeptCalls(lambda: calls_now(everything().settings))


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


class CallNowShown(Schema):
    """A call under way."""

    uid = fields.String(metadata={"description": "The PBX's own name of it; once it has ended, the call has the same"})
    caller = fields.String(metadata={"example": "1001"})
    caller_name = fields.String(metadata={"example": "Alice"})
    called = fields.List(fields.String(), metadata={"description": "Extensions that ring or talk; empty at a feature", "example": ["1002"]})
    since = Time()
    state = fields.String(
        validate=validate.OneOf(["ringing", "talking", "service"]),
        metadata={"description": "service: at a mailbox, in a conference, parked, or with another feature of the PBX"},
    )


class CallQuery(NewestQuery):
    """Which calls."""

    extension = Text(longest=32, load_default="", metadata={"description": "One that called, rang or talked"})
    outcome = fields.String(
        validate=validate.OneOf(list(OUTCOMES), error=f"one of {_OUTCOMES} is needed"),
        metadata={"description": "How it ended"},
    )
    recorded = fields.Boolean(
        load_default=False,
        error_messages={"invalid": "true or false is needed"},
        metadata={"description": "true: only those that were recorded"},
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


@noun.route("/calls/now")
class CallsNow(MethodView):
    """Calls under way."""

    @allowed("viewer", own=True)
    @noun.gives(200, CallNowShown(many=True))
    @noun.refuses(503)
    def get(self) -> Sequence[CallNow]:
        """List the calls that are under way, the longest first, as the PBX tells them now."""
        return found_now()


@noun.route("/calls/<int:call>/recording")
class CallRecording(MethodView):
    """The recording of a call."""

    @allowed("admin")
    @noun.documents(parameters=[_RANGE])
    @noun.gives(200, _WAV, content_type="audio/wav")
    @noun.may_give(206, _WAV, content_type="audio/wav", description="The part that Range names.")
    @noun.refuses(416)
    def get(self, call: int) -> Response:
        """Listen to the recording of a call: a WAV, whole or in part. That somebody listens is kept with the changes. Needs the right to all sites."""
        record = installation().changes.listen(actor(), _known(call))
        return _streamed(record)

    @noun.gives(204)
    def delete(self, call: int) -> Response:
        """Remove the recording of a call; the call itself stays. Needs the right to all sites."""
        record = installation().changes.remove_recording(actor(), _known(call))
        recordings().remove(record.recording)
        return Response(status=204)


def found_call(number: int) -> CallRecord:
    """Returns a call that who asks sees. Raises ``NotFound``."""
    record = installation().store.call(number) if number <= BIGGEST_ID else None
    if record is None:
        raise NotFound({"call": f"there is no call {number}"})
    return record


def found_now() -> list[CallNow]:
    """Returns the calls under way that an extension which who asks sees takes part in, the longest first. Raises ``Refusal``."""
    try:
        calls = cast("KeptCalls", current_app.extensions[_KEPT]).get()
    except NoCallsNow as error:
        raise Refusal(503, error.reason, str(error)) from error
    who = caller()
    if who is None or who.scope is None:
        return list(calls)
    numbers = sorted({number for call in calls for number in (call.caller, *call.called)})
    seen = {row.number for row in installation().store.extensions(numbers=numbers, limit=len(numbers))} if numbers else set()
    return [call for call in calls if seen & {call.caller, *call.called}]


def recordings() -> Recordings:
    """Returns the folder of recordings."""
    return Recordings(recordings_folder(everything().settings))


def _known(number: int) -> int:
    if number > BIGGEST_ID:
        raise NotFound({"call": f"there is no call {number}"})
    return number


def _streamed(record: CallRecord) -> Response:
    """Returns the recording, or the part of it that the request names; of several parts, all of it."""
    folder = recordings()
    try:
        with folder.open(record.recording) as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise NotFound({"call": f"the recording of call {record.number} is gone"}) from error
    asked = request.range if request.range is not None and len(request.range.ranges) == 1 else None
    span = asked.range_for_length(size) if asked else (0, size)
    if span is None:
        raise RequestedRangeNotSatisfiable(length=size)
    response = Response(_pieces(folder, record.recording, *span), 206 if asked else 200, mimetype="audio/wav")
    response.content_length = span[1] - span[0]
    if asked:
        response.headers["Content-Range"] = f"bytes {span[0]}-{span[1] - 1}/{size}"
    response.headers["Accept-Ranges"] = "bytes"
    response.headers["Cache-Control"] = "private, no-store"
    response.headers["Content-Disposition"] = f'inline; filename="call-{record.number}.wav"'
    return response


def _pieces(folder: Recordings, name: str, start: int, stop: int) -> Iterator[bytes]:
    """Yields bytes of a recording. It is opened only now: an answer to HEAD is never read."""
    with folder.open(name) as file:
        file.seek(start)
        while start < stop and (piece := file.read(min(PIECE_BYTES, stop - start))):
            start += len(piece)
            yield piece
