"""Requests over HTTP and their answers: bounded in time and size, sent again where that does no harm, and silent about the token."""

from __future__ import annotations

import http.client
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from .errors import ClientError, NotOurAnswer, Unreachable, problem_of

MOST_BYTES = 64 * 1024 * 1024
TRIES, LONGEST_WAIT_S = 3, 10.0
_CHUNK = 64 * 1024
_AGAIN = (502, 504)


class Document(dict[str, Any]):
    """An object as the server showed it. ``etag`` is the revision that it was read at, empty where it has none."""

    etag: str = ""


class Documents(list[Any]):
    """A list that the server showed as a whole, such as the lines of a phone. ``etag`` as that of ``Document``."""

    etag: str = ""


@dataclass(frozen=True)
class Request:
    """One request. ``is_repeatable`` says that a second one does nothing that the first did not."""

    operation: str
    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    is_repeatable: bool


@dataclass(frozen=True)
class Answer:
    """One answer as it came."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Wire:
    """A server and how it is spoken to. Each request has a connection of its own: threads may share a client."""

    def __init__(self, url: str, token: str, *, timeout_s: float, ca_file: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ClientError("the address of the server is needed, for example https://pbx.example.org")
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ClientError("the address of the server takes no user, password, query or fragment: the token is given by itself")
        if not token or not token.isascii() or not token.isprintable() or " " in token:
            raise ClientError("a token is needed, as 'provisioner token create' prints it: visible characters without blanks")
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
        self.prefix = parts.path.rstrip("/")
        self._host, self._port = parts.hostname, parts.port
        self._tls = ssl.create_default_context(cafile=ca_file) if parts.scheme == "https" else None
        self._headers = {"Authorization": f"Bearer {token}", "User-Agent": "provisioner-client/1"}
        self._timeout_s = timeout_s

    def ask(self, request: Request) -> Answer:
        """Returns the answer, after as many tries as do no harm. Raises a ``ClientError`` for everything that is no success."""
        for left in range(TRIES - 1, -1, -1):
            wait_s = 0.5 * 2 ** (TRIES - 1 - left)
            try:
                answer = self._once(request)
            except Unreachable as error:
                if not left or (error.may_be_done and not request.is_repeatable):
                    raise
            else:
                if answer.status < 300:
                    return answer
                told_s = _seconds(answer.headers.get("retry-after", ""))
                if not left or told_s > LONGEST_WAIT_S or not _is_worth_another(request, answer):
                    raise _refusal(request, answer, told_s)
                wait_s = told_s or wait_s
            time.sleep(wait_s)
        raise AssertionError("the last try returns or raises")

    def _once(self, request: Request) -> Answer:
        until, was_sent = time.monotonic() + self._timeout_s, False
        connection = self._connection()
        try:
            connection.connect()
            was_sent = True
            connection.request(request.method, self.prefix + request.path, request.body, {**self._headers, **request.headers})
            answer = connection.getresponse()
            body = _read(answer, until)
            return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, body)
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise Unreachable(f"{request.operation}: no answer from {self.url}: {why}", may_be_done=was_sent) from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s)
        return http.client.HTTPSConnection(self._host, self._port, timeout=self._timeout_s, context=self._tls)


def content(operation: str, answer: Answer) -> Any:
    """Returns what an answer says: an object or a list with its ``etag``, text, bytes, or None for an empty one."""
    kind = answer.headers.get("content-type", "").partition(";")[0].strip()
    if not answer.body:
        return None
    if kind == "application/json":
        return _tagged(_json(operation, answer), answer.headers.get("etag", ""))
    return answer.body.decode("utf-8", "replace") if kind.startswith("text/") else answer.body


def _tagged(value: Any, etag: str) -> Any:
    made: Any = Document(value) if isinstance(value, dict) else Documents(value) if isinstance(value, list) else value
    if isinstance(made, (Document, Documents)):
        made.etag = etag
    return made


def _read(answer: http.client.HTTPResponse, until: float) -> bytes:
    """Returns the body. One that drips or never ends is given up."""
    parts: list[bytes] = []
    size = 0
    while part := answer.read1(_CHUNK):
        parts.append(part)
        size += len(part)
        if size > MOST_BYTES:
            raise http.client.HTTPException(f"the answer is larger than {MOST_BYTES >> 20} MiB")
        if time.monotonic() > until:
            raise TimeoutError("the answer took too long")
    return b"".join(parts)


def _is_worth_another(request: Request, answer: Answer) -> bool:
    """Returns whether the same request may be asked again: the server did nothing yet, or asking twice does no harm."""
    if answer.status in (429, 503) and "retry-after" in answer.headers:
        return True
    return request.is_repeatable and (answer.status in _AGAIN or (answer.status == 409 and b'"in_progress"' in answer.body))


def _refusal(request: Request, answer: Answer, retry_after_s: float) -> ClientError:
    if not answer.headers.get("content-type", "").startswith("application/problem+json"):
        return NotOurAnswer(f"{request.operation}: {request.path} was answered with {answer.status}, and not by the API of this server")
    members = _json(request.operation, answer)
    return problem_of(request.operation, answer.status, members if isinstance(members, dict) else {}, retry_after_s)


def _json(operation: str, answer: Answer) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError as error:
        raise NotOurAnswer(f"{operation}: the answer is not JSON") from error


def _seconds(text: str) -> float:
    return float(text) if text.isascii() and text.isdigit() else 0.0
