"""SIP messages: reading, writing, and the few parts of a header that a phone needs (RFC 3261, sections 7 and 20)."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "c": "content-type", "l": "content-length", "o": "event"}


class NotSIP(ValueError):
    """The datagram is no SIP message."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response: its first line, its headers in order, its body."""

    start: str
    headers: tuple[tuple[str, str], ...]
    body: str = ""

    @property
    def is_request(self) -> bool:
        return not self.start.startswith("SIP/2.0 ")

    @property
    def method(self) -> str:
        """Returns the method of a request, or the one that a response answers."""
        return self.start.split(" ", 1)[0] if self.is_request else self.get("CSeq").split()[-1]

    @property
    def uri(self) -> str:
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        return 0 if self.is_request else int(self.start.split(" ")[1])

    @property
    def branch(self) -> str:
        return parameter(self.get("Via"), "branch")

    @property
    def sequence(self) -> int:
        return int(self.get("CSeq").split()[0])

    def all(self, name: str) -> list[str]:
        wanted = name.lower()
        return [value for key, value in self.headers if _COMPACT.get(key.lower(), key.lower()) == wanted]

    def get(self, name: str) -> str:
        """Returns the first header of that name, or an empty text."""
        return next(iter(self.all(name)), "")

    def encode(self) -> bytes:
        body = self.body.encode()
        lines = [self.start, *(f"{name}: {value}" for name, value in self.headers), f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body


def parse(datagram: bytes) -> Message:
    """Returns the message in a datagram. Raises ``NotSIP``."""
    head, gap, body = datagram.partition(b"\r\n\r\n")
    start, *lines = head.decode("utf-8", "replace").split("\r\n")
    if not gap or "SIP/2.0" not in start:
        raise NotSIP(start[:80])
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip(), value.strip()) for name, colon, value in pairs if colon)
    return Message(start, headers, body.decode("utf-8", "replace"))


def request(method: str, uri: str, headers: Iterable[tuple[str, str]], body: str = "") -> Message:
    return Message(f"{method} {uri} SIP/2.0", tuple(headers), body)


def response(to: Message, status: int, phrase: str, tag: str = "", more: Iterable[tuple[str, str]] = (), body: str = "") -> Message:
    """Returns a response to a request; ``tag`` is added to its To header where that has none."""
    own = to.get("To")
    if tag and "tag=" not in own:
        own += f";tag={tag}"
    headers = [("Via", via) for via in to.all("Via")]
    headers += [("Record-Route", route) for route in to.all("Record-Route")]
    headers += [("From", to.get("From")), ("To", own), ("Call-ID", to.get("Call-ID")), ("CSeq", to.get("CSeq")), *more]
    return Message(f"SIP/2.0 {status} {phrase}", tuple(headers), body)


def address(header: str) -> str:
    """Returns the URI in a From, To or Contact header."""
    inside = re.search(r"<([^>]*)>", header)
    return inside.group(1) if inside else header.partition(";")[0].strip()


def parameter(header: str, name: str) -> str:
    """Returns a parameter behind the address of a header, without its quotes; an empty text where it is missing."""
    found = re.search(rf';\s*{re.escape(name)}\s*=\s*("[^"]*"|[^;,\s]*)', header.rpartition(">")[2] or header, re.IGNORECASE)
    return found.group(1).strip('"') if found else ""


def token() -> str:
    """Returns a text that nobody else uses: for tags, branches and Call-IDs."""
    return secrets.token_hex(8)
