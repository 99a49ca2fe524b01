"""Plans: which phone asks for which names and what must come back. The generators read them as tab-separated files."""

from __future__ import annotations

import http.client
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

YEALINK_AGENT = "Yealink SIP-T46U 108.86.0.90 {mac}"
GRANDSTREAM_AGENT = "Grandstream Model HW GXP2170 SW 1.0.11.64 DevId {mac}"
POLYCOM_AGENT = "FileTransport PolycomVVX-VVX_411-UA/5.9.6.2327 (SN:{mac}) Type/Application"

# What each model asks for after power-up, with the status a good server gives (order: vendor guides, fetch_sequences.json).
SEQUENCES: dict[str, tuple[str, tuple[tuple[str, int], ...]]] = {
    "yealink/t46u": (
        YEALINK_AGENT,
        (("{mac}.boot", 404), ("y000000000000.boot", 404), ("y000000000108.cfg", 200), ("{mac}.cfg", 200)),
    ),
    "grandstream/gxp2170": (
        GRANDSTREAM_AGENT,
        (("cfg{mac}", 404), ("cfg{mac}.xml", 200), ("cfggxp2170.xml", 404), ("cfg.xml", 404)),
    ),
    "polycom/vvx411": (
        POLYCOM_AGENT,
        (
            ("{mac}.cfg", 200),
            ("{mac}-user.cfg", 200),
            ("{mac}-phone.cfg", 404),
            ("{mac}-web.cfg", 404),
            ("000000000000-license.cfg", 404),
            ("{mac}-directory.xml", 200),
        ),
    ),
}
OUIS = {"yealink/t46u": "805ec0", "grandstream/gxp2170": "ec74d7", "polycom/vvx411": "64167f"}
MIX = ("yealink/t46u", "grandstream/gxp2170", "yealink/t46u", "polycom/vvx411")  # Half, a quarter, a quarter.


@dataclass(frozen=True, slots=True)
class Fetch:
    """One request: a file name (no leading slash) and what must come back; -1 and None leave size and CRC unchecked."""

    name: str
    status: int
    size_bytes: int = -1
    crc32: int | None = None


@dataclass(frozen=True, slots=True)
class Phone:
    """One phone of the storm: 12 hex digits, its model, its User-Agent, its requests in order."""

    mac: str
    model: str
    agent: str
    fetches: tuple[Fetch, ...]

    def colon_mac(self) -> str:
        """Returns the MAC as aa:bb:cc:dd:ee:ff."""
        return ":".join(self.mac[i : i + 2] for i in range(0, 12, 2))

    def own_files(self) -> list[Fetch]:
        """Returns its good requests that name its own MAC."""
        return [fetch for fetch in self.fetches if fetch.status == 200 and self.mac in fetch.name]


@dataclass(frozen=True, slots=True)
class Plan:
    """All phones of a storm."""

    phones: tuple[Phone, ...]

    def requests(self) -> int:
        """Returns how many requests one pass of all phones makes."""
        return sum(len(phone.fetches) for phone in self.phones)

    def first(self, count: int) -> Plan:
        """Returns the plan of the first `count` phones."""
        return Plan(self.phones[:count])

    def good_names(self) -> list[str]:
        """Returns every name that must be served, once, in order of first use."""
        return list(dict.fromkeys(fetch.name for phone in self.phones for fetch in phone.fetches if fetch.status == 200))

    def write_http(self, path: Path) -> Path:
        """Writes the plan as httpstorm reads it."""
        path.write_text("".join(_http_rows(self.phones)))
        return path

    def write_tftp(self, path: Path) -> Path:
        """Writes one transfer a phone (its own file, with size and CRC where known) as tftpstorm reads it."""
        path.write_text("".join(_tftp_rows(self.phones)))
        return path


def _http_rows(phones: Iterable[Phone]) -> Iterator[str]:
    for phone in phones:
        for fetch in phone.fetches:
            crc = "" if fetch.crc32 is None else f"\t{fetch.crc32:08x}"
            yield f"{phone.mac}\t/{fetch.name}\t{phone.agent}\t{fetch.status}\t{fetch.size_bytes}{crc}\n"


