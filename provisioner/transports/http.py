"""Phones over HTTP: the Flask application that knows the whole of HTTP's manners.

Decode, ask ``serve``, encode, record. It can answer every request by itself, behind any WSGI server. In production it stands behind
``http_listener``, which asks and encodes by the same functions without it where nothing has to wait, and hands uploads over to here.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Iterator, Sequence
from typing import IO

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from provisioner.core.identify import Candidate, masked_path
from provisioner.core.values import Fetch, FileAnswer, FileRequest, Method, Reason
from provisioner.digest import PhoneCredentials
from provisioner.serve import Server
from provisioner.transports.http_reply import Conditions, Reply, encode, refusal
from provisioner.uploads import UploadWriter

MAX_UPLOAD_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 65_536
LONGEST = 300
"""Characters kept of a path and of a User-Agent: the queue of the recorder is bounded in requests, this bounds what each weighs."""


class PhonesHTTP:
    """What both HTTP layers share: answers, proxies, and the record of what was asked."""

    def __init__(self, server: Server, credentials: PhoneCredentials, uploads: UploadWriter, proxies: Sequence[str] = ()) -> None:
        self.server = server
        self.credentials = credentials
        self.uploads = uploads
        self._proxies = [ipaddress.ip_network(text) for text in proxies]

    def peer(self, address: str, forwarded: str) -> str:
        """Returns the client's address: the socket's, or what a trusted proxy says it is.

        ``forwarded`` are all X-Forwarded-For headers, joined by commas in their order: a proxy may add a header of its own below the
        client's, and only the last entry that is no proxy of ours was seen by one.
        """
        if not self._proxies or not forwarded:
            return address
        for hop in [*reversed(forwarded.split(",")), ""]:
            if not self.is_proxy(address):
                return address
            address = hop.strip() or address
        return address

    def encoded(self, answer: FileAnswer, method: str, conditions: Conditions) -> Reply:
        """Returns the reply that ``answer`` makes, with fresh challenges where it asks for credentials."""
        return encode(answer, method, conditions, self.credentials.challenges(is_stale=answer.is_stale) if answer.challenge else None)

    def record(self, asked: FileRequest, answer: FileAnswer, reason: Reason, sent: int, started: float) -> None:
        """Notes a finished request. ``started`` is of ``time.perf_counter``."""
        self.server.finished(self.fetch(asked, answer, reason, sent, started))

    def fetch(self, asked: FileRequest, answer: FileAnswer, reason: Reason, sent: int, started: float) -> Fetch:
        """Returns the record of a request that is finished now."""
        return Fetch(
            time.time(), masked_path(asked.path[:LONGEST]), asked.transport, asked.peer, asked.user_agent[:LONGEST], asked.method,
            reason, answer.mac, answer.name, answer.noted_hash, sent, (time.perf_counter() - started) * 1000, answer.epoch,
        )  # fmt: skip

    def is_proxy(self, address: str) -> bool:
        """Returns whether ``address`` is a trusted proxy's."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed.version == network.version and parsed in network for network in self._proxies)


_REASONS = {405: Reason.METHOD_NOT_ALLOWED, 413: Reason.TOO_LARGE}


def create_phones_app(http: PhonesHTTP) -> Flask:
    """Returns the WSGI application of the phones listener."""
    app = Flask("provisioner.phones", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_UPLOAD_BYTES
    app.url_map.merge_slashes = False

    @app.route("/", defaults={"path": ""}, methods=["GET", "PUT", "POST"], provide_automatic_options=False)
    @app.route("/<path:path>", methods=["GET", "PUT", "POST"], provide_automatic_options=False)
    def phone_file(path: str) -> Response:
        started = time.perf_counter()
        asked = _asked(http, path)
        if asked.method in ("PUT", "POST"):
            return _upload(http, asked, started)
        answer = http.server.answer(asked)
        reply = http.encoded(answer, asked.method, _conditions())
        response = _response(reply)
        noted = answer if reply.is_whole else answer._replace(sha256="")
        response.call_on_close(lambda: http.record(asked, noted, reply.reason, reply.size, started))
        return response

    @app.errorhandler(HTTPException)
    def problem(error: HTTPException) -> Response:
        reason = _REASONS.get(error.code or 500, Reason.FAILED if (error.code or 500) >= 500 else Reason.BAD_REQUEST)
        asked = _asked(http, request.path.lstrip("/"))
        http.record(asked, FileAnswer(reason), reason, 0, time.perf_counter())
        return _response(refusal(reason, asked.method))

    return app


def _asked(http: PhonesHTTP, path: str) -> FileRequest:
    asked = request.environ.get("provisioner.asked")
    if isinstance(asked, FileRequest):
        return asked  # of our own listener, which has read the request already
    query = request.query_string.decode("latin-1")
    method: Method = request.method if request.method in ("HEAD", "PUT", "POST") else "GET"  # type: ignore[assignment]
    return FileRequest(
        path=f"{path}?{query}" if query else path,
        transport="https" if request.scheme == "https" else "http",
        peer=http.peer(request.remote_addr or "", request.headers.get("X-Forwarded-For", "")),
        user_agent=request.headers.get("User-Agent", ""),
        method=method,
        authorization=request.headers.get("Authorization", ""),
    )


def _conditions() -> Conditions:
    return Conditions(*(request.headers.get(name, "") for name in ("If-None-Match", "If-Modified-Since", "Range", "If-Range")))


def _response(reply: Reply) -> Response:
    fields = [(name, value) for name, _, value in (line.partition(": ") for line in reply.fields.split("\r\n")) if name]
    if reply.file < 0:
        return Response(reply.body, status=reply.status, headers=fields)
    file = os.fdopen(reply.file, "rb")
    response = Response(_streamed(file, reply), status=reply.status, headers=fields, direct_passthrough=True)
    response.call_on_close(file.close)
    return response


def _streamed(file: IO[bytes], reply: Reply) -> Iterator[bytes]:
    file.seek(reply.begin)
    left = reply.size
    while left and (part := file.read(min(CHUNK_BYTES, left))):
        left -= len(part)
        yield part


def _upload(http: PhonesHTTP, asked: FileRequest, started: float) -> Response:
    answer, candidate = http.server.upload_rule(asked)
    if candidate is not None:
        answer = _kept(http, answer, candidate)
    size = request.content_length or 0 if answer.reason is Reason.STORED else 0
    http.record(asked, answer, answer.reason, size, started)
    return _response(http.encoded(answer, asked.method, Conditions()))


def _kept(http: PhonesHTTP, answer: FileAnswer, candidate: Candidate) -> FileAnswer:
    rule = candidate.upload
    if rule is None or answer.mac is None:
        return answer._replace(reason=Reason.UNKNOWN_NAME)
    if (request.content_length or 0) > rule.max_bytes:
        return answer._replace(reason=Reason.TOO_LARGE)
    body = request.get_data(cache=False)
    if len(body) > rule.max_bytes or not http.uploads.keep(answer.mac, answer.name, rule, body):
        return answer._replace(reason=Reason.TOO_LARGE)
    http.server.uploaded(answer.mac, answer.name)
    return answer
