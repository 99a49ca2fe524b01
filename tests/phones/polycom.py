"""A Polycom phone: a master file that names the others, attributes by their full name, the contact directory; logs are sent back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

from tests.phones.config import Config, LineConfig, Server, Unreadable, WatchedKey

TRANSPORTS = {"UDPOnly": "udp", "TCPOnly": "tcp", "TCPpreferred": "tcp", "TLS": "tls", "DNSnaptr": "udp", "": "udp"}
SCHEMES = {"HTTP": "http", "HTTPS": "https", "TFTP": "tftp", "FTP": "ftp"}


class Polycom:
    """The firmware of one phone. Only ``device.*`` stays in flash; all else is what the files say now."""

    def __init__(self, model: str, mac: str) -> None:
        title = model.upper().replace("VVX", "VVX_")
        self.user_agent = f"FileTransport PolycomVVX-{title}-UA/6.4.6.2494 (SN:{mac}) Type/Application"
        self._mac = mac
        self._device: dict[str, str] = {}
        self._known: dict[str, str] = {}
        self.contacts: dict[str, str] = {}

    def fetch(self, server: Server) -> None:
        body = server.get(f"{self._mac}.cfg") or server.get("000000000000.cfg")
        if body is None:
            return
        master = attributes(body)
        overrides, licences, contacts = (_folder(master, name) for name in ("OVERRIDES", "LICENSE", "CONTACTS"))
        if "://" not in master["APP_FILE_PATH"]:
            server.get(f"3111-48450-001.{master['APP_FILE_PATH']}")
        read: dict[str, str] = {}
        names = [name.strip() for name in master["CONFIG_FILES"].split(",")]
        for name in (*names, f"{overrides}{self._mac}-phone.cfg", f"{overrides}{self._mac}-web.cfg"):
            found = server.get(name)
            read |= attributes(found) if found is not None else {}
        server.get(f"{licences}{self._mac}-license.cfg")
        self._keep(read)
        directory = server.get(f"{contacts}{self._mac}-directory.xml")
        if directory is not None:
            self.contacts = {_text(item, "sd"): _text(item, "ct") for item in _xml(directory).iter("item")}
        server.put(f"{_folder(master, 'LOG_FILE')}{self._mac}-app.log", b"0101000000|cfg  |4|00|Provisioning succeeded")

    def _keep(self, read: Mapping[str, str]) -> None:
        """Writes ``device.*`` to flash where it is allowed twice; the rest replaces what was there."""
        allowed = read.get("device.set") == "1"
        self._device |= {
            name: value for name, value in read.items() if name.startswith("device.") and allowed and read.get(f"{name}.set") == "1"
        }
        self._known = {name: value for name, value in read.items() if not name.startswith("device.")}

    def config(self) -> Config:
        known = self._known
        numbers = sorted(int(found.group(1)) for name in known if (found := re.match(r"reg\.(\d+)\.address$", name)) and known[name])
        pickup = known.get("call.directedCallPickupString", "*97") if known.get("feature.directedCallPickup.enabled") == "1" else ""
        classes = {
            name.rpartition(".")[0] for name, value in known.items() if name.startswith("voIpProt.SIP.alertInfo.") and value == "autoAnswer"
        }
        url = f"{SCHEMES[self._device['device.prov.serverType']]}://{self._device['device.prov.serverName']}/"
        return Config(
            url,
            tuple(_line(known, number) for number in numbers),
            tuple(_watched(known, pickup)),
            tuple(known[f"{name}.value"] for name in sorted(classes)),
        )


def _xml(body: bytes) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise Unreadable(str(error)) from error


def _text(item: ElementTree.Element, name: str) -> str:
    return item.findtext(name) or ""


def attributes(body: bytes) -> dict[str, str]:
    """Returns every attribute of a file by its full name; the elements around them mean nothing. Raises ``Unreadable``."""
    return {name: value for element in _xml(body).iter() for name, value in element.attrib.items()}


def _folder(master: Mapping[str, str], name: str) -> str:
    folder = master.get(f"{name}_DIRECTORY", "").strip("/")
    return f"{folder}/" if folder else ""


def _watched(known: Mapping[str, str], pickup: str) -> list[WatchedKey]:
    """Returns the watched keys: the attendant's list, up to its first gap in the numbering."""
    keys = []
    for place in range(1, 200):
        prefix = f"attendant.resourceList.{place}"
        number = known.get(f"{prefix}.address")
        if number is None:
            break
        if number:
            is_park = known.get(f"{prefix}.type") == "automata"
            keys.append(WatchedKey(prefix, number, known.get(f"{prefix}.label", ""), number if is_park else pickup + number))
    return keys


def _line(known: Mapping[str, str], line: int) -> LineConfig:
    def of(name: str, default: str = "") -> str:
        return known.get(f"reg.{line}.{name}", default)

    return LineConfig(
        line,
        number=of("address"),
        user=of("auth.userId"),
        secret=of("auth.password"),
        server=of("server.1.address"),
        port=int(of("server.1.port", "5060")),
        transport=TRANSPORTS[of("server.1.transport")],
        display_name=of("displayName"),
        expires_s=int(of("server.1.expires", "3600")),
        wants_messages=bool(known.get(f"msg.mwi.{line}.subscribe")),
    )
