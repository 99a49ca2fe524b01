"""Frozen values that cross from one layer to another.

What lives here: shapes, with the meaning of every field. What does not: behaviour beyond a property or two; anything
that reads a clock, a file, a socket or a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple, NewType

from provisioner.core.mac import Mac

Sha256 = NewType("Sha256", str)
"""Sixty-four lower-case hex digits."""

Transport = Literal["http", "https", "tftp"]
Method = Literal["GET", "HEAD", "PUT", "POST"]
SettingValue = str | int | bool


class Reason(StrEnum):
    """Why a request was answered as it was: a closed set, counted and logged even where the wire only says 404."""

    SERVED = "served"
    """The bytes went out."""
    NOT_MODIFIED = "not_modified"
    """The phone already holds these bytes (HTTP 304)."""
    STORED = "stored"
    """An upload of the phone was kept."""
    NO_SUCH_FILE = "no_such_file"
    """The name is one that this phone may ask for, and there is none: ordinary, phones go on."""
    UNKNOWN_NAME = "unknown_name"
    """The name belongs to no vendor's scheme and to no static file."""
    UNKNOWN_PHONE = "unknown_phone"
    """The name carries a MAC that nobody listed."""
    DISABLED = "disabled"
    """The phone is listed and switched off."""
    UNPROVEN = "unproven"
    """The request proved nothing that its site accepts."""
    BOOTSTRAP_CLOSED = "bootstrap_closed"
    """The first fetch was done, or its time ran out: the phone has its own address now."""
    BAD_TOKEN = "bad_token"
    """The capability address is not, or no longer, valid for this phone."""
    CODE_SPENT = "code_spent"
    """The one-time code of an install link was used, or its time ran out."""
    TOO_MANY_GUESSES = "too_many_guesses"
    """Too many wrong install codes came from this address: for a minute none is looked at."""
    BAD_CREDENTIALS = "bad_credentials"
    """Digest or Basic credentials were sent and are wrong."""
    CONFLICT = "conflict"
    """The evidence names another MAC, vendor or model than the record."""
    REPLAYED = "replayed"
    """A first fetch from another address than the one that took the file since it was opened."""
    FROZEN = "frozen"
    """A scan for MACs goes on: nothing is served that rests on a MAC alone."""
    WAITING = "waiting"
    """Not let in by its MAC, at a site that takes phones in: it got the configuration of the waiting room, which holds nothing of worth."""
    NOT_A_PHONE = "not_a_phone"
    """A first fetch whose User-Agent is not that of the listed vendor's phones."""
    NOT_RENDERED = "not_rendered"
    """The phone is listed and has no file yet: its first render is under way or failed."""
    BAD_REQUEST = "bad_request"
    """The request itself is malformed (path, packet, header)."""
    METHOD_NOT_ALLOWED = "method_not_allowed"
    """A method that phones do not use, or an upload where none is taken."""
    TOO_LARGE = "too_large"
    """An upload over its bound."""
    BAD_RANGE = "bad_range"
    """A Range that the file does not have (HTTP 416)."""
    OVERLOADED = "overloaded"
    """Shed with 503 and Retry-After rather than queued."""
    ABORTED = "aborted"
    """The client went away, or stopped answering, before the last byte."""
    FAILED = "failed"
    """A fault of ours; the log has the request id."""


class FileRequest(NamedTuple):
    """One request for a file, whatever wire it came over.

    A tuple and not a dataclass because one is built for each of tens of thousands of requests a second.
    """

    path: str
    """Percent-decoded path without a leading slash, e.g. ``805ec0aabbcc.cfg`` or ``p/<token>/805ec0aabbcc.cfg``."""
    transport: Transport
    peer: str
    """The client's IP address as text."""
    user_agent: str = ""
    """As sent; empty on TFTP."""
    method: Method = "GET"
    authorization: str = ""
    """The whole Authorization header, as sent."""
    tls_subject: str = ""
    """Subject of the verified client certificate, or empty."""


