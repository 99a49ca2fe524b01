"""Looks at every address of a network: who is there (ARP), what its SIP server and its web page say, and so which phones there are.

Bounded: ``PER_SECOND`` packets a second whatever the network's size, networks of at most ``scans.MOST`` addresses, and it can be stopped
between any two packets. A host beyond a router has no MAC that could be seen here: it counts only where it names its MAC itself.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from provisioner.core.mac import Mac
from provisioner.core.recognise import Recognised, by_banner, by_user_agent
from provisioner.core.sightings import PROVEN, SHOWN, TOLD, Fact, Observation, fact, maker_of
from provisioner.discovery.arp import Asks, KernelAsks, Sweep
from provisioner.discovery.probing import Told, asked_by_sip, asked_by_web
from provisioner.discovery.source import Off, Surroundings
from provisioner.discovery.wire import Interface

PER_SECOND = 200.0
ROUNDS, SETTLE_S = 2, 0.7
STEP = 256
"""Addresses that are looked at to the end before the next ones: so much is lost when a scan is stopped."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a scan is."""

    done: int
    found: int


class Scanner:
    """Scans, one network at a time. Made before rights are given away: its socket for ARP has to be open by then."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        try:
            self._asks: Asks = Sweep(around)
        except Off:
            self._asks = KernelAsks()  # slower to forget, but it finds the same hosts

    def scan(
        self, network: ipaddress.IPv4Network, take: Callable[[Sequence[Observation]], None], may_go_on: Callable[[Progress], bool]
    ) -> Progress:
        """Scans; hands over what was seen of each step, and asks after each packet whether to go on. Returns how far it came."""
        hosts = [str(host) for host in network.hosts()]
        progress = Progress(0, 0)
        self._asks.begin()
        for start in range(0, len(hosts), STEP):
            step = hosts[start : start + STEP]
            pace = _Pace(len(step), partial(_asked, may_go_on, progress))
            found = self._step(step, network, pace)
            take(found)
            progress = Progress(start + (pace.done if pace.is_stopped else len(step)), progress.found + len({seen.mac for seen in found}))
            if pace.is_stopped:
                break
        return progress

    def close(self) -> None:
        self._asks.close()

    def _step(self, hosts: Sequence[str], network: ipaddress.IPv4Network, pace: _Pace) -> list[Observation]:
        here = [each for each in self._around.interfaces() if each.network.overlaps(network)]
        neighbours = self._who_is_there(hosts, here, pace)
        beyond = [host for host in hosts if not any(ipaddress.ip_address(host) in each.network for each in here)]
        asked = [*(host for host in hosts if host in neighbours), *beyond]
        by_sip = asked_by_sip(asked, pace)
        unnamed = [host for host in asked if not self._agent(by_sip, host) and (host in neighbours or host in by_sip)]
        by_web = asked_by_web(unnamed, pace)
        return [seen for host in asked for seen in self._seen(host, neighbours.get(host), by_sip, by_web)]

    def _who_is_there(self, hosts: Sequence[str], here: Sequence[Interface], pace: _Pace) -> dict[str, Mac]:
        found: dict[str, Mac] = {}
        meant = set(hosts)
        for _ in range(ROUNDS):
            for host, interface in _on_link(hosts, here):
                if host not in found and pace():
                    self._asks.ask(host, interface)
            pace.rest(SETTLE_S if here else 0.0)
            found |= {host: mac for host, mac in self._asks.answers().items() if host in meant}
        return found

    def _agent(self, by_sip: Told, host: str) -> Recognised | None:
        return by_user_agent(self._around.catalogue, by_sip.get(host, ""))

    def _seen(self, host: str, mac: Mac | None, by_sip: Told, by_web: Told) -> Iterator[Observation]:
        """Yields what is known of one host; nothing of one that is no phone, or that has no MAC."""
        agent, page = self._agent(by_sip, host), by_banner(self._around.catalogue, by_web.get(host, ""))
        mac = mac or (agent.mac if agent else None) or (page.mac if page else None)
        if mac is None or not (host in by_sip or page or maker_of(self._around.catalogue, mac)):
            return
        now, address = self._around.clock(), fact("address", host, PROVEN)
        yield Observation(mac, "arp", now, address)
        if host in by_sip:
            said: tuple[Fact, ...] = agent.facts(SHOWN) if agent else ()
            yield Observation(mac, "sip", now, (*said, *fact("user_agent", by_sip[host], SHOWN)))
        if page:
            yield Observation(mac, "http", now, page.facts(TOLD))


class _Pace:
    """Waits so long that no more than ``PER_SECOND`` packets go out a second; False once somebody wants it to stop.

    It also guesses how far a step is: most of its packets are the two rounds of ARP, the rest is for the few that answer.
    """

    def __init__(self, hosts: int, may_go_on: Callable[[int], bool]) -> None:
        self._hosts = hosts
        self._may_go_on = may_go_on
        self._next = time.monotonic()
        self._sent = 0
        self.is_stopped = False

    @property
    def done(self) -> int:
        """Returns how many of the hosts that comes to."""
        return min(self._hosts - 1, self._sent // (ROUNDS + 1))

    def __call__(self) -> bool:
        wait = self._next - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        self._next = max(self._next, time.monotonic() - 0.1) + 1 / PER_SECOND
        self._sent += 1
        self.is_stopped = self.is_stopped or not self._may_go_on(self.done)
        return not self.is_stopped

    def rest(self, for_s: float) -> None:
        """Waits for the last answers."""
        if not self.is_stopped:
            time.sleep(for_s)


def _asked(may_go_on: Callable[[Progress], bool], before: Progress, done: int) -> bool:
    return may_go_on(Progress(before.done + done, before.found))


def _on_link(hosts: Sequence[str], here: Sequence[Interface]) -> Iterator[tuple[str, Interface]]:
    for host in hosts:
        for each in here:
            if ipaddress.ip_address(host) in each.network and host != each.address:
                yield host, each
