"""Phones over HTTP, the quick layer: an RSGI application that answers plain GET and HEAD from memory and streams static files.

Why not WSGI alone: a WSGI server keeps a thread busy for as long as a slow phone takes its firmware, and more threads cost the boot
storm a third of its rate (docs/adr/0002 has the figures). RSGI answers in one thread and leaves file streaming to the server's own runtime.
Everything that is not a plain GET goes to the Flask application of ``http``, through a small pool that refuses rather than queues.
"""

from __future__ import annotations

import asyncio
import io
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from flask import Flask
from werkzeug.datastructures import Range
from werkzeug.http import http_date, parse_range_header
from werkzeug.test import run_wsgi_app

from provisioner.core.values import FileAnswer, FileRequest, Method, Reason, Transport
from provisioner.transports.http import MAX_UPLOAD_BYTES, PhonesHTTP, cache_control

log = logging.getLogger("provisioner.phones")

SLOW_AT_ONCE = 32
"""Requests in the Flask pool, waiting ones included; the next is told to come back."""
SLOW_THREADS = 4
UPLOAD_BYTES_AT_ONCE = 64 * 1024 * 1024
_TYPES = {".xml": "application/xml", ".cfg": "text/plain; charset=utf-8", ".jpg": "image/jpeg", ".png": "image/png", ".wav": "audio/wav"}


class RSGIScope(Protocol):
    """The request as granian gives it."""

    proto: str
    method: str
    path: str
    query_string: str
    client: str
    scheme: str
    headers: Any


