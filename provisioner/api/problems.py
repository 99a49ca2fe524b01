"""Errors on the wire: problem details (RFC 9457) with a stable ``reason`` and, for input, one entry for each wrong field.

The one table of what an error becomes. Whatever is not in it becomes 500 with the request's id and nothing of the inside.
"""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, NoReturn

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from provisioner.errors import AlreadyExists, Forbidden, InputError, NeedsConfirmation, NotFound, ProvisionerError, RenderError, StaleWrite

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:provisioner:problem:"
log = logging.getLogger("provisioner.admin")

TITLES: Mapping[str, str] = {
    "malformed_request": "The request cannot be read",
    "unauthorized": "No valid token or session",
    "code_needed": "A one-time code is needed",
    "second_factor_needed": "One-time codes have to be set up first",
    "forbidden": "The role is not enough",
    "not_found": "Not found",
    "method_not_allowed": "Not this method here",
    "already_exists": "Exists already",
    "changed_meanwhile": "Changed meanwhile",
    "in_progress": "Still being worked on",
    "idempotency_key_reused": "The key came with another request",
    "too_large": "The request is too large",
    "too_slow": "The request came too slowly",
    "unsupported_media_type": "Not this content type here",
    "invalid_input": "The input is not valid",
    "render_failed": "A template fails for these facts",
    "needs_confirmation": "Needs a confirmation",
    "rate_limited": "Too many failed attempts",
    "internal_error": "A fault of ours",
    "not_ready": "Not ready",
    "overloaded": "Too much at once",
}

_OF_STATUS: Mapping[int, tuple[str, str]] = {
    400: ("malformed_request", "the request cannot be read"),
    404: ("not_found", "there is nothing at this address"),
    405: ("method_not_allowed", "this address does not take that method; the header Allow lists those it takes"),
    413: ("too_large", "the body may have 16 MiB"),
    414: ("too_large", "the address is too long"),
    415: ("unsupported_media_type", "send application/json"),
    431: ("too_large", "the headers are too long"),
}

_OF_ERROR: tuple[tuple[type[ProvisionerError], int], ...] = (
    (NotFound, 404),
    (Forbidden, 403),
    (AlreadyExists, 409),
    (InputError, 422),
    (StaleWrite, 412),
    (RenderError, 422),
    (NeedsConfirmation, 409),
)


class Refusal(Exception):
    """Carries a problem to the edge."""

    def __init__(self, status: int, reason: str, detail: str, headers: Mapping[str, str] | None = None, **extra: Any) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail
        self.headers = dict(headers or {})
        self.extra = extra


def refuse_input(**fields: str) -> NoReturn:
    """Raises the error of input fields that are wrong."""
    raise InputError(fields)


def problem(status: int, reason: str, detail: str, headers: Mapping[str, str] | None = None, **extra: Any) -> Response:
    """Returns a problem as a response; ``extra`` are members beside the five that all have."""
    body = json.dumps({**members(status, reason, detail), **extra}) + "\n"
    response = Response(body, status=status, content_type=CONTENT_TYPE)
    response.headers.update(dict(headers or {}))
    return response


def members(status: int, reason: str, detail: str) -> dict[str, Any]:
    """Returns the five members that every problem has."""
    return {"type": f"{TYPE_PREFIX}{reason}", "title": TITLES[reason], "status": status, "detail": detail, "reason": reason}


def register(app: Flask) -> None:
    """Makes every error of the application a problem."""
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(ProvisionerError, _of_ours)
    app.register_error_handler(HTTPException, of_http)
    app.register_error_handler(Exception, _of_fault)


def _refusal(error: Refusal) -> Response:
    return problem(error.status, error.reason, error.detail, error.headers, **error.extra)


def _of_ours(error: ProvisionerError) -> Response:
    status = next((status for kind, status in _OF_ERROR if isinstance(error, kind)), None)
    if status is None:
        return _of_fault(error)
    if isinstance(error, InputError):
        entries = [{"field": name, "message": sentence} for name, sentence in error.fields.items()]
        return problem(status, error.reason, _summary(entries), errors=entries)
    if isinstance(error, RenderError):
        return problem(status, error.reason, str(error), template=error.template, line=error.line)
    return problem(status, error.reason, str(error))


def of_http(error: HTTPException) -> Any:
    """Returns the problem of an error of HTTP."""
    if error.code is None or error.code < 400:
        return error.get_response()
    messages = getattr(error, "data", {}).get("messages")
    if error.code == HTTPStatus.UNPROCESSABLE_ENTITY and messages is not None:
        entries = [{"field": field, "message": message} for field, message in _flat_messages(messages)]
        return problem(422, "invalid_input", _summary(entries), errors=entries)
    if error.code >= 500:
        return _of_fault(getattr(error, "original_exception", None) or error)
    reason, detail = _OF_STATUS.get(error.code, ("malformed_request", "the request cannot be used"))
    kept = {name: value for name, value in error.get_headers() if name in {"Allow", "Retry-After"}}
    return problem(error.code, reason, detail, kept)


def _of_fault(error: BaseException) -> Response:
    note_fault(error)
    detail = f"the log of the server has the cause under the request id {g.get('request_id', '-')}"
    return problem(500, "internal_error", detail, request_id=g.get("request_id", ""))


def note_fault(error: BaseException) -> None:
    """Logs a fault of ours under the request's id."""
    # The message of a foreign exception may carry a value, and a value may be a secret: the log has its type and where it was raised.
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    where = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}:{frame.name}" for frame in reversed(frames))
    log.error('event=fault req=%s type=%s where="%s"', g.get("request_id", "-"), type(error).__name__, where)


def _summary(entries: list[dict[str, str]]) -> str:
    first = f"{entries[0]['field']}: {entries[0]['message']}" if entries else "the input is not valid"
    return first if len(entries) <= 1 else f"{first} (and {len(entries) - 1} more)"


def _flat_messages(messages: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yields (field, sentence) of webargs' messages, whose first level is the place (``json``, ``query``)."""
    for place in messages.values():
        yield from _flat(place, "")


def _flat(messages: Any, prefix: str) -> Iterator[tuple[str, str]]:
    if not isinstance(messages, Mapping):
        for message in messages if isinstance(messages, list) else [messages]:
            yield prefix, str(message)
        return
    for key, inner in messages.items():
        yield from _flat(inner, _joined(prefix, key))


def _joined(prefix: str, key: Any) -> str:
    if key == "_schema":  # marshmallow's name for the whole object
        return prefix
    if isinstance(key, int) and not prefix:  # a bare list, such as that of PUT .../lines: named as the phone names it
        prefix = request.path.rpartition("/")[2]
    return f"{prefix}.{key}" if prefix else str(key)
