"""Phones fresh from their box in a network of namespaces: found by DHCP (real udhcpc and dnsmasq), PnP, proxy DHCP and a scan.

The server is ``provisioner serve phones worker discovery`` in a host of its own; so is every phone.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from provisioner.changes import LineInput, PhoneInput
from provisioner.core.mac import Mac
from provisioner.dhcp import dhcp_config
from provisioner.heartbeat import read_heartbeats
from provisioner.records import SightingRecord
from provisioner.settings import ROOT
from provisioner.wiring import Installation
from tests.contract.world import OUIS, wait_until
from tests.discovery.lan import LAN, Host
from tests.installations import make_installation

SERVER = "10.77.0.1"
BASE = f"http://{SERVER}:8080/"
MODELS = ("yealink/t46u", "grandstream/gxp2170", "polycom/vvx411")
numbers = count(0x51)
PLAIN = "port=0\nbind-interfaces\ninterface=eth0\nuser=root\nleasefile-ro\ndhcp-range=10.77.0.100,10.77.0.190,255.255.255.0,1h\nno-ping\n"


@dataclass
class Office:
    """The network, its server and what it knows."""

    lan: LAN
    server: Host
    installation: Installation
    folder: Path

    def listed(self, model: str) -> tuple[str, str]:
        """Returns MAC and extension of a phone that is listed, with live files that the server serves."""
        number = next(numbers)
        mac, extension = Mac(f"{OUIS[model.partition('/')[0]]}{number:06x}"), str(4000 + number)
        changes, store = self.installation.changes, self.installation.store
        changes.create_extension("test", extension)
        changes.create_phone("test", mac, PhoneInput(model, lines=[LineInput(1, extension)]))

        def is_live() -> bool:
            facts = store.lockstep(mac, has_pbx=False)
            return facts is not None and facts.wanted is not None and facts.wanted == facts.live

        wait_until(is_live, 60, f"promotion of {mac}")
        return mac, extension

    def own_url(self, mac: str) -> str:
        return f"{BASE}p/{self.installation.box.token(Mac(mac), 1)}/"

    def plugged(self, model: str, mac: str, by: str) -> dict:
        """Plugs a phone in and returns what it says came of it."""
        number = next(numbers)
        host = self.lan.host(number, mac, f"10.77.0.{number}" if by == "pnp" else "")
        try:
            return dict(json.loads(host.python("tests.discovery.plugged", "--model", model, "--mac", mac, "--by", by, timeout=120)))
        finally:
            host.run("ip", "link", "del", "eth0")

    def sighting(self, mac: str) -> SightingRecord | None:
        return next(iter(self.installation.store.sightings(mac=Mac(mac), limit=1, listed=True)), None)

    def said(self, mac: str) -> set[tuple[str, str, str]]:
        """Returns source, fact and value of everything that is known of a phone."""
        found = self.sighting(mac)
        return {(row.source, row.fact, row.value) for row in found.evidence} if found else set()

    def dnsmasq(self, config: str) -> Iterator[subprocess.Popen[bytes]]:
        path = self.folder / "dnsmasq.conf"
        path.write_text(config)
        process = self.server.start("dnsmasq", "-k", "-C", str(path), log=self.folder / "dnsmasq.log")
        wait_until(lambda: ":0043 " in self.server.run("cat", "/proc/net/udp"), what="dnsmasq listening on port 67")
        yield process
        process.terminate()
        process.wait(10)


@contextmanager
def an_office(folder: Path, *before: str, holder: bool = True) -> Iterator[Office]:
    """Runs a network with a server in it; ``before`` is what the server is started by."""
    (folder / "tftp_root").mkdir()
    given = {
        "catalogue_dir": ROOT / "phone_templates", "tftp_root": folder / "tftp_root", "phones_bind": "0.0.0.0:8080", "tftp_bind": "off",
        "pbx": "none", "public_host": SERVER, "discovery": "pnp,dhcp,arp,mdns,lldp", "dhcp_proxy": "on",
    }  # fmt: skip
    with LAN() as lan:
        server = lan.host(1, "020000000001", SERVER)
        installation = make_installation(folder, **given)
        environ = {f"PROVISIONER_{name.upper()}": str(value) for name, value in given.items()}
        environ |= {"PROVISIONER_DATA_DIR": str(folder / "var"), "PYTHONPATH": str(ROOT)}
        lan.environ |= environ
        if holder:  # a PBX holds port 5060 on every address: another program does here, and must be handed nothing
            server.start(sys.executable, "-c", HOLDER, str(folder / "heard"), log=folder / "holder.log")
        server.start(*before, sys.executable, "-m", "provisioner", "serve", "phones", "worker", "discovery", log=folder / "serve.log")
        made = Office(lan, server, installation, folder)
        wait_until(lambda: "discovery" in read_heartbeats(folder / "var"), 60, "the discovery process")
        wait_until(lambda: ":1F90 " in server.run("cat", "/proc/net/tcp"), 60, "the phones' listener")
        yield made
        installation.database.dispose()


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with an_office(tmp_path_factory.mktemp("office")) as made:
        yield made


HOLDER = """import socket, sys
held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
held.bind(("", 5060))
while True:
    data, peer = held.recvfrom(4096)
    open(sys.argv[1], "ab").write(data)
