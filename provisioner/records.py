"""What the store returns: rows as frozen values. Shapes only; ORM rows and connections never leave the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from provisioner.core.mac import Mac
from provisioner.core.sightings import Evidence
from provisioner.core.values import Key, SettingValue
from provisioner.records_install import InstallLink

Role = Literal["user", "viewer", "technician", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may; ``user`` only with the phones of its own extensions."""
TOKEN_ROLES = ROLES[1:]
"""A token is of no person, hence has no extensions of its own."""


@dataclass(frozen=True, slots=True)
class SiteRecord:
    name: str
    access: Literal["open", "first-fetch", "token", "digest", "mtls"]
    trusted_networks: tuple[str, ...]
    enrolment: str
    settings: Mapping[str, SettingValue]
    revision: int
    pool: str = ""
    """Extensions for phones that are taken in there, as ``1000-1199``; empty for none."""


@dataclass(frozen=True, slots=True)
class GroupRecord:
    name: str
    settings: Mapping[str, SettingValue]
    revision: int


@dataclass(frozen=True, slots=True)
class ExtensionRecord:
    """An extension, without its secret."""

    number: str
    display_name: str
    email: str
    department: str
    revision: int
    rotation_started_at: float | None
    rotation_rolled_back: bool
    pbx_wanted: str | None
    pbx_verified: str | None
    pbx_error: str
    site: str
    """Whose it is; empty: nobody's in particular."""
    record_calls: bool = False

    @property
    def rotation(self) -> Literal["none", "moving", "rolled_back"]:
        """Whether phones are on their way to a new secret, or back to the last one."""
        if self.rotation_started_at is None:
            return "none"
        return "rolled_back" if self.rotation_rolled_back else "moving"


Secrets = tuple[str, ...]
"""An extension's secrets in clear: the one that phones are given, then the former ones that the PBX takes besides, newest first."""


@dataclass(frozen=True, slots=True)
class DepartmentRecord:
    """A department. With a ``number`` it can be called: every member rings."""

    name: str
    number: str | None
    revision: int
    pbx_wanted: str | None
    pbx_verified: str | None
    pbx_error: str
    members: tuple[str, ...]
    """Numbers of its extensions, sorted."""


@dataclass(frozen=True, slots=True)
class RegistrationRecord:
    """The newest registration that was made from a phone for an extension on a line of it."""

    mac: Mac
    extension: str
    registered_at: float
    ended_at: float | None
    uri: str
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class WakeRecord:
    """What came of telling a phone that it has new files."""

    notified_at: float | None
    tries: int
    reached: int
    due_at: float | None
    error: str


@dataclass(frozen=True, slots=True)
class PhoneToWake:
    """A phone that is to be told of the files that went live at ``live_at``. ``numbers`` are those of its lines, in their order."""

    mac: Mac
    model: str
    site: str
    numbers: tuple[str, ...]
    tries: int
    live_at: float


@dataclass(frozen=True, slots=True)
class PBXRequest:
    """What somebody asks of the worker, which alone talks to the PBX."""

    id: int
    at: float
    actor: str
    what: str
    confirmed: bool
    answer: Any


@dataclass(frozen=True, slots=True)
class LineRecord:
    line: int
    extension: str
    label: str


@dataclass(frozen=True, slots=True)
class PhoneFilter:
    """Which phones of the list are wanted; what is empty does not matter. ``has_pbx`` matters to ``stage`` alone."""

    search: str = ""
    stage: str = ""
    site: str = ""
    model: str = ""
    has_pbx: bool = True


@dataclass(frozen=True, slots=True)
class PhoneRecord:
    """A phone as the API shows it. ``settings`` are the phone's own layer; secret ones are only named in ``secret_names``."""

    mac: Mac
    model: str
    site: str
    group: str | None
    enabled: bool
    modules: int
    firmware: str
    settings: Mapping[str, SettingValue]
    secret_names: tuple[str, ...]
    lines: tuple[LineRecord, ...]
    keys: tuple[Key, ...]
    created_at: float
    revision: int
    render_revision: int
    token_epoch: int
    opened_at: float
    first_success_at: float | None
    layout: str | None = None
    """Name of the key layout that it has; ``keys`` are its own."""
    retired_at: float | None = None
    """When it was taken out of service; None: it is in service."""


