"""An office of namespaces: its server with the bundled Asterisk is a host of its own, ``provisioner serve`` runs in it, and so is every phone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from pbx_sync.asterisk.program import PRIVATE, Program
from provisioner.changes import LineInput, PhoneInput
from provisioner.core.lockstep import Stage, stage
from provisioner.core.mac import Mac
from provisioner.heartbeat import read_heartbeats
from provisioner.records import SightingRecord
from provisioner.settings import ROOT
from provisioner.wiring import Installation
from tests.contract.world import OUIS, wait_until
from tests.discovery.lan import LAN, Host
from tests.installations import make_installation

SERVER = "10.77.0.1"
BASE = f"http://{SERVER}:8080/"
PATIENCE_S = 60.0
numbers = count(0x51)
DHCP = "port=0\nbind-interfaces\ninterface=eth0\nuser=root\nleasefile-ro\ndhcp-range=10.77.0.100,10.77.0.190,255.255.255.0,1h\nno-ping\n"
"""A DHCP server that knows of no phones."""


@dataclass
class Plug:
    """Phones that were plugged in at once, and what they tell of themselves."""

    host: Host
    process: subprocess.Popen[bytes]
    log: Path

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines(keepends=True) if line.endswith("\n") and line.startswith("{")]

    @property
    def at(self) -> float:
        """Returns when they were switched on."""
        wait_until(self.told, PATIENCE_S, "phones that are switched on")
        return float(self.told()[0]["at"])

    def states(self) -> dict[str, dict[str, Any]]:
        """Returns MAC -> what became of the phone so far."""
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        return dict(self.told()[-1].get("phones", {}) if self.told() else {})

    def wait(self, name: str, what: str) -> dict[str, dict[str, Any]]:
        """Returns the states once ``name`` is true of all of them."""
        try:
            wait_until(lambda: (now := self.states()) and all(state.get(name) for state in now.values()), PATIENCE_S, what)
        except AssertionError as error:
            late = {mac: state for mac, state in self.states().items() if not state.get(name)}
            raise AssertionError(f"{error}: {late} {self.complaints()}") from None
        return self.states()

    def complaints(self) -> str:
        """Returns what the phones' process wrote besides."""
        return "\n".join(line for line in self.log.read_text().splitlines() if not line.startswith("{"))[-3000:]


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

        wait_until(is_live, PATIENCE_S, f"promotion of {mac}")
        return mac, extension

    def own_url(self, mac: str) -> str:
        return f"{BASE}p/{self.installation.box.token(Mac(mac), 1)}/"

    @contextmanager
    def plugged(self, by: str, phones: Mapping[str, str]) -> Iterator[list[Plug]]:
        """Plugs phones (MAC -> model) in at once, each a host of its own; where it finds a server without DHCP, it has an address already."""
        made: list[Plug] = []
        try:
            for mac, model in phones.items():
                number = next(numbers)
                host = self.lan.host(number, mac, f"10.77.0.{number}" if by == "pnp" else "")
                made.append(self._started(host, [{"model": model, "mac": mac, "by": by, "interface": "eth0"}]))
            yield made
        finally:
            self._pulled(*(plug.host for plug in made))

    @contextmanager
    def crowd(self, by: str, phones: Sequence[tuple[str, str, str]]) -> Iterator[Plug]:
        """Plugs many phones (MAC, model, address) in at once, all in one host, with an interface for each."""
        host = self.lan.crowd([(mac, address) for mac, _, address in phones])
        try:
            rows = [{"model": model, "mac": mac, "by": by, "interface": f"ph{at}"} for at, (mac, model, _) in enumerate(phones)]
            yield self._started(host, rows)
        finally:
            self._pulled(host)

    def came(self, model: str, mac: str, by: str) -> dict[str, Any]:
        """Plugs one phone in until it has looked everywhere; returns what came of it."""
        with self.plugged(by, {mac: model}) as (plug,):
            return plug.wait("is_over", f"{mac} that looked everywhere")[mac]

    def _started(self, host: Host, phones: list[dict[str, str]]) -> Plug:
        log = self.folder / f"plugged{next(numbers)}.log"
        log.touch()
        return Plug(host, host.start(sys.executable, "-m", "tests.discovery.plugged", json.dumps(phones), log=log), log)

    def _pulled(self, *hosts: Host) -> None:
        for host in hosts:
            host.end()
            self.lan.hosts.remove(host)

    def stage(self, mac: str) -> Stage | None:
        facts = self.installation.store.lockstep(Mac(mac), has_pbx=True)
        return stage(facts) if facts is not None else None

    def wait_in_lockstep(self, *macs: str) -> None:
        try:
            wait_until(lambda: all(self.stage(mac) == Stage.IN_LOCKSTEP for mac in macs), PATIENCE_S, "lockstep")
        except AssertionError as error:
            facts = {mac: self.installation.store.lockstep(Mac(mac), has_pbx=True) for mac in macs}
            raise AssertionError(f"{error}: {facts}") from None

    def sighting(self, mac: str) -> SightingRecord | None:
        return next(iter(self.installation.store.sightings(mac=Mac(mac), limit=1, listed=True)), None)

    def said(self, mac: str) -> set[tuple[str, str, str]]:
        """Returns source, fact and value of everything that is known of a phone."""
        found = self.sighting(mac)
        return {(row.source, row.fact, row.value) for row in found.evidence} if found else set()

    @contextmanager
    def dnsmasq(self, config: str = DHCP) -> Iterator[None]:
        path = self.folder / "dnsmasq.conf"
        path.write_text(config)
        process = self.server.start("dnsmasq", "-k", "-C", str(path), log=self.folder / "dnsmasq.log")
        wait_until(lambda: ":0043 " in self.server.run("cat", "/proc/net/udp"), what="dnsmasq listening on port 67")
        yield
        process.terminate()
        process.wait(10)


