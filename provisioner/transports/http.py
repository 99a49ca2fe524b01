"""Phones over HTTP: the Flask application that knows the whole of HTTP's manners.

Decode, ask ``serve``, encode, record. In production it stands behind ``http_fast``, which answers the plain GETs of a boot storm itself
and hands the rest (uploads, ranges of rendered files, odd methods) over to here.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence

from flask import Flask, Response, request, send_file
from werkzeug.exceptions import HTTPException, RequestedRangeNotSatisfiable

from provisioner.core.identify import Candidate, masked_path
from provisioner.core.values import Fetch, FileAnswer, FileRequest, Method, Reason
from provisioner.digest import PhoneCredentials
from provisioner.serve import Server
from provisioner.uploads import UploadWriter

MAX_UPLOAD_BYTES = 16 * 1024 * 1024
RETRY_AFTER_S = 5
NOT_FOUND = b"Not found\n"
METHODS = ("GET", "HEAD", "PUT", "POST")
LONGEST = 300
"""Characters kept of a path and of a User-Agent: the queue of the recorder is bounded in requests, this bounds what each weighs."""
_PLAIN = "text/plain; charset=utf-8"

STATUS: dict[Reason, int] = {
    Reason.SERVED: 200,
    Reason.NOT_MODIFIED: 304,
    Reason.STORED: 200,
    Reason.BAD_REQUEST: 400,
    Reason.METHOD_NOT_ALLOWED: 405,
    Reason.ABORTED: 408,
    Reason.TOO_LARGE: 413,
    Reason.BAD_RANGE: 416,
    Reason.NOT_RENDERED: 503,
    Reason.OVERLOADED: 503,
    Reason.FAILED: 500,
}
"""Every other reason is 404, or 401 where the answer carries a challenge: what is unknown, switched off or forbidden looks the same."""


class PhonesHTTP:
    """What both HTTP layers share: requests in, answers out, and the record of it."""

    def __init__(self, server: Server, credentials: PhoneCredentials, uploads: UploadWriter, proxies: Sequence[str] = ()) -> None:
        self.server = server
        self.credentials = credentials
        self.uploads = uploads
        self._proxies = [ipaddress.ip_network(text) for text in proxies]

    @property
    def trusts_proxies(self) -> bool:
        return bool(self._proxies)

    def peer(self, address: str, forwarded: str) -> str:
        """Returns the client's address: the socket's, or what a trusted proxy says it is.

        ``forwarded`` are all X-Forwarded-For headers, joined by commas in their order: a proxy may add a header of its own below the
        client's, and only the last entry that is no proxy of ours was seen by one.
        """
        if not self._proxies or not forwarded:
            return address
        for hop in [*reversed(forwarded.split(",")), ""]:
            if not self._is_proxy(address):
                return address
            address = hop.strip() or address
        return address

    def record(self, asked: FileRequest, answer: FileAnswer, reason: Reason, sent: int, started: float) -> None:
        """Notes a finished request. ``started`` is of ``time.perf_counter``."""
        self.server.finished(
            Fetch(
                time.time(), masked_path(asked.path[:LONGEST]), asked.transport, asked.peer, asked.user_agent[:LONGEST], asked.method,
                reason, answer.mac, answer.name, answer.sha256, sent, (time.perf_counter() - started) * 1000, answer.epoch,
            )
        )  # fmt: skip

    def refusal(self, answer: FileAnswer) -> tuple[int, list[tuple[str, str]], bytes]:
        """Returns status, headers and body of everything that is not a file."""
        status = STATUS.get(answer.reason, 401 if answer.challenge else 404)
        headers = [("content-type", _PLAIN)]
        if status == 401:
            headers += [("www-authenticate", challenge) for challenge in self.credentials.challenges()]
        if status == 503:
            headers.append(("retry-after", str(RETRY_AFTER_S)))
        if status == 405:
            headers.append(("allow", ", ".join(METHODS)))
        return status, headers, _BODIES.get(status, NOT_FOUND)

    def _is_proxy(self, address: str) -> bool:
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed.version == network.version and parsed in network for network in self._proxies)


_BODIES = {
    400: b"Bad request\n",
    401: b"Credentials needed\n",
    405: b"Method not allowed\n",
    408: b"Not finished in time\n",
    416: b"No such range\n",
    413: b"Too large\n",
    500: b"Failed\n",
    503: b"Not ready, try again\n",
}


_REASONS = {405: Reason.METHOD_NOT_ALLOWED, 413: Reason.TOO_LARGE}


def cache_control(answer: FileAnswer) -> str:
    """Returns what caches on the way may do: ask each time, and keep nothing of a phone's own."""
    return "private, no-cache" if answer.secret else "no-cache"


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
        response, reason = _file(http, asked, answer)
        sent = 0 if asked.method == "HEAD" else response.content_length or 0
        noted = answer._replace(sha256="") if response.status_code == 206 else answer  # a part is not the file
        response.call_on_close(lambda: http.record(asked, noted, reason, sent, started))
        return response

    @app.errorhandler(HTTPException)
    def problem(error: HTTPException) -> Response:
        reason = _REASONS.get(error.code or 500, Reason.FAILED if (error.code or 500) >= 500 else Reason.BAD_REQUEST)
        asked = _asked(http, request.path.lstrip("/"))
        http.record(asked, FileAnswer(reason), reason, 0, time.perf_counter())
        return _plain(http, FileAnswer(reason))

    return app


def _asked(http: PhonesHTTP, path: str) -> FileRequest:
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


def _file(http: PhonesHTTP, asked: FileRequest, answer: FileAnswer) -> tuple[Response, Reason]:
    if answer.reason is not Reason.SERVED:
        return _plain(http, answer), answer.reason
    try:
        if answer.static_path is not None:
            response = send_file(answer.static_path, conditional=True, etag=True)
        else:
            response = Response(answer.body, content_type=answer.content_type)
            response.set_etag(answer.sha256)
            response.headers["Cache-Control"] = cache_control(answer)
            # Several ranges at once are answered with the whole (RFC 9110 section 14.2 allows it), as for static files.
            wanted = request.range if asked.method == "GET" else None
            ranges = wanted is not None and wanted.units == "bytes" and len(wanted.ranges) == 1
            response.make_conditional(request, accept_ranges=ranges, complete_length=len(answer.body) if ranges else None)
            response.headers["Accept-Ranges"] = "bytes"
    except RequestedRangeNotSatisfiable:
        refused = _plain(http, answer._replace(reason=Reason.BAD_RANGE))
        refused.headers["Content-Range"] = f"bytes */{len(answer.body)}"
        return refused, Reason.BAD_RANGE
    return response, Reason.NOT_MODIFIED if response.status_code == 304 else Reason.SERVED


def _upload(http: PhonesHTTP, asked: FileRequest, started: float) -> Response:
    answer, candidate = http.server.upload_rule(asked)
    if candidate is not None:
        answer = _kept(http, answer, candidate)
    size = request.content_length or 0 if answer.reason is Reason.STORED else 0
    http.record(asked, answer, answer.reason, size, started)
    return _plain(http, answer)


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


def _plain(http: PhonesHTTP, answer: FileAnswer) -> Response:
    status, headers, body = (200, [("content-type", _PLAIN)], b"") if answer.reason is Reason.STORED else http.refusal(answer)
    return Response(body, status=status, headers=headers)
