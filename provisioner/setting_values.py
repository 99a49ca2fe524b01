"""What the text of a setting is turned into: each function returns the value, or raises ``ValueError`` with the sentence that the person reads."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

_HOST = re.compile(r"[0-9A-Za-z:]([0-9A-Za-z.:\-]{0,251}[0-9A-Za-z:])?\Z")

_MAIL = re.compile(
    r"[0-9A-Za-z!#$%&'*+/=?^_`{|}~\-]+(\.[0-9A-Za-z!#$%&'*+/=?^_`{|}~\-]+)*@[0-9A-Za-z]([0-9A-Za-z.\-]{0,251}[0-9A-Za-z])?\Z"
)
"""The plain form of RFC 5321 (Dot-string at a Domain); quoted ones are nobody's."""
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])\Z")


class Bind(NamedTuple):
    """An address to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Ports(NamedTuple):
    """A range of ports, both ends included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


class TimeOfDay(NamedTuple):
    """A time on the clock of the machine."""

    hour: int
    minute: int

    def __str__(self) -> str:
        return f"{self.hour:02}:{self.minute:02}"


def text(text: str) -> str:
    return text


def time_or_off(text: str) -> TimeOfDay | None:
    if text in {"off", ""}:
        return None
    match = _TIME.match(text)
    if not match:
        raise ValueError("a time of day is needed, for example 02:30, or off")
    return TimeOfDay(int(match[1]), int(match[2]))


def path(text: str) -> Path:
    return Path(text).expanduser().resolve()


def path_or_off(text: str) -> Path | Literal["off"] | None:
    return "off" if text == "off" else path(text) if text else None


def bind(text: str) -> Bind:
    host, separator, port = text.rpartition(":")
    if not separator or not port.isdigit() or int(port) > 65535:
        raise ValueError("an address and a port are needed, for example 0.0.0.0:8080 or [::]:8080")
    host = host.strip("[]") or "0.0.0.0"  # noqa: S104 - ":8080" means every address
    try:
        ipaddress.ip_address(host)
    except ValueError as error:
        raise ValueError(f"'{host}' is not an IP address; names are not looked up at start") from error
    return Bind(host, int(port))


def bind_or_off(text: str) -> Bind | None:
    return None if text in {"off", ""} else bind(text)


def host_and_port(text: str) -> Bind:
    """Reads the address of another machine: a name will do, it is looked up when it is called."""
    host, separator, port = text.rpartition(":")
    host = host.strip("[]")
    if not separator or not _HOST.match(host) or not port.isdigit() or not 1 <= int(port) <= 65535:
        raise ValueError("a host and a port are needed, for example pbx.example.com:5038")
    return Bind(host, int(port))


def host(text: str) -> str:
    if text and not _HOST.match(text):
        raise ValueError("an IP address or a host name is needed")
    return text


def ports(text: str) -> Ports:
    first, separator, last = text.partition("-")
    if not separator or not first.isdigit() or not last.isdigit() or not 1024 <= int(first) < int(last) <= 65535:
        raise ValueError("two ports from 1024 to 65535 are needed, the lower one first, for example 10000-20000")
    return Ports(int(first), int(last))


def networks(text: str) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(part.strip(), strict=False)) for part in text.split(",") if part.strip())


def names(*known: str) -> Callable[[str], tuple[str, ...]]:
    """Reads a comma list of known names; ``off``, or nothing, is none of them."""

    def parse(text: str) -> tuple[str, ...]:
        given = [part.strip() for part in text.split(",") if part.strip()]
        if given == ["off"]:
            return ()
        if not set(given) <= set(known):
            raise ValueError(f"a comma list of {', '.join(known)} is needed, or off")
        return tuple(dict.fromkeys(given))

    return parse


def interfaces(text: str) -> tuple[str, ...]:
    given = tuple(part.strip() for part in text.split(",") if part.strip())
    if any(len(name) > 15 or "/" in name for name in given):
        raise ValueError("a comma list of interfaces is needed, for example eth0,eth1")
    return given


def on_or_off(text: str) -> bool:
    if text not in {"on", "off", "true", "false"}:
        raise ValueError("on or off is needed")
    return text in {"on", "true"}


def choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError(f"one of {', '.join(choices)} is needed")
        return text

    return parse


def integer(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not text.isdigit() or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high} is needed")
        return int(text)

    return parse


def database_url(text: str) -> str:
    if not text or text.startswith(("sqlite:///", "postgresql+psycopg://")):
        return text
    if text.startswith(("postgresql://", "postgres://")):
        return "postgresql+psycopg://" + text.partition("://")[2]
    raise ValueError("an SQLAlchemy address of SQLite or PostgreSQL is needed, for example postgresql://user:password@host/database")


class RoleRule(NamedTuple):
    """What a value of the role claim gives: a role, at some sites or (none named) all of them."""

    value: str
    role: str
    sites: tuple[str, ...]


def role_rules(*roles: str) -> Callable[[str], tuple[RoleRule, ...]]:
    """Reads ``value=role`` and ``value=role@site+site``, comma separated."""

    def parse(text: str) -> tuple[RoleRule, ...]:
        rules = []
        for part in (part.strip() for part in text.split(",") if part.strip()):
            value, _, right = part.rpartition("=")
            role, _, places = right.partition("@")
            sites = tuple(site.strip() for site in places.split("+") if site.strip())
            if not value or role.strip() not in roles or ("@" in right and not sites):
                raise ValueError(f"value=role or value=role@site+site is needed, comma separated, with one of {', '.join(roles)} as role")
            rules.append(RoleRule(value.strip(), role.strip(), sites))
        return tuple(rules)

    return parse


def is_safe_url(text: str) -> bool:
    """Returns whether secrets may go to an address: https, or http on this very machine."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    is_plain = text.isascii() and text.isprintable() and " " not in text and not parts.fragment and parts.username is None
    here = host in {"localhost", "127.0.0.1", "::1"}
    return bool(host) and is_plain and (parts.scheme == "https" or (parts.scheme == "http" and here))


def safe_url(text: str) -> str:
    if text and not is_safe_url(text):
        raise ValueError("an address that begins with https:// is needed (http:// on this machine alone)")
    return text


def is_mail_address(text: str) -> bool:
    """Returns whether mail can be sent to an address: ASCII, one @, nothing that a header or a server would take for more."""
    return len(text) <= 254 and bool(_MAIL.match(text))


def mail_address(text: str) -> str:
    if text and not is_mail_address(text):
        raise ValueError("an e-mail address is needed, for example phones@example.com")
    return text


def own_url(text: str) -> str:
    parts = urlsplit(text)
    if text and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment):
        raise ValueError("scheme and host are needed, without a path, for example https://provisioner.example.com")
    return text.rstrip("/")


def optional(parse: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda text: parse(text) if text else None
