"""Heads of HTTP requests: bytes in, values out. All that is read of a head is read here, by httptools (llhttp), which refuses what smugglers send.

Two ways, one result. ``Heads.quick`` knows the heads of a boot storm, whose request line is plain and whose other lines all phones of a kind
send again and again, but for the User-Agent: those lines were read by the same parser before, and are looked up. ``Heads.full`` reads any head.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import unquote

import httptools

from provisioner.transports.http_reply import METHODS, UNCONDITIONAL, Conditions

MAX_HEAD = 32_768
MAX_HEADERS = 100
BLOCKS = 16_384
"""Header blocks kept, about half a kilobyte each: strangers choose what is in them, so the memory for them is bounded and dropped whole."""
MAX_BLOCK = 1_024
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([^\x00-\x20\x7f]+) HTTP/1\.([01])\r\n")
_BEGIN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}(?: |$)")
_PLAIN = re.compile(rb"GET /([0-9A-Za-z._/-]*) HTTP/1\.1\r\n")
_NAMES = re.compile(rb"user-agent", re.IGNORECASE)
_AGENT = re.compile(rb"(?:^|(?<=\r\n))User-Agent: ([\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?)\r\n")


class BadHead(Exception):
    """What was sent is no request that may be answered; ``status`` is 400 or 431."""

    def __init__(self, status: int = 400) -> None:
        super().__init__(status)
        self.status = status


class Fields(NamedTuple):
    """What the header lines of a request say, as far as it is of use. Texts are as sent, bytes beyond ASCII as Latin-1."""

    user_agent: str = ""
    authorization: str = ""
    forwarded: str = ""
    """All X-Forwarded-For, joined by commas in their order."""
    conditions: Conditions = UNCONDITIONAL
    keep_alive: bool = True
    length: int | None = None
    is_chunked: bool = False
    expects_continue: bool = False

    @property
    def has_body(self) -> bool:
        return self.is_chunked or bool(self.length)


REFUSED = Fields(keep_alive=False)
"""Of a request whose method is refused, whatever else it says: the connection ends with it."""


class Head(NamedTuple):
    """A whole head."""

    method: str
    target: str
    """As sent."""
    path: str
    """Decoded, without its first slash, with ``?query`` where there is one: the path of a ``FileRequest``."""
    is_http_1_0: bool
    fields: Fields
    lines: tuple[tuple[str, str], ...]
    """All header lines, names in small letters."""


class Heads:
    """Reads heads, and remembers header blocks. One for each serving thread."""

    def __init__(self) -> None:
        self._blocks: dict[bytes, Fields] = {}
        self._rests: dict[bytes, Fields] = {}
        """What blocks say without their line of the User-Agent, which alone differs between the phones of a model."""

    def quick(self, data: bytes) -> tuple[str, Fields] | None:
        """Returns path and fields where ``data`` is one whole GET, as plain as a storm's, whose header lines were read before; else None."""
        match = _PLAIN.match(data)
        if match is None:
            return None
        block = data[match.end() :]
        fields = self._blocks.get(block) or self._of_another(block)
        return None if fields is None else (match[1].decode("ascii"), fields)

    def full(self, data: bytes) -> Head:
        """Returns the head that ``data`` is, from its first line to its empty one. Raises ``BadHead``."""
        if len(data) > MAX_HEAD:
            raise BadHead(431)
        line = _LINE.match(data)
        if line is None:
            raise BadHead
        method, target = line[1].decode("ascii"), line[2].decode("utf-8", "replace")
        is_old = line[3] == b"0"
        if method not in METHODS:
            return Head(method, target, path_of(target), is_old, REFUSED, ())
        reading = _Reading(data)
        fields = reading.fields()
        if not is_old and len(data) - line.end() <= MAX_BLOCK and not (fields.has_body or fields.authorization):
            self._remember(data[line.end() :], fields)
        return Head(method, target, path_of(target), is_old, fields, reading.lines)

    def _of_another(self, block: bytes) -> Fields | None:
        """Returns what ``block`` says where one with another User-Agent, and nothing else different, was read before."""
        if len(block) > MAX_BLOCK or not block.endswith(b"\r\n\r\n"):
            return None
        line = _AGENT.search(block)
        if line is None:
            return None
        known = self._rests.get(block[: line.start()] + block[line.end() :])
        if known is None:
            return None
        fields = known._replace(user_agent=line[1].decode("ascii"))
        self._put(self._blocks, block, fields)
        return fields

    def _remember(self, block: bytes, fields: Fields) -> None:
        self._put(self._blocks, block, fields)
        line = _AGENT.search(block)
        if line is not None and line[1].decode("ascii") == fields.user_agent and len(_NAMES.findall(block)) == 1:
            self._put(self._rests, block[: line.start()] + block[line.end() :], fields._replace(user_agent=""))

    def _put(self, blocks: dict[bytes, Fields], block: bytes, fields: Fields) -> None:
        if len(blocks) >= BLOCKS:
            blocks.clear()
        blocks[block] = fields