class FastPhones:
    """The RSGI application of one serving process."""

    def __init__(self, http: PhonesHTTP, app: Flask) -> None:
        self._http = http
        self._app = app
        self._pool = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="phones")
        self._slow = 0
        self._upload_bytes = 0
        self._static_headers: dict[Path, tuple[float, list[tuple[str, str]], int]] = {}

    async def __rsgi__(self, scope: RSGIScope, proto: Any) -> None:
        if scope.proto != "http":
            proto.close(403)
            return
        method = scope.method
        headers = scope.headers
        if method not in {"GET", "HEAD"}:
            await self._through_flask(scope, proto)
            return
        started = time.perf_counter()
        query = scope.query_string
        client = scope.client
        asked = FileRequest(
            f"{scope.path[1:]}?{query}" if query else scope.path[1:],
            "https" if scope.scheme == "https" else "http",
            self._http.peer(client[: client.rfind(":")].strip("[]"), headers.get("x-forwarded-for") or ""),
            headers.get("user-agent") or "",
            method,  # type: ignore[arg-type]
            headers.get("authorization") or "",
        )
        try:
            answer = self._http.server.answer(asked)
        except Exception:
            log.exception("event=answer_failed")
            answer = FileAnswer(Reason.FAILED)
        if answer.reason is not Reason.SERVED:
            status, fields, body = self._http.refusal(answer)
            self._send(proto, status, fields, body, method)
            self._http.record(asked, answer, answer.reason, len(body), started)
        elif answer.static_path is not None:
            self._static(proto, headers, asked, answer, started)
        elif headers.get("range"):
            await self._through_flask(scope, proto)
        else:
            self._rendered(proto, headers.get("if-none-match"), asked, answer, started)

    def _rendered(self, proto: Any, none_match: str | None, asked: FileRequest, answer: FileAnswer, started: float) -> None:
        etag = f'"{answer.sha256}"'
        fields = [
            ("content-type", answer.content_type),
            ("etag", etag),
            ("cache-control", cache_control(answer)),
            ("accept-ranges", "bytes"),
        ]
        if none_match is not None and (etag in none_match or none_match.strip() == "*"):
            proto.response_empty(304, fields)
            self._http.record(asked, answer, Reason.NOT_MODIFIED, 0, started)
            return
        self._send(proto, 200, fields, answer.body, asked.method)
        self._http.record(asked, answer, Reason.SERVED, 0 if asked.method == "HEAD" else len(answer.body), started)

    def _static(self, proto: Any, headers: Any, asked: FileRequest, answer: FileAnswer, started: float) -> None:
        path = answer.static_path
        if path is None:
            return
        try:
            stat = path.stat()
        except OSError:
            self._send(proto, 404, [("content-type", "text/plain; charset=utf-8")], b"Not found\n", asked.method)
            self._http.record(asked, answer, Reason.NO_SUCH_FILE, 0, started)
            return
        etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
        fields = [
            ("content-type", _TYPES.get(path.suffix.lower(), "application/octet-stream")),
            ("etag", etag),
            ("last-modified", http_date(stat.st_mtime)),
            ("accept-ranges", "bytes"),
        ]
        if (headers.get("if-none-match") or "") == etag:
            proto.response_empty(304, fields)
            self._http.record(asked, answer, Reason.NOT_MODIFIED, 0, started)
            return
        wanted = parse_range_header(headers.get("range")) if headers.get("if-range") in (None, etag) else None
        self._send_part(proto, fields, path, stat.st_size, wanted, asked, answer, started)

    def _send_part(
        self, proto: Any, fields: list[tuple[str, str]], path: Path, size: int, wanted: Range | None,
        asked: FileRequest, answer: FileAnswer, started: float,
    ) -> None:  # fmt: skip
        part = wanted.range_for_length(size) if wanted is not None else None
        if wanted is not None and part is None and wanted.units == "bytes" and len(wanted.ranges) == 1:
            fields.append(("content-range", f"bytes */{size}"))
            proto.response_bytes(416, fields, b"")
            self._http.record(asked, answer, Reason.BAD_RANGE, 0, started)
            return
        begin, end = part if part is not None else (0, size)
        fields.append(("content-length", str(end - begin)))
        if part is not None:
            fields.append(("content-range", f"bytes {begin}-{end - 1}/{size}"))
        status = 200 if part is None else 206
        if asked.method == "HEAD" or size == 0:
            proto.response_empty(status, fields)
        else:
            proto.response_file_range(status, fields, str(path), begin, end)
        # The runtime streams from here on; the length is what was promised, for it tells nobody when the last byte left.
        self._http.record(asked, answer, Reason.SERVED, 0 if asked.method == "HEAD" else end - begin, started)

    @staticmethod
    def _send(proto: Any, status: int, fields: list[tuple[str, str]], body: bytes, method: str) -> None:
        if method == "HEAD":
            proto.response_empty(status, [*fields, ("content-length", str(len(body)))])
        else:
            proto.response_bytes(status, fields, body)

    async def _through_flask(self, scope: RSGIScope, proto: Any) -> None:
        if self._slow >= SLOW_AT_ONCE or self._upload_bytes > UPLOAD_BYTES_AT_ONCE:
            self._shed(scope, proto)
            return
        self._slow += 1
        try:
            refused = self._refused_upload(scope)
            body = b"" if refused else await self._body(proto)
            if body is None or refused:
                status, fields, text = self._http.refusal(refused or FileAnswer(Reason.TOO_LARGE))
                proto.response_bytes(status, fields, text)
                return
            self._upload_bytes += len(body)
            try:
                loop = asyncio.get_running_loop()
                status, fields, text = await loop.run_in_executor(self._pool, self._call_flask, _environ(scope, body))
            finally:
                self._upload_bytes -= len(body)
            proto.response_bytes(status, fields, text)
        finally:
            self._slow -= 1

    def _refused_upload(self, scope: RSGIScope) -> FileAnswer | None:
        """Returns the refusal of an upload before a byte of it is read, or None where it may come."""
        if scope.method not in {"PUT", "POST"}:
            return None
        started = time.perf_counter()
        headers = scope.headers
        client = scope.client
        peer = self._http.peer(client[: client.rfind(":")].strip("[]"), headers.get("x-forwarded-for") or "")
        transport: Transport = "https" if scope.scheme == "https" else "http"
        method: Method = "PUT" if scope.method == "PUT" else "POST"
        asked = FileRequest(scope.path[1:], transport, peer, headers.get("user-agent") or "", method, headers.get("authorization") or "")
        answer, candidate = self._http.server.upload_rule(asked)
        if candidate is not None:
            return None
        self._http.record(asked, answer, answer.reason, 0, started)
        return answer

    def _shed(self, scope: RSGIScope, proto: Any) -> None:
        answer = FileAnswer(Reason.OVERLOADED)
        status, fields, body = self._http.refusal(answer)
        proto.response_bytes(status, fields, body)
        asked = FileRequest(scope.path[1:], "http", scope.client.rpartition(":")[0].strip("[]"), method="GET")
        self._http.record(asked, answer, Reason.OVERLOADED, 0, time.perf_counter())

    @staticmethod
    async def _body(proto: Any) -> bytes | None:
        """Returns the request's body, or None as soon as it passes the bound."""
        parts: list[bytes] = []
        size = 0
        async for part in proto:
            size += len(part)
            if size > MAX_UPLOAD_BYTES:
                return None
            parts.append(bytes(part))
        return b"".join(parts)

    def _call_flask(self, environ: dict[str, Any]) -> tuple[int, list[tuple[str, str]], bytes]:
        chunks, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        return int(status.split(" ", 1)[0]), [(name.lower(), value) for name, value in headers.items()], b"".join(chunks)


def _environ(scope: RSGIScope, body: bytes) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode("utf-8", "replace").decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "REQUEST_URI": quote(scope.path),
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "SERVER_NAME": "phones",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(len(body)),
    }
    for name, value in scope.headers.items():
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key not in {"CONTENT_LENGTH", "TRANSFER_ENCODING"}:
            environ[f"HTTP_{key}"] = value
    return environ