"""


@pytest.fixture
def telling(office: Office) -> Iterator[None]:
    """A DHCP server that tells phones of the server: what is written for it is what an administrator gets."""
    yield from (None for _ in office.dnsmasq(PLAIN + dhcp_config(office.installation.catalogue, "dnsmasq", BASE)))


@pytest.fixture
def silent(office: Office) -> Iterator[None]:
    """A DHCP server that knows of no phones."""
    yield from (None for _ in office.dnsmasq(PLAIN))


def test_every_source_is_on_and_no_right_is_left(office: Office) -> None:
    beat = read_heartbeats(office.folder / "var")["discovery"]
    assert beat.detail == "hears pnp, dhcp, arp, mdns, lldp"
    status = Path(f"/proc/{beat.pid}/status").read_text()
    rights = {line.split(":")[0]: line.split()[1] for line in status.splitlines() if line.startswith("Cap")}
    assert rights["CapEff"] == rights["CapPrm"] == rights["CapBnd"] == "0" * 16


@pytest.mark.parametrize("model", MODELS)
def test_a_fresh_phone_finds_the_server_by_dhcp(office: Office, telling: None, model: str) -> None:
    mac, extension = office.listed(model)
    came = office.plugged(model, mac, "dhcp")
    assert came["found"] == BASE
    assert (came["url"], came["lines"]) == (office.own_url(mac), [extension])
    vendor = model.partition("/")[0]
    wait_until(lambda: ("dhcp", "vendor", vendor) in office.said(mac), what="evidence of DHCP")
    wait_until(lambda: any(source == "arp" for source, *_ in office.said(mac)), what="evidence of ARP")


@pytest.mark.parametrize("model", MODELS[:2])
def test_a_fresh_phone_finds_the_server_by_pnp(office: Office, model: str) -> None:
    mac, extension = office.listed(model)
    came = office.plugged(model, mac, "pnp")
    assert came["found"] == came["url"] == office.own_url(mac), "one that may fetch is told its own address"
    assert came["lines"] == [extension]
    name = model.partition("/")[2].upper()
    wait_until(lambda: ("pnp", "model", name) in office.said(mac), what="evidence of PnP")
    assert not (office.folder / "heard").exists(), "what holds port 5060 is handed nothing of the group"


def test_a_fresh_phone_that_nobody_listed_is_led_here_and_gets_nothing(office: Office) -> None:
    mac = f"805ec0{next(numbers):06x}"
    came = office.plugged("yealink/t46u", mac, "pnp")
    assert came["found"] == BASE and came["lines"] == []
    assert {status for path, status in came["asked"] if mac in path} == {404}
    wait_until(lambda: ("fetch", "model", "T46U") in office.said(mac), what="evidence of its fetch")
    seen = office.sighting(mac)
    assert seen and (seen.vendor, seen.model, seen.conflict) == ("yealink", "T46U", "")


@pytest.mark.parametrize("model", MODELS)
def test_a_fresh_phone_finds_the_server_by_proxy_dhcp(office: Office, silent: None, model: str) -> None:
    mac, extension = office.listed(model)
    came = office.plugged(model, mac, "proxy")
    assert came["found"] == BASE, "the lease is the DHCP server's, and the address ours: a request in any name earns no token"
    assert (came["url"], came["lines"]) == (office.own_url(mac), [extension])


def phones_of(office: Office, host: Host, phones: list[dict], *more: str) -> float:
    """Starts a crowd; returns when all of it was there."""
    path = office.folder / f"crowd{next(numbers)}.json"
    path.write_text(json.dumps(phones))
    log = path.with_suffix(".log")
    host.start(sys.executable, "-m", "tests.discovery.crowd", str(path), *more, log=log)
    wait_until(lambda: log.exists() and log.read_text().startswith("{"), 60, "the crowd")
    return float(json.loads(log.read_text().splitlines()[0])["at"])


def test_ten_phones_plugged_in_at_once_appear_within_five_seconds(office: Office) -> None:
    phones = [
        {"mac": f"805ec01000{number:02x}", "address": f"10.77.0.{20 + number}", "sip": "Yealink SIP-T46U 108.86.0.90"}
        for number in range(10)
    ]
    host = office.lan.crowd([(phone["mac"], phone["address"]) for phone in phones])
    plugged_at = phones_of(office, host, phones, "--plug")
    wait_until(lambda: all(office.sighting(phone["mac"]) for phone in phones), what="ten sightings")
    took = time.time() - plugged_at
    assert took < 5.0
    assert {(seen.vendor, seen.model) for phone in phones if (seen := office.sighting(phone["mac"]))} == {("yealink", "T46U")}
    host.end()
    office.lan.hosts.remove(host)


KINDS = (
    ("805ec02", "yealink", "T46U", {"sip": "Yealink SIP-T46U 108.86.0.90"}),
    ("ec74d72", "grandstream", "GXP2170", {"sip": "Grandstream GXP2170 1.0.11.57"}),
    ("64167f2", "polycom", "VVX411", {"sip": "Polycom/6.4.6.2494 PolycomVVX-VVX_411-UA/6.4.6.2494"}),
    ("000b822", "grandstream", "GXP1400", {"web": "Server: Grandstream GXP1400 1.0.8.4"}),
)


def test_a_scan_finds_forty_phones_and_names_them(office: Office) -> None:
    phones = [
        {"mac": f"{KINDS[number % 4][0]}000{number:02x}", "address": f"10.77.0.{200 + number}", **KINDS[number % 4][3]}
        for number in range(40)
    ]
    laptops = [(f"f0def100{number:04x}", f"10.77.0.{245 + number}") for number in range(5)]
    host = office.lan.crowd([(phone["mac"], phone["address"]) for phone in phones] + laptops)
    phones_of(office, host, phones)
    found = json.loads(office.server.python("provisioner", "discover", "10.77.0.0/24", "--json", timeout=120))
    expected = {phone["mac"]: (phone["address"], *KINDS[number % 4][1:3]) for number, phone in enumerate(phones)}
    named = {seen["mac"].replace(":", ""): (seen["peer"], seen["vendor"], seen["model"]) for seen in found}
    assert {mac: named.get(mac) for mac in expected} == expected
    assert not any(mac in named for mac, _ in laptops)
    (scan,) = office.installation.store.scans(limit=1)
    assert (scan.state, scan.total, scan.done, scan.error) == ("done", 254, 254, "")
    assert scan.found >= 40
    assert scan.ended_at is not None and scan.ended_at - scan.at < 15
    host.end()
    office.lan.hosts.remove(host)


def test_a_scan_can_be_stopped(office: Office) -> None:
    changes, store = office.installation.changes, office.installation.store
    number = changes.ask_scan("test", "10.77.8.0/21", 2046)

    def state() -> str:
        record = store.scan(number)
        return record.state if record else ""

    wait_until(lambda: state() == "running", what="the scan's beginning")
    changes.cancel_scan("test", number)
    wait_until(lambda: state() == "cancelled", what="the scan's end")


def test_floods_of_nonsense_are_outlived(office: Office) -> None:
    pid = read_heartbeats(office.folder / "var")["discovery"].pid
    host = office.lan.host(250, "020000000250", "10.77.0.250")
    sent = host.run(sys.executable, "-c", FLOOD, timeout=120)
    assert int(sent) == 12_000
    mac = f"805ec0{next(numbers):06x}"
    assert office.plugged("yealink/t46u", mac, "pnp")["found"] == BASE
    assert read_heartbeats(office.folder / "var")["discovery"].pid == pid, "it is the same process"


def test_without_the_right_pnp_takes_its_port_and_the_rest_says_why_it_is_off(tmp_path: Path) -> None:
    with an_office(tmp_path, "setpriv", "--bounding-set=-net_raw", holder=False) as bare:
        detail = read_heartbeats(tmp_path / "var")["discovery"].detail
        assert detail.startswith("hears pnp, mdns; ")
        assert all(f"{name} is off: it needs the right CAP_NET_RAW" in detail for name in ("dhcp", "arp")), detail
        mac, extension = bare.listed("yealink/t46u")
        came = bare.plugged("yealink/t46u", mac, "pnp")
        assert (came["found"], came["lines"]) == (bare.own_url(mac), [extension])
        found = json.loads(bare.server.python("provisioner", "discover", "10.77.0.0/28", "--json", timeout=120))
        assert found == [], "nobody is there any more"


FLOOD = """import os, random, socket
random.seed(7)
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
raw.bind(("eth0", 0))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
sent = 0
for number in range(2000):
    noise = os.urandom(random.randrange(600))
    source = b"\\x02" + os.urandom(5)
    for kind in (b"\\x08\\x06", b"\\x88\\xcc", b"\\x08\\x00"):
        raw.send((b"\\xff" * 6 + source + kind + noise)[:1500])
    udp.sendto(b"SUBSCRIBE " + noise, ("224.0.1.75", 5060))
    udp.sendto(noise, ("224.0.0.251", 5353))
    udp.sendto(bytes(236) + b"\\x63\\x82\\x53\\x63" + noise, ("10.77.0.255", 67))
    sent += 6
print(sent)
"""
