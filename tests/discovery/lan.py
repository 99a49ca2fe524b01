"""A network on one machine: hosts that are namespaces, joined by a bridge, in which real programs run (ip-netns(8), unshare(1), nsenter(1)).

Everything is gone when the context ends: a namespace lives as long as the process that holds it, and links live in a namespace. Where the
tests do not run as root, all of it happens in a user namespace, where they are.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from provisioner.settings import ROOT

NETWORK = "10.77.0"
PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@dataclass
class Host:
    """One host: ``run`` waits for a program in it, ``start`` does not."""

    lan: LAN
    name: str
    holder: subprocess.Popen[bytes]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def enter(self, *program: str) -> list[str]:
        """Returns the command line that runs a program in this host."""
        into = ["--preserve-credentials", "-U"] if os.geteuid() else []
        return ["nsenter", "-t", str(self.holder.pid), *into, "-n", *program]

    def run(self, *program: str, stdin: str = "", timeout: float = 60) -> str:
        done = subprocess.run(
            self.enter(*program), check=False, input=stdin, env=self.lan.environ, cwd=ROOT, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, (program, done.returncode, done.stdout[-500:], done.stderr[-2000:])
        return done.stdout

    def start(self, *program: str, log: Path, **environ: str) -> subprocess.Popen[bytes]:
        with log.open("ab") as out:
            process = subprocess.Popen(
                self.enter(*program), env={**self.lan.environ, **environ}, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self.started.append(process)
        return process

    def python(self, module: str, *args: str, timeout: float = 60) -> str:
        return self.run(sys.executable, "-m", module, *args, timeout=timeout)

    def end(self) -> None:
        for process in self.started:
            process.terminate()
        for process in self.started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()
                process.wait()
        self.holder.kill()
        self.holder.wait()
        for pipe in (self.holder.stdout, self.holder.stdin):
            if pipe is not None:
                pipe.close()


class LAN:
    """A bridge in a namespace of its own, and the hosts on it."""

    def __init__(self) -> None:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PROVISIONER_")}
        self.environ = {**clean, "PATH": PATH}
        self.hosts: list[Host] = []
        self._crowds = itertools.count(200)  # never the same: the kernel takes the links of a host that ended away when it finds the time
        self.switch = self._host("switch", first=True)

    def __enter__(self) -> LAN:
        self.switch.run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0", "forward_delay", "0")
        self.switch.run("ip", "link", "set", "br0", "up")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for host in reversed(self.hosts):
            host.end()

    def host(self, number: int, mac: str = "", address: str = "") -> Host:
        """Returns a new host with an interface ``eth0`` on the bridge; with an address it is up with that, without one it is up bare."""
        made = self._host(f"h{number}")
        lines = [f"link add p{number} type veth peer name eth0 netns {made.holder.pid}", f"link set p{number} master br0 up"]
        self.switch.run("ip", "-batch", "-", stdin="\n".join(lines))
        colons = ":".join(mac[at : at + 2] for at in range(0, 12, 2)) if mac else ""
        own = [f"link set eth0 address {colons}"] if mac else []
        own += ["link set lo up", "link set eth0 up"]
        own += [f"address add {address}/24 dev eth0", "route add 224.0.0.0/4 dev eth0"] if address else []
        made.run("ip", "-batch", "-", stdin="\n".join(own))
        return made

    def crowd(self, phones: Sequence[tuple[str, str]]) -> Host:
        """Returns one host that has an interface with a MAC of its own for each (MAC, address): many phones at the cost of one namespace."""
        made = self.host(next(self._crowds))
        # Each address answers from its own interface, and what comes in by one may be answered by another.
        for name, value in (("arp_ignore", 1), ("arp_announce", 2), ("rp_filter", 0)):
            for which in ("all", "default"):
                made.run("sh", "-c", f"echo {value} > /proc/sys/net/ipv4/conf/{which}/{name}")
        lines = []
        for number, (mac, address) in enumerate(phones):
            colons = ":".join(mac[at : at + 2] for at in range(0, 12, 2))
            lines += [f"link add ph{number} link eth0 address {colons} type macvlan mode bridge", f"link set ph{number} up"]
            lines += [f"address add {address}/24 dev ph{number}"]
        made.run("ip", "-batch", "-", stdin="\n".join(lines))
        return made

    def _host(self, name: str, *, first: bool = False) -> Host:
        hold = [
            "unshare",
            *(["--user", "--map-root-user"] if os.geteuid() and first else []),
            "--net",
            "sh",
            "-c",
            "echo ready; exec sleep 3600",
        ]
        command = hold if first else [*self._within(), *hold]
        holder = subprocess.Popen(command, env=self.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        assert holder.stdout is not None and holder.stdout.readline() == b"ready\n", "namespaces are not allowed here"
        made = Host(self, name, holder)
        self.hosts.append(made)
        return made

    def _within(self) -> list[str]:
        """Returns what runs a program in the user namespace of the switch, where the tests are not root."""
        return ["nsenter", "-t", str(self.switch.holder.pid), "--preserve-credentials", "-U"] if os.geteuid() else []


@contextlib.contextmanager
def lan() -> Iterator[LAN]:
    with LAN() as made:
        yield made
