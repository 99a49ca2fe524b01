"""The whole configuration of the bundled Asterisk, from a handful of facts: the same facts give the same bytes.

Templates lie in ``templates/``; ``@{name}`` in them is a value of ours, everything else is Asterisk's own language. Extensions are not in
it: they live in the AstDB, so that no file changes and nothing is reloaded when one does.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from pbx_sync.asterisk.calldetails import COLUMNS, TABLE
from pbx_sync.asterisk.errors import AsteriskError
from pbx_sync.asterisk.modules import loaded_modules
from pbx_sync.asterisk.program import Program

CONTEXT = "internal"
"""What extensions may dial; also where their lamps are (``subscribe_context``)."""
GROUP_FAMILY = "provisioner-group"
"""AstDB family of ring groups: number -> member numbers, separated by commas."""
DIALLED_FAMILY = "provisioner-dialled"
"""AstDB family of claim codes that were dialled in the waiting room: account -> code."""
TEST_FAMILY, TESTED_FAMILY = "provisioner-test", "provisioner-tested"
"""AstDB families of test calls: name -> number and contact; name -> what came of it."""
RECORD_FAMILY = "provisioner-record"
"""AstDB family of extensions whose calls are recorded: number -> 1."""
RECORDINGS = "recordings"
"""Folder of the recordings, one file for each call."""
BEEP_S = 15
"""How often a call that is recorded beeps."""
DESK_FAMILY, PLACE_FAMILY = "provisioner-desk", "provisioner-place"
"""AstDB families of hot desks: account -> 1, where a log-in may be dialled; number, or number/host:port -> place of emergency calls."""
SEAT_ASKED_FAMILY, SEAT_SAID_FAMILY, WRONG_FAMILY = "provisioner-seat-asked", "provisioner-seat-said", "provisioner-seat-wrong"
"""AstDB families of log-ins: call -> account, number, address; call -> answer; phone/account or extension/number -> count, since when."""
USER = "provisioner"
FIRST_SLOT, LAST_SLOT = 701, 720
"""Parking: 700 parks into the first free slot."""

CERTIFICATE, KEY = "keys/sip.crt", "keys/sip.key"
"""Copies: the originals may be readable for root alone, and Asterisk runs as somebody else."""

TEMPLATES = Path(__file__).with_name("templates")
_EMPTY = ("pjsip_notify", "udptl", "ccss", "acl", "dnsmgr", "codecs", "dsp", "cli", "websocket_client")
"""Without these files their modules do not load, or complain; nothing has to stand in them."""
_SECRET_FILES = {"manager.conf", "ari.conf"}
_PLACE = re.compile(r"@\{(\w+)\}")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.\-]{0,252}[A-Za-z0-9])?\Z")
_LONGEST_SOCKET_PATH = 107
"""sockaddr_un (unix(7)) has 108 bytes, the last one a zero."""


class Listen(NamedTuple):
    """An IP address and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the configuration is made of. ``external_address`` is what phones behind another network are told instead of our own address;
    ``local_networks`` are those that are not told so. Raises ``AsteriskError`` naming every value that cannot be used.
    """

    sip: Listen
    ami: Listen
    ari: Listen
    sip_tls: Listen | None = None
    certificate: Path | None = None
    key: Path | None = None
    rtp: tuple[int, int] = (10000, 20000)
    external_address: str = ""
    local_networks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        mistakes = [*self._wrong_addresses(), *self._wrong_values()]
        if mistakes:
            raise AsteriskError("Asterisk cannot be set up: " + "; ".join(mistakes))

    def _wrong_addresses(self) -> list[str]:
        named = {"SIP": self.sip, "SIP over TLS": self.sip_tls, "AMI": self.ami, "ARI": self.ari}
        return [f"{name}: {listen} is not an IP address and a port" for name, listen in named.items() if listen and not _is_usable(listen)]

    def _wrong_values(self) -> list[str]:
        mistakes = []
        if not 1024 <= self.rtp[0] < self.rtp[1] <= 65535:
            mistakes.append(f"RTP ports {self.rtp[0]}-{self.rtp[1]}: two ports from 1024 to 65535 are needed, the lower one first")
        if self.external_address and not _HOST.match(self.external_address) and not _is_address(self.external_address):
            mistakes.append(f"external address {self.external_address!r} is neither an IP address nor a host name")
        if self.sip_tls and not (self.certificate and self.key):
            mistakes.append("SIP over TLS needs a certificate and its key")
        for network in self.local_networks:
            try:
                ipaddress.ip_network(network)
            except ValueError:
                mistakes.append(f"{network!r} is not a network")
        return mistakes


class Passwords(NamedTuple):
    """What AMI and ARI ask for; made once for each installation."""

    ami: str
    ari: str


def configuration(folder: Path, program: Program, facts: Facts, passwords: Passwords) -> dict[str, str]:
    """Returns file name -> content of everything in ``folder/etc``. Raises ``AsteriskError``."""
    values = _values(folder, program, facts, passwords)
    files = {path.name: filled(path.read_text("utf-8"), values) for path in _templates()}
    return files | {f"{name}.conf": "; Nothing has to be set here; the file has to be there.\n" for name in _EMPTY}


def write_configuration(folder: Path, files: dict[str, str]) -> list[str]:
    """Writes what differs from what is there; returns the names of those files. Files with passwords are for their owner alone."""
    etc = folder / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    changed = []
    for name, content in sorted(files.items()):
        path = etc / name
        if path.is_file() and path.read_bytes() == content.encode():
            continue
        _write(path, content, 0o600 if name in _SECRET_FILES else 0o640)
        changed.append(name)
    for path in etc.glob("*.conf"):
        if path.name not in files:  # of an earlier version: what nobody writes nobody should read
            path.unlink()
            changed.append(path.name)
    return changed


def write_certificate(folder: Path, facts: Facts) -> list[str]:
    """Copies certificate and key of SIP over TLS where they differ; returns the names of those copies."""
    pairs = ((CERTIFICATE, facts.certificate), (KEY, facts.key)) if facts.sip_tls else ()
    changed = []
    for name, source in pairs:
        content, path = source.read_text("ascii") if source else "", folder / name
        if not path.is_file() or path.read_text("ascii", "replace") != content:
            _write(path, content, 0o600)
            changed.append(name)
    return changed


def filled(template: str, values: dict[str, str]) -> str:
    """Returns the template with its ``@{name}`` filled in; a name that is not known raises ``KeyError``."""
    return _PLACE.sub(lambda found: values[found[1]], template)


def _write(path: Path, content: str, mode: int) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(content)
    partial.chmod(mode)
    partial.replace(path)


@cache
def _templates() -> tuple[Path, ...]:
    return tuple(sorted(TEMPLATES.glob("*.conf")))


def _values(folder: Path, program: Program, facts: Facts, passwords: Passwords) -> dict[str, str]:
    places = {name: folder / name for name in ("etc", "db", "keys", "agi", "spool", "run", "log", "custom")}
    places |= {"modules": program.modules, "share": program.share, "music": music_folder(folder, program)}
    places |= {"mailboxes": folder / "voicemail.sqlite3"}
    if len(os.fsencode(folder / "run" / "asterisk.ctl")) > _LONGEST_SOCKET_PATH:
        raise AsteriskError(f"the path {folder} is too long: Asterisk's control socket below it may have {_LONGEST_SOCKET_PATH} bytes")
    slots = range(FIRST_SLOT, LAST_SLOT + 1)
    return {name: safe_path(place) for name, place in places.items()} | {
        "user": USER,
        "ami_host": facts.ami.host, "ami_port": str(facts.ami.port), "ami_password": passwords.ami,
        "ari_host": facts.ari.host, "ari_port": str(facts.ari.port), "ari_password": passwords.ari,
        "sip_bind": str(facts.sip),
        "external": _external(facts),
        "tls_transport": _tls_transport(folder, facts),
        "rtp_first": str(facts.rtp[0]), "rtp_last": str(facts.rtp[1]),
        "modules_list": "\n".join(loaded_modules(program)),
        "group_family": GROUP_FAMILY,
        "dialled_family": DIALLED_FAMILY,
        "test_family": TEST_FAMILY, "tested_family": TESTED_FAMILY,
        "record_family": RECORD_FAMILY, "recordings": safe_path(folder / RECORDINGS), "beep_s": str(BEEP_S),
        "call_table": TABLE, "call_columns": ",".join(COLUMNS), "call_values": ",".join(f"'{value}'" for value in COLUMNS.values()),
        "desk_family": DESK_FAMILY, "place_family": PLACE_FAMILY,
        "seat_asked_family": SEAT_ASKED_FAMILY, "seat_said_family": SEAT_SAID_FAMILY, "wrong_family": WRONG_FAMILY,
        "first_slot": str(FIRST_SLOT), "last_slot": str(LAST_SLOT),
        "parking_slots": "\n".join(f"exten => {slot},1,Set(slot={slot})\n same => n,Goto(park-slot,s,1)" for slot in slots),
        "parking_hints": "\n".join(f"exten => {slot},hint,park:{slot}@parkedcalls" for slot in slots),
    }  # fmt: skip


def music_folder(folder: Path, program: Program) -> Path:
    """Returns where music on hold is read from: the administrator's own folder where there is one, else what came with Asterisk."""
    own = folder / "custom" / "music"
    return own if own.is_dir() else program.share / "moh"


