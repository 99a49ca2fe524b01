"""TFTP datagrams: requests read, options negotiated, OACK, ERROR and DATA built, tokens masked for the record.

What lives here: pure functions over bytes; requests, OACK and ERROR go through tftpy's packet classes. What does not: sockets,
clocks, sessions and files (``tftp_session``, ``tftp``). Sources: RFC 1350 (packets), 2347 (options), 2348 (blksize), 2349 (timeout,
tsize), 7440 (windowsize).
"""

from __future__ import annotations

import re
import struct
import traceback
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from tftpy import TftpException
from tftpy.TftpPacketTypes import TftpPacketERR, TftpPacketOACK, TftpPacketRRQ

from provisioner.core.values import Reason

RRQ = b"\0\1"
WRQ = b"\0\2"
ACK = b"\0\4"
ERROR = b"\0\5"

MAX_REQUEST_BYTES = 2048
"""Longest RRQ or WRQ that is read; RFC 2347 says 512, vendors' own options make some a little longer."""
MAX_NAME_BYTES = 512
DEFAULT_BLKSIZE = 512
MIN_BLKSIZE = 8
MODES = frozenset({"octet", "netascii"})

_HEAD = struct.Struct("!HH").pack
_TOKEN_IN_PATH = re.compile(r"(?<![^/\\])p([/\\]+)[^/\\]+", re.IGNORECASE)
_TOKEN_IN_TEXT = re.compile(r"\bp([/\\]+)[^/\\\s'\"]+", re.IGNORECASE)


class MalformedRequestError(ValueError):
    """The datagram is no request that can be answered. ``name`` is what could be read of the file name, for the record."""

    def __init__(self, problem: str, name: str = "") -> None:
        super().__init__(problem)
        self.name = name


class Request(NamedTuple):
    """A read or write request as decoded."""

    is_write: bool
    path: str
    """File name without leading slashes; backslashes as sent. At least one character, at most ``MAX_NAME_BYTES`` bytes."""
    mode: str
    """``octet`` or ``netascii``."""
    options: Mapping[str, str]
    """Options as spelled by the client; names are case-insensitive (RFC 2347)."""
    tail: bytes
    """All behind the file name; the same for every phone of a model."""


class Terms(NamedTuple):
    """What is agreed with the client for one transfer."""

    blksize: int = DEFAULT_BLKSIZE
    windowsize: int = 1
    timeout_s: int = 0
    """Retransmission time that the client asked for; 0 where it did not and ours is used."""
    granted: tuple[tuple[str, int], ...] = ()
    """Options for the OACK, in the client's order and spelling; the value -1 stands for the size of the file."""

    def oack(self, size: int) -> bytes:
        """Returns the OACK datagram, or nothing where no option was granted (then DATA 1 goes first, RFC 2347)."""
        before, after = _oack_around_size(self.granted)
        return before + str(size).encode() + after if after else before


_SIZE = -1


# The same for all phones of one model, whatever the size of their files.
@lru_cache(maxsize=256)
def _oack_around_size(granted: tuple[tuple[str, int], ...]) -> tuple[bytes, bytes]:
    """Returns the OACK up to the digits of the file size, and from there on; the second part is empty where no size was asked for."""
    if not granted:
        return b"", b""
    packet = TftpPacketOACK()
    packet.options = {name: "?" if value == _SIZE else str(value) for name, value in granted}
    before, _, after = bytes(packet.encode().buffer).partition(b"\0?\0")
    return (before + b"\0", b"\0" + after) if any(value == _SIZE for _, value in granted) else (before, b"")


def parse_request(datagram: bytes) -> Request:
    """Returns the request that ``datagram`` holds; its first two bytes are already known to be those of an RRQ or WRQ.

    Raises ``MalformedRequestError`` for a name that is empty, too long, unterminated or not UTF-8, and for a mode other than octet and
    netascii. Options that cannot be read are dropped rather than refused: a phone whose request ends in a stray byte still gets its file.
    """
    end = datagram.find(b"\0", 2)
    raw = datagram[2:end] if end > 0 else datagram[2:]
    if end < 0 or len(datagram) > MAX_REQUEST_BYTES or len(raw) > MAX_NAME_BYTES:
        raise MalformedRequestError("unterminated name" if end < 0 else "too long", _readable(raw))
    tail = datagram[end + 1 :]
    try:
        path = raw.decode("utf-8").lstrip("/")
        mode, options = _mode_and_options(tail)
    except (TftpException, struct.error, ValueError) as error:
        raise MalformedRequestError("unreadable", _readable(raw)) from error
    if not path or mode not in MODES:
        raise MalformedRequestError("no name" if not path else "unknown mode", path)
    return Request(datagram[:2] == WRQ, path, mode, options, tail)


def _readable(raw: bytes) -> str:
    return raw[:MAX_NAME_BYTES].decode("utf-8", "backslashreplace").lstrip("/")


