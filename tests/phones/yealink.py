"""A Yealink phone of firmware V81 and later: boot files first, then the common file and its own; ``name = value``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.openssl import Unopened, opened_ecb
from tests.phones.config import Config, LineConfig, Server, Unreadable, WatchedKey

NULL = "%NULL%"
FIRST_LINE = "#!version:1.0.0.1"
FILE_KEYS = ("static.auto_provision.aes_key.mac", "static.auto_provision.aes_key_16.mac")
BLF = "16"
COMMON = {"t46u": "y000000000108.cfg", "t54w": "y000000000096.cfg", "t31p": "y000000000123.cfg"}
TRANSPORTS = {"0": "udp", "1": "tcp", "2": "tls"}


class Yealink:
    """The firmware of one phone."""

    def __init__(self, model: str, mac: str) -> None:
        colons = ":".join(mac[at : at + 2] for at in range(0, 12, 2))
        self.user_agent = f"Yealink SIP-{model.upper()} 108.86.0.90 {colons}"
        self._model, self._mac = model, mac
        self._known: dict[str, str] = {}

    def fetch(self, server: Server) -> None:
        """A boot file that is there names the files to read; without one it is the common file, then the own one."""
        boot = server.get(f"{self._mac}.boot") or server.get("y000000000000.boot")
        names = (
            re.findall(r'^include:config\s+"?([^"\s]+)', boot.decode(), re.MULTILINE) if boot else [COMMON[self._model], f"{self._mac}.cfg"]
        )
        for name in names:
            body = server.get(name)
            if body is not None:
                self._known = parameters(self._opened(body), self._known)
        if self._known.get("static.auto_provision.custom.sync") == "1":
            server.get(f"{self._mac}-local.cfg")

    def _opened(self, body: bytes) -> bytes:
        """Returns the text of a file; one that does not begin as a text does is encrypted. Raises ``Unreadable``."""
        if body.startswith(b"#!"):
            return body
        key = next((self._known[name] for name in FILE_KEYS if name in self._known), None)
        if key is None:
            raise Unreadable("encrypted, and this phone has no key")
        try:
            return opened_ecb(body, key)
        except Unopened as error:
            raise Unreadable("encrypted with another key") from error

    def config(self) -> Config:
        return config_of(self._known)


def parameters(body: bytes, before: Mapping[str, str]) -> dict[str, str]:
    """Returns the parameters after a file was read on top of what the phone had. Raises ``Unreadable``."""
    first, *lines = body.decode("utf-8").splitlines()
    if first != FIRST_LINE:
        raise Unreadable(f"a Yealink file begins with {FIRST_LINE}, this one with {first[:40]!r}")
    known = dict(before)
    for line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.partition("="))
        if not equals:
            raise Unreadable(f"no parameter: {line[:80]!r}")
        if value == NULL:
            known.pop(name, None)
        elif value:
            known[name] = value
    return known


def config_of(known: Mapping[str, str]) -> Config:
    numbers = sorted({int(found.group(1)) for name in known if (found := re.match(r"account\.(\d+)\.enable$", name))})
    lines = [_line(known, number) for number in numbers if known[f"account.{number}.enable"] == "1"]
    keys = [
        name.removesuffix(".type")
        for name, value in known.items()
        if re.match(r"(linekey|expansion_module)\..*\.type$", name) and value == BLF
    ]
    watched = [
        WatchedKey(key, known[f"{key}.value"], known.get(f"{key}.label", ""), known.get(f"{key}.extension", "") + known[f"{key}.value"])
        for key in keys
        if f"{key}.value" in known
    ]
    intercom = ("answer-after=0", "info=alert-autoanswer") if known.get("features.intercom.allow") == "1" else ()
    return Config(known.get("static.auto_provision.server.url", ""), tuple(lines), tuple(watched), intercom)


def _line(known: Mapping[str, str], line: int) -> LineConfig:
    def of(name: str, default: str = "") -> str:
        return known.get(f"account.{line}.{name}", default)

    return LineConfig(
        line,
        number=of("user_name"),
        user=of("auth_name"),
        secret=of("password"),
        server=of("sip_server.1.address"),
        port=int(of("sip_server.1.port", "5060")),
        transport=TRANSPORTS[of("sip_server.1.transport_type", "0")],
        display_name=of("display_name"),
        expires_s=int(of("sip_server.1.expires", "3600")),
        wants_messages=of("subscribe_mwi") == "1",
    )
