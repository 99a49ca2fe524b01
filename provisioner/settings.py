"""The installation's settings: one table, from which the frozen values, ``--help-settings``, the docs and every check derive.

Values come from the environment, then from ``provisioner.toml`` (the same names), then from the default. The only module that reads the environment.
"""

from __future__ import annotations

import os
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

from provisioner.errors import SettingsError
from provisioner.setting_checks import missing
from provisioner.setting_values import (
    Bind,
    Ports,
    RoleRule,
    TimeOfDay,
    bind,
    bind_or_off,
    choice,
    database_url,
    host,
    host_and_port,
    integer,
    interfaces,
    mail_address,
    names,
    networks,
    on_or_off,
    optional,
    own_url,
    path,
    path_or_off,
    ports,
    role_rules,
    safe_url,
    text,
    time_or_off,
)

ROOT = Path(__file__).resolve().parent.parent
PRIVATE_NETWORKS = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,169.254.0.0/16,fc00::/7,fe80::/10"


class Row(NamedTuple):
    """One setting: ``parse`` turns its text into the value or raises ``ValueError`` with the sentence that the person reads."""

    name: str
    default: str
    parse: Callable[[str], Any]
    help: str
    unit: str = ""


SETTINGS: tuple[Row, ...] = (
    Row("DATA_DIR", "./var", path, "Folder of the database, the secret key and the logs."),
    Row("DATABASE_URL", "", database_url, "SQLAlchemy address of SQLite or PostgreSQL. Empty: SQLite in the data folder."),
    Row("CATALOGUE_DIR", str(ROOT / "phone_templates"), path, "Folder of the vendors, models and templates."),
    Row(
        "CATALOGUE_OVERLAY",
        "",
        path_or_off,
        "Folder of files of your own that take the place of those of the catalogue; off, or a folder. Empty: catalogue in the data folder.",
    ),
    Row(
        "TFTP_ROOT",
        str(ROOT / "tftp_root"),
        path,
        "Folder of static files (firmware, ring tones, wallpapers), served over HTTP and TFTP alike.",
    ),
    Row("PHONES_BIND", "0.0.0.0:8080", bind, "Configuration files over HTTP."),
    Row("PHONES_TLS_BIND", "off", bind_or_off, "Configuration files over HTTPS; off, or an address."),
    Row("TLS_CERTIFICATE", "", optional(path), "Certificate chain (PEM) for HTTPS. Empty: one is made in the data folder."),
    Row("TLS_KEY", "", optional(path), "Private key (PEM) of that certificate."),
    Row(
        "TLS_CLIENT_CA",
        "",
        optional(path),
        "Authorities (PEM) of client certificates: phones are asked for one, and one that these did not sign is refused. Empty: none is asked for.",
    ),
    Row("ADMIN_BIND", "127.0.0.1:8000", bind, "Pages and API."),
    Row("TFTP_BIND", "0.0.0.0:69", bind_or_off, "TFTP; off, or an address. Where port 69 is not allowed, 6969 is used and said."),
    Row("PUBLIC_HOST", "", text, "Host written into phone files. Empty: the address of the default route."),
    Row("PBX", "bundled", choice("bundled", "external", "fake", "none"), "Which PBX is kept in lockstep."),
    Row("SIP_BIND", "0.0.0.0:5060", bind, "SIP of the PBX; its port is written into phone files."),
    Row("SIP_TLS_BIND", "off", bind_or_off, "SIP over TLS of the bundled PBX, usually 0.0.0.0:5061; off, or an address."),
    Row("RTP_PORTS", "10000-20000", ports, "UDP ports for speech of the bundled PBX; each call takes four."),
    Row(
        "SIP_EXTERNAL_ADDRESS",
        "",
        host,
        "Address of the bundled PBX as phones outside the local networks see it, where it stands behind NAT itself. Empty: it does not.",
    ),
    Row("SIP_LOCAL_NETWORKS", PRIVATE_NETWORKS, networks, "Networks whose phones are not told that address, comma separated."),
    Row("AMI_BIND", "127.0.0.1:5038", bind, "Manager interface of the bundled PBX; its password is made at the first start."),
    Row("ARI_BIND", "127.0.0.1:8088", bind, "REST interface of the bundled PBX; its password is made at the first start."),
    Row("PBX_AMI_ADDRESS", "", optional(host_and_port), "Manager interface (AMI) of an external Asterisk, host:port."),
    Row("PBX_AMI_USER", "", text, "User of that manager interface."),
    Row("PBX_AMI_PASSWORD", "", text, "Password of that user."),
    Row("PBX_ARI_URL", "", text, "REST interface (ARI) of an external Asterisk. Accepted and not used: AMI carries everything."),
    Row("PBX_ARI_USER", "", text, "User of that REST interface. Not used."),
    Row("PBX_ARI_PASSWORD", "", text, "Password of that user. Not used."),
    Row(
        "ACCESS",
        "first-fetch",
        choice("open", "first-fetch", "token", "digest", "mtls"),
        "How a phone of a new site proves itself before it gets secrets.",
    ),
    Row("TRUSTED_NETWORKS", PRIVATE_NETWORKS, networks, "Networks where open and first-fetch apply, comma separated."),
    Row("TRUSTED_PROXIES", "", networks, "Reverse proxies whose X-Forwarded-For is believed, comma separated."),
    Row("ENROLMENT", "listed", choice("never", "listed", "window", "claim"), "What happens with a phone that nobody listed."),
    Row("FIRST_FETCH_HOURS", "24", integer(1, 24 * 30), "How long a first fetch stays possible after a phone was added or re-opened.", "h"),
    Row(
        "ROTATION_HOURS",
        "24",
        integer(1, 24 * 30),
        "How long phones have to move to a new SIP secret; then the last one is put back. Until then the PBX takes both.",
        "h",
    ),
    Row(
        "DISCOVERY",
        "pnp",
        names("pnp", "dhcp", "arp", "mdns", "lldp"),
        "How phones are found in the local network, comma separated: pnp, dhcp, arp, mdns, lldp; or off. All but mdns hear best with CAP_NET_RAW.",
    ),
    Row("DISCOVERY_INTERFACES", "", interfaces, "Interfaces that phones are found on, comma separated. Empty: all but loopback."),
    Row(
        "DHCP_PROXY",
        "off",
        on_or_off,
        "Whether phones that ask a DHCP server for more than their lease (DHCPINFORM) are told of this server; it never leases.",
    ),
    Row("ADMIN_PASSWORD", "", text, "Password of the user admin at first start. Empty: one is made and shown once."),
    Row(
        "SECOND_FACTOR",
        "nobody",
        choice("nobody", "admins", "everybody"),
        "Who has to sign in with a one-time code besides the password; who has none yet sets it up first.",
    ),
    Row(
        "ADMIN_URL",
        "",
        own_url,
        "Address of the pages as people type it, for example https://provisioner.example.com. Empty: as they came.",
    ),
    Row("OIDC_ISSUER", "", safe_url, "OpenID Connect provider that people may sign in with, by its issuer. Empty: none."),
    Row("OIDC_CLIENT_ID", "", text, "Name of this server at that provider."),
    Row("OIDC_CLIENT_SECRET", "", text, "Secret of this server at that provider."),
    Row("OIDC_NAME", "", text, "How the provider is called on the sign-in page. Empty: its host."),
    Row("OIDC_SCOPES", "openid profile email", text, "What the provider is asked to tell, blank separated; openid is among it."),
    Row(
        "OIDC_USER_CLAIM",
        "email",
        text,
        "Claim whose value is the name of the person here, at the first sign-in; later they are known by the provider's subject. An email counts if verified.",
    ),
    Row("OIDC_ROLE_CLAIM", "", text, "Claim that says what a person may do here, for example groups or realm_access.roles. Empty: none."),
    Row(
        "OIDC_ROLES",
        "",
        role_rules("user", "viewer", "technician", "admin"),
        "What its values give, comma separated: value=role or value=role@site+site. Who has none of them is not let in.",
    ),
    Row(
        "OIDC_CREATE",
        "off",
        on_or_off,
        "Whether a person whom OIDC_ROLES gives a role, and who is not listed, is made at the first sign-in.",
    ),
    Row("SESSION_IDLE_MINUTES", "480", integer(5, 7 * 24 * 60), "How long somebody stays signed in who does nothing.", "min"),
    Row("SESSION_HOURS", "168", integer(1, 90 * 24), "How long somebody stays signed in at the most.", "h"),
    Row("WEBHOOK_NETWORKS", "", networks, "Loopback and link-local networks that webhooks may reach all the same, comma separated."),
    Row("MAIL_SERVER", "", optional(host_and_port), "Server that e-mail notices are handed to, host:port. Empty: none are sent."),
    Row(
        "MAIL_SECURITY",
        "starttls",
        choice("starttls", "tls", "none", "none-anywhere"),
        "How it is spoken to: STARTTLS (port 587), TLS from the start (465), or in clear, which none allows on this machine alone.",
    ),
    Row("MAIL_CA_FILE", "", optional(path), "Authorities (PEM) that its certificate may be of. Empty: those that this machine trusts."),
    Row("MAIL_USER", "", text, "User at that server. Empty: it wants none."),
    Row("MAIL_PASSWORD", "", text, "Password of that user."),
    Row("MAIL_PASSWORD_FILE", "", optional(path), "File that this password is read from instead, each time that it is needed."),
    Row("MAIL_FROM", "", mail_address, "Address that notices are from."),
    Row(
        "MAIL_MINUTES",
        "15",
        integer(1, 24 * 60),
        "Notices to one person are gathered for so long; emergency calls are told at once.",
        "min",
    ),
    Row("TROUBLE_MINUTES", "15", integer(1, 24 * 60), "How long a PBX is away, or phones behind, before that is an event.", "min"),
    Row("API_TOKEN", "", text, "An admin token fixed from outside, for automation."),
    Row("CACHE_MB", "256", integer(1, 4096), "Memory for the bytes of phone files: of each HTTP listener; TFTP has a quarter.", "MB"),
    Row("FETCH_LOG_ROWS", "200000", integer(1000, 50_000_000), "How many fetches are kept; the oldest go first.", "rows"),
    Row("SIGHTINGS", "100000", integer(100, 1_000_000), "How many seen phones are kept; the ones seen longest ago go first.", "rows"),
    Row("CALLS_DAYS", "365", integer(1, 3650), "How long calls that have ended are kept.", "days"),
    Row("RECORDINGS_DAYS", "90", integer(1, 3650), "How long recordings of calls are kept.", "days"),
    Row("RECORDINGS_MB", "10240", integer(10, 10_000_000), "How much disk recordings may take; the oldest go first.", "MB"),
    Row(
        "BACKUP_AT",
        "02:30",
        time_or_off,
        "When each day a backup is made, by the clock of this machine; off, or a time of day. SQLite only.",
    ),
    Row("BACKUPS_KEPT", "14", integer(1, 366), "How many of these are kept, besides the first of each of twelve months."),
    Row("LOG_LEVEL", "INFO", choice("DEBUG", "INFO", "WARNING", "ERROR"), "How much is logged."),
)
PREFIX = "PROVISIONER_"
REMOTE = tuple(f"{PREFIX}{name}" for name in ("SERVER", "TOKEN", "TOKEN_FILE", "CA_FILE"))
"""No settings of a server: by them the command line finds one elsewhere."""
FILE = Path("provisioner.toml")
"""Where the settings file is looked for: in the folder that the command is started in."""


