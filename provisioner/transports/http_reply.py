"""The one encoder of answers over HTTP: what was decided, and what the client already has, in; status, header fields and bytes out.

Both HTTP layers send what comes out of here. Not here: who gets what (``serve``), and how bytes reach a socket.
"""

from __future__ import annotations

import os
import stat as modes
from typing import NamedTuple

from werkzeug.http import http_date, parse_date, parse_range_header

from provisioner.core.values import FileAnswer, Reason

RETRY_AFTER_S = 5
METHODS = ("GET", "HEAD", "PUT", "POST")
SMALL_BYTES = 65_536
"""A static file up to here is read at once and sent as any other body; a larger one is streamed."""
STATUS: dict[Reason, int] = {
    Reason.SERVED: 200,
    Reason.WAITING: 200,
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

_PLAIN = "Content-Type: text/plain; charset=utf-8\r\n"
_BODIES = {
    400: b"Bad request\n",
    401: b"Credentials needed\n",
    404: b"Not found\n",
    405: b"Method not allowed\n",
    408: b"Not finished in time\n",
    413: b"Too large\n",
    416: b"No such range\n",
    431: b"Head too large\n",
    500: b"Failed\n",
    503: b"Not ready, try again\n",
}
_MORE = {405: f"Allow: {', '.join(METHODS)}\r\n", 503: f"Retry-After: {RETRY_AFTER_S}\r\n"}
_TYPES = {".xml": "application/xml", ".cfg": "text/plain; charset=utf-8", ".jpg": "image/jpeg", ".png": "image/png", ".wav": "audio/wav"}


class Conditions(NamedTuple):
    """The header fields that ask for less than the whole file; empty where the request has none."""

    none_match: str = ""
    modified_since: str = ""
    range: str = ""
    if_range: str = ""


UNCONDITIONAL = Conditions()
NOWHERE = (-1, -1)


class Reply(NamedTuple):
    """One answer, ready for a wire."""

    status: int
    fields: str
    """Header lines, each with CR and LF, ``Content-Length`` among them where the status allows one."""
    body: bytes
    """Empty for HEAD and where ``file`` is sent."""
    reason: Reason
    is_whole: bool = True
    """False for a range: a part is not the file, whatever its hash."""
    file: int = -1
    """Descriptor of a static file, of which ``begin`` to ``end`` is sent; it is the receiver's to close."""
    begin: int = 0
    end: int = 0

    @property
    def size(self) -> int:
        """Bytes of the body that are to be sent."""
        return len(self.body) if self.file < 0 else self.end - self.begin


def encode(answer: FileAnswer, method: str, conditions: Conditions = UNCONDITIONAL, challenges: list[str] | None = None) -> Reply:
    """Returns the reply to a request for a file. ``challenges`` are the values of WWW-Authenticate, for a refusal that asks for credentials.

    A static file that is gone by now is refused as one that was never there.
    """
    if answer.reason is not Reason.SERVED:
        return refusal(answer.reason, method, challenges)
    if answer.static_path is not None:
        return _static(answer, method, conditions)
    return _rendered(answer, method, conditions)


def refusal(reason: Reason, method: str = "GET", challenges: list[str] | None = None, status: int = 0) -> Reply:
    """Returns the reply for everything that is no file; ``status`` only where it says more than the reason does."""
    if reason is Reason.STORED:
        return Reply(200, f"{_PLAIN}Content-Length: 0\r\n", b"", reason)
    status = status or STATUS.get(reason) or (401 if challenges else 404)
    more = _MORE.get(status, "") if status != 401 else "".join(f"WWW-Authenticate: {value}\r\n" for value in challenges or ())
    body = _BODIES[status]
    return Reply(status, f"{_PLAIN}{more}Content-Length: {len(body)}\r\n", b"" if method == "HEAD" else body, reason)


def _rendered(answer: FileAnswer, method: str, conditions: Conditions) -> Reply:
    # No cache on the way keeps a phone's own file, and each asks before it gives away any.
    control = "private, no-cache" if answer.secret else "no-cache"
    fields = f'Content-Type: {answer.content_type}\r\nETag: "{answer.sha256}"\r\nCache-Control: {control}\r\nAccept-Ranges: bytes\r\n'
    body, whole = answer.body, len(answer.body)
    if conditions is UNCONDITIONAL or not any(conditions):
        return Reply(200, f"{fields}Content-Length: {whole}\r\n", b"" if method == "HEAD" else body, Reason.SERVED)
    etag = f'"{answer.sha256}"'
    if _has(conditions.none_match, etag):
        return Reply(304, fields, b"", Reason.NOT_MODIFIED)
    part = _part(conditions, etag, whole) if method == "GET" else None
    if part is None:
        return Reply(200, f"{fields}Content-Length: {whole}\r\n", b"" if method == "HEAD" else body, Reason.SERVED)
    if part == NOWHERE:
        return _no_such_range(fields, whole)
    return Reply(206, f"{fields}{_range_fields(*part, whole)}", body[part[0] : part[1]], Reason.SERVED, is_whole=False)


def _static(answer: FileAnswer, method: str, conditions: Conditions) -> Reply:
    path = answer.static_path
    try:
        file = os.open(path or "", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # not blocking: what is a pipe by now must not hold us up
    except OSError:
        return refusal(Reason.NO_SUCH_FILE, method)
    stat = os.fstat(file)
    if not modes.S_ISREG(stat.st_mode):
        os.close(file)
        return refusal(Reason.NO_SUCH_FILE, method)
    etag = f'"{stat.st_mtime_ns:x}-{stat.st_size:x}"'
    kind = _TYPES.get(path.suffix.lower() if path else "", "application/octet-stream")
    fields = f"Content-Type: {kind}\r\nETag: {etag}\r\nLast-Modified: {http_date(stat.st_mtime)}\r\nAccept-Ranges: bytes\r\n"
    reply = _of_file(fields, etag, stat, method, conditions, file)
    if reply.file < 0:
        os.close(file)
    return reply


def _of_file(fields: str, etag: str, stat: os.stat_result, method: str, conditions: Conditions, file: int) -> Reply:
    if _has(conditions.none_match, etag) or (not conditions.none_match and _is_unchanged(conditions.modified_since, stat.st_mtime)):
        return Reply(304, fields, b"", Reason.NOT_MODIFIED)
    whole = stat.st_size
    part = _part(conditions, etag, whole) if method == "GET" else None
    if part == NOWHERE:
        return _no_such_range(fields, whole)
    begin, end = part or (0, whole)
    length = f"Content-Length: {whole}\r\n" if part is None else _range_fields(begin, end, whole)
    reply = Reply(200 if part is None else 206, f"{fields}{length}", b"", Reason.SERVED, part is None)
    if method == "HEAD" or begin == end:
        return reply
    body = os.pread(file, end - begin, begin) if end - begin <= SMALL_BYTES else b""
    return reply._replace(body=body) if len(body) == end - begin else reply._replace(file=file, begin=begin, end=end)


def _range_fields(begin: int, end: int, whole: int) -> str:
    return f"Content-Length: {end - begin}\r\nContent-Range: bytes {begin}-{end - 1}/{whole}\r\n"


def _no_such_range(fields: str, whole: int) -> Reply:
    body = _BODIES[416]
    kept = "".join(f"{line}\r\n" for line in fields.split("\r\n") if line.startswith(("ETag", "Cache-Control", "Accept-Ranges")))
    return Reply(
        416, f"{_PLAIN}{kept}Content-Range: bytes */{whole}\r\nContent-Length: {len(body)}\r\n", body, Reason.BAD_RANGE, is_whole=False
    )


def _part(conditions: Conditions, etag: str, whole: int) -> tuple[int, int] | None:
    """Returns the part that is asked for, as (begin, end); None for the whole, ``NOWHERE`` where the file has no such part.

    Several ranges at once are answered with the whole (RFC 9110 section 14.2 allows it), as is a range that cannot be read.
    """
    if not conditions.range or conditions.if_range not in ("", etag):
        return None
    wanted = parse_range_header(conditions.range)
    if wanted is None or wanted.units != "bytes" or len(wanted.ranges) != 1:
        return None
    begin, end = wanted.ranges[0]
    begin = begin if begin >= 0 else max(0, begin + whole)
    return (begin, whole if end is None else min(end, whole)) if begin < whole else NOWHERE


def _has(none_match: str, etag: str) -> bool:
    return bool(none_match) and (etag in none_match or none_match.strip() == "*")


def _is_unchanged(since: str, modified: float) -> bool:
    then = parse_date(since) if since else None
    return then is not None and int(modified) <= then.timestamp()