def _tftp_rows(phones: Iterable[Phone]) -> Iterator[str]:
    for phone in phones:
        for fetch in phone.own_files()[:1]:
            crc = "" if fetch.crc32 is None else f"\t{fetch.crc32:08x}"
            yield f"{phone.mac}\t{fetch.name}\t{fetch.size_bytes}{crc}\n"


def phone(number: int) -> Phone:
    """Returns the phone of that number (0 and up); the same number is always the same phone."""
    model = MIX[number % len(MIX)]
    mac = f"{OUIS[model]}{number + 1:06x}"
    agent, sequence = SEQUENCES[model]
    spelled = ":".join(mac[i : i + 2] for i in range(0, 12, 2)) if model.startswith("yealink") else mac
    return Phone(mac, model, agent.format(mac=spelled), tuple(Fetch(name.format(mac=mac), status) for name, status in sequence))


def storm_plan(phones: int) -> Plan:
    """Returns the mixed storm of section 1 of the measurements: half Yealink, a quarter Grandstream, a quarter Polycom."""
    return Plan(tuple(phone(number) for number in range(phones)))


def unknown_names(phones: int, each: int) -> Plan:
    """Returns phones that ask only for names nobody has; {n} is replaced by the generator with a running number."""
    fetches = tuple(Fetch("{n}.cfg", 404) for _ in range(each))
    return Plan(tuple(Phone(f"flood{number}", "", "flood", fetches) for number in range(phones)))


def invented_body(name: str, size_bytes: int) -> bytes:
    """Returns a text body of that size which depends on the name, for storms on peers alone."""
    line = f"account.1.label = {name} 0123456789abcdefghijklmnopqrstuvwxyz\n".encode()
    return (line * (size_bytes // len(line) + 1))[:size_bytes]


def with_bodies(plan: Plan, bodies: dict[str, bytes]) -> Plan:
    """Returns the plan with size and CRC of every good name that has a body."""
    facts = {name: (len(body), zlib.crc32(body)) for name, body in bodies.items()}

    def known(fetch: Fetch) -> Fetch:
        if fetch.status != 200 or fetch.name not in facts:
            return fetch
        size, crc = facts[fetch.name]
        return replace(fetch, size_bytes=size, crc32=crc)

    return Plan(tuple(replace(phone, fetches=tuple(known(fetch) for fetch in phone.fetches)) for phone in plan.phones))


def write_bodies(folder: Path, bodies: dict[str, bytes]) -> None:
    """Writes every body as a world-readable file, for peers that serve a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    for name, body in bodies.items():
        path = folder / name
        path.write_bytes(body)
        path.chmod(0o644)


def invented_bodies(plan: Plan, size_bytes: int) -> dict[str, bytes]:
    """Returns a body of that size for every good name."""
    return {name: invented_body(name, size_bytes) for name in plan.good_names()}


def _owner_of(plan: Plan) -> dict[str, Phone]:
    owners: dict[str, Phone] = {}
    for each in plan.phones:
        for fetch in each.fetches:
            owners.setdefault(fetch.name, each)
    return owners


def _fetch_some(host: str, port: int, wanted: list[tuple[str, str]]) -> dict[str, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=20)
    found: dict[str, bytes] = {}
    try:
        for name, agent in wanted:
            connection.request("GET", f"/{name}", headers={"User-Agent": agent})
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                found[name] = body
    finally:
        connection.close()
    return found


def learned_bodies(plan: Plan, host: str, port: int) -> dict[str, bytes]:
    """Returns what a calm server answers to every good name; a name it does not answer with 200 is absent."""
    owners = _owner_of(plan)
    wanted = [(name, owners[name].agent) for name in plan.good_names()]
    parts = [wanted[i::4] for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found: dict[str, bytes] = {}
        for part in pool.map(lambda some: _fetch_some(host, port, some), parts):
            found.update(part)
    return found