def safe_path(path: Path) -> str:
    """Returns a path as Asterisk's files take it. Raises ``AsteriskError`` for one that would end the line or begin a comment."""
    text = str(path)
    if re.search(r"[\x00-\x1f;\[\]{}$,#]|--", text):
        raise AsteriskError(f"the path {text!r} has a character that Asterisk's configuration cannot hold; use a plainer folder")
    return text


def _external(facts: Facts) -> str:
    if not facts.external_address:
        return ""
    lines = [f"external_media_address = {facts.external_address}", f"external_signaling_address = {facts.external_address}"]
    return "\n".join([*lines, *(f"local_net = {network}" for network in facts.local_networks)]) + "\n"


def _tls_transport(folder: Path, facts: Facts) -> str:
    if facts.sip_tls is None:
        return ""
    certificate, key = (safe_path(folder / name) for name in (CERTIFICATE, KEY))
    return (
        "[transport-tls]\ntype = transport\nprotocol = tls\n"
        f"bind = {facts.sip_tls}\ncert_file = {certificate}\npriv_key_file = {key}\n"
        f"method = tlsv1_2\ntos = cs3\ncos = 3\n{_external(facts)}"
    )


def _is_usable(listen: Listen) -> bool:
    return _is_address(listen.host) and 1 <= listen.port <= 65535


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