# All phones of one model send the same bytes after the name, so tftpy's parser (30 us, a loop over every byte) runs once per model and
# not once per request. The name itself never goes through it: tftpy refuses UTF-8.
@lru_cache(maxsize=256)
def _mode_and_options(tail: bytes) -> tuple[str, Mapping[str, str]]:
    """Returns mode and options of a request from the bytes after its file name; raises what tftpy raises where there is no mode."""
    try:
        packet = _tftpy_request(tail)
    except (TftpException, struct.error, ValueError):
        packet = _tftpy_request(tail[: tail.index(0) + 1])
    return str(packet.mode), dict(packet.options)


def _tftpy_request(tail: bytes) -> TftpPacketRRQ:
    packet = TftpPacketRRQ()
    packet.buffer = RRQ + b"x\0" + tail
    return packet.decode()


def negotiate(options: Mapping[str, str], *, max_blksize: int, max_windowsize: int, max_timeout_s: int) -> Terms:
    """Returns the terms for the options that a client sent; options that are unknown, malformed or out of range are passed over.

    blksize and windowsize are lowered to our maximum; a timeout above ours is declined, because it may not be changed (RFC 2349).
    """
    agreed = {"blksize": DEFAULT_BLKSIZE, "windowsize": 1, "timeout": 0}
    granted = []
    for spelling, text in options.items():
        name = spelling.lower()
        if not (text.isascii() and text.isdigit() and len(text) <= 10):
            continue
        value = int(text)
        if name == "tsize":
            granted.append((spelling, _SIZE))
        elif name == "blksize" and value >= MIN_BLKSIZE:
            agreed[name] = min(value, max_blksize)
        elif name == "windowsize" and value >= 1:
            agreed[name] = min(value, max_windowsize)
        elif name == "timeout" and 1 <= value <= max_timeout_s:
            agreed[name] = value
        else:
            continue
        if name != "tsize":
            granted.append((spelling, agreed[name]))
    return Terms(agreed["blksize"], agreed["windowsize"], agreed["timeout"], tuple(granted))


@lru_cache(maxsize=256)
def agreed(tail: bytes, max_blksize: int, max_windowsize: int, max_timeout_s: int) -> Terms:
    """Returns what ``negotiate`` says of the options in ``tail``, the end of a request that was read before."""
    options = _mode_and_options(tail)[1]
    return negotiate(options, max_blksize=max_blksize, max_windowsize=max_windowsize, max_timeout_s=max_timeout_s)


def data(block: int, payload: bytes) -> bytes:
    """Returns the DATA datagram of the absolute ``block``, whose number on the wire rolls over to 0 after 65535."""
    return _HEAD(3, block & 0xFFFF) + payload


def ack(block: int) -> bytes:
    """Returns the ACK datagram of the absolute ``block``."""
    return ACKS[block] if block < len(ACKS) else _HEAD(4, block & 0xFFFF)


def error(code: int, text: str = "") -> bytes:
    """Returns the ERROR datagram of ``code`` with ``text``, or with RFC 1350's own words where it is empty."""
    packet = TftpPacketERR()
    packet.errorcode = code
    if text:
        packet.errmsgs = {code: text.encode("ascii")}
    return bytes(packet.encode().buffer)


HEADS = tuple(data(block, b"") for block in range(2048))
"""The first four bytes of the first DATA datagrams, by block."""
ACKS = tuple(_HEAD(4, block) for block in range(2048))
"""The ACK datagrams of the first blocks, by block."""
FILE_NOT_FOUND = error(1)
"""The one answer for unknown, disabled, unproven and absent: nobody can tell them apart."""
ACCESS_VIOLATION = error(2)
ILLEGAL_OPERATION = error(4)
INTERNAL_ERROR = error(0, "Internal error")
FILE_CHANGED = error(0, "File changed during the transfer")
NO_ANSWER = b""
"""Silence: the client asks again."""
OCTET_ONLY = error(0, "Too large for netascii, use octet mode")


_REFUSALS = {
    Reason.BAD_REQUEST: ILLEGAL_OPERATION,
    Reason.METHOD_NOT_ALLOWED: ACCESS_VIOLATION,
    Reason.FAILED: INTERNAL_ERROR,
    Reason.OVERLOADED: NO_ANSWER,
}


def refusal(reason: Reason) -> bytes:
    """Returns what the wire says of a refusal: for nearly every reason ``FILE_NOT_FOUND``, always the same bytes."""
    return _REFUSALS.get(reason, FILE_NOT_FOUND)


def netascii(text: bytes) -> bytes:
    """Returns ``text`` with CR as CR NUL and LF as CR LF (RFC 764, named by RFC 1350)."""
    return text.replace(b"\r", b"\r\0").replace(b"\n", b"\r\n")


def masked_path(path: str) -> str:
    """Returns ``path`` with the capability token after ``p/`` as ``***``."""
    if "/" not in path and "\\" not in path:
        return path  # as nearly all are: the pattern costs more than the record
    return _TOKEN_IN_PATH.sub(r"p\1***", path)


def masked_text(text: str) -> str:
    """Returns running text, such as a traceback, with every token after ``p/`` as ``***``."""
    return _TOKEN_IN_TEXT.sub(r"p\1***", text)


def described(error: Exception) -> str:
    """Returns ``error`` and its traceback with tokens masked: hence not logged as ``exc_info``, which would print them."""
    return f"error={type(error).__name__}\n" + masked_text("".join(traceback.format_exception(error)))
