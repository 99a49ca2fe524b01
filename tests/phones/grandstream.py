"""Grandstream phones: GXP21xx with P-values, GRP261x with aliases, both in the ``gs_provision`` XML file."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from xml.etree import ElementTree

from tests.openssl import Unopened, opened_cbc
from tests.phones.config import Config, LineConfig, Server, Unreadable, WatchedKey

ACCOUNTS = {
    1: {"active": 271, "server": 47, "user": 35, "auth": 36, "secret": 34, "name": 3, "minutes": 32, "mwi": 99, "pickup": 1347, "auto": 298, "transport": 130},
    2: {"active": 401, "server": 402, "user": 404, "auth": 405, "secret": 406, "name": 407, "minutes": 412, "mwi": 415, "pickup": 481, "auto": 438, "transport": 448},
}  # fmt: skip
"""P numbers of the first two accounts of a GXP21xx."""
_ALIASES = {
    "active": "enable", "server": "sip.server.1.address", "user": "sip.userid", "auth": "sip.subscriber.userid",
    "secret": "sip.subscriber.password", "name": "sip.subscriber.name", "minutes": "sip.registerExpiration", "mwi": "sip.subscribe.forMwi",
    "pickup": "sip.blf.callPickup.prefix", "auto": "intercom.allowAutoAnswer", "transport": "sip.transport",
}  # fmt: skip
SCHEMES = {"0": "tftp", "1": "http", "2": "https"}
TRANSPORTS = {"0": "udp", "1": "tcp", "2": "tls", "UDP": "udp", "TCP": "tcp", "TLS/TCP": "tls"}


class Grandstream:
    """The firmware of one phone."""

    def __init__(self, model: str, mac: str) -> None:
        self.user_agent = f"Grandstream Model HW {model.upper()} SW 1.0.11.57 DevId {mac}"
        self._mac = mac
        self._names = ([] if model.startswith("grp") else [f"cfg{mac}"]) + [f"cfg{mac}.xml", f"cfg{model}.xml", "cfg.xml"]
        self._known: dict[str, str] = {}

    def fetch(self, server: Server) -> None:
        """The first file that is there ends the search."""
        for name in self._names:
            body = server.get(name)
            if body is not None:
                self._known = parameters(self._opened(body), self._mac, self._known)
                return

    def _opened(self, body: bytes) -> bytes:
        """Returns the text of a file; OpenSSL's first eight bytes say that it is encrypted. Raises ``Unreadable``."""
        if not body.startswith(b"Salted__"):
            return body
        key = self._known.get("P1359", "")
        if not key:
            raise Unreadable("encrypted, and this phone has no password")
        try:
            return opened_cbc(body, key)
        except Unopened as error:
            raise Unreadable("encrypted with another password") from error

    def config(self) -> Config:
        return config_of(self._known)


def parameters(body: bytes, mac: str, before: Mapping[str, str]) -> dict[str, str]:
    """Returns the P-values or aliases after a file was read on top of what the phone had. Raises ``Unreadable``."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Unreadable(str(error)) from error
    owner, config = root.findtext("mac"), root.find("config")
    if root.tag != "gs_provision" or config is None or (owner is not None and owner.lower() != mac):
        raise Unreadable("not this phone's file")
    by_alias = config.get("version") == "2"
    if any((element.tag == "item") != by_alias for element in config):
        raise Unreadable("P-values and aliases in one file: the phone ignores all of it")
    return {**before, **{element.get("name", "") if by_alias else element.tag: element.text or "" for element in config}}


def config_of(known: Mapping[str, str]) -> Config:
    return _aliases_config(known) if "provisioning.config.serverPath" in known else _pvalues_config(known)


def _pvalues_config(known: Mapping[str, str]) -> Config:
    def of(line: int, name: str) -> str:
        return known.get(f"P{ACCOUNTS[line][name]}", "")

    lines = [line for line in ACCOUNTS if of(line, "active") == "1"]
    configs = [_line(line, partial(of, line)) for line in lines]
    watched = []
    for key in range(1, 49):
        mode, account, label, value = (known.get(f"P{number}", "") for number in _vpk_pvalues(key))
        if mode == "1" and value and int(account) + 1 in lines:
            watched.append(WatchedKey(f"VPK {key}", value, label, of(int(account) + 1, "pickup") + value))
    intercom = ("answer-after=0", "info=alert-autoanswer") if lines and of(lines[0], "auto") == "1" else ()
    return Config(f"{SCHEMES[known['P212']]}://{known['P237']}/", tuple(configs), tuple(watched), intercom)


def _vpk_pvalues(key: int) -> tuple[int, int, int, int]:
    """Returns the P numbers of a virtual key's mode, account, description and value."""
    if key <= 6:
        return 1363 + 2 * (key - 1), 1364 + 2 * (key - 1), 1465 + 2 * (key - 1), 1466 + 2 * (key - 1)
    first = 23800 + 4 * (key - 7)
    return first, first + 1, first + 2, first + 3


def _aliases_config(known: Mapping[str, str]) -> Config:
    def of(line: int, name: str) -> str:
        value = known.get(f"account.{line}.{_ALIASES[name]}", "")
        return {"Yes": "1", "No": "0"}.get(value, value)

    lines = [line for line in range(1, 13) if of(line, "active") == "1"]
    configs = [_line(line, partial(of, line)) for line in lines]
    modes = [name.removesuffix(".keyMode") for name, mode in known.items() if name.endswith(".keyMode") and mode == "BLF"]
    watched = []
    for key in modes:
        line = int(re.sub(r"\D", "", known[f"{key}.account"])) + (1 if ".vpk." in key else 0)
        number = known[f"{key}.value"]
        watched.append(WatchedKey(key, number, known.get(f"{key}.description", ""), of(line, "pickup") + number))
    scheme = known["provisioning.config.protocol"].lower()
    intercom = ("answer-after=0", "info=alert-autoanswer") if lines and of(lines[0], "auto") == "1" else ()
    return Config(f"{scheme}://{known['provisioning.config.serverPath']}/", tuple(configs), tuple(watched), intercom)


def _line(line: int, of: Callable[[str], str]) -> LineConfig:
    host, _, port = of("server").partition(":")
    return LineConfig(
        line,
        number=of("user"),
        user=of("auth"),
        secret=of("secret"),
        server=host,
        port=int(port or 5060),
        transport=TRANSPORTS[of("transport")],
        display_name=of("name"),
        expires_s=int(of("minutes")) * 60,
        wants_messages=of("mwi") == "1",
    )
