"""``Idempotency-Key``: a POST that is sent again with its key is not done again; it gets the answer that it had (for 24 h).

As draft-ietf-httpapi-idempotency-key-header-06 has it. The key is the caller's own: nobody comes by another one's answers.
"""

from __future__ import annotations

import hashlib
import json
import re

from flask import Flask, Response, g, request

from provisioner.accounts import Caller
from provisioner.api.context import REHEARSAL, caller, everything
from provisioner.api.problems import Refusal

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
STUCK_S = 120.0
"""After so long a request that has no answer is taken to have died with its server, and its key is free."""
_KEY = re.compile(r"[\x21-\x7e]{1,255}\Z")
_KEPT_HEADERS = ("Content-Type", "Location", "ETag")


def register(app: Flask) -> None:
    """Answers repeated requests, after it is known who asks, and keeps the answers of new ones."""

    @app.before_request
    def _repeat() -> Response | None:
        key, who = request.headers.get(HEADER, ""), caller()
        if not key or request.method != "POST" or who is None or REHEARSAL in request.environ:
            return None
        if not _KEY.match(key):
            raise Refusal(400, "malformed_request", f"{HEADER} takes 1 to 255 visible characters")
        return _answered(_digest(who, key), _fingerprint())

    @app.after_request
    def _keep(response: Response) -> Response:
        digest = g.pop("idempotency", None)
        if digest is not None:
            if response.status_code >= 500 or response.is_streamed:  # a stream is as long as it likes: it is made anew
                everything().changes.release_key(digest)
            else:
                everything().changes.keep_answer(digest, response.status_code, _packed(response))
        return response


def _answered(digest: str, fingerprint: str) -> Response | None:
    """Returns the kept answer, or None where the request is to be worked on now. Raises a refusal for what is neither."""
    place = everything()
    if place.changes.claim_key(digest, fingerprint):
        g.idempotency = digest
        return None
    kept = place.store.kept_answer(digest)
    if kept is None:  # its 24 hours ended between the two
        return None
    if kept.request != fingerprint:
        raise Refusal(422, "idempotency_key_reused", f"this {HEADER} came with another request before: take a new one")
    if kept.status is None:
        if place.changes.clock() - kept.at >= STUCK_S:
            place.changes.release_key(digest)
        raise Refusal(409, "in_progress", "the request with this key is still being worked on: ask again in a moment", {"Retry-After": "1"})
    headers, _, body = kept.answer.partition(b"\n")
    response = Response(body, kept.status, json.loads(headers))
    response.headers[REPLAYED] = "true"
    return response


def _packed(response: Response) -> bytes:
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    return json.dumps(headers).encode() + b"\n" + response.get_data()


def _digest(who: Caller, key: str) -> str:
    return hashlib.sha256(f"{who.name}\n{key}".encode()).hexdigest()


def _fingerprint() -> str:
    return hashlib.sha256(f"{request.full_path}\n".encode() + request.get_data(cache=True)).hexdigest()