@dataclass(frozen=True)
class Settings:
    """Every setting in its type; ``docs/reference/settings.md`` lists them."""

    data_dir: Path
    database_url: str
    catalogue_dir: Path
    catalogue_overlay: Path | Literal["off"] | None
    tftp_root: Path
    phones_bind: Bind
    phones_tls_bind: Bind | None
    tls_certificate: Path | None
    tls_key: Path | None
    tls_client_ca: Path | None
    admin_bind: Bind
    tftp_bind: Bind | None
    public_host: str
    pbx: str
    sip_bind: Bind
    sip_tls_bind: Bind | None
    rtp_ports: Ports
    sip_external_address: str
    sip_local_networks: tuple[str, ...]
    ami_bind: Bind
    ari_bind: Bind
    pbx_ami_address: Bind | None
    pbx_ami_user: str
    pbx_ami_password: str
    pbx_ari_url: str
    pbx_ari_user: str
    pbx_ari_password: str
    access: str
    trusted_networks: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    enrolment: str
    first_fetch_hours: int
    rotation_hours: int
    discovery: tuple[str, ...]
    discovery_interfaces: tuple[str, ...]
    dhcp_proxy: bool
    admin_password: str
    second_factor: str
    admin_url: str
    oidc_issuer: str
    oidc_client_id: str
    oidc_client_secret: str
    oidc_name: str
    oidc_scopes: str
    oidc_user_claim: str
    oidc_role_claim: str
    oidc_roles: tuple[RoleRule, ...]
    oidc_create: bool
    session_idle_minutes: int
    session_hours: int
    webhook_networks: tuple[str, ...]
    mail_server: Bind | None
    mail_security: str
    mail_ca_file: Path | None
    mail_user: str
    mail_password: str
    mail_password_file: Path | None
    mail_from: str
    mail_minutes: int
    trouble_minutes: int
    api_token: str
    cache_mb: int
    fetch_log_rows: int
    sightings: int
    calls_days: int
    recordings_days: int
    recordings_mb: int
    backup_at: TimeOfDay | None
    backups_kept: int
    log_level: str

    @property
    def database(self) -> str:
        """The database's address, with the default filled in."""
        return self.database_url or f"sqlite:///{self.data_dir / 'provisioner.sqlite3'}"

    @property
    def overlay_dir(self) -> Path | None:
        """Folder of files of one's own over the catalogue, which need not be there; None: there are none."""
        if self.catalogue_overlay == "off":
            return None
        folder = self.catalogue_overlay or self.data_dir / "catalogue"
        # Who keeps a whole catalogue there has named it as CATALOGUE_DIR: it does not lie over itself.
        return None if folder.resolve() == self.catalogue_dir.resolve() else folder

    @property
    def has_pbx(self) -> bool:
        """Whether a PBX is kept in lockstep."""
        return self.pbx != "none"

    @property
    def has_discovery(self) -> bool:
        """Whether phones are found in the network."""
        return bool(self.discovery) or self.dhcp_proxy

    @property
    def has_waiting_room(self) -> bool:
        """Whether phones that nobody has let in can wait at the PBX: at one that is ours to put accounts into."""
        return self.pbx in {"bundled", "fake"}

    @property
    def host(self) -> str:
        """The host that phones are told."""
        return self.public_host or default_route_address()

    @property
    def provisioning_base(self) -> str:
        """Address of the phones listener as phones are told it, ending in ``/``."""
        bind = self.phones_tls_bind or self.phones_bind
        scheme = "https" if self.phones_tls_bind else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{host}:{bind.port}/"