@dataclass(frozen=True, slots=True)
class ServingRecord:
    """What a serving process holds of each phone: small, for there are ten thousand of them."""

    mac: Mac
    model: str
    vendor: str
    site: str
    enabled: bool
    token_epoch: int
    token_floor: int
    opened_at: float
    first_success_at: float | None
    live_hash: str | None
    first_peer: str = ""
    """The address that took the first fetch since it was opened; empty where none has."""
    install: InstallLink | None = None
    enciphered_since: int | None = None
    """The first token epoch whose address came with a key; None: its files go out in clear."""
    is_retired: bool = False
    """Its files empty it: nothing that names people is given to it, and nothing taken from it."""

    def has_key_of(self, epoch: int) -> bool:
        """Returns whether a phone that comes by the token of ``epoch`` read a key beside it; ``epoch`` 0 is no token."""
        return self.enciphered_since is not None and epoch >= self.enciphered_since

    @property
    def has_key(self) -> bool:
        """Whether the phone is proven to have a key: it came by an address that it can have read only beside one."""
        return self.first_success_at is not None and self.has_key_of(self.token_floor)


@dataclass(frozen=True, slots=True)
class LiveFile:
    """One live file as a serving process holds it; ``body`` is in clear."""

    mac: Mac
    name: str
    sha256: str
    size: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class BookRecord:
    """A phone book of one vendor's phones; ``body`` is in clear."""

    vendor: str
    book: str
    contacts: int
    sha256: str
    content_type: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    id: int
    at: float
    actor: str
    action: str
    subject: str
    before: Any
    after: Any
    phones: int


@dataclass(frozen=True, slots=True)
class FetchRecord:
    id: int
    at: float
    mac: str | None
    name: str
    transport: str
    peer: str
    user_agent: str
    method: str
    reason: str
    sha256: str
    bytes: int
    duration_ms: float


@dataclass(frozen=True, slots=True)
class SightingRecord:
    mac: Mac
    vendor: str
    model: str
    firmware: str
    peer: str
    first_seen: float
    last_seen: float
    count: int
    conflict: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class ScanRecord:
    """A scan of a network that somebody asked for, and how far it is."""

    id: int
    at: float
    actor: str
    network: str
    state: Literal["waiting", "running", "done", "cancelled", "failed"]
    cancel: bool
    total: int
    done: int
    found: int
    ended_at: float | None
    error: str


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A phone's file as the API shows it; ``content`` is masked unless secrets were asked for."""

    name: str
    state: Literal["live", "next", "boot"]
    sha256: str
    size: int
    content_type: str
    content: str


@dataclass(frozen=True, slots=True)
class UploadRecord:
    mac: Mac
    name: str
    kind: str
    content_type: str
    received_at: float
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class TokenRecord:
    name: str
    role: Role
    created_at: float
    last_used_at: float | None
    sites: tuple[str, ...] | None = None
    """None: all."""


@dataclass(frozen=True, slots=True)
class UserRecord:
    """Somebody who signs in, without password and one-time secret."""

    name: str
    role: Role
    sites: tuple[str, ...] | None
    """None: all."""
    extensions: tuple[str, ...]
    language: str
    disabled: bool
    has_password: bool
    has_totp: bool
    subject: str | None
    created_at: float
    revision: int


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """A program that is told of changes, without the secret that signs."""

    name: str
    url: str
    events: tuple[str, ...]
    enabled: bool
    position: int
    revision: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """Something that was, or is to be, sent to a webhook."""

    id: int
    webhook: str
    event: str
    body: str
    at: float
    due_at: float | None
    tries: int
    delivered_at: float | None
    status: int | None
    error: str
    url: str


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A sign-in that holds, or held."""

    digest: str
    name: str
    created_at: float
    last_seen_at: float
    expires_at: float
    address: str
    user_agent: str


@dataclass(frozen=True, slots=True)
class PhoneAccess:
    """How a phone proves itself: to be typed into it where its site wants more than a first fetch. All of it is secret."""

    url: str
    """Its own address, with the token: enough wherever it is."""
    user: str
    password: str
    """With ``user``, for the phones' listener of a site with ``digest`` access."""
    is_encrypted: bool = False
