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

from provisioner.core.values import FileAnswer, FileRequest, Reason
from provisioner.transports.http import PhonesHTTP, cache_control

log = logging.getLogger("provisioner.phones")

SLOW_AT_ONCE = 32
"""Requests in the Flask pool, waiting ones included; the next is told to come back."""
SLOW_THREADS = 4
BODY_S = 120.0
"""The time that an upload may take from its first byte to its last."""
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

    async def __rsgi__(self, scope: RSGIScope, proto: Any) -> None:
        if scope.proto != "http":
            proto.close(403)
            return
        started = time.perf_counter()
        asked = self._asked(scope)
        if asked.method not in {"GET", "HEAD"}:
            await self._other_method(scope, proto, asked, started)
            return
        try:
            answer = self._http.server.answer(asked)
        except Exception:
            log.exception("event=answer_failed")
            answer = FileAnswer(Reason.FAILED)
        headers = scope.headers
        if answer.reason is not Reason.SERVED:
            self._refuse(proto, asked, answer, started)
        elif answer.static_path is not None:
            self._static(proto, headers, asked, answer, started)
        elif asked.method == "GET" and headers.get("range"):
            await self._range(scope, proto, asked, started)
        else:
            self._rendered(proto, headers.get("if-none-match"), asked, answer, started)

    def _asked(self, scope: RSGIScope) -> FileRequest:
        http, headers, query, client = self._http, scope.headers, scope.query_string, scope.client
        return FileRequest(
            f"{scope.path[1:]}?{query}" if query else scope.path[1:],
            "https" if scope.scheme == "https" else "http",
            http.peer(client[: client.rfind(":")].strip("[]"), ",".join(headers.get_all("x-forwarded-for")) if http.trusts_proxies else ""),
            headers.get("user-agent") or "",
            scope.method,  # type: ignore[arg-type]
            headers.get("authorization") or "",
        )

    def _refuse(self, proto: Any, asked: FileRequest, answer: FileAnswer, started: float) -> None:
        status, fields, body = self._http.refusal(answer)
        self._send(proto, status, fields, body, asked.method)
        self._http.record(asked, answer, answer.reason, 0 if asked.method == "HEAD" else len(body), started)

    def _rendered(self, proto: Any, none_match: str | None, asked: FileRequest, answer: FileAnswer, started: float) -> None:
        etag = f'"{answer.sha256}"'
        fields = [
            ("content-type", answer.content_type),
            ("etag", etag),
            ("cache-control", cache_control(answer)),
            ("accept-ranges", "bytes"),
        ]
        if _is_known(none_match, etag):
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
            self._refuse(proto, asked, answer._replace(reason=Reason.NO_SUCH_FILE), started)
            return
        etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
        fields = [
            ("content-type", _TYPES.get(path.suffix.lower(), "application/octet-stream")),
            ("etag", etag),
            ("last-modified", http_date(stat.st_mtime)),
            ("accept-ranges", "bytes"),
        ]
        if _is_known(headers.get("if-none-match"), etag):
            proto.response_empty(304, fields)
            self._http.record(asked, answer, Reason.NOT_MODIFIED, 0, started)
            return
        ranged = asked.method == "GET" and headers.get("if-range") in (None, etag)
        wanted = parse_range_header(headers.get("range")) if ranged else None
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

    async def _range(self, scope: RSGIScope, proto: Any, asked: FileRequest, started: float) -> None:
        if self._slow >= SLOW_AT_ONCE:
            self._refuse(proto, asked, FileAnswer(Reason.OVERLOADED), started)
            return
        self._slow += 1
        try:
            await self._through_flask(scope, proto, b"")
        finally:
            self._slow -= 1

    async def _other_method(self, scope: RSGIScope, proto: Any, asked: FileRequest, started: float) -> None:
        """Takes an upload, or refuses it before a byte of it is read."""
        if asked.method not in {"PUT", "POST"}:
            self._refuse(proto, asked, FileAnswer(Reason.METHOD_NOT_ALLOWED), started)
            return
        answer, candidate = self._http.server.upload_rule(asked)
        if candidate is None or candidate.upload is None:
            self._refuse(proto, asked, answer, started)
        elif self._slow >= SLOW_AT_ONCE or self._upload_bytes > UPLOAD_BYTES_AT_ONCE:
            self._refuse(proto, asked, answer._replace(reason=Reason.OVERLOADED), started)
        else:
            await self._upload(scope, proto, asked, answer, candidate.upload.max_bytes, started)

    async def _upload(self, scope: RSGIScope, proto: Any, asked: FileRequest, answer: FileAnswer, max_bytes: int, started: float) -> None:
        body = bytearray()
        self._slow += 1
        try:
            cut = await self._read(proto, body, max_bytes, scope.headers.get("content-length"))
            if cut is None:
                await self._through_flask(scope, proto, bytes(body))
            else:
                self._refuse(proto, asked, answer._replace(reason=cut), started)
        finally:
            self._slow -= 1
            self._upload_bytes -= len(body)

    async def _read(self, proto: Any, body: bytearray, max_bytes: int, length: str | None) -> Reason | None:
        """Reads the request's body into ``body``; returns why it was cut, or None where it came whole.

        A chunked body that breaks off looks complete: granian 2.8 ends the iteration alike in both cases.
        """
        announced = int(length) if length is not None and length.isdecimal() else None
        if announced is not None and announced > max_bytes:
            return Reason.TOO_LARGE
        try:
            async with asyncio.timeout(BODY_S):
                async for part in proto:
                    body += part
                    self._upload_bytes += len(part)
                    if len(body) > max_bytes:
                        return Reason.TOO_LARGE
                    if self._upload_bytes > UPLOAD_BYTES_AT_ONCE:
                        return Reason.OVERLOADED
        except TimeoutError:
            return Reason.ABORTED
        return None if announced is None or announced == len(body) else Reason.ABORTED

    async def _through_flask(self, scope: RSGIScope, proto: Any, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        status, fields, text = await loop.run_in_executor(self._pool, self._call_flask, _environ(scope, body))
        proto.response_bytes(status, fields, text)

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
            before = environ.get(f"HTTP_{key}")
            environ[f"HTTP_{key}"] = value if before is None else f"{before},{value}"  # RFC 9110 section 5.3: the same
    return environ


def _is_known(none_match: str | None, etag: str) -> bool:
    return none_match is not None and (etag in none_match or none_match.strip() == "*")