def load_settings(
    environ: Mapping[str, str] | None = None, file: Path | None = None, overrides: Mapping[str, str] | None = None
) -> Settings:
    """Returns the settings. ``overrides`` (of the command line, names without prefix) win over the environment.

    Raises ``SettingsError`` listing every value that cannot be used and every unknown name.
    """
    environ = os.environ if environ is None else environ
    mistakes: list[str] = []
    given = _file_values(file or FILE, mistakes)
    given |= {name.removeprefix(PREFIX): value for name, value in environ.items() if name.startswith(PREFIX) and name not in REMOTE}
    given |= overrides or {}
    known = {row.name for row in SETTINGS}
    mistakes += [f"{PREFIX}{name}: there is no such setting" for name in sorted(given.keys() - known)]
    values: dict[str, Any] = {}
    for row in SETTINGS:
        try:
            values[row.name.lower()] = row.parse(given.get(row.name, row.default))
        except ValueError as error:
            mistakes.append(f"{PREFIX}{row.name}={given.get(row.name, row.default)}: {error}")
    mistakes += [f"{PREFIX}{mistake}" for mistake in missing(values, PREFIX)]
    if mistakes:
        raise SettingsError(mistakes)
    return Settings(**values)


def remote_given() -> dict[str, str]:
    """Returns what the environment says of a server elsewhere, by names without prefix."""
    return {name.removeprefix(PREFIX): value for name in REMOTE if (value := os.environ.get(name))}


def wants_no_colour() -> bool:
    """Returns whether the person asked for output without colour (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR"))


def default_route_address() -> str:
    """Returns this machine's own address towards the outside, or 127.0.0.1 where it has none. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def _file_values(path: Path, mistakes: list[str]) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        mistakes.append(f"{path}: {error}")
        return {}
    return {name.removeprefix(PREFIX): _as_text(value) for name, value in content.items()}


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value).lower() if isinstance(value, bool) else str(value)
