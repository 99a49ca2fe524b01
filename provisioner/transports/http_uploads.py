"""Bodies that phones send over HTTP: taken in within bounds, then handed to the Flask application on a few threads that refuse rather than queue."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from flask import Flask
from werkzeug.test import run_wsgi_app

from provisioner.core.values import FileAnswer, FileRequest, Reason
from provisioner.transports.http_reply import Reply, refusal
from provisioner.transports.http_request import BadHead, Chunks, Head

log = logging.getLogger("provisioner.phones")

SLOW_AT_ONCE = 32
"""Uploads under way, from their first byte until they are kept; the next is told to come back."""
SLOW_THREADS = 4
BODY_S = 120.0
"""The time that an upload may take from its first byte to its last."""
BYTES_AT_ONCE = 64 * 1024 * 1024


class Uploads:
    """All uploads under way in one serving process. Used by the serving thread; Flask runs on the pool's."""

    def __init__(self, app: Flask, done: Callable[[Callable[[], None]], None]) -> None:
        """``done`` has the serving thread call a function soon; it may be called by any thread."""
        self._app = app
        self._done = done
        self._pool = ThreadPoolExecutor(SLOW_THREADS, thread_name_prefix="phones")
        self.under_way = 0
        self.bytes_held = 0

    @property
    def is_full(self) -> bool:
        return self.under_way >= SLOW_AT_ONCE or self.bytes_held > BYTES_AT_ONCE

    def begin(self, asked: FileRequest, answer: FileAnswer, head: Head, raw: bytes, max_bytes: int, started: float) -> Upload:
        """Returns a new upload, which counts as under way until it is released."""
        self.under_way += 1
        return Upload(self, asked, answer, head, raw, max_bytes, started)

    def keep(self, upload: Upload, then: Callable[[Reply], None]) -> None:
        """Has Flask judge and keep what came; calls ``then`` on the serving thread."""
        environ = environ_of(upload.head, upload.asked, bytes(upload.body))

        def work() -> None:
            try:
                reply = self._through_flask(environ)
            except Exception:  # a loop's edge: whatever it was, the phone gets its answer and the thread goes on
                log.exception("event=upload_failed")
                reply = refusal(Reason.FAILED)
            self._done(lambda: then(reply))

        self._pool.submit(work)

    def close(self) -> None:
        """Waits for what Flask is doing and ends the threads."""
        self._pool.shutdown(wait=True)

    def _through_flask(self, environ: dict[str, Any]) -> Reply:
        chunks, status, headers = run_wsgi_app(self._app, environ, buffered=True)
        body = b"".join(chunks)
        fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return Reply(int(status.split(" ", 1)[0]), fields, body, Reason.STORED)


class Upload:
    """One upload: what came of it so far."""

    __slots__ = ("_chunks", "_released", "_uploads", "answer", "asked", "body", "head", "max_bytes", "started")

    def __init__(
        self, uploads: Uploads, asked: FileRequest, answer: FileAnswer, head: Head, raw: bytes, max_bytes: int, started: float
    ) -> None:
        self._uploads = uploads
        self.asked = asked
        self.answer = answer
        self.head = head
        self.max_bytes = max_bytes
        self.started = started
        self.body = bytearray()
        self._chunks = Chunks(raw) if head.fields.is_chunked else None
        self._released = False

    @property
    def is_complete(self) -> bool:
        return self._chunks.is_complete if self._chunks else len(self.body) >= (self.head.fields.length or 0)

    def feed(self, data: bytes) -> tuple[bytes, Reason | None]:
        """Takes what came; returns what is behind the body, and why the upload is cut, or None."""
        if self._chunks is not None:
            try:
                part, rest = self._chunks.feed(data), b""
            except BadHead:
                return b"", Reason.BAD_REQUEST
        else:
            wanted = (self.head.fields.length or 0) - len(self.body)
            part, rest = data[:wanted], data[wanted:]
        self.body += part
        self._uploads.bytes_held += len(part)
        if len(self.body) > self.max_bytes:
            return rest, Reason.TOO_LARGE
        return rest, Reason.OVERLOADED if self._uploads.bytes_held > BYTES_AT_ONCE else None

    def release(self) -> None:
        """Ends it, however it went. A second call does nothing."""
        if not self._released:
            self._released = True
            self._uploads.under_way -= 1
            self._uploads.bytes_held -= len(self.body)


def environ_of(head: Head, asked: FileRequest, body: bytes) -> dict[str, Any]:
    """Returns the WSGI environment (PEP 3333) of a request; ``asked`` gives address and certificate, which no header may."""
    path, _, query = asked.path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": head.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": f"/{path}".encode("utf-8", "replace").decode("latin-1"),
        "QUERY_STRING": query.encode("utf-8", "replace").decode("latin-1"),
        "REQUEST_URI": quote(f"/{path}", errors="replace"),
        "REMOTE_ADDR": asked.peer,
        "SERVER_NAME": "phones",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": asked.transport,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "CONTENT_LENGTH": str(len(body)),
        "provisioner.asked": asked,
    }
    for name, value in head.lines:
        key = name.upper().replace("-", "_")
        if key == "CONTENT_TYPE":
            environ[key] = value
        elif key not in {"CONTENT_LENGTH", "TRANSFER_ENCODING"}:
            before = environ.get(f"HTTP_{key}")
            environ[f"HTTP_{key}"] = value if before is None else f"{before},{value}"  # RFC 9110 section 5.3: the same
    return environ