@contextmanager
def an_office(*before: str, program: Program | None) -> Iterator[Office]:
    """Runs a network with a server in it; ``before`` is what the server is started by. Without a program it has no PBX."""
    # Not below pytest's folder: the path of Asterisk's control socket may have 107 bytes.
    with tempfile.TemporaryDirectory(prefix="lan-", ignore_cleanup_errors=True) as name, LAN() as lan:
        folder = Path(name)
        (folder / "tftp_root").mkdir()
        (folder / "var").mkdir()
        if program is not None:
            (folder / "var" / PRIVATE).symlink_to(program.share.parents[2])
        given = {
            "catalogue_dir": ROOT / "phone_templates", "tftp_root": folder / "tftp_root", "phones_bind": "0.0.0.0:8080", "tftp_bind": "off",
            "pbx": "bundled" if program else "none", "public_host": SERVER, "discovery": "pnp,dhcp,arp,mdns,lldp", "dhcp_proxy": "on",
        }  # fmt: skip
        server = lan.host(1, "020000000001", SERVER)
        installation = make_installation(folder, **given)
        lan.environ |= {f"PROVISIONER_{name.upper()}": str(value) for name, value in given.items()}
        lan.environ |= {"PROVISIONER_DATA_DIR": str(folder / "var"), "PYTHONPATH": str(ROOT)}
        parts = ("phones", "worker", "discovery", *(["pbx"] if program else []))
        server.start(*before, sys.executable, "-m", "provisioner", "serve", *parts, log=folder / "serve.log")
        try:
            for part in parts[1:]:
                wait_until(lambda part=part: _is_up(folder, part), PATIENCE_S, f"the part {part}")
            wait_until(lambda: ":1F90 " in server.run("cat", "/proc/net/tcp"), PATIENCE_S, "the phones' listener")
            yield Office(lan, server, installation, folder)
        finally:
            sys.stdout.write((folder / "serve.log").read_text("utf-8", "replace")[-20_000:])
            installation.database.dispose()


def _is_up(folder: Path, part: str) -> bool:
    beat = read_heartbeats(folder / "var").get(part)
    return beat is not None and beat.ok
