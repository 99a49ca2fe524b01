"""SIP PnP: reads the SUBSCRIBE that phones send to a multicast group, and writes the two answers to it. Pure; never raises.

RFC 6080 with Event ``ua-profile``, as phones have it: https://www.rfc-editor.org/rfc/rfc6080. What is read may be anybody's: it is bounded, and
what goes back into an answer has no line ends of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from provisioner.core.mac import Mac, try_parse

LONGEST = 4096
MOST_HEADERS, LONGEST_HEADER = 64, 512
NOTIFY_NUMBER = 3
"""CSeq of the NOTIFY, as in the answers that were captured: phones take any that is new to the dialog."""
_START = re.compile(r"SUBSCRIBE (sips?:[!-~]{1,200}) SIP/2\.0\Z")
_USER = re.compile(r"sips?:(?:MAC(?::|%3a)?)?([0-9a-f]{12}|[0-9a-f]{2}(?:[:\-][0-9a-f]{2}){5})@", re.IGNORECASE)
_CSEQ = re.compile(r"(\d{1,10}) SUBSCRIBE\Z")
_CONTACT = re.compile(r"<?(sips?:(?:[!-;=?-~]{1,100}@)?(\d{1,3}(?:\.\d{1,3}){3})(?::(\d{1,5}))?(?:;[!-;=?-~]{0,100})?)>?")
_PARAMETER = re.compile(r';\s*(vendor|model|version)\s*=\s*"([^"]{0,64})"', re.IGNORECASE)
_BAD = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "o": "event"}
_NEEDED = ("from", "to", "call-id", "cseq", "event")


@dataclass(frozen=True, slots=True)
class Subscribe:
    """One SUBSCRIBE. Headers as the phone wrote them, for the answers repeat them."""

    mac: Mac
    vias: tuple[str, ...]
    headers: Mapping[str, str]
    uri: str
    """Of its Contact, or of the request where that names no address."""
    contact: tuple[str, int] | None
    """Address and port of its Contact."""
    vendor: str
    """As its Event header names it, not looked up; so are the next two."""
    model: str
    version: str

    @property
    def user_agent(self) -> str:
        return self.headers.get("user-agent", "")


def parse_subscribe(data: bytes) -> Subscribe | None:
    """Returns the SUBSCRIBE for a phone's profile that a datagram holds, or None where it holds anything else."""
    if len(data) > LONGEST or not data.startswith(b"SUBSCRIBE "):
        return None
    lines = re.split(r"\r?\n", data.decode("latin-1"))
    start = _START.match(lines[0])
    user = _USER.match(start[1]) if start else None
    mac = try_parse(user[1]) if user else None
    read = _headers(lines[1:])
    if start is None or mac is None or read is None:
        return None
    vias, headers = read
    if not vias or any(name not in headers for name in _NEEDED) or not _CSEQ.match(headers["cseq"]):
        return None
    if headers["event"].partition(";")[0].strip().lower() != "ua-profile":
        return None
    contact = _CONTACT.match(headers.get("contact", ""))
    told = {name.lower(): value for name, value in _PARAMETER.findall(headers["event"])}
    uri, target = (contact[1], _target(contact[2], contact[3])) if contact else (start[1], None)
    return Subscribe(mac, vias, headers, uri, target, told.get("vendor", ""), told.get("model", ""), told.get("version", ""))


def accepted(request: Subscribe, tag: str, local: tuple[str, int]) -> bytes:
    """Returns the 200 to a SUBSCRIBE; ``tag`` is ours, ``local`` the address that the phone may answer to."""
    return _message(
        "SIP/2.0 200 OK",
        *(f"Via: {via}" for via in request.vias),
        f"From: {request.headers['from']}",
        f"To: {_tagged(request.headers['to'], tag)}",
        f"Call-ID: {request.headers['call-id']}",
        f"CSeq: {request.headers['cseq']}",
        f"Contact: <sip:{local[0]}:{local[1]}>",
        "Expires: 0",
    )


def notified(
    request: Subscribe, url: str, tag: str, branch: str, local: tuple[str, int], *, event: str = "", ends_line: bool = False
) -> bytes:
    """Returns the NOTIFY that tells the phone an address. ``event`` takes the place of the phone's own, ``ends_line`` ends the body with CR and LF."""
    return _message(
        f"NOTIFY {request.uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {local[0]}:{local[1]};branch=z9hG4bK-pnp-{branch}",
        "Max-Forwards: 70",
        f"From: {_tagged(request.headers['to'], tag)}",
        f"To: {request.headers['from']}",
        f"Call-ID: {request.headers['call-id']}",
        f"CSeq: {NOTIFY_NUMBER} NOTIFY",
        f"Contact: <sip:{local[0]}:{local[1]}>",
        f"Event: {event or request.headers['event']}",
        "Subscription-State: terminated;reason=timeout",
        "Content-Type: application/url",
        body=url + ("\r\n" if ends_line else ""),
    )


def answered_call(data: bytes) -> str | None:
    """Returns the Call-ID that a response is about, or None where the datagram is none that ends a request."""
    if len(data) > LONGEST or not re.match(rb"SIP/2\.0 [2-6]\d\d ", data):
        return None
    read = _headers(re.split(r"\r?\n", data.decode("latin-1"))[1:])
    return read[1].get("call-id") if read else None


def _headers(lines: list[str]) -> tuple[tuple[str, ...], dict[str, str]] | None:
    """Returns the Via headers and the first of every other, until the empty line; None where one is too long, too many, or no header."""
    vias: list[str] = []
    headers: dict[str, str] = {}
    for count, line in enumerate(lines):
        if not line:
            break
        name, colon, value = line.partition(":")
        name = name.strip().lower()
        if count >= MOST_HEADERS or len(line) > LONGEST_HEADER or not colon or _BAD.search(line):
            return None
        name = _COMPACT.get(name, name)
        if name == "via":
            vias.append(value.strip())
        else:
            headers.setdefault(name, value.strip())
    return tuple(vias), headers


def _target(host: str, port: str | None) -> tuple[str, int] | None:
    number = int(port) if port else 5060
    return (host, number) if 0 < number <= 65535 and all(int(part) <= 255 for part in host.split(".")) else None


def _tagged(header: str, tag: str) -> str:
    return header if ";tag=" in header.lower() else f"{header};tag={tag}"


def _message(*lines: str, body: str = "") -> bytes:
    return "\r\n".join((*lines, f"Content-Length: {len(body)}", "", body)).encode("latin-1", "replace")