class _Reading:
    """One head, read by httptools."""

    def __init__(self, data: bytes) -> None:
        self.lines: tuple[tuple[str, str], ...] = ()
        self._found: list[tuple[str, str]] = []
        self._is_kept = False
        self._is_upgrade = False
        self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._is_upgrade = True  # we speak HTTP/1.1 alone, and may answer as if nothing else had been asked for
        except httptools.HttpParserError as error:
            raise BadHead from error
        if len(self._found) > MAX_HEADERS:
            raise BadHead(431)
        self.lines = tuple(self._found)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._found.append((name.decode("latin-1").lower(), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        self._is_kept = self._parser.should_keep_alive()  # later it tells of the next message

    def fields(self) -> Fields:
        """Returns what the lines say. Raises ``BadHead`` for a body whose end we could not tell."""
        first: dict[str, str] = {}
        for name, value in self.lines:
            first.setdefault(name, value)
        coding, length = first.get("transfer-encoding"), first.get("content-length")
        if coding is not None and (coding.strip().lower() != "chunked" or self._parser.get_http_version() == "1.0"):
            raise BadHead
        if self._is_upgrade and (coding or length):
            raise BadHead
        conditions = Conditions(*(first.get(name, "") for name in ("if-none-match", "if-modified-since", "range", "if-range")))
        return Fields(
            user_agent=first.get("user-agent", ""),
            authorization=first.get("authorization", ""),
            forwarded=",".join(value for name, value in self.lines if name == "x-forwarded-for"),
            conditions=conditions if any(conditions) else UNCONDITIONAL,
            keep_alive=self._is_kept and not self._is_upgrade,
            length=int(length) if length is not None else None,
            is_chunked=coding is not None,
            expects_continue=first.get("expect", "").lower() == "100-continue",
        )


def check_begin(data: bytes) -> None:
    """Raises ``BadHead`` where ``data``, the beginning of a head, can become none: before the time for it is over."""
    if len(data) > MAX_HEAD:
        raise BadHead(431)
    if b"\n" in data:
        if _LINE.match(data) is None:
            raise BadHead
    elif not _BEGIN.match(data):
        raise BadHead


def path_of(target: str) -> str:
    """Returns the path of a request target in any of its forms (RFC 9112 section 3.2), decoded, without its first slash."""
    if not target.startswith("/"):
        target = "/" + target.partition("://")[2].partition("/")[2]  # absolute form, or "*"
    target = target.partition("#")[0]
    path, _, query = target.partition("?")
    path = unquote(path[1:])
    return f"{path}?{query}" if query else path


class Chunks:
    """Reads a chunked body. ``feed`` takes bytes as they come; what follows the body is ignored, so the connection must end with it."""

    def __init__(self, head: bytes) -> None:
        self.is_complete = False
        self._parts: list[bytes] = []
        self._parser = httptools.HttpRequestParser(self)
        self._parser.feed_data(head)

    def feed(self, data: bytes) -> bytes:
        """Returns what of the body is in ``data``. Raises ``BadHead`` where the chunks are none."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            if not self.is_complete:
                raise BadHead from error
        parts, self._parts = self._parts, []
        return b"".join(parts)

    def on_body(self, body: bytes) -> None:
        if not self.is_complete:
            self._parts.append(body)

    def on_message_complete(self) -> None:
        self.is_complete = True
