"""Real DHCP servers in a network namespace of the test's own, each given the configuration that we write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from provisioner.settings import ROOT

SERVER, POOL = "10.77.0.1", ("10.77.0.100", "10.77.0.200")
_runs = count(1)


def run(*words: str, env: dict[str, str] | None = None) -> str:
    """Returns what the program prints; it must end well."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False, env=env, cwd=ROOT)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


class Lan:
    """Two namespaces with one cable between them: the server's end is ``srv``, the phones' end ``pho``."""

    def __init__(self, name: str) -> None:
        self.server, self.phones = f"{name}-s", f"{name}-p"

    def ask(self, mac: str, vendor_class: bytes = b"") -> dict[int, bytes]:
        """Returns the options of the lease that a phone with this MAC and vendor class is given."""
        words = [sys.executable, "-m", "tests.dhcp.client", "pho", mac, vendor_class.hex()]
        told = json.loads(run("ip", "netns", "exec", self.phones, *words))
        # RFC 2132, section 2: a receiver takes trailing NULs off. dnsmasq writes them.
        return {int(code): bytes.fromhex(value).rstrip(b"\0") for code, value in told.items()}


@contextmanager
def lan() -> Iterator[Lan]:
    made = Lan(f"dhcp{os.getpid()}-{next(_runs)}")
    try:
        for name in (made.server, made.phones):
            run("ip", "netns", "add", name)
        run("ip", "-n", made.server, "link", "add", "srv", "type", "veth", "peer", "name", "pho", "netns", made.phones)
        for name, device, address in ((made.server, "srv", f"{SERVER}/24"), (made.phones, "pho", "10.77.0.9/24")):
            run("ip", "-n", name, "address", "add", address, "dev", device)
            run("ip", "-n", name, "link", "set", device, "up")
        yield made
    finally:
        for name in (made.server, made.phones):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def dnsmasq(folder: Path, snippet: str) -> tuple[list[str], list[str]]:
    """Returns the words that check the configuration, and those that serve with it in the foreground."""
    config = folder / "dnsmasq.conf"
    (folder / "phones.conf").write_text(snippet, "utf-8")
    config.write_text(
        f"port=0\ninterface=srv\nbind-interfaces\nuser=root\ndhcp-authoritative\nno-ping\ndhcp-leasefile={folder / 'leases'}\n"
        f"dhcp-range={POOL[0]},{POOL[1]},1h\nconf-file={folder / 'phones.conf'}\n",
        "utf-8",
    )
    base = ["dnsmasq", f"--conf-file={config}"]
    return [*base, "--test"], [*base, "--keep-in-foreground", "--log-facility=-"]


def kea(folder: Path, snippet: str) -> tuple[list[str], list[str]]:
    config, phones = folder / "kea.json", folder / "phones.json"
    phones.write_text(snippet, "utf-8")
    config.write_text(
        '{"Dhcp4": {"interfaces-config": {"interfaces": ["srv"]}, "lease-database": {"type": "memfile", "persist": false},'
        f'"subnet4": [{{"subnet": "10.77.0.0/24", "pools": [{{"pool": "{POOL[0]} - {POOL[1]}"}}]}}],\n<?include "{phones}"?>\n}}}}\n',
        "utf-8",
    )
    return ["kea-dhcp4", "-t", str(config)], ["kea-dhcp4", "-c", str(config)]


def isc(folder: Path, snippet: str) -> tuple[list[str], list[str]]:
    config, leases = folder / "dhcpd.conf", folder / "leases"
    leases.touch()
    (folder / "phones.conf").write_text(snippet, "utf-8")
    config.write_text(
        f'authoritative;\ninclude "{folder / "phones.conf"}";\nsubnet 10.77.0.0 netmask 255.255.255.0 {{ range {POOL[0]} {POOL[1]}; }}\n',
        "utf-8",
    )
    base = ["dhcpd", "-cf", str(config), "-lf", str(leases), "-pf", str(folder / "pid")]
    return [*base, "-t"], [*base, "-f", "-d", "srv"]


KINDS = {"dnsmasq": dnsmasq, "kea": kea, "isc": isc}


@contextmanager
def serving(kind: str, folder: Path, snippet: str) -> Iterator[Lan]:
    """A LAN where this kind of DHCP server runs with what we wrote, after it was checked by the server itself."""
    check, serve = KINDS[kind](folder, snippet)
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    environ = {**os.environ, "PATH": path, "KEA_PIDFILE_DIR": str(folder), "KEA_LOCKFILE_DIR": str(folder)}
    with lan() as made, (folder / "server.log").open("wb") as log:
        run("ip", "netns", "exec", made.server, *check, env=environ)
        words = ["ip", "netns", "exec", made.server, *serve]
        process = subprocess.Popen(words, env=environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield made
        finally:
            process.terminate()
            process.wait(30)