class FileAnswer(NamedTuple):
    """What a transport has to send. Exactly one of ``body`` and ``static_path`` matters, and only when ``reason`` is SERVED."""

    reason: Reason
    body: bytes = b""
    content_type: str = "application/octet-stream"
    sha256: str = ""
    """Hash of ``body``; the HTTP entity tag. Empty for static files."""
    static_path: Path | None = None
    """A regular file below the static root, already joined safely; the transport streams it."""
    mac: Mac | None = None
    """The phone that was identified, proven or not; for the record only, never for the wire."""
    name: str = ""
    """The requested name in its canonical spelling, for the record."""
    challenge: bool = False
    """True where the wire should say 401 with a challenge rather than 404."""
    epoch: int = 0
    """Epoch of the capability token by which the request was proven; 0 where it was not, or otherwise."""
    secret: bool = False
    """True for a phone's own file: no cache on the way may keep it."""
    made_from: str = ""
    """Hash of the live file, where ``body`` is that file with more in it (a directory with the phone's own contacts)."""
    is_stale: bool = False
    """True where the credentials were right but for their nonce: the challenge says so, and the phone answers it by itself."""

    @property
    def noted_hash(self) -> str:
        """What the record says that the phone was given: of a merged file, the live one, which lockstep compares."""
        return self.made_from if self.made_from and self.sha256 else self.sha256


class Fetch(NamedTuple):
    """One finished request, as recorded. Times are seconds since the epoch; ``duration_ms`` runs to the last byte sent."""

    at: float
    path: str
    """As asked, with any capability token masked."""
    transport: Transport
    peer: str
    user_agent: str
    method: str
    reason: Reason
    mac: Mac | None
    name: str
    sha256: str
    bytes_sent: int
    duration_ms: float
    epoch: int = 0
    """As in the answer."""


@dataclass(frozen=True, slots=True)
class Line:
    """A registration on a phone."""

    line: int
    """1 and up, as printed on the phone."""
    extension: str
    display_name: str
    secret: str = field(repr=False)
    """The SIP password, in clear: this value never leaves render and pbx_sync."""
    label: str = ""
    """Text beside the key; empty means the extension number."""


@dataclass(frozen=True, slots=True)
class Key:
    """A programmable key. ``module`` 0 is the phone itself, 1 and up its expansion modules; ``key`` counts from 1 in each."""

    module: int
    key: int
    type: str
    """One of ``KEY_TYPES``."""
    value: str = ""
    label: str = ""
    line: int = 1
    """The line whose registration the key uses."""


KEY_TYPES: tuple[str, ...] = (
    "line", "blf", "speed_dial", "park", "pickup", "intercom", "dtmf", "transfer", "voicemail", "dnd", "forward",
    "group_pickup", "paging", "shared_line", "conference", "ldap", "phonebook", "url", "none",
)  # fmt: skip


LINE_TYPES = frozenset({"line", "shared_line"})
"""Key types that show a line of the phone itself."""


@dataclass(frozen=True, slots=True)
class PhoneConfig:
    """Everything that a phone's files are made of: the same value gives the same bytes, always."""

    mac: Mac
    model: str
    """Catalogue id, ``yealink/t46u``."""
    lines: tuple[Line, ...]
    keys: tuple[Key, ...]
    settings: Mapping[str, SettingValue]
    """Merged over all layers; every name of the settings table is present."""
    provisioning_url: str
    """The phone's own folder address with its token, ending in ``/``: ``http://prov.example:8080/p/<token>/``."""
    modules: int = 0
    """Expansion modules attached."""
    firmware: str = ""
    """Version that the phone is known to run; empty when unknown. Chooses among firmware quirks."""
    file_key: str = field(default="", repr=False)
    """The key with which the phone opens what it fetches at ``provisioning_url``, in clear; empty where that is not encrypted."""
    is_emptied: bool = False
    """The phone is taken out of service: these files take from it what it had."""


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """One file of one phone, ready to be served."""

    name: str
    """Canonical name below the phone's folder, e.g. ``805ec0aabbcc.cfg``."""
    body: bytes = field(repr=False)
    sha256: Sha256
    content_type: str


@dataclass(frozen=True, slots=True)
class UserAgent:
    """What a User-Agent says of its sender: evidence, never authority."""

    vendor: str
    """Catalogue id of the vendor, ``yealink``."""
    model: str | None
    """The model as the vendor spells it, without prefix and underscores: ``T46U``, ``GXP2170``, ``VVX411``."""
    version: str | None
    mac: Mac | None
    hardware: str | None = None
    """Revision of the hardware, where the vendor's phones say it."""
