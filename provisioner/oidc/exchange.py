"""One exchange with a provider: bounded in time and size, nothing followed, and nothing of what was sent or said in an error."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from provisioner.deadline import BoundedConnection
from provisioner.oidc.refusal import NotVouched

TIMEOUT_S = 5.0
"""From connecting to the end of the answer: a person sits and waits."""
MAX_ANSWER_BYTES = 256 * 1024
_NO = frozenset({400, 401, 403})
_SAID = frozenset(
    {
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
        "invalid_token",
    }
)
"""Errors of RFC 6749, section 5.2, and RFC 6750: only these words of a provider are repeated."""


def exchanged(
    url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None, timeout_s: float = TIMEOUT_S
) -> dict[str, Any]:
    """Returns the JSON object that a provider answers to a GET, or to a POST of ``form``. Raises ``NotVouched``."""
    host = urlsplit(url).hostname or ""
    try:
        status, raw = _sent(url, form, headers or {}, timeout_s)
    except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an address that cannot be asked at all
        raise NotVouched("away", f"{host} does not answer: {type(error).__name__}") from error
    if len(raw) > MAX_ANSWER_BYTES:
        raise NotVouched("away", f"{host} answers with more than {MAX_ANSWER_BYTES} bytes")
    answer = _object(raw)
    if status in _NO and form is not None:
        said = answer.get("error") if answer else None
        raise NotVouched("refused", f"{host} answers {status} {said if said in _SAID else ''}".strip())
    if status != 200 or answer is None:
        raise NotVouched("away", f"{host} answers {status}{'' if answer else ' with something that is no JSON object'}")
    return answer


def _sent(url: str, form: Mapping[str, str] | None, headers: Mapping[str, str], timeout_s: float) -> tuple[int, bytes]:
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"Accept": "application/json", "User-Agent": "provisioner-oidc/1", **headers}
    body = None
    if form is not None:
        body, sent["Content-Type"] = urlencode(form).encode(), "application/x-www-form-urlencoded"
    with BoundedConnection(parts.hostname or "", parts.port, seconds=timeout_s, is_tls=parts.scheme == "https") as connection:
        connection.request("GET" if form is None else "POST", path, body, sent)
        answer = connection.getresponse()
        return answer.status, answer.read(MAX_ANSWER_BYTES + 1)


def _object(raw: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
